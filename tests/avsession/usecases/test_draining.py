"""A stop that waits: who is in a call is told and may end it, nobody begins a new one."""

import asyncio
import signal

import pytest

from avsession.errors import ServerStopping, Unavailable
from avsession.messages import ServerStops
from avsession.records import Account
from avsession.usecases import draining, presence, sessions
from tests.avsession.usecases.world import World


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "POLL_S", 0.001)


async def told(world: World) -> None:
    async with asyncio.timeout(10):
        while True:
            if world.customer.all(ServerStops):
                return
            await asyncio.sleep(0)


async def test_the_last_call_is_waited_for(world: World) -> None:
    waiting = world.meanwhile(draining.drain(world.app))
    await told(world)
    assert len(world.agent.all(ServerStops)) == 1
    await presence.left(world.app, world.customer.id)
    assert not waiting.done(), "the agent is still there"
    await presence.left(world.app, world.agent.id)
    await waiting


async def test_who_comes_back_meanwhile_is_told_and_goes_on(world: World) -> None:
    world.app.ready.draining = True
    await world.disconnect(world.customer)
    before = len(world.customer.all(ServerStops))
    await world.connect(world.customer)
    assert len(world.customer.all(ServerStops)) == before + 1
    # even recording may begin: the call is a call
    assert await world.record()


async def test_nobody_begins_a_new_call(world: World) -> None:
    made = await sessions.create_session(world.app, world.staff, "en")
    world.app.ready.draining = True
    with pytest.raises(ServerStopping):
        await sessions.create_session(world.app, world.staff, "en")
    with pytest.raises(ServerStopping):
        await sessions.claim(world.app, made.secret, "Late Comer", "en")
    world.app.ready.draining = False
    await sessions.claim(world.app, made.secret, "Late Comer", "en")


async def test_a_second_signal_ends_the_waiting(world: World) -> None:
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    object.__setattr__(world.app, "settings", world.app.settings.__class__(drain_s=3600))
    waiting = world.meanwhile(draining.until(world.app, signals))
    await told(world)
    signals.put_nowait(signal.SIGINT)
    assert await waiting is signal.SIGINT


async def test_the_time_that_is_set_ends_it_too(world: World) -> None:
    object.__setattr__(world.app, "settings", world.app.settings.__class__(drain_s=0))
    assert await draining.until(world.app, asyncio.Queue()) is None
    assert world.app.ready.draining


async def test_without_a_database_nobody_is_taken_for_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = world.meanwhile(draining.drain(world.app))
    await told(world)
    reads = asyncio.Event()

    def gone(*_: object) -> object:
        reads.set()
        raise Unavailable

    with monkeypatch.context() as patch:
        patch.setattr(type(world.app.store), "read", gone)
        await reads.wait()
        assert not waiting.done()
    async with world.app.store.read() as tx:
        assert await tx.count(Account)
    for person in (world.customer, world.agent):
        await presence.left(world.app, person.id)
    await waiting
