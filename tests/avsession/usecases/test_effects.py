"""Rows and leaves inside the transaction, words after it; words never fail what is committed."""

from avsession.consent import CloseGate as Closed
from avsession.errors import ConsentRequired, LogForked, SignerFailed, Unavailable
from avsession.messages import CloseGate, Message, RecordingChanged
from avsession.recording import State
from avsession.records import GrantRecord, Recording, RecordingRequest
from avsession.usecases import effects
from avsession.usecases.services import Services
from tests.avsession.usecases.world import World


async def opener_never(app: Services, session: str) -> None:
    raise AssertionError("nothing opens here")


async def test_a_closed_generation_ends_when_memory_closed_it(world: World) -> None:
    request = await world.record()
    moment = world.clock.now_ms()

    def slow(message: Message) -> None:
        world.clock.forward(0.3)

    world.agent.tell = slow  # type: ignore[method-assign]
    await world.withdraw(world.customer, request)
    assert (await world.only(GrantRecord)).closed_ms == moment
    assert world.recorder.last(CloseGate).closed_ms == moment


async def test_the_request_and_its_recording_are_over(world: World) -> None:
    request = await world.record()
    await world.stop(world.agent, request)
    assert (await world.only(RecordingRequest)).outcome == "stopped"
    row = await world.only(Recording)
    assert (row.state, row.reason) == (State.CLOSING, "stopped")
    assert (await world.only(GrantRecord)).reason == "stopped"


async def test_speaking_late_does_not_close_what_has_opened_since(world: World) -> None:
    await world.record()
    old = world.gate.generation
    await world.disconnect(world.customer)
    await world.connect(world.customer)
    after = effects.After(world.session, closed=[Closed(old, "presence_unknown")])
    await effects.speak(world.app, after, opener_never)
    assert world.gate.generation > old
    assert world.agent.last(RecordingChanged).recording.state == "on"


async def test_without_a_database_nothing_is_said_and_nothing_raised(world: World) -> None:
    world.store.down = True
    await effects.speak(world.app, effects.After(world.session, ask=True), opener_never)


async def test_a_gate_that_does_not_open_is_said_and_not_raised(world: World) -> None:
    await world.ask()
    for error, reason in (
        (ConsentRequired, "consent.required"), (Unavailable, "recorder_unavailable"),
        (SignerFailed, "log_unavailable"), (LogForked, "log_unavailable"),
    ):  # fmt: skip

        async def fails(app: Services, session: str, error: type[Exception] = error) -> None:
            raise error

        await effects.speak(world.app, effects.After(world.session, opens=True), fails)
        status = world.agent.last(RecordingChanged).recording
        assert (status.state, status.reason) == ("off", reason)


async def test_the_last_word_names_the_newest_generation(world: World) -> None:
    await world.record()
    await world.disconnect(world.customer)
    await world.connect(world.customer)
    row = await world.only(Recording)
    async with world.store.read() as tx:
        message = await effects.final_message(tx, row)
    assert (message.generation, message.final, message.erase) == (row.generation, True, False)
    assert message.closed_ms == row.created_ms
