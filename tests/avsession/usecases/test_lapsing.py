"""A server that may have been overtaken keeps no gate open."""

from __future__ import annotations

import asyncio

from avsession.messages import CloseGate, Heartbeat, RecordingChanged
from avsession.recording import State
from avsession.records import Recording
from avsession.usecases import lapsing, workers
from avsession.usecases.capture import open_gate, retry_waiting
from avsession.usecases.gate import Lease
from tests.avsession.usecases.world import World


async def test_gates_close_with_the_lease_and_open_when_it_is_confirmed(world: World) -> None:
    request = await world.record()
    before, times = world.gate, [100.0]
    lease = world.app.gate.lease = Lease(lambda: times[0])
    lease.extend(108.0)
    times[0] = 107.9
    lapsing.lapse(world.app)
    assert world.live() is before
    world.store.down = True
    times[0] = 108.0
    beat = Heartbeat(sent=0)
    assert workers.heartbeat(world.app, world.recorder.worker, beat).live == ()
    lapsing.lapse(world.app)
    assert world.live() is None
    order = world.recorder.last(CloseGate)
    assert (order.generation, order.reason, order.final) == (
        before.generation,
        "storage_failed",
        False,
    )
    for person in (world.agent, world.customer):
        status = person.last(RecordingChanged).recording
        assert (status.state, status.reason, status.request) == ("off", "storage_failed", request)
    # the database answers, and whose it is was not said yet
    world.store.down = False
    await world.story()
    await retry_waiting(world.app)
    await open_gate(world.app, world.session)
    assert world.live() is None
    assert await world.story() == ""
    lease.extend(116.0)
    await retry_waiting(world.app)
    assert world.gate.recording == before.recording
    assert world.gate.generation > before.generation
    assert (await world.only(Recording)).state is State.ON


async def test_it_is_looked_at_all_the_time(world: World) -> None:
    await world.record()
    times = [0.0]
    lease = world.app.gate.lease = Lease(lambda: times[0])
    lease.extend(8.0)
    world.tasks.spawn(lapsing.keep_looking(world.app), name="lease")
    await asyncio.sleep(0)
    assert world.live() is not None
    times[0] = 8.0
    async with asyncio.timeout(10):
        while world.live() is not None:  # noqa: ASYNC110 - it is the loop that is looked at
            await asyncio.sleep(0.01)
