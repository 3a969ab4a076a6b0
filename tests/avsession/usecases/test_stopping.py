"""The server stops: recordings are finalised, nobody is taken to have withdrawn."""

import pytest

from avsession.errors import Unavailable
from avsession.messages import AskOver, CloseGate, RecordingChanged
from avsession.recording import State
from avsession.records import ConsentEvent, GrantRecord, Leaf, Recording
from avsession.usecases import stopping
from tests.avsession.usecases.world import World


async def finishing(world: World) -> None:
    """Stop, with a recorder that writes its end as soon as it is told to."""
    task = world.meanwhile(stopping.stop_recordings(world.app))
    tell = world.recorder.tell

    def end_when_told(message: object) -> None:
        tell(message)  # type: ignore[arg-type]
        if isinstance(message, CloseGate) and message.final and not world.recorder.ended:
            world.recorder.ended = True
            world.meanwhile(world.recorder.end())

    world.recorder.tell = end_when_told  # type: ignore[method-assign]
    await task


async def test_a_recording_in_progress_is_finalised(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "POLL_S", 0.001)
    await world.recorded()
    await finishing(world)
    assert world.live() is None
    assert (await world.only(Recording)).state is State.SEALED
    assert world.agent.last(RecordingChanged).recording.reason == "server_stopping"
    assert world.agent.last(AskOver).outcome == "stopped"
    assert not await world.find(ConsentEvent, kind="withdrawn")
    # and the log says who stopped it, not only that it was
    assert (await world.only(GrantRecord)).reason == "server_stopping"
    for kind in ("grant.revoked", "recording.off"):
        (row,) = await world.find(Leaf, kind=kind)
        assert b'"reason":"server_stopping"' in row.data, kind


async def test_a_recorder_that_does_not_answer_is_not_awaited_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "FINALISE_S", 0.0)
    recording = await world.recorded()
    await stopping.stop_recordings(world.app)
    assert (await world.only(Recording)).state is State.CLOSING
    await world.restart()
    await world.recorder.join(recording)
    await world.recorder.end()
    assert (await world.only(Recording)).state is State.SEALED


async def test_a_question_is_taken_back(world: World) -> None:
    await world.ask()
    await stopping.stop_recordings(world.app)
    assert (await world.state()).request is None
    assert world.customer.last(AskOver).outcome == "stopped"


async def test_what_cannot_be_written_is_closed_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "FINALISE_S", 0.0)
    await world.recorded()

    async def fail() -> None:
        raise Unavailable

    world.store.before_commit = fail
    await stopping.stop_recordings(world.app)
    assert world.live() is None
    assert world.recorder.last(CloseGate).final


async def test_only_the_named_request_is_stopped(world: World) -> None:
    await world.record()
    await stopping.stop_one(world.app, world.session, "test", "req_" + "a" * 26)
    assert world.live() is not None
    await stopping.stop_one(world.app, world.session, "test", world.gate.request)
    assert world.live() is None
    await stopping.stop_one(world.app, world.session, "test")
    await stopping.stop_one(world.app, "ses_" + "a" * 26, "test")


async def test_without_a_database_a_recording_stops_and_does_not_begin_again(
    world: World,
) -> None:
    await world.recorded()
    world.store.down = True
    with pytest.raises(Unavailable):
        await world.recorder.segment(world.agent)
    assert world.live() is None
    for person in (world.agent, world.customer):
        assert person.last(RecordingChanged).recording.reason == "storage_failed"
    with pytest.raises(Unavailable):
        await world.disconnect(world.customer)
    world.store.down = False
    await world.connect(world.customer)
    assert world.live() is None
    await world.later(0.5)
    assert (await world.state()).request is None
    assert (await world.only(Recording)).state is State.CLOSING
    await world.record()
    assert world.live() is not None
