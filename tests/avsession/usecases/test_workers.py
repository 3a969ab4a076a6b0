"""Recorders come, go and come back; consent stands meanwhile, and capture does not."""

import pytest

from avsession.errors import Unavailable
from avsession.messages import Capture, CloseGate, Heartbeat, RecordingChanged
from avsession.recording import State
from avsession.records import Recording
from avsession.usecases import workers
from tests.avsession.usecases.recorder import Recorder
from tests.avsession.usecases.world import World


async def test_a_heartbeat_says_what_is_live_now(world: World) -> None:
    await world.record()
    gate = world.gate
    reply = workers.heartbeat(world.app, world.recorder.worker, Heartbeat(sent=1.5))
    assert (reply.sent, reply.server_ms) == (1.5, world.clock.now_ms())
    assert [(one.recording, one.generation) for one in reply.live] == [
        (gate.recording, gate.generation)
    ]
    other = Recorder(world)
    assert workers.heartbeat(world.app, other.worker, Heartbeat(sent=0)).live == ()
    await world.withdraw(world.customer, gate.request)
    assert workers.heartbeat(world.app, world.recorder.worker, Heartbeat(sent=2)).live == ()


async def test_a_recorder_that_is_gone_closes_its_gate_and_the_call_goes_on(world: World) -> None:
    recording = await world.recorded()
    before = world.gate
    await world.story()
    await world.recorder.vanish()
    assert world.live() is None
    assert world.customer.last(RecordingChanged).recording.state == "off"
    assert (await world.only(Recording)).state is State.OFF
    assert world.customer.ended is world.agent.ended is None
    welcome = await world.recorder.join(recording)
    assert welcome.known == {recording: 6}
    assert world.gate.recording == recording
    assert world.gate.generation > before.generation
    assert world.recorder.last(Capture).resume == 6
    assert await world.story() == "grant.revoked recording.off grant.issued recording.on"


async def test_a_loss_that_could_not_be_written_is_written_on_repeat(world: World) -> None:
    await world.record()
    world.store.down = True
    with pytest.raises(Unavailable):
        await world.recorder.vanish()
    assert world.live() is None
    world.store.down = False
    await workers.worker_gone(world.app, world.recorder.worker)
    assert (await world.only(Recording)).state is State.OFF
    await world.recorder.join()
    assert world.live() is not None


async def test_recordings_that_are_not_to_be_kept(world: World) -> None:
    sealed = await world.sealed()
    live = await world.recorded()
    unknown = "rec_" + "a" * 26
    welcome = await world.recorder.join(sealed, live, unknown)
    assert welcome.known == {sealed: workers.NOT_KEPT, live: 6, unknown: workers.NOT_KEPT}
    other = await Recorder(world).join(live)
    assert other.known == {live: workers.NOT_KEPT}


async def test_what_was_destroyed_while_the_recorder_was_away_is_not_kept(world: World) -> None:
    recording = await world.recorded()
    request = world.gate.request
    await world.recorder.vanish()
    await world.withdraw(world.customer, request)
    await world.choose(world.customer, request, "destroy")
    welcome = await world.recorder.join(recording)
    assert welcome.known == {recording: workers.NOT_KEPT}


async def test_what_ended_while_the_recorder_was_away_is_finished_by_it(world: World) -> None:
    recording = await world.recorded()
    request, closed = world.gate.request, world.clock.now_ms()
    await world.recorder.vanish()
    world.clock.forward(20)
    await world.stop(world.agent, request)
    world.clock.forward(300)
    await world.recorder.join(recording)
    order = world.recorder.last(CloseGate)
    assert (order.recording, order.final, order.closed_ms) == (recording, True, closed)
    await world.later(1)
    await world.recorder.end()
    assert (await world.only(Recording)).state is State.SEALED


async def test_a_heartbeat_says_whose_gate_a_pause_has_closed(world: World) -> None:
    """For a recorder that did not hear it, and after a restart by what is written."""
    request = await world.record()
    recording = world.gate.recording

    def beat(recorder: Recorder) -> tuple[int, tuple[str, ...]]:
        reply = workers.heartbeat(world.app, recorder.worker, Heartbeat(sent=1))
        return len(reply.live), reply.paused

    assert beat(world.recorder) == (1, ())
    generation = await world.pause(world.agent, request)
    assert beat(world.recorder) == (0, (recording,))
    assert beat(Recorder(world)) == (0, ())
    await world.restart()
    await world.recorder.join(recording)
    assert beat(world.recorder) == (0, (recording,))
    for person in (world.agent, world.customer):
        await world.connect(person)
    await world.resume(world.agent, request, generation)
    assert beat(world.recorder) == (1, ())
    await world.pause(world.agent, request)
    await world.stop(world.agent, request)
    await world.recorder.begin()
    await world.recorder.end()
    assert beat(world.recorder) == (0, ())
