"""What is due is done, in bounded patience, and one failing thing keeps no other from it."""

import pytest

from avsession.errors import Unavailable
from avsession.messages import EntryAccepted, EntryRefused, RecordingFinished, RequestRecording
from avsession.recording import Attach, State, entry_digest
from avsession.records import ConsentState as ConsentRow
from avsession.records import Idempotent, Recording, SignInLink, Ticket, Withdrawal
from avsession.session import Party, Session
from avsession.usecases import consent, presence, sessions, timers
from avsession.usecases.timers import LONGEST_MS
from tests.avsession.usecases.world import World


async def test_no_choice_means_destroy(world: World) -> None:
    recording = await world.recorded()
    request = world.gate.request
    await world.withdraw(world.customer, request)
    await world.later(119)
    assert (await world.only(Withdrawal)).fate is None
    assert world.files("keys")
    await world.later(2)
    row = await world.only(Withdrawal)
    assert (row.fate, row.done) == ("destroy", True)
    assert (await world.only(Recording, id=recording)).state is State.ERASED
    assert world.files("keys") == world.files("objects") == []


async def test_a_recorder_that_does_not_finish_leaves_an_interrupted_recording(
    world: World,
) -> None:
    recording = await world.recorded()
    await world.stop(world.agent, world.gate.request)
    await world.later(0.5)
    await world.later(29)
    assert (await world.only(Recording)).state is State.CLOSING
    await world.story()
    await world.later(2)
    row = await world.only(Recording)
    assert (row.state, row.duration_ms) == (State.INTERRUPTED, 2001)
    assert world.customer.last(RecordingFinished).state == "interrupted"
    assert await world.story() == "recording.interrupted"
    assert f"{recording}/manifest.jsonl" in world.files("objects")


async def test_interrupted_before_the_first_entry(world: World) -> None:
    await world.stop(world.agent, await world.record())
    await world.later(0.5)
    await world.later(31)
    row = await world.only(Recording)
    assert (row.state, row.duration_ms, row.manifest_head) == (State.INTERRUPTED, 0, None)


async def test_a_recorder_that_goes_on_finishing_may(world: World) -> None:
    await world.recorded()
    closed = world.clock.now_ms()
    spare = [world.recorder.sealed(world.agent, captured_ms=closed - 500) for _ in range(1)]
    await world.stop(world.agent, world.gate.request)
    await world.later(0.5)
    await world.later(25)
    await world.recorder.say(spare[0])
    await world.later(25)
    assert (await world.only(Recording)).state is State.CLOSING
    await world.later(31)
    assert (await world.only(Recording)).state is State.INTERRUPTED


async def test_a_recorder_that_never_finishes_is_ended_in_the_end(world: World) -> None:
    """It sends entries for ever: what was accepted stays, the rest is refused."""
    recording = await world.recorded()
    lie = {"generation": 1, "grant": "0" * 64, "clock_offset_ms": 0.0, "clock_uncertainty_ms": 1.0}
    await world.stop(world.agent, world.gate.request)
    closed, said = world.clock.now_ms(), []
    while (await world.only(Recording)).state is State.CLOSING:
        said.append(await world.recorder.say(world.recorder.entry(Attach, **lie)))
        await world.later(29)
    assert 0 <= world.clock.now_ms() - closed - LONGEST_MS <= 29_000
    assert all(isinstance(answer, EntryAccepted) for answer in said)
    kept = list(world.recorder.chain)
    assert isinstance(await world.recorder.say(world.recorder.entry(Attach, **lie)), EntryRefused)
    row = await world.only(Recording)
    assert (row.state, row.manifest_head) == (State.INTERRUPTED, entry_digest(kept[-1]))
    (told,) = [leaf for leaf in await world.leaves() if leaf["kind"] == "recording.interrupted"]
    assert told["refs"]["entries"] == len(kept)
    manifest = world.folder / "objects" / recording / "manifest.jsonl"
    assert len(manifest.read_bytes().splitlines()) == len(kept) > len(said) > 60


