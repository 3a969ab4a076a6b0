import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder import webm
from recorder.frames import EncodedFrame, Kind
from recorder.track import onto_timeline


def frame(kind: Kind, ms: float, data: bytes = b"x", *, keyframe: bool = True) -> EncodedFrame:
    return EncodedFrame(kind, ms, ms, data, keyframe)


@given(st.integers(0, 2**56 - 2))
def test_sizes_are_the_shortest_and_read_back(value: int) -> None:
    encoded = webm.size(value)
    length = 9 - encoded[0].bit_length()
    assert length == len(encoded)
    assert int.from_bytes(encoded, "big") ^ (1 << 7 * length) == value
    if length > 1:
        assert value >= (1 << 7 * (length - 1)) - 1


def test_too_large_a_size_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        webm.size(2**56 - 1)


def test_the_header_is_as_format_md_says() -> None:
    header = webm.header(1280, 720)
    assert header.startswith(bytes.fromhex("1a45dfa3"))
    assert bytes.fromhex("18538067 01ffffffffffffff 1549a966") in header
    assert bytes.fromhex("2ad7b1 83 0f4240") in header
    assert bytes.fromhex("b0 82 0500 ba 82 02d0") in header
    assert b"OpusHead\x01\x02\x00\x00\x80\xbb\x00\x00\x00\x00\x00" in header


def test_a_cluster_is_as_format_md_says() -> None:
    made = webm.cluster(
        [frame(Kind.VIDEO, 300.9, b"vv"), frame(Kind.AUDIO, 320.2, b"a"),
         frame(Kind.VIDEO, 333.0, b"w", keyframe=False)]
    )  # fmt: skip
    assert made == bytes.fromhex(
        "1f43b675 9a e7 82 012c a3 86 81 0000 80 7676 a3 85 82 0014 80 61 a3 85 81 0021 00 77"
    )


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [frame(Kind.AUDIO, -1)],
        [frame(Kind.AUDIO, 20), frame(Kind.AUDIO, 10)],
        [frame(Kind.AUDIO, 0), frame(Kind.AUDIO, 32_768)],
    ],
)
def test_what_does_not_fit_is_refused(frames: list[EncodedFrame]) -> None:
    with pytest.raises(ValueError, match=r"cluster|epoch|order"):
        webm.cluster(frames)


@pytest.mark.parametrize(("width", "height"), [(0, 360), (640, 0), (16_384, 360)])
def test_a_size_that_vp8_cannot_have_is_refused(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="16383"):
        webm.header(width, height)


@given(
    st.lists(
        st.tuples(st.sampled_from(Kind), st.floats(0, 400), st.booleans(), st.integers(1, 700_000)),
        max_size=60,
    ),
    st.integers(-400, 900),
)
def test_every_frame_is_in_one_segment_of_a_second_and_seekable_clusters(
    steps: list[tuple[Kind, float, bool, int]], phase: int
) -> None:
    cutter, segments, now = webm.Cutter(phase), [], 0.0
    frames = []
    for kind, step, keyframe, length in steps:
        now += step
        made = frame(kind, now, bytes(length), keyframe=keyframe or kind is Kind.AUDIO)
        frames.append(made)
        if done := cutter.add(made):
            segments.append(done)
        elif done := cutter.over(now):
            pytest.fail("a segment ended before its time")
    if not cutter.over(now) and (rest := cutter.over(now + webm.SEGMENT_MS)):
        segments.append(rest)
    assert not cutter.frames
    assert [f for s in segments for f in s] == frames
    for group in segments:
        seconds = {(f.timestamp_ms - phase) // webm.SEGMENT_MS for f in group}
        assert len(seconds) == 1
        if len(group) > 1:
            assert sum(len(f.data) for f in group) <= webm.MAX_SEGMENT_BYTES
        plain, clusters = webm.clusters(group)
        videos = [f for f in group if f.kind is Kind.VIDEO]
        keys: list[float] = []
        for key in (f for f in videos if f.keyframe):
            if not keys or key.timestamp_ms - keys[-1] >= webm.KEYFRAMES_APART_MS:
                keys.append(key.timestamp_ms)
        assert sum(c.keyframe for c in clusters) == len(keys)
        assert len(clusters) == len(keys) + (not videos or not videos[0].keyframe)
        ends = [*(c.offset for c in clusters[1:]), len(plain)]
        for cluster, end in zip(clusters, ends, strict=True):
            assert plain[cluster.offset : end].startswith(b"\x1f\x43\xb6\x75")


def test_ffprobe_reads_header_and_clusters(tmp_path: Path) -> None:
    # 20 ms of Opus silence each; the video track stays empty, as with a camera off
    clusters = b""
    cutter = webm.Cutter()
    for n in range(150):
        if done := cutter.add(frame(Kind.AUDIO, 20 * n, b"\xf8\xff\xfe")):
            clusters += webm.clusters(done)[0]
    path = tmp_path / "a.webm"
    path.write_bytes(webm.header() + clusters + webm.cluster(cutter.flush()))
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-count_packets", "-show_entries",
         "stream=codec_name,nb_read_packets", "-of", "csv=p=0", str(path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "opus,150" in shown.stdout.split()


def test_keyframes_in_a_hurry_do_not_each_begin_a_cluster() -> None:
    """A line of the manifest names each cluster, and has a limit of its own."""
    frames = [frame(Kind.VIDEO, n, b"abc", keyframe=True) for n in range(1_000)]
    _, clusters = webm.clusters(frames)
    assert [c.start_ms for c in clusters] == [0, 250, 500, 750]
    assert all(c.keyframe for c in clusters)


def test_a_segment_has_so_many_frames_and_no_more() -> None:
    cutter = webm.Cutter()
    most = webm.MAX_SEGMENT_FRAMES
    added = (cutter.add(frame(Kind.AUDIO, 5.0, b"abc")) for _ in range(3 * most))
    segments = [done for done in added if done]
    assert [len(s) for s in segments] == [most] * 2
    onto_timeline(segments[0], 0, -1)
    webm.clusters(segments[0])  # and fits its times, however far they are moved apart
