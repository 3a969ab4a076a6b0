from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsession.errors import Invalid
from avsession.recording import AnyEntry, Attach, Begin, Gap, Sealed, decode_line
from recorder import webm
from recorder.frames import EncodedFrame, Kind, Span
from recorder.gate import Gate
from recorder.spool import LEG_LOST, Chain, Spool
from recorder.track import (
    GAP_MS,
    NO_MEDIA,
    SegmentWriter,
    Timeline,
    TrackBuffer,
    onto_timeline,
)

TRACK, SHIFT = "trk_x", -100_000
IDENTITY = pyrage.x25519.Identity.generate()


def audio(ms: float, arrival: float | None = None) -> EncodedFrame:
    return EncodedFrame(Kind.AUDIO, ms, ms if arrival is None else arrival, b"opus")


def video(ms: float, *, keyframe: bool) -> EncodedFrame:
    width, height = (640, 360) if keyframe else (0, 0)
    return EncodedFrame(Kind.VIDEO, ms, ms, b"vp8", keyframe, width, height)


@pytest.fixture
def gate() -> Gate:
    made = Gate()
    made.open(1, 0)
    return made


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    spool = Spool(tmp_path / "spool")
    made = spool.open("rec_x", lambda: 1)
    made.append(Begin, epoch_ms=1, recorder_key="k", tracks=())
    made.append(Attach, generation=1, grant="g", clock_offset_ms=0.0, clock_uncertainty_ms=0.0)
    yield made
    spool.close()


@pytest.fixture
def writer(chain: Chain, gate: Gate) -> SegmentWriter:
    timeline = Timeline(SHIFT, lambda: (1_000_000.0, 2.5))
    return SegmentWriter(TRACK, str(IDENTITY.to_public()), chain, gate, timeline)


def entries(chain: Chain) -> list[AnyEntry]:
    return [decode_line(line).entry for _, line in sorted(chain.lines.items())][2:]


def plain(tmp_path: Path, entry: Sealed) -> bytes:
    path = tmp_path / "spool" / "rec_x" / TRACK / f"{entry.index:06d}.age"
    return pyrage.decrypt(path.read_bytes(), [IDENTITY])


def write(writer: SegmentWriter, generation: int, frames: list[EncodedFrame], reason: str) -> None:
    writer.write(generation, frames, reason)
    writer._chain.list_stored()


def test_frames_become_a_header_and_a_segment(
    tmp_path: Path, chain: Chain, writer: SegmentWriter
) -> None:
    frames = [audio(100_010), video(100_020.7, keyframe=True), video(100_050, keyframe=False)]
    frames[2].arrival_ms = 100_070.2
    write(writer, 1, frames, NO_MEDIA)
    header, segment = entries(chain)
    assert isinstance(header, Sealed)
    assert isinstance(segment, Sealed)
    assert plain(tmp_path, header) == webm.header(640, 360)
    assert (header.index, header.clusters, header.start_ms, header.end_ms) == (0, (), 10, 10)
    assert plain(tmp_path, segment) == webm.cluster(frames)
    assert (segment.start_ms, segment.end_ms) == (10, 50)
    assert (segment.captured_ms, segment.uncertainty_ms) == (1_100_071, 2.5)
    assert (segment.video_frames, segment.audio_frames) == (2, 1)
    assert (segment.width, segment.height) == (640, 360)
    (cluster,) = segment.clusters
    assert (cluster.offset, cluster.start_ms, cluster.keyframe) == (0, 10, True)


def test_the_gate_is_asked_for_every_frame(chain: Chain, gate: Gate, writer: SegmentWriter) -> None:
    gate.close(1, 100_030)
    write(writer, 1, [audio(100_010), audio(100_020, 100_040), audio(100_030)], NO_MEDIA)
    _, segment = entries(chain)
    assert isinstance(segment, Sealed)
    assert (segment.audio_frames, segment.end_ms) == (2, 30)
    write(writer, 1, [audio(100_031)], NO_MEDIA)
    write(writer, 2, [audio(100_020)], NO_MEDIA)
    assert len(entries(chain)) == 2


