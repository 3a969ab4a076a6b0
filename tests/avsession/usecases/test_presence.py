"""Coming, going, and not knowing: the gate is open only while everyone is known to be there."""

import pytest

from avsession.errors import Unavailable
from avsession.messages import Capture, CloseGate, Parties, RecordingChanged, Welcome
from avsession.recording import State
from avsession.records import ConsentEvent, GrantRecord, Recording
from avsession.session import Party, Presence, Session
from avsession.usecases import presence
from tests.avsession.usecases.world import World


async def test_a_party_is_welcomed_with_everything_its_page_needs(world: World) -> None:
    welcome = world.customer.last(Welcome)
    assert (welcome.you, welcome.session) == (world.customer.id, world.session)
    assert [p.role for p in welcome.parties] == ["agent", "customer"]
    assert welcome.recording.state == "off"
    assert (welcome.ask, welcome.grant, welcome.given, welcome.fate_due) == (None,) * 4


async def test_after_a_reload_the_page_knows_what_its_party_said(world: World) -> None:
    request = await world.ask()
    await world.allow(world.customer)
    await world.disconnect(world.customer)
    await world.connect(world.customer)
    welcome = world.customer.last(Welcome)
    assert welcome.given == request
    assert welcome.ask is not None
    assert welcome.ask.request == request
    await world.disconnect(world.agent)
    await world.connect(world.agent)
    assert world.agent.last(Welcome).given is None


async def test_after_a_reload_the_choice_is_still_open(world: World) -> None:
    request = await world.record()
    await world.withdraw(world.customer, request)
    await world.connect(world.customer)
    assert world.customer.last(Welcome).fate_due == request
    assert world.agent.last(Parties).parties[-1].role == "customer"
    await world.choose(world.customer, request, "keep")
    await world.connect(world.customer)
    assert world.customer.last(Welcome).fate_due is None


@pytest.mark.parametrize("who", ["agent", "customer"])
async def test_presence_lost_closes_and_regained_reopens_the_same_recording(
    world: World, who: str
) -> None:
    await world.record()
    person, before = getattr(world, who), world.gate
    await world.story()
    await world.disconnect(person)
    assert world.live() is None
    order = world.recorder.last(CloseGate)
    assert (order.generation, order.final) == (before.generation, False)
    assert (await world.only(Recording)).state is State.OFF
    await world.connect(person)
    after = world.gate
    assert after.recording == before.recording
    assert after.generation > before.generation
    assert (await world.only(Recording)).state is State.ON
    assert await world.story() == "grant.revoked recording.off grant.issued recording.on"
    assert not [e for e in await world.find(ConsentEvent) if e.kind == "withdrawn"]


async def test_both_lost_need_both_back(world: World) -> None:
    await world.record()
    await world.disconnect(world.agent)
    await world.disconnect(world.customer)
    await world.connect(world.agent)
    assert world.live() is None
    await world.connect(world.customer)
    assert world.live() is not None


async def test_a_seat_is_held_for_thirty_seconds(world: World) -> None:
    request = await world.record()
    await world.disconnect(world.customer)
    await world.later(29.9)
    assert (await world.state()).request is not None
    await world.later(0.2)
    party = await world.only(Party, id=world.customer.id)
    assert party.presence is None
    assert (await world.state()).request is None
    assert world.agent.last(RecordingChanged).recording.state == "off"
    assert (await world.only(Recording, request=request)).state is State.CLOSING
    assert (await world.only(Session, id=world.session)).ended_ms is None


async def test_who_gave_and_left_is_not_recorded_on_coming_back(world: World) -> None:
    request = await world.record()
    await presence.left(world.app, world.customer.id)
    await world.connect(world.customer)
    assert world.live() is None
    await world.later(1)
    assert world.live() is None
    # The consent it gave is still its own to take back.
    await world.withdraw(world.customer, request)
    await world.choose(world.customer, request, "destroy")
    assert (await world.only(Recording)).state is State.ERASED


async def test_the_story_of_coming_and_going(world: World) -> None:
    await presence.left(world.app, world.customer.id)
    await world.connect(world.customer)
    await presence.left(world.app, world.agent.id)
    assert await world.story() == "party.left party.joined party.left party.left session.ended"
    reasons = [leaf["refs"].get("reason") for leaf in (await world.leaves())[-3:]]
    assert reasons == ["left", "ended", "agent_left"]
    assert world.customer.ended is not None


async def test_leaving_twice_or_from_nowhere_changes_nothing(world: World) -> None:
    await presence.left(world.app, world.customer.id)
    await world.story()
    await presence.left(world.app, world.customer.id)
    await presence.lost(world.app, world.customer.id)
    await presence.lost(world.app, "pty_" + "a" * 26)
    assert await world.story() == ""


async def test_a_loss_that_cannot_be_written_keeps_the_gate_closed(world: World) -> None:
    await world.record()
    world.store.down = True
    with pytest.raises(Unavailable):
        await world.disconnect(world.customer)
    world.store.down = False
    assert world.live() is None
    # By the database the customer is there; the other's reload must not open the gate.
    await world.disconnect(world.agent)
    await world.connect(world.agent)
    assert world.live() is None
    assert len(await world.find(GrantRecord)) == 1
    await presence.lost(world.app, world.customer.id)
    party = await world.only(Party, id=world.customer.id)
    assert party.presence is Presence.UNKNOWN
    await world.connect(world.customer)
    assert world.live() is not None


async def test_a_loss_that_was_never_written_is_over_when_the_party_is_back(world: World) -> None:
    await world.record()
    old = world.gate.generation
    world.store.down = True
    with pytest.raises(Unavailable):
        await world.disconnect(world.customer)
    world.store.down = False
    await world.connect(world.customer)
    assert world.gate.generation > old
    assert len(world.recorder.all(Capture)) == 2


# --- a restart in mid-call


async def test_a_restart_closes_every_gate_and_holds_every_seat(world: World) -> None:
    recording = await world.recorded()
    before = world.gate.generation
    world.clock.forward(3)
    await world.restart()
    assert world.live() is None
    parties = await world.find(Party, session=world.session)
    assert {p.presence for p in parties} == {Presence.UNKNOWN}
    assert {p.seat_deadline_ms for p in parties} == {world.clock.now_ms() + 30_000}
    await world.later(29)
    known = await world.recorder.join(recording)
    assert known.known == {recording: 6}
    await world.connect(world.agent)
    assert world.live() is None
    await world.connect(world.customer)
    assert world.gate.recording == recording
    assert world.gate.generation > before
    assert world.recorder.last(Capture).resume == 6
    assert world.recorder.grant.epoch_ms < world.clock.now_ms()


async def test_after_a_restart_nobody_comes(world: World) -> None:
    await world.recorded()
    await world.restart()
    await world.later(31)
    assert (await world.only(Session, id=world.session)).ended_ms is not None
    assert (await world.only(Recording)).state is State.CLOSING
    assert (await world.state()).request is None
