"""A recording under custody of its own process: nothing opens without a leaf that custody saw."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from avsession.audit import checkpoint
from avsession.errors import (
    CustodyRefused,
    CustodyUnavailable,
    Erased,
    LogShrunk,
    NotFound,
)
from avsession.records import Access, Leaf, TrackRecord
from avsession.sealing.remote import RemoteCustody
from avsession.usecases import exports, grounds, review
from tests.avsession.usecases.world import World
from tests.support.custody import custodian

WHY = "complaint 4711"


@pytest.fixture
async def custody(world: World, tmp_path: Path) -> AsyncIterator[RemoteCustody]:
    """The world's custody, behind its socket from now on."""
    async with custodian(tmp_path / "custody", world.clock.now_ms) as path:
        made = RemoteCustody(path, world.app.notary.key.text)
        world.app = dataclasses.replace(world.app, custody=made)
        yield made


async def track(world: World) -> TrackRecord:
    return await world.only(TrackRecord, party=world.customer.id)


async def watch(world: World, recording: str) -> bytes:
    opened = await review.open_recording(world.app, world.admin, recording, WHY, "quality")
    found = await track(world)
    file = await review.track_file(world.app, world.admin, opened["access"], found.id)
    return await file.read(0, file.size)


async def test_what_an_admin_watches_is_in_what_custody_saw(
    world: World, custody: RemoteCustody
) -> None:
    recording = await world.sealed()
    assert await custody.head() is None
    assert b"spoken" in await watch(world, recording)
    note = await custody.head()
    assert note is not None
    head = checkpoint.verify(note, world.app.notary.key)
    (leaf,) = await world.find(Leaf, kind="recording.accessed")
    assert leaf.index < head.size
    assert b"spoken" in await watch(world, recording)


async def test_a_person_takes_their_own_along(world: World, custody: RemoteCustody) -> None:
    await world.sealed()
    secret = world.customer.data_secret
    made = await exports.start(world.app, secret, "en")
    leaves = await world.find(Leaf, kind="recording.exported")
    assert made["state"] == "waiting"
    found = await track(world)
    recording = found.recording
    identity = await custody.unwrap(recording, found.id, grounds.Logged(world.app, leaves[0].index))
    assert identity.startswith("AGE-SECRET-KEY-1")
    agents = await world.only(TrackRecord, party=world.agent.id)
    with pytest.raises(CustodyRefused, match="other tracks"):
        await custody.unwrap(recording, agents.id, grounds.Logged(world.app, leaves[0].index))


async def test_a_row_in_the_database_opens_nothing(world: World, custody: RemoteCustody) -> None:
    """Whoever took the server over asks custody itself; every leaf there is says no."""
    await world.sealed()
    found = await track(world)
    for leaf in await world.find(Leaf):
        with pytest.raises(CustodyRefused):
            await custody.unwrap(found.recording, found.id, grounds.Logged(world.app, leaf.index))
    with pytest.raises(CustodyRefused):
        await custody.unwrap(found.recording, found.id)


async def test_an_opening_that_is_over_opens_nothing(world: World, custody: RemoteCustody) -> None:
    """Though somebody moves its end in the database, or in what custody is shown."""
    recording = await world.sealed()
    opened = await review.open_recording(world.app, world.admin, recording, WHY, "quality")
    (leaf,) = await world.find(Leaf, kind="recording.accessed")
    found = await track(world)
    logged = grounds.Logged(world.app, leaf.index)
    await custody.unwrap(recording, found.id, logged)
    world.clock.forward(world.app.settings.signin.access_s + 1)
    async with world.app.store.write() as tx:
        access = await tx.get(Access, opened["access"])
        assert access is not None
        await tx.put(msgspec.structs.replace(access, expires_ms=2**50))
    with pytest.raises(CustodyRefused, match="time"):
        await review.track_file(world.app, world.admin, opened["access"], found.id)


async def test_a_log_that_lost_leaves_proves_nothing(world: World, custody: RemoteCustody) -> None:
    recording = await world.sealed()
    await watch(world, recording)
    (leaf,) = await world.find(Leaf, kind="recording.accessed")
    note = await custody.head()
    assert note is not None
    size = checkpoint.parse(note).size
    with pytest.raises(LogShrunk):
        await grounds.Logged(world.app, leaf.index).shown(size + 100)


async def test_what_was_destroyed_stays_so(world: World, custody: RemoteCustody) -> None:
    recording = await world.sealed()
    opened = await review.open_recording(world.app, world.admin, recording, WHY, "quality")
    found = await track(world)
    await custody.destroy(found.id)
    with pytest.raises(NotFound):
        await review.track_file(world.app, world.admin, opened["access"], found.id)


async def test_without_custody_nothing_opens_and_nothing_new_is_recorded(
    world: World, tmp_path: Path
) -> None:
    """The call goes on, everyone is told, and the gate opens once custody is back."""
    place = tmp_path / "custody"
    async with custodian(place, world.clock.now_ms) as path:
        gone = path
    key = world.app.notary.key.text
    world.app = dataclasses.replace(world.app, custody=RemoteCustody(gone, key))
    await world.recorder.join()
    request = await world.ask("quality")
    for person in (world.agent, world.customer):
        await world.allow(person, "quality")
    assert world.live() is None
    assert await world.find(TrackRecord) == []
    assert world.app.gate.waiting
    async with custodian(place, world.clock.now_ms) as path:
        world.app = dataclasses.replace(world.app, custody=RemoteCustody(path, key))
        await world.later(10)
        assert world.gate.request == request
        await world.stop(world.agent, request)


async def test_playing_without_custody_says_so_by_its_code(world: World, tmp_path: Path) -> None:
    async with custodian(tmp_path / "custody", world.clock.now_ms) as path:
        custody = RemoteCustody(path, world.app.notary.key.text)
        world.app = dataclasses.replace(world.app, custody=custody)
        recording = await world.sealed()
    opened = await review.open_recording(world.app, world.admin, recording, WHY, "quality")
    found = await track(world)
    with pytest.raises(CustodyUnavailable):
        await review.track_file(world.app, world.admin, opened["access"], found.id)


def test_a_refusal_is_no_erasure() -> None:
    """Pages tell them apart."""
    assert len({CustodyRefused.code, CustodyUnavailable.code, Erased.code, NotFound.code}) == 4