def test_a_gate_that_closes_while_sealing_leaves_nothing(
    tmp_path: Path, chain: Chain, gate: Gate, writer: SegmentWriter
) -> None:
    write(writer, 1, [audio(100_010)], NO_MEDIA)
    before = len(entries(chain))
    seal = writer._sealer.seal

    def slow(data: bytes) -> bytes:
        gate.close(1, 100_500)
        return seal(data)

    writer._sealer.seal = slow  # type: ignore[method-assign, assignment]
    write(writer, 1, [audio(100_600)], NO_MEDIA)
    assert len(entries(chain)) == before
    files = sorted(p.name for p in (tmp_path / "spool" / "rec_x" / TRACK).iterdir())
    assert files == ["000000.age", "000001.age"]


@pytest.mark.parametrize(
    ("pause", "reason", "gap"),
    [(GAP_MS, NO_MEDIA, False), (GAP_MS + 1, NO_MEDIA, True), (5, "leg.lost", True)],
)
def test_gaps_are_said(
    chain: Chain, writer: SegmentWriter, pause: int, reason: str, gap: bool
) -> None:
    write(writer, 1, [audio(100_010)], NO_MEDIA)
    write(writer, 1, [audio(100_010 + pause)], reason)
    found = [entry for entry in entries(chain) if isinstance(entry, Gap)]
    assert [(g.start_ms, g.end_ms, g.reason) for g in found] == (
        [(10, 10 + pause, reason)] if gap else []
    )


def lost(frame: EncodedFrame) -> EncodedFrame:
    frame.after_loss = True
    return frame


def said(chain: Chain) -> list[tuple[int, int, str]]:
    chain.list_stored()
    found = [entry for entry in entries(chain) if isinstance(entry, Gap)]
    return [(g.start_ms, g.end_ms, g.reason) for g in found]


def test_what_was_lost_on_the_way_is_said_for_each_kind(
    chain: Chain, writer: SegmentWriter
) -> None:
    writer.write(1, [video(100_000, keyframe=True), audio(100_005)], NO_MEDIA)
    # sound went on, so nothing but this tells that video is missing
    writer.write(1, [audio(100_025), audio(100_045), lost(video(100_400, keyframe=True))], NO_MEDIA)
    writer.write(1, [lost(audio(100_500)), audio(100_520), lost(audio(100_560))], NO_MEDIA)
    assert said(chain) == [(0, 400, "video.lost"), (45, 560, "audio.lost")]
    kinds = [type(entry) for entry in entries(chain)]
    assert kinds[-2:] == [Gap, Sealed]  # said before the segment that it is in


def test_a_loss_of_everything_is_not_called_silence(chain: Chain, writer: SegmentWriter) -> None:
    writer.write(1, [video(100_000, keyframe=True), audio(100_005)], NO_MEDIA)
    writer.write(1, [lost(audio(102_000)), lost(video(102_100, keyframe=True))], NO_MEDIA)
    assert said(chain) == [(5, 2_000, "audio.lost"), (0, 2_100, "video.lost")]
    writer.write(1, [lost(audio(104_000))], "leg.lost")
    assert (2_100, 4_000, "leg.lost") in said(chain)


def test_what_is_no_age_key_is_refused(chain: Chain, gate: Gate) -> None:
    with pytest.raises(Invalid):
        SegmentWriter(TRACK, "age1nonsense", chain, gate, Timeline(0, lambda: (0.0, 0.0)))


def test_the_buffer_cuts_by_time_even_without_more_frames() -> None:
    buffer = TrackBuffer(200, "gate.closed", 300)
    buffer.add(audio(1290))
    buffer.add(audio(1310))
    assert buffer.due(1499) == []
    ((frames, reason),) = buffer.due(1500)
    assert ([f.timestamp_ms for f in frames], reason) == ([1290], "gate.closed")
    assert buffer.due(2499) == []
    ((frames, _),) = buffer.due(2500)
    assert [f.timestamp_ms for f in frames] == [1310]
    buffer.add(audio(3000))
    ((_, reason),) = buffer.due(9999)
    assert reason == NO_MEDIA


