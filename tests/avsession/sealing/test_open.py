"""The virtual file: right for stock tools, fetched piece by piece, never wrong silently."""

import asyncio
import itertools
import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avsession.errors import RecordingTruncated
from avsession.recording import Cluster, Sealed
from avsession.sealing import ebml
from avsession.sealing.open import SOUND_CUES_MS, VirtualFile, header, open_track
from recorder.frames import Kind
from tests.avsession.sealing.made import (
    RATE,
    SECONDS,
    TRACK,
    Frame,
    Made,
    audio_only,
    late,
    make,
    without,
)

Change = Callable[[Sequence[Frame]], Sequence[Frame]]

SHAPES: dict[str, Change] = {
    "plain": lambda frames: frames,
    "late": lambda frames: late(frames, 1200),
    "gap": lambda frames: without(frames, 3000, 6000),
    "camera off": audio_only,
    "camera late": lambda frames: [f for f in frames if f[0] >= 3000 or f[1] is Kind.AUDIO],
}


async def open_made(made: Made, **options: int) -> VirtualFile:
    return await open_track(made.manifest, TRACK, made.identity, made.fetch, **options)


async def whole(made: Made) -> bytes:
    file = await open_made(made)
    data = await file.read(0, file.size)
    assert len(data) == file.size
    return data


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="session")
def made(source: tuple[Frame, ...]) -> Made:
    return make(source)


# --- stock tools


@pytest.mark.parametrize("shape", SHAPES)
async def test_ffmpeg_reads_it_without_a_warning(
    source: tuple[Frame, ...], shape: str, tmp_path: Path
) -> None:
    frames = SHAPES[shape](source)
    path = tmp_path / "track.webm"
    path.write_bytes(await whole(make(frames)))

    entries = "format=duration,start_time:stream=codec_name,codec_type,nb_read_packets"
    probed = run(
        "ffprobe", "-v", "warning", "-count_packets", "-show_entries", entries, "-of", "json",
        str(path),
    )  # fmt: skip
    assert probed.stderr == ""
    found = json.loads(probed.stdout)
    assert float(found["format"]["duration"]) == pytest.approx((frames[-1][0] + 20) / 1000)
    assert float(found["format"]["start_time"]) == pytest.approx(frames[0][0] / 1000)
    packets = {one["codec_name"]: int(one.get("nb_read_packets", 0)) for one in found["streams"]}
    audio = len(audio_only(frames))
    assert packets == {"vp8": len(frames) - audio, "opus": audio}

    decoded = run("ffmpeg", "-nostdin", "-v", "warning", "-i", str(path), "-f", "null", "-")
    assert (decoded.returncode, decoded.stderr) == (0, "")


@pytest.mark.parametrize(("shape", "at"), [("plain", 4.5), ("late", 6.3), ("gap", 6.5)])
async def test_ffmpeg_seeks_by_the_index(
    source: tuple[Frame, ...], shape: str, at: float, tmp_path: Path
) -> None:
    path = tmp_path / "track.webm"
    path.write_bytes(await whole(make(SHAPES[shape](source))))
    seek = ["-read_intervals", f"{at}%+#1", "-select_streams", "v"]
    probed = run(
        "ffprobe", "-v", "warning", *seek, "-show_entries", "packet=pts_time,flags", "-of",
        "json", str(path),
    )  # fmt: skip
    (packet,) = json.loads(probed.stdout)["packets"]
    assert packet["flags"].startswith("K")
    # the last keyframe before; there is one a second
    assert at - 1 < float(packet["pts_time"]) <= at
    out = run(
        "ffmpeg", "-nostdin", "-v", "warning", "-ss", str(at), "-i", str(path), "-frames:v", "1",
        "-f", "framemd5", "-",
    )  # fmt: skip
    assert (out.returncode, out.stderr) == (0, "")
    assert [line for line in out.stdout.splitlines() if line.startswith("0,")]


async def test_stock_age_and_cat_make_a_file_that_plays(made: Made, tmp_path: Path) -> None:
    """FORMAT.md's recipe, without this program."""
    (tmp_path / "track.key").write_text(made.identity)
    for index, sealed in made.sealed.items():
        (tmp_path / f"{index:06d}.age").write_bytes(sealed)
    recipe = 'for f in *.age; do age --decrypt -i track.key "$f" || exit 1; done > joined.webm'
    assert run("sh", "-c", f"cd '{tmp_path}' && {recipe}").returncode == 0
    out = run("ffmpeg", "-nostdin", "-v", "warning", "-i", str(tmp_path / "joined.webm"), "-f",
              "null", "-")  # fmt: skip
    assert (out.returncode, out.stderr) == (0, "")
    # and what is read here are the same clusters
    assert (await whole(made)).endswith(b"".join(made.plain[n] for n in range(1, len(made.plain))))


