"""A track as a file: what the domain kept of it, from a manifest that verifies."""

import pytest

from avsession.errors import NotFound
from avsession.records import Recording, SegmentRecord, TrackRecord
from avsession.usecases import tracks
from tests.avsession.usecases.world import World


async def test_only_what_was_kept_is_in_it(world: World) -> None:
    recording = await world.sealed(seconds=3)
    row = await world.only(Recording, id=recording)
    track = await world.only(TrackRecord, party=world.customer.id)
    whole = await tracks.opened(world.app, row, track.id, 0)
    assert b"spoken" in await whole.read(0, whole.size)
    async with world.store.write() as tx:
        await tx.remove(SegmentRecord, track=track.id, index=2)
    part = await tracks.opened(world.app, row, track.id, 0)
    assert part.size < whole.size
    assert b" 2" not in await part.read(0, part.size)


async def test_without_its_key_nothing_opens(world: World) -> None:
    recording = await world.sealed()
    row = await world.only(Recording, id=recording)
    track = await world.only(TrackRecord, party=world.customer.id)
    await world.app.custody.destroy(track.id)
    with pytest.raises(NotFound):
        await tracks.opened(world.app, row, track.id, 0)