def test_what_comes_too_late_for_its_second_is_in_the_next() -> None:
    buffer = TrackBuffer(200, NO_MEDIA)
    buffer.add(audio(900))
    buffer.add(audio(1100))
    ((frames, _),) = buffer.due(1200)
    buffer.add(audio(950, 1201))
    buffer.add(audio(1150))
    ((more, _),) = buffer.due(2200)
    assert [f.timestamp_ms for f in (*frames, *more)] == [900, 950, 1100, 1150]


def test_a_second_of_one_track_waits_for_the_first(chain: Chain, writer: SegmentWriter) -> None:
    writer.write(1, [audio(100_010), audio(100_020)], NO_MEDIA)
    writer.write(1, [audio(100_015), audio(100_030)], NO_MEDIA)
    chain.list_stored()
    segments = [entry for entry in entries(chain) if isinstance(entry, Sealed)]
    assert [(s.start_ms, s.end_ms) for s in segments] == [(10, 10), (10, 20), (22, 30)]


def test_another_leg_begins_another_segment() -> None:
    buffer = TrackBuffer(0, NO_MEDIA)
    buffer.add(audio(10))
    buffer.begin(50, "leg.lost")
    buffer.add(audio(50))
    done, _ = buffer.close(1000)
    assert [([f.timestamp_ms for f in c], why) for c, why in done] == [
        ([10], NO_MEDIA), ([50], "leg.lost"),
    ]  # fmt: skip


def test_closing_keeps_what_is_from_before_and_nothing_else() -> None:
    buffer = TrackBuffer(200, NO_MEDIA)
    for n in range(0, 500, 20):
        buffer.add(audio(n, n + 30))
    buffer.due(300)
    done, dropped = buffer.close(250)
    kept = [frame for cluster, _ in done for frame in cluster]
    assert [f.timestamp_ms for f in kept] == list(range(0, 221, 20))
    assert dropped == 25 - len(kept)


@given(
    st.lists(st.tuples(st.sampled_from(Kind), st.floats(0, 1e6)), min_size=1, max_size=50),
    st.integers(-1, 500_000),
)
def test_no_two_frames_of_a_kind_at_once(moments: list[tuple[Kind, float]], floor: int) -> None:
    frames = [EncodedFrame(kind, ms, ms, b"x") for kind, ms in sorted(moments, key=lambda m: m[1])]
    start, end = onto_timeline(frames, 0, floor)
    times = [frame.timestamp_ms for frame in frames]
    assert times == sorted(times)
    assert (times[0], times[-1]) == (start, end)
    assert start > floor
    for kind in Kind:
        own = [frame.timestamp_ms for frame in frames if frame.kind is kind]
        assert len(set(own)) == len(own)
        assert all(float(ms).is_integer() for ms in own)


def since(frame: EncodedFrame, ms: float) -> EncodedFrame:
    frame.after_loss, frame.lost_since_ms = True, ms
    return frame


def test_what_a_leg_lost_before_its_first_frame_is_said(
    chain: Chain, writer: SegmentWriter
) -> None:
    first = [audio(100_010), since(video(100_400, keyframe=True), 100_002.5)]
    writer.write(1, first, NO_MEDIA)
    assert said(chain) == [(2, 400, "video.lost")]
    # of another leg: since that one was heard, not since the last frame of the one before
    second = [audio(103_000), since(video(103_500, keyframe=True), 102_950)]
    writer.write(1, second, LEG_LOST)
    assert said(chain)[1:] == [(400, 3000, LEG_LOST), (2950, 3500, "video.lost")]
    writer.write(1, [since(video(103_700, keyframe=True), 103_700)], NO_MEDIA)
    assert len(said(chain)) == 3, "nothing lies between"