# --- the bytes


def parse(data: bytes) -> dict[str, Any]:
    """Seek entries, cue points and clusters, by their offset in the Segment's payload."""
    head = ebml.read_element(data, 0)
    assert head.id == ebml.EBML
    segment = ebml.read_element(data, head.end or 0)
    assert (segment.id, segment.end) == (ebml.SEGMENT, len(data))
    base = segment.payload
    tops = list(ebml.children(data, base, len(data)))
    at = {top.start - base: top.id for top in tops}

    def values(found: ebml.Element) -> dict[int, int]:
        return {
            one.id: ebml.read_unsigned(data, one)
            for one in ebml.children(data, found.payload, found.end or 0)
        }

    def inside(identifier: int) -> list[ebml.Element]:
        (top,) = [top for top in tops if top.id == identifier]
        return list(ebml.children(data, top.payload, top.end or 0))

    cues = []
    for point in inside(ebml.CUES):
        time, positions = ebml.children(data, point.payload, point.end or 0)
        cue = values(positions)
        cues.append(
            (
                ebml.read_unsigned(data, time),
                cue[ebml.CUE_CLUSTER_POSITION],
                cue[ebml.CUE_TRACK],
            )
        )
    clusters = {
        top.start - base: ebml.read_unsigned(
            data, next(iter(ebml.children(data, top.payload, top.end or 0)))
        )
        for top in tops
        if top.id == ebml.CLUSTER
    }
    seeks = [values(seek) for seek in inside(ebml.SEEK_HEAD)]
    return {"at": at, "seeks": seeks, "cues": cues, "clusters": clusters}


@pytest.mark.parametrize("shape", SHAPES)
async def test_every_position_in_the_header_is_right(source: tuple[Frame, ...], shape: str) -> None:
    made = make(SHAPES[shape](source))
    found = parse(await whole(made))
    assert [seek[ebml.SEEK_ID] for seek in found["seeks"]] == [ebml.INFO, ebml.TRACKS, ebml.CUES]
    for seek in found["seeks"]:
        assert found["at"][seek[ebml.SEEK_POSITION]] == seek[ebml.SEEK_ID]
    for time, position, _ in found["cues"]:
        assert found["clusters"][position] == time
    listed = [c for s in made.manifest.segments(TRACK) for c in s.clusters]
    keyframes = [cluster.start_ms for cluster in listed if cluster.keyframe]
    expected = [c.start_ms for c in listed[:1] if not c.keyframe] + keyframes
    assert [time for time, *_ in found["cues"]] == (
        expected if keyframes else [c.start_ms for c in listed if c.start_ms % SOUND_CUES_MS < 500]
    )
    assert {track for *_, track in found["cues"]} == {1}
    assert list(found["clusters"].values()) == [cluster.start_ms for cluster in listed]


async def test_while_the_camera_is_off_there_is_a_cue_every_few_seconds(
    source: tuple[Frame, ...],
) -> None:
    off = [frame for frame in source if frame[1] is Kind.AUDIO or not 1000 <= frame[0] < 7000]
    found = parse(await whole(make(off)))
    times = [time for time, *_ in found["cues"]]
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) <= 4_000
    assert len(times) == 4, "but not one a second"


async def test_a_dropped_segment_leaves_no_trace(source: tuple[Frame, ...]) -> None:
    made = make(source)
    made.drop(3)
    found = parse(await whole(made))
    assert len(found["clusters"]) == len(made.sealed) - 1
    for time, position, _ in found["cues"]:
        assert found["clusters"][position] == time


async def test_a_later_header_stands_in_for_a_dropped_one(source: tuple[Frame, ...]) -> None:
    made = make(source)
    count = len(made.sealed)
    made.seal(made.plain[0], 0, 0, [])
    made.drop(0)
    assert len(parse(await whole(made))["clusters"]) == count - 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 9), st.booleans()), min_size=1))
def test_the_header_needs_only_the_manifest(layout: list[tuple[int, int, bool]]) -> None:
    """Several clusters a segment, any keyframes; and hours of them."""
    first = ebml.element(ebml.EBML) + bytes.fromhex("1853806701ffffffffffffff")
    entry = ebml.unsigned(ebml.TRACK_NUMBER, 1) + ebml.unsigned(ebml.TRACK_TYPE, 1)
    first += ebml.element(ebml.TRACKS, ebml.element(ebml.TRACK_ENTRY, entry))
    time, body, segments = 0, b"", []
    for count, padding, keyframe in layout:
        plain, clusters = b"", []
        for _ in range(count):
            clusters.append(Cluster(len(plain), time, keyframe))
            plain += ebml.element(
                ebml.CLUSTER, ebml.unsigned(0xE7, time), ebml.element(0xEC, bytes(padding))
            )
            time += 997
        body += plain
        segments.append(sealed(plain, clusters))
    found = parse(header(first, segments) + body)
    assert len(found["clusters"]) == sum(count for count, *_ in layout)
    for at, position, _ in found["cues"]:
        assert found["clusters"][position] == at


