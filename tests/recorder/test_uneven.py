"""Frames that come unevenly: what ffmpeg says of them is about its own counting."""

from __future__ import annotations

import subprocess
from pathlib import Path

from recorder import webm
from recorder.frames import EncodedFrame, Kind
from tests.support.marks import HEIGHT, WIDTH, PictureSource

TIMES = [0, 33, 66, 67, 100, 133, 166, 200, 233, 266, 267, *range(300, 900, 33)]


def said(path: Path, *options: str) -> str:
    command = ["ffmpeg", "-v", "warning", "-i", str(path), *options, "-f", "null", "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr


def test_ffmpeg_warns_of_its_own_file_with_these_times_too(tmp_path: Path) -> None:
    """And of neither when it counts in milliseconds; each frame is decoded (FORMAT.md)."""
    source = PictureSource()
    frames = [
        EncodedFrame(Kind.VIDEO, ms, ms, source.encode(n, keyframe=n == 0), n == 0, WIDTH, HEIGHT)
        for n, ms in enumerate(TIMES)
    ]
    ours, theirs = tmp_path / "ours.webm", tmp_path / "theirs.webm"
    ours.write_bytes(webm.header(WIDTH, HEIGHT) + webm.cluster(frames))
    copy = ["ffmpeg", "-v", "error", "-i", str(ours), "-map", "0:v", "-c", "copy", str(theirs)]
    subprocess.run(copy, check=True)
    warned = ["non monotonically" in said(path, "-map", "0:v") for path in (ours, theirs)]
    assert warned[0] == warned[1]
    for path in (ours, theirs):
        assert said(path, "-map", "0:v", "-enc_time_base", "1:1000") == ""
