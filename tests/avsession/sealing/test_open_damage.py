"""What is not as it should be: nothing damaged, swapped or foreign is ever released."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pyrage
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avsession.canonical import sha256_hex
from avsession.errors import Invalid, ManifestBroken, NotFound, RecordingTruncated
from avsession.recording import Cluster, Sealed
from avsession.sealing import ebml
from avsession.sealing.open import VirtualFile, header, open_track
from avsession.sealing.seal import Sealer
from tests.avsession.sealing.made import TRACK, Frame, Made, make


@pytest.fixture(scope="module")
def made(source: tuple[Frame, ...]) -> Made:
    return make(source)


async def open_made(made: Made) -> VirtualFile:
    return await open_track(made.manifest, TRACK, made.identity, made.fetch)


def missing(made: Made) -> None:
    del made.sealed[4]


def cut(made: Made) -> None:
    made.sealed[4] = made.sealed[4][:-1]


def longer(made: Made) -> None:
    made.sealed[4] += b"\0"


def flipped(made: Made) -> None:
    data = bytearray(made.sealed[4])
    data[len(data) // 2] ^= 1
    made.sealed[4] = bytes(data)


def swapped(made: Made) -> None:
    made.sealed[4], made.sealed[5] = made.sealed[5], made.sealed[4]


def sealed_anew(made: Made) -> None:
    """By someone who has the public key: opens, but is not what was listed."""
    again = Sealer(made.manifest.begin.tracks[0].recipient).seal(made.plain[4])
    assert len(again) == len(made.sealed[4]), "only the digest tells them apart"
    made.sealed[4] = again


@pytest.mark.parametrize("harm", [missing, cut, longer, flipped, swapped, sealed_anew])
async def test_a_segment_that_is_not_the_listed_one_is_never_released(
    source: tuple[Frame, ...], harm: Callable[[Made], None]
) -> None:
    made = make(source)
    harm(made)
    file = await open_made(made)
    start = file._starts[3]
    assert await file.read(0, start)
    with pytest.raises(RecordingTruncated):
        await file.read(0, start + 1)
    got = b""
    stream = file.stream(0, file.size)
    with pytest.raises(RecordingTruncated):  # noqa: PT012 - it raises when it gets there
        async for chunk in stream:
            got += chunk
    assert len(got) == start


def rewritten(made: Made, index: int, plain: bytes, **changes: Any) -> VirtualFile:
    """A file whose manifest lists this very segment, signed: the recorder itself was wrong."""
    to = made.manifest.begin.tracks[0].recipient
    made.sealed[index] = Sealer(to).seal(plain)
    entries = tuple(
        msgspec.structs.replace(
            entry,
            sha256=sha256_hex(made.sealed[index]),
            size=len(made.sealed[index]),
            **{"plain_size": len(plain), **changes},
        )
        if isinstance(entry, Sealed) and entry.index == index
        else entry
        for entry in made.manifest.entries
    )
    manifest = msgspec.structs.replace(made.manifest, entries=entries)
    return asyncio.run(open_track(manifest, TRACK, made.identity, made.fetch))


@pytest.mark.parametrize(
    ("harm", "changes"),
    [
        (lambda plain: plain, {"plain_size": 10}),
        (lambda plain: plain[:-1], {}),
        (lambda plain: plain + b"\xec\x80", {}),  # something after the cluster
        (lambda plain: b"\xec\x80" + plain, {}),
        (lambda plain: plain, {"clusters": (Cluster(1, 3000, True),)}),
        (lambda plain: bytes(len(plain)), {}),
    ],
    ids=["size", "cut", "after", "before", "offset", "zeros"],
)
def test_a_segment_must_hold_what_was_listed(
    source: tuple[Frame, ...], harm: Callable[[bytes], bytes], changes: dict[str, Any]
) -> None:
    made = make(source)
    file = rewritten(made, 4, harm(made.plain[4]), **changes)
    with pytest.raises(RecordingTruncated):
        asyncio.run(file.read(0, file.size))


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"\x1a\x45\xdf\xa3\x80",
        ebml.element(ebml.EBML) + ebml.element(ebml.SEGMENT, ebml.element(ebml.INFO)),
        ebml.element(ebml.EBML) + ebml.element(ebml.SEGMENT, ebml.element(ebml.TRACKS)),
        ebml.element(ebml.EBML) + ebml.element(ebml.CLUSTER),
    ],
)
def test_a_header_must_be_one(source: tuple[Frame, ...], plain: bytes) -> None:
    with pytest.raises(RecordingTruncated):
        rewritten(make(source), 0, plain)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_header_is_refused_or_harmless(made: Made, data: st.DataObject) -> None:
    plain = bytearray(made.plain[0])
    plain[data.draw(st.integers(0, len(plain) - 1))] = data.draw(st.integers(0, 255))
    segments = made.manifest.segments(TRACK)[1:]
    with suppress(RecordingTruncated):
        header(bytes(plain), segments)


def test_a_cluster_outside_its_segment_is_a_broken_manifest(source: tuple[Frame, ...]) -> None:
    made = make(source)
    with pytest.raises(ManifestBroken):
        rewritten(made, 4, made.plain[4], clusters=(Cluster(10**6, 3000, True),))


async def test_another_key_another_track_and_nothing_at_all(made: Made) -> None:
    stranger = str(pyrage.x25519.Identity.generate())
    with pytest.raises(Invalid, match="another track"):
        await open_track(made.manifest, TRACK, stranger, made.fetch)
    with pytest.raises(Invalid, match="identity"):
        await open_track(made.manifest, TRACK, "AGE-SECRET-KEY-1", made.fetch)
    with pytest.raises(NotFound):
        await open_track(made.manifest, "trk_" + "z" * 26, made.identity, made.fetch)
    empty = make([])
    with pytest.raises(RecordingTruncated):
        await open_made(empty)
