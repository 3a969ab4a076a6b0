"""Granting: only on committed consent, only while there is a recorder, only once."""

import msgspec
import pytest

from avsession import grant as grants
from avsession.consent import Answer, ConsentState, Phase, Seat
from avsession.errors import ConsentRequired
from avsession.messages import AskOver, Capture, Granted, Parties, RecordingChanged
from avsession.records import ConsentEvent, GrantRecord, Recording, TrackRecord
from avsession.records import ConsentState as ConsentRow
from avsession.session import new_id
from avsession.usecases import capture
from tests.avsession.usecases.recorder import Recorder
from tests.avsession.usecases.world import World


async def test_when_both_have_allowed_the_recorder_is_granted_exactly_that(world: World) -> None:
    request = await world.record("quality")
    grant, events = world.recorder.grant, await world.find(ConsentEvent, kind="given")
    assert grant.request == request
    assert (grant.worker, grant.fingerprint) == (world.recorder.worker, world.recorder.fingerprint)
    assert {leg.party for leg in grant.legs} == {world.agent.id, world.customer.id}
    assert {consent.event for consent in grant.consents} == {event.id for event in events}
    assert grant.purposes == ("quality",)
    assert len({leg.recipient for leg in grant.legs}) == 2
    assert len(world.files("keys")) == 2
    for person in (world.agent, world.customer):
        assert person.last(RecordingChanged).recording.state == "on"
        assert person.last(Granted).grant == world.recorder.last(Capture).grant
        assert person.last(AskOver).outcome == "given"
        assert person.last(Parties).parties[-1].role == "recorder"


async def test_its_story(world: World) -> None:
    await world.record()
    assert await world.story() == (
        "notice.published notice.published recording.requested consent.given consent.given "
        "key.created key.wrapped key.created key.wrapped grant.issued recording.on"
    )


async def test_one_consent_opens_nothing(world: World) -> None:
    await world.recorder.join()
    await world.ask()
    await world.allow(world.agent)
    await capture.open_gate(world.app, world.session)
    assert world.live() is None
    assert not world.recorder.all(Capture)
    assert not await world.find(Recording)
    assert not world.files("keys")


async def test_the_purposes_are_those_that_everyone_allowed(world: World) -> None:
    await world.recorder.join()
    await world.ask("quality", "evidence")
    await world.allow(world.agent, "quality", "evidence")
    await world.allow(world.customer, "evidence")
    assert world.recorder.grant.purposes == ("evidence",)
    assert (await world.only(Recording)).purposes == ["evidence"]


# --- the domain's lock, with the state forced open


async def forced_open(world: World) -> str:
    """The state says OPEN though nobody's ``given`` is there."""
    await world.recorder.join()
    request = await world.ask()
    state = await world.state()
    seats = tuple(
        Seat(seat.party, answer=Answer.GIVEN, purposes=("quality",)) for seat in state.seats
    )
    forced = msgspec.structs.replace(state, phase=Phase.OPEN, generation=1, seats=seats)
    await put(world, forced)
    return request


async def put(world: World, state: ConsentState) -> None:
    async with world.store.write() as tx:
        await tx.put(ConsentRow(session=world.session, state=msgspec.json.encode(state)))


@pytest.mark.parametrize("given", [(), ("agent",), ("customer",)])
async def test_without_every_committed_consent_nothing_is_signed(
    world: World, given: tuple[str, ...]
) -> None:
    await forced_open(world)
    for name in given:
        await give_behind_the_machine(world, name)
    with pytest.raises(ConsentRequired):
        await capture.open_gate(world.app, world.session)
    assert world.live() is None
    assert not await world.find(GrantRecord)
    assert not world.recorder.all(Capture)


async def give_behind_the_machine(world: World, name: str) -> None:
    asked = (await world.find(ConsentEvent, kind="requested"))[0]
    event = msgspec.structs.replace(
        asked, id=new_id("evt", world.app.entropy), party=getattr(world, name).id, kind="given"
    )
    async with world.store.write() as tx:
        await tx.add(event)


