"""What the benches' publishers send: real VP8, encoded once and cut into RTP payloads once."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

RATE, KEYFRAME_EVERY = 30, 90
PACKET_BYTES = 1_160
"""Of VP8 in one packet, about what browsers put there."""
AUDIO_BYTES = 80
"""Of one Opus packet of 20 ms: 32 kbit/s."""


@dataclass(frozen=True)
class Picture:
    """One encoded frame, cut: what follows the payload descriptor in each of its packets."""

    keyframe: bool
    parts: tuple[bytes, ...]


def encode(path: Path, seconds: int = 12, bits_per_second: int = 1_500_000) -> None:
    """720p30 at a constant bitrate, as an IVF file; a picture that an encoder has work with."""
    source = f"testsrc2=size=1280x720:rate={RATE},noise=alls=6:allf=t"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, "-t", str(seconds),
         "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-lag-in-frames", "0",
         "-b:v", str(bits_per_second), "-minrate", str(bits_per_second),
         "-maxrate", str(bits_per_second), "-bufsize", str(bits_per_second // 2),
         "-g", str(KEYFRAME_EVERY), "-keyint_min", str(KEYFRAME_EVERY), "-error-resilient", "1",
         "-pix_fmt", "yuv420p", "-f", "ivf", str(path)],
        check=True,
    )  # fmt: skip


def read(path: Path) -> list[Picture]:
    """The frames of an IVF file; the first is a keyframe, and a loop of them decodes."""
    data = path.read_bytes()
    position = int.from_bytes(data[6:8], "little")
    out: list[Picture] = []
    while position + 12 <= len(data):
        size = int.from_bytes(data[position : position + 4], "little")
        frame = data[position + 12 : position + 12 + size]
        position += 12 + size
        count = -(-size // PACKET_BYTES)
        step = -(-size // count)
        parts = tuple(frame[start : start + step] for start in range(0, size, step))
        out.append(Picture(not frame[0] & 1, parts))
    return out


def bitrate(pictures: list[Picture]) -> float:
    """Bits per second of video."""
    return sum(len(part) for p in pictures for part in p.parts) * 8 * RATE / len(pictures)
