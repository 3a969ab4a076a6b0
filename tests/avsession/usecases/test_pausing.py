"""A pause: closed at once, whoever it was resumes it, and nothing else does."""

import asyncio

import pytest

from avsession.errors import Conflict, NotPermitted, PausedByOther, RequestOver, Unavailable
from avsession.messages import Capture, CloseGate, PauseRecording, RecordingChanged, Welcome
from avsession.recording import State
from avsession.records import GrantRecord, Recording
from avsession.usecases import closing, pausing, presence
from tests.avsession.usecases.parts import Person
from tests.avsession.usecases.recorder import Recorder
from tests.avsession.usecases.world import World


@pytest.fixture(params=["agent", "customer"])
def pauser(world: World, request: pytest.FixtureRequest) -> Person:
    """Either may."""
    person: Person = getattr(world, request.param)
    return person


def state(person: Person) -> str:
    return person.last(RecordingChanged).recording.state


async def test_pausing_and_resuming(world: World, pauser: Person) -> None:
    recording = await world.recorded()
    before = world.gate
    await world.story()
    number = await world.pause(pauser, before.request)
    assert world.live() is None
    order = world.recorder.last(CloseGate)
    assert (order.generation, order.reason, order.final) == (before.generation, "paused", False)
    for person in (world.agent, world.customer):
        status = person.last(RecordingChanged).recording
        assert (status.state, status.reason, status.request, status.recording) == (
            "paused", "paused", before.request, recording,
        )  # fmt: skip
        assert status.paused == {pauser.id: number}
    assert (await world.only(Recording)).state is State.PAUSED
    assert await world.story() == "grant.revoked recording.paused"

    await world.resume(pauser, before.request)
    assert world.gate.recording == recording
    assert world.gate.generation > number
    assert [state(person) for person in (world.agent, world.customer)] == ["on", "on"]
    assert (await world.only(Recording)).state is State.ON
    assert await world.story() == "recording.resumed grant.issued recording.on"
    told = {leaf["kind"]: leaf for leaf in await world.leaves()}
    for kind in ("recording.paused", "recording.resumed"):
        assert told[kind]["actor"] == told[kind]["subject"] == pauser.party.pseudonym
        assert told[kind]["refs"] == {
            "request": before.request, "recording": recording, "generation": number,
        }  # fmt: skip


async def test_nobody_is_told_that_it_is_off_on_the_way_back(world: World) -> None:
    request = await world.record()
    await world.pause(world.agent, request)
    heard = len(world.customer.all(RecordingChanged))
    await world.resume(world.agent, request)
    states = [m.recording.state for m in world.customer.all(RecordingChanged)[heard:]]
    assert states == ["on"]


async def test_only_who_paused_resumes(world: World, pauser: Person) -> None:
    other = world.customer if pauser is world.agent else world.agent
    request = await world.record()
    with pytest.raises(Conflict):
        await world.resume(pauser, request, 1)
    number = await world.pause(pauser, request)
    with pytest.raises(PausedByOther):
        await world.resume(other, request, number)
    with pytest.raises(RequestOver):
        await world.resume(pauser, "req_" + "a" * 26, number)
    assert world.live() is None


async def test_who_is_not_in_the_call_pauses_nothing(world: World) -> None:
    request = await world.record()
    stranger, _customer = await world.new_call(world.staff)
    with pytest.raises((NotPermitted, RequestOver)):
        await world.pause(stranger, request)
    assert world.live() is not None


async def test_both_pause_and_both_must_resume(world: World) -> None:
    request = await world.record()
    await world.pause(world.agent, request)
    await world.pause(world.customer, request)
    await world.resume(world.agent, request)
    status = world.agent.last(RecordingChanged).recording
    assert (status.state, set(status.paused)) == ("paused", {world.customer.id})
    assert (await world.only(Recording)).state is State.PAUSED
    assert world.live() is None
    await world.resume(world.customer, request)
    assert world.live() is not None


@pytest.mark.parametrize("how", ["stop", "withdraw"])
async def test_the_other_may_end_it_all(world: World, how: str) -> None:
    await world.recorded()
    request = world.gate.request
    number = await world.pause(world.agent, request)
    await getattr(world, how)(world.customer, request)
    with pytest.raises(RequestOver):
        await world.resume(world.agent, request, number)
    assert world.live() is None
    await world.recorder.end()
    assert (await world.only(Recording)).state is State.SEALED


