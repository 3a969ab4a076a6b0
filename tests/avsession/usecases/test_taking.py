"""Taking media out: written down before anything is opened, and only what was written down."""

import msgspec
import pytest

from avsession.errors import Erased, NotFound, Unavailable
from avsession.export_records import Taken
from avsession.records import Recording, TrackRecord
from avsession.usecases import evidence, taking
from tests.avsession.usecases.world import World

FOREVER = 2**52


async def taken(world: World, recording: str) -> Taken:
    async with world.store.write() as tx:
        row = await tx.get(Recording, recording)
        assert row is not None
        found = await tx.find(TrackRecord, recording=recording, party=world.customer.id)
        return await taking.take(
            world.app, tx, row, found, why="admin", actor="console",
            account=world.admin.account, purpose="quality", reason="complaint",
        )  # fmt: skip


async def test_what_was_written_down_opens_and_nothing_else(world: World) -> None:
    recording = await world.sealed()
    await world.story()
    row = await taken(world, recording)
    assert await world.story() == "recording.exported"
    track = await world.only(TrackRecord, party=world.customer.id)
    file = await taking.track_file(world.app, row.id, track.id, FOREVER)
    assert b"spoken " + world.customer.id.encode() in await file.read(0, file.size)
    others = await world.only(TrackRecord, party=world.agent.id)
    for name, which in ((row.id, others.id), ("tak_x", track.id), (row.id, "trk_x")):
        with pytest.raises(NotFound):
            await taking.track_file(world.app, name, which, FOREVER)


async def test_a_row_that_the_log_does_not_speak_of_opens_nothing(world: World) -> None:
    row = await taken(world, await world.sealed())
    others = await world.only(TrackRecord, party=world.agent.id)
    async with world.store.write() as tx:
        await tx.add(msgspec.structs.replace(row, id="tak_x"))
        await tx.put(msgspec.structs.replace(row, tracks=[*row.tracks, others.id]))
    for name, track in (("tak_x", row.tracks[0]), (row.id, others.id)):
        with pytest.raises(NotFound):
            await taking.track_file(world.app, name, track, FOREVER)


async def test_what_is_not_committed_opens_nothing(world: World) -> None:
    recording = await world.sealed()

    async def fail() -> None:
        raise Unavailable

    world.store.before_commit = fail
    with pytest.raises(Unavailable):
        await taken(world, recording)
    world.store.before_commit = None
    assert not await world.find(Taken)


async def test_a_destruction_ends_it_while_it_is_being_read(world: World) -> None:
    recording = await world.sealed()
    request = world.recorder.grant.request
    row = await taken(world, recording)
    file = await taking.track_file(world.app, row.id, row.tracks[0], FOREVER)
    await world.withdraw(world.customer, request)
    await world.choose(world.customer, request, "destroy")
    with pytest.raises(Exception, match="closed"):
        await file.read(0, file.size)
    with pytest.raises(Erased):
        await taking.track_file(world.app, row.id, row.tracks[0], FOREVER)
    report = await evidence.verify(world.store, world.app.notary.key, world.app.notary.anchors)
    assert report.findings == ()