def sealed(plain: bytes, clusters: Sequence[Cluster]) -> Sealed:
    return Sealed(
        recording="", n=0, prev="", at_ms=0, track=TRACK, index=1, generation=1, start_ms=0,
        end_ms=clusters[-1].start_ms, captured_ms=0, uncertainty_ms=0, sha256="", size=0,
        plain_size=len(plain), clusters=tuple(clusters),
    )  # fmt: skip


# --- ranges


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), cache=st.sampled_from([0, 60_000, 10**7]))
def test_any_range_is_that_slice(made: Made, data: st.DataObject, cache: int) -> None:
    async def check() -> None:
        everything = await whole(made)
        file = await open_made(made, cache_bytes=cache)
        for _ in range(4):
            start = data.draw(st.integers(0, file.size))
            end = data.draw(st.integers(start, file.size))
            assert await file.read(start, end) == everything[start:end]

    asyncio.run(check())


async def test_only_what_a_range_touches_is_fetched(source: tuple[Frame, ...]) -> None:
    made = make(source)
    file = await open_made(made)
    assert made.fetched == [0]
    first = file.size - sum(len(made.plain[n]) for n in range(1, len(made.plain)))
    await file.read(0, first)
    assert made.fetched == [0]
    second = first + len(made.plain[1])
    await file.read(second - 1, second)
    assert made.fetched == [0, 1]
    await file.read(second - 1, second + 1)
    assert made.fetched == [0, 1, 2]
    await file.read(file.size - 1, file.size)
    assert made.fetched == [0, 1, 2, len(made.plain) - 1]
    await file.read(file.size, file.size)
    assert len(made.fetched) == 4


async def test_the_cache_forgets_the_longest_unused(source: tuple[Frame, ...]) -> None:
    made = make(source)
    room = len(made.plain[1]) + len(made.plain[2]) + len(made.plain[3]) - 1
    file = await open_made(made, cache_bytes=room)
    starts = dict(enumerate(file._starts, start=1))
    made.fetched.clear()
    for number in (1, 2, 1, 3, 1, 2):  # 3 puts out 2, not 1
        await file.read(starts[number], starts[number] + 1)
        assert sum(map(len, file._cache.values())) <= room
    assert made.fetched == [1, 2, 3, 2]


async def test_a_closed_file_gives_nothing_more(source: tuple[Frame, ...]) -> None:
    fetching, go_on = asyncio.Event(), asyncio.Event()
    made = make(source)
    slow = False

    async def fetch(index: int) -> bytes:
        if slow:
            fetching.set()
            await go_on.wait()
        return await made.fetch(index)

    file = await open_track(made.manifest, TRACK, made.identity, fetch)
    half = file.size // 2
    stream = file.stream(0, file.size)
    await anext(stream)
    await anext(stream)
    slow = True
    reading = asyncio.ensure_future(file.read(half, file.size))  # noqa: TID251 - awaited below
    await fetching.wait()
    file.close()
    go_on.set()
    for read in (reading, anext(stream), file.read(0, 1), file.read(file.size, file.size)):
        with pytest.raises(RecordingTruncated):
            await read


@pytest.mark.parametrize(("start", "end"), [(-1, 0), (1, 0), (0, 10**9)])
async def test_a_range_outside_the_file_is_a_value_error(made: Made, start: int, end: int) -> None:
    file = await open_made(made)
    with pytest.raises(ValueError, match="range"):
        await file.read(start, end)


async def test_a_stream_comes_segment_by_segment(made: Made) -> None:
    file = await open_made(made)
    chunks = [chunk async for chunk in file.stream(0, file.size)]
    assert [chunks[n] for n in (1, 2, -1)] == [
        made.plain[1], made.plain[2], made.plain[len(made.plain) - 1]
    ]  # fmt: skip


def test_the_source_is_what_the_tests_take_it_for(source: tuple[Frame, ...]) -> None:
    video = [frame for frame in source if frame[1] is Kind.VIDEO]
    assert len(video) == SECONDS * RATE
    assert [f[0] // 1000 for f in video if f[2]] == list(range(SECONDS))