async def test_without_a_recorder(world: World) -> None:
    """Pausing works while none is there; none is asked for until the pause is over."""
    request = await world.ask()
    await world.allow(world.agent)
    await world.allow(world.customer)
    await world.pause(world.agent, request)
    assert state(world.customer) == "paused"
    await world.recorder.join()
    await world.later(1)
    assert not world.recorder.all(Capture)
    assert not await world.find(Recording)
    await world.resume(world.agent, request)
    assert world.live() is not None


async def test_nothing_to_pause_yet(world: World) -> None:
    request = await world.ask()
    with pytest.raises(Conflict):
        await world.pause(world.agent, request)
    assert not (await world.leaves())[-1]["kind"].startswith("recording.p")


async def test_a_pause_outlasts_a_reload_and_the_welcome_says_so(
    world: World, pauser: Person
) -> None:
    request = await world.record()
    number = await world.pause(pauser, request)
    await world.disconnect(pauser)
    await world.connect(pauser)
    assert world.live() is None
    status = pauser.last(Welcome).recording
    assert (status.state, status.paused) == ("paused", {pauser.id: number})
    await world.resume(pauser, request, number)
    assert world.live() is not None


async def test_who_paused_and_left_ends_the_recording_of_two(world: World) -> None:
    """With one party left there is nothing to record; who comes back is asked again."""
    request = await world.record()
    number = await world.pause(world.customer, request)
    await presence.left(world.app, world.customer.id)
    await world.connect(world.customer)
    assert world.live() is None
    assert (await world.state()).request is None
    with pytest.raises(RequestOver):
        await world.resume(world.customer, request, number)


@pytest.mark.parametrize("joins_first", ["recorder", "people"])
async def test_a_restart_in_a_pause_stays_paused(world: World, joins_first: str) -> None:
    recording = await world.recorded()
    request = world.gate.request
    number = await world.pause(world.agent, request)
    await world.restart()

    async def recorder() -> None:
        assert (await world.recorder.join(recording)).known == {recording: 6}

    async def people() -> None:
        for person in (world.agent, world.customer):
            await world.connect(person)

    for joins in (recorder, people) if joins_first == "recorder" else (people, recorder):
        await joins()
    await world.later(1)
    assert world.live() is None
    assert (await world.only(Recording)).state is State.PAUSED
    assert world.customer.last(Welcome).recording.paused == {world.agent.id: number}
    await world.resume(world.agent, request, number)
    assert world.gate.recording == recording


async def test_a_recorder_that_goes_in_a_pause_changes_nothing(world: World) -> None:
    recording = await world.recorded()
    request = world.gate.request
    await world.pause(world.agent, request)
    heard = len(world.agent.heard)
    await world.recorder.vanish()
    assert len(world.agent.heard) == heard
    await world.resume(world.agent, request)
    assert world.live() is None
    assert world.agent.last(RecordingChanged).recording.reason == "recorder_unavailable"
    assert (await world.only(Recording)).state is State.OFF
    await world.pause(world.agent, request)
    assert (await world.only(Recording)).state is State.PAUSED
    await world.recorder.join(recording)
    assert world.live() is None
    await world.resume(world.agent, request)
    assert world.gate.recording == recording


async def test_a_paused_recording_keeps_its_place(world: World) -> None:
    world.recorder.capacity = 1
    request = await world.record()
    await world.pause(world.agent, request)
    first, session = (world.agent, world.customer), world.session
    world.agent, world.customer = await world.new_call(world.staff)
    world.session = world.agent.party.session
    await world.record()
    assert world.live() is None
    world.agent, world.customer = first
    world.session = session
    await world.resume(world.agent, request)
    assert world.live() is not None


# --- a database that fails, and repeats


async def test_closed_though_it_cannot_be_written_and_nothing_opens_until_it_is(
    world: World,
) -> None:
    request = await world.record()
    key = world.key()
    world.store.down = True
    with pytest.raises(Unavailable):
        await world.pause(world.agent, request, key)
    assert world.live() is None
    assert state(world.customer) == "paused"
    world.store.down = False
    await world.disconnect(world.customer)
    await world.connect(world.customer)
    assert world.live() is None
    await world.pause(world.agent, request, key)
    assert state(world.customer) == "paused"
    await world.resume(world.agent, request)
    assert world.live() is not None


async def test_the_same_pause_again_changes_nothing(world: World) -> None:
    request = await world.record()
    key = world.key()
    number = await world.pause(world.agent, request, key)
    leaves = await world.leaves()
    assert await world.pause(world.agent, request, key) == number
    assert await world.leaves() == leaves
    other = PauseRecording(request="req_" + "a" * 26, key=key)
    with pytest.raises(Conflict):
        await pausing.pause(world.app, world.agent.id, other)