def test_what_is_lost_before_the_gate_closes_is_said(chain: Chain, writer: SegmentWriter) -> None:
    writer.write(1, [video(100_000, keyframe=True), audio(100_005)], NO_MEDIA)
    writer.tail({Kind.VIDEO: Span(99_000.0)}, 100_300.9, legless=False)
    writer.tail({Kind.AUDIO: Span(99_000.0)}, 100_005.9, legless=False)  # until then all is there
    writer.tail({}, 100_005 + GAP_MS, legless=True)
    assert said(chain) == [(0, 300, "video.lost")]
    # of a camera that was switched off, until then only
    writer.tail({Kind.AUDIO: Span(99_000.0, 100_080.2)}, 190_000, legless=False)
    assert said(chain).pop() == (5, 81, "audio.lost")
    writer.tail({}, 100_006 + GAP_MS, legless=True)
    assert said(chain)[2:] == [(5, 6 + GAP_MS, LEG_LOST)]


def test_a_leg_of_which_nothing_was_stored(chain: Chain, writer: SegmentWriter) -> None:
    """What it lost is said from when it was heard; that it went is said by the detach."""
    writer.tail({Kind.VIDEO: Span(100_050.0)}, 100_900, legless=False)
    writer.tail({Kind.AUDIO: Span(10.0)}, 100_900, legless=False)  # the timeline begins at 0
    writer.tail({}, 190_000, legless=True)
    assert said(chain) == [(50, 900, "video.lost"), (0, 900, "audio.lost")]


def test_the_gap_after_a_lost_leg_begins_where_that_ends(
    tmp_path: Path, chain: Chain, writer: SegmentWriter
) -> None:
    """Lost at 0 s, paused at 2 s, on at 10 s: not two words for the first two seconds."""
    writer.write(1, [audio(100_000)], NO_MEDIA)
    writer.tail({}, 102_000, legless=True)
    again = Chain(tmp_path / "spool" / "rec_x", chain._key, chain._disk, lambda: 1)
    assert again.lost_until_ms == {TRACK: 2_000}, "known after a restart, too"
    writer.write(1, [audio(110_000)], "paused")
    assert said(chain) == [(0, 2_000, LEG_LOST), (2_000, 10_000, "paused")]


def test_a_generation_without_any_media_says_that_its_leg_was_lost(
    chain: Chain, gate: Gate, writer: SegmentWriter
) -> None:
    """The pause before it stays a pause."""
    timeline = Timeline(SHIFT, lambda: (1_000_000.0, 2.5))
    next_one = SegmentWriter(TRACK, str(IDENTITY.to_public()), chain, gate, timeline)
    next_one.tail({}, 100_900, legless=True, begun=(100_000, NO_MEDIA))
    assert said(chain) == [], "nothing is stored at all: the beginning"
    writer.write(1, [audio(100_010)], NO_MEDIA)
    next_one.tail({}, 130_000, legless=True, begun=(120_000, "paused"))
    assert said(chain) == [(10, 20_000, "paused"), (20_000, 30_000, LEG_LOST)]
    next_one.tail({}, 150_000, legless=True, begun=(140_000, "gate.closed"))
    assert said(chain)[2:] == [(30_000, 40_000, "gate.closed"), (40_000, 50_000, LEG_LOST)]


def test_a_loss_after_a_pause_does_not_reach_back_over_it(
    chain: Chain, writer: SegmentWriter
) -> None:
    writer.write(1, [video(100_000, keyframe=True), audio(100_005)], NO_MEDIA)
    writer.write(1, [since(audio(110_000), 109_900)], NO_MEDIA)
    assert said(chain) == [(5, 10_000, NO_MEDIA), (9_900, 10_000, "audio.lost")]
    writer.tail({Kind.VIDEO: Span(119_000)}, 120_000, legless=False)
    assert said(chain)[2:] == [(19_000, 20_000, "video.lost")]
