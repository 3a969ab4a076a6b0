"""Opening while something fails, or while somebody closes: never a live gate afterwards."""

import asyncio
from typing import Any

import pytest

from avsession.errors import Unavailable
from avsession.messages import Capture, RecordingChanged
from avsession.records import GrantRecord
from avsession.usecases.gate import OpenGate
from tests.avsession.usecases.recorder import fingerprint
from tests.avsession.usecases.world import World


def failing(world: World) -> None:
    """The grant's commit fails; every other one goes through."""

    async def fail() -> None:
        if world.app.gate._opening:
            raise Unavailable

    world.store.before_commit = fail


async def test_a_grant_that_cannot_be_committed_is_no_failure_of_the_consent(
    world: World,
) -> None:
    await world.recorder.join()
    await world.ask()
    await world.allow(world.agent)
    failing(world)
    answer = await world.allow(world.customer)
    assert answer["event"]
    assert world.live() is None
    assert not world.recorder.all(Capture)
    assert world.customer.last(RecordingChanged).recording.reason == "recorder_unavailable"
    assert world.app.gate.of_party(world.customer.id) is None
    world.store.before_commit = None
    await world.later(1)
    assert world.live() is not None


async def test_a_grant_whose_commit_was_not_answered_is_never_used(world: World) -> None:
    """It stands in the database though nobody was told: a new generation takes its place."""
    await world.recorder.join()
    await world.ask()
    await world.allow(world.agent)
    opened = world.app.gate.open

    def unanswered(gate: OpenGate) -> bool:
        world.app.gate.abandon(gate.session)
        return False

    world.app.gate.open = unanswered  # type: ignore[method-assign]
    await world.allow(world.customer)
    world.app.gate.open = opened  # type: ignore[method-assign]
    assert world.live() is None
    world.app.gate.waiting[world.session] = 0
    await world.later(1)
    assert world.live() is not None
    assert [row.closed_ms is None for row in await world.find(GrantRecord)] == [False, True]
    assert world.recorder.grant.generation == world.gate.generation


@pytest.mark.parametrize("who", ["agent", "customer"])
@pytest.mark.parametrize("how", ["withdraw", "stop", "disconnect"])
async def test_nobody_is_recorded_who_closes_while_the_grant_is_committed(
    world: World, who: str, how: str
) -> None:
    await world.recorder.join()
    request = await world.ask()
    await world.allow(world.agent)
    person = getattr(world, who)
    closing: list[asyncio.Task[Any]] = []

    async def meanwhile() -> None:
        if world.app.gate._opening and not closing:
            world.store.before_commit = None
            if how == "disconnect":
                closing.append(world.meanwhile(world.disconnect(person)))
            else:
                closing.append(world.meanwhile(getattr(world, how)(person, request)))
            await asyncio.sleep(0)

    world.store.before_commit = meanwhile
    lives: list[OpenGate | None] = []
    world.customer.tell = lambda message: lives.append(world.live())  # type: ignore[method-assign]
    await world.allow(world.customer)
    await closing[0]
    assert world.live() is None
    assert not any(lives)
    assert not world.recorder.all(Capture)
    (row,) = await world.find(GrantRecord)
    assert row.closed_ms is not None
    await world.later(1)
    assert world.live() is None


@pytest.mark.parametrize("how", ["withdraw", "stop"])
async def test_nobody_is_recorded_who_closes_before_the_grant_is_prepared(
    world: World, how: str
) -> None:
    await world.recorder.join()
    request = await world.ask()
    await world.allow(world.agent)
    create = world.app.custody.create
    closing: list[asyncio.Task[Any]] = []

    async def meanwhile(recording: str, track: str) -> str:
        if not closing:
            closing.append(world.meanwhile(getattr(world, how)(world.customer, request)))
            await asyncio.sleep(0)
        return await create(recording, track)

    world.app.custody.create = meanwhile  # type: ignore[method-assign]
    await world.allow(world.customer)
    await closing[0]
    assert world.live() is None
    assert not world.recorder.all(Capture)


@pytest.mark.parametrize("when", ["chosen", "prepared"])
@pytest.mark.parametrize("back", [False, True])
async def test_a_recorder_that_goes_while_its_grant_is_made_captures_nothing(
    world: World, when: str, back: bool
) -> None:
    """One that is started anew meanwhile, with another certificate, gets another grant."""
    await world.recorder.join()
    first = world.recorder.fingerprint
    await world.ask()
    await world.allow(world.agent)
    create, gone = world.app.custody.create, list[asyncio.Task[Any]]()

    async def go() -> None:
        if not gone:
            gone.append(world.meanwhile(world.recorder.vanish()))
            await asyncio.sleep(0)
            if back:
                world.recorder.fingerprint = fingerprint()
                world.hub.attach_worker(world.recorder.hello(), world.recorder.ear)

    async def choosing(recording: str, track: str) -> str:
        await go()
        return await create(recording, track)

    async def committing() -> None:
        if world.app.gate._opening:
            await go()

    if when == "chosen":
        world.app.custody.create = choosing  # type: ignore[method-assign]
    else:
        world.store.before_commit = committing
    await world.allow(world.customer)
    await gone[0]
    live = world.live()
    assert live is None or (back and live.fingerprint == world.recorder.fingerprint != first)
    assert len(world.recorder.all(Capture)) == (live is not None)
    on = [m for m in world.customer.all(RecordingChanged) if m.recording.state == "on"]
    assert len(on) == (live is not None)
    world.store.before_commit = None
    await world.recorder.join()
    await world.later(1)
    assert world.gate.fingerprint == world.recorder.fingerprint
    assert world.recorder.grant.generation == world.gate.generation
    assert [row.closed_ms is None for row in await world.find(GrantRecord)] == [False, True]