async def test_an_absent_recorder_has_ten_minutes_and_a_restart_begins_them_anew(
    world: World,
) -> None:
    recording = await world.recorded()
    await world.stop(world.agent, world.gate.request)
    world.clock.forward(3600)
    await world.restart()
    await world.later(1)
    assert (await world.only(Recording)).state is State.CLOSING
    await world.later(599)
    await world.recorder.join(recording)
    await world.later(1)
    await world.recorder.end()
    assert (await world.only(Recording)).state is State.SEALED


async def test_an_absent_recorder_is_not_awaited_for_ever(world: World) -> None:
    await world.recorded()
    request = world.gate.request
    await world.recorder.vanish()
    await world.stop(world.agent, request)
    await world.later(1)
    await world.later(601)
    assert (await world.only(Recording)).state is State.INTERRUPTED


async def test_a_session_that_nobody_can_enter_any_more_ends(world: World) -> None:
    lonely = await sessions.create_session(world.app, world.staff, "en")
    await presence.left(world.app, world.customer.id)
    await world.later(86_401)
    assert (await world.only(Session, id=lonely.session.id)).end_reason == "expired"
    assert (await world.only(Session, id=world.session)).ended_ms is None
    await presence.lost(world.app, world.agent.id)
    await world.later(31)
    assert (await world.only(Session, id=world.session)).end_reason == "agent_timeout"


async def test_what_is_of_no_use_any_more_goes(world: World) -> None:
    await world.ask()
    await sessions.issue_ticket(world.app, world.agent.party)
    await world.later(31)
    assert not await world.find(Ticket)
    assert await world.find(Idempotent)
    await world.later(86_401)
    assert not await world.find(Idempotent)
    assert not await world.find(SignInLink)


async def test_a_bad_row_keeps_no_other_from_its_turn(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    first = world.session
    await world.ask()
    agent, customer = await world.new_call(world.staff)
    ask = RequestRecording(purposes=("quality",), key=world.key())
    await consent.request_recording(world.app, agent.id, ask)
    async with world.store.write() as tx:
        deadline = world.clock.now_ms() + 1
        await tx.put(ConsentRow(session=first, state=b"not json", deadline_ms=deadline))
    await presence.lost(world.app, customer.id)
    await world.later(61)
    assert (await world.only(Party, id=customer.id)).presence is None
    assert (await world.only(ConsentRow, session=agent.party.session)).deadline_ms is None
    assert "a timer failed" in caplog.text


async def test_without_a_database_a_tick_only_passes(world: World) -> None:
    request = await world.ask()
    world.store.down = True
    await world.later(61)
    world.store.down = False
    await world.later(0)
    state = await world.state()
    assert state.request is None
    assert request


async def test_an_erasure_that_fails_is_tried_again_and_others_are_not_kept_waiting(
    world: World,
) -> None:
    await world.sealed()
    first = world.recorder.grant
    await world.sealed()
    second = world.recorder.grant
    for grant in (first, second):
        await world.withdraw(world.customer, grant.request)
    remove, blocked = world.app.objects.remove, [first.recording, second.recording]

    async def stuck(prefix: str) -> int:
        if prefix in blocked:
            raise Unavailable
        return await remove(prefix)

    world.app.objects.remove = stuck  # type: ignore[method-assign]
    await world.later(121)
    assert world.files("keys") == []
    assert [w.done for w in await world.find(Withdrawal)] == [False, False]
    blocked.remove(second.recording)
    await world.later(1)
    assert [r.state for r in await world.find(Recording)] == [State.ERASED] * 2
    assert sorted(w.done for w in await world.find(Withdrawal)) == [False, True]
    blocked.clear()
    await world.later(1)
    assert [w.done for w in await world.find(Withdrawal)] == [True, True]
    assert world.files("objects") == []


def test_ticks_are_frequent_enough_to_be_prompt() -> None:
    assert timers.EVERY_S <= 1
