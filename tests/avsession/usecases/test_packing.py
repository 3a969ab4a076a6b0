"""An archive's bytes, made while they are read."""

import zlib

import pytest

from avsession.canonical import sha256_hex
from avsession.errors import RecordingTruncated
from avsession.privacy.recipe import File, document, recipe
from avsession.records import Recording, TrackRecord
from avsession.sealing.open import VirtualFile
from avsession.usecases import tracks
from avsession.usecases.packing import Package, measured, measured_all
from tests.avsession.usecases.world import World


async def track(world: World) -> VirtualFile:
    row = await world.only(Recording)
    found = await world.only(TrackRecord, party=world.customer.id)
    return await tracks.opened(world.app, row, found.id, 0)


async def test_what_was_measured_is_what_is_read(world: World) -> None:
    await world.sealed(seconds=3)
    counted: list[int] = []
    file = await track(world)
    made = await measured("a.webm", "tak", "trk", file, counted.append)
    whole = await file.read(0, file.size)
    assert (made.size, made.crc, made.sha256) == (
        len(whole), zlib.crc32(whole), sha256_hex(whole),
    )  # fmt: skip
    assert sum(counted) == len(whole)

    async def opened(one: File) -> VirtualFile:
        assert one.track == "trk"
        return file

    archive = Package(
        recipe("export", "exp", 0, [document("x", b"doc", "text/plain", None), made]), opened
    )
    data = await archive.read(0, archive.size)
    assert whole in data
    assert b"doc" in data
    pieces = [piece async for piece in archive.pieces(lambda n: None)]
    assert b"".join(pieces) == data


async def test_a_track_that_is_not_the_measured_one_is_never_passed_off(world: World) -> None:
    await world.sealed()
    file = await track(world)
    made = await measured("a.webm", "tak", "trk", file, lambda n: None)
    await world.sealed()
    newest = (await world.find(Recording, order="-created_ms"))[0]
    other = (await world.find(TrackRecord, recording=newest.id, party=world.agent.id))[0]
    longer = await tracks.opened(world.app, newest, other.id, 0)

    async def opened(one: File) -> VirtualFile:
        return longer

    package = Package(
        recipe(
            "export",
            "exp",
            0,
            [
                File(
                    **{
                        **{f: getattr(made, f) for f in made.__struct_fields__},
                        "size": made.size + 1,
                    }
                )
            ],
        ),
        opened,
    )
    with pytest.raises(RecordingTruncated):
        await package.read(0, package.size)


async def test_a_damaged_one_is_left_out(world: World) -> None:
    recording = await world.sealed()
    row = await world.only(TrackRecord, party=world.customer.id)
    file = await track(world)
    (world.folder / "objects" / recording / row.id / "000001.age").unlink()
    assert await measured_all(world.app, "exp", [("a", "tak", row.id, file)]) == []