async def test_an_old_pause_that_comes_again_does_not_leave_the_gate_stuck(world: World) -> None:
    """What is written says that it is on: under a new generation it is on again."""
    request = await world.record()
    key = world.key()
    await world.pause(world.agent, request, key)
    await world.resume(world.agent, request)
    before = world.gate.generation
    await world.pause(world.agent, request, key)
    assert world.gate.generation > before
    assert state(world.customer) == "on"


# --- races


async def test_a_pause_said_after_a_resuming_stands_whichever_is_written_first(
    world: World,
) -> None:
    request = await world.record()
    number = await world.pause(world.agent, request)
    newer = await world.pause(world.agent, request)
    assert newer > number
    assert world.agent.last(RecordingChanged).recording.paused == {world.agent.id: newer}
    with pytest.raises(Conflict):
        await world.resume(world.agent, request, number)
    assert world.live() is None


@pytest.mark.parametrize("first", ["pause", "resume"])
async def test_pausing_while_the_other_resumes(world: World, first: str) -> None:
    request = await world.record()
    await world.pause(world.agent, request)
    steps = [world.pause(world.customer, request), world.resume(world.agent, request)]
    if first == "resume":
        steps.reverse()
    await asyncio.gather(*steps)
    assert world.live() is None
    assert set((await world.state()).request.pauses[0:]) != set()  # type: ignore[union-attr]
    await world.resume(world.customer, request)
    assert world.live() is not None


async def test_pausing_while_a_grant_is_being_committed(world: World) -> None:
    """The recorder is told of no generation that was paused before it was live."""
    request = await world.record()
    await world.pause(world.agent, request)
    orders = len(world.recorder.all(Capture))
    pauses: list[asyncio.Task[int]] = []

    async def pause() -> None:
        if world.app.gate._opening and not pauses:
            pauses.append(world.meanwhile(world.pause(world.customer, request)))
            await asyncio.sleep(0)

    world.store.before_commit = pause
    await world.resume(world.agent, request)
    world.store.before_commit = None
    await pauses[0]
    assert world.live() is None
    assert len(world.recorder.all(Capture)) == orders
    assert state(world.agent) == "paused"
    assert all(grant.closed_ms for grant in await world.find(GrantRecord))


async def test_pausing_while_the_other_withdraws(world: World) -> None:
    request = await world.record()
    outcomes = await asyncio.gather(
        world.withdraw(world.customer, request),
        world.pause(world.agent, request),
        return_exceptions=True,
    )
    assert isinstance(outcomes[1], (int, RequestOver))
    assert world.live() is None
    assert (await world.state()).request is None


async def test_another_workers_place_is_not_taken(world: World) -> None:
    """A paused recording goes on where its spool is, or waits for it."""
    await world.recorded()
    request = world.gate.request
    await world.pause(world.agent, request)
    await world.recorder.vanish()
    other = Recorder(world)
    await other.join()
    await world.resume(world.agent, request)
    assert world.live() is None
    assert not other.all(Capture)


async def after_a_restart(world: World, pauser: Person, key: str) -> None:
    """Everyone is back; the page of who paused says what it has to say again."""
    await world.restart()
    for person in (world.agent, world.customer):
        if person is pauser:
            closing.expect(world.app, person.party, (key,))
        await world.connect(person)
    await world.recorder.join()


async def test_a_pause_that_a_restart_forgot_holds_until_it_is_said_again(
    world: World, pauser: Person
) -> None:
    """The server that it was told to could not write it down, and died."""
    request, key = await world.record(), world.key()
    world.store.down = True
    with pytest.raises(Unavailable):
        await world.pause(pauser, request, key)
    await after_a_restart(world, pauser, key)
    await world.later(5)
    assert world.live() is None
    assert len(world.recorder.all(Capture)) == 1, "the one from before"
    number = await world.pause(pauser, request, key)
    await world.later(1)
    assert world.live() is None
    assert state(world.agent) == state(world.customer) == "paused"
    await world.resume(pauser, request, number)
    assert world.live() is not None


async def test_what_is_refused_when_it_is_said_again_holds_nothing(
    world: World, pauser: Person
) -> None:
    await world.record()
    key = world.key()
    await after_a_restart(world, pauser, key)
    assert world.live() is None
    with pytest.raises(RequestOver):
        await world.pause(pauser, "req_" + "a" * 26, key)
    await world.later(1)
    assert world.live() is not None