async def test_a_consent_that_was_withdrawn_does_not_count(world: World) -> None:
    await world.record()
    opened = await world.state()
    await world.withdraw(world.customer, world.recorder.grant.request)
    await put(world, msgspec.structs.replace(opened, generation=9))
    with pytest.raises(ConsentRequired):
        await capture.open_gate(world.app, world.session)
    assert world.live() is None
    assert len(await world.find(GrantRecord)) == 1


async def test_consent_to_another_request_does_not_count(world: World) -> None:
    first = await world.record()
    await world.stop(world.agent, first)
    await world.ask()
    state = await world.state()
    seats = tuple(Seat(s.party, answer=Answer.GIVEN, purposes=("quality",)) for s in state.seats)
    await put(world, msgspec.structs.replace(state, phase=Phase.OPEN, generation=9, seats=seats))
    with pytest.raises(ConsentRequired):
        await capture.open_gate(world.app, world.session)
    assert world.live() is None


# --- a recorder or none


async def test_without_a_recorder_the_call_goes_on_and_recording_waits_for_one(
    world: World,
) -> None:
    await world.ask()
    await world.allow(world.agent)
    await world.allow(world.customer)
    assert world.customer.last(RecordingChanged).recording.reason == "recorder_unavailable"
    told = len(world.customer.heard)
    await world.later(1)
    assert len(world.customer.heard) == told
    assert not await world.find(Recording)
    assert world.agent.ended is None
    await world.recorder.join()
    assert world.live() is not None
    assert world.customer.last(RecordingChanged).recording.state == "on"
    assert not world.app.gate.waiting


async def test_who_withdraws_while_waiting_is_not_recorded_later(world: World) -> None:
    request = await world.ask()
    await world.allow(world.agent)
    await world.allow(world.customer)
    answer = await world.withdraw(world.customer, request)
    assert answer["fate_s"] == "0"
    await world.recorder.join()
    await world.later(1)
    assert world.live() is None
    assert not world.recorder.all(Capture)


async def test_a_recording_stays_with_the_recorder_that_holds_its_spool(world: World) -> None:
    await world.record()
    other = Recorder(world)
    await other.join()
    await world.recorder.vanish()
    assert world.live() is None
    assert not other.all(Capture)
    await world.recorder.join(world.recorder.grant.recording)
    assert world.gate.worker == world.recorder.worker


async def test_a_recorder_that_lost_its_key_is_not_the_one_that_began(world: World) -> None:
    await world.record()
    await world.recorder.vanish()
    world.recorder.key = Recorder(world).key
    await world.recorder.join()
    assert world.live() is None


async def test_a_new_recording_goes_to_the_least_loaded_with_room(world: World) -> None:
    world.recorder.capacity = 0
    roomy = Recorder(world)
    await world.recorder.join()
    await roomy.join()
    await world.ask()
    await world.allow(world.agent)
    await world.allow(world.customer)
    assert world.gate.worker == roomy.worker


async def test_opening_twice_is_opening_once(world: World) -> None:
    await world.record()
    await capture.open_gate(world.app, world.session)
    assert len(world.recorder.all(Capture)) == 1
    assert len(await world.find(GrantRecord)) == 1


async def test_both_tracks_keep_their_keys_over_generations(world: World) -> None:
    await world.record()
    before = world.recorder.grant
    await world.disconnect(world.customer)
    await world.connect(world.customer)
    after = world.recorder.grant
    assert after.recording == before.recording
    assert after.generation > before.generation
    assert (after.legs, after.epoch_ms) == (before.legs, before.epoch_ms)
    assert len(await world.find(TrackRecord)) == 2


def test_a_grant_is_short() -> None:
    assert grants.LIFETIME_MS == 60_000
