"""Offers and answers pass only between the granted recorder and the party itself."""

import msgspec
import pytest

from avsession.errors import AvsessionError, GrantStale, NotPermitted, SdpRefused
from avsession.grant import LIFETIME_MS
from avsession.messages import (
    GrantRefused,
    LegAnswer,
    LegAnswered,
    LegFailed,
    LegLost,
    LegOffer,
    LegOffered,
    LegState,
    LegTrickle,
    LegTrickled,
    RecordingChanged,
)
from avsession.usecases import legs
from tests.avsession.usecases.recorder import Recorder, fingerprint
from tests.avsession.usecases.world import World


def sdp(certificate: str) -> str:
    lines = (
        "v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0",
        "m=audio 9 UDP/TLS/RTP/SAVPF 96", "c=IN IP4 0.0.0.0", "a=rtpmap:96 opus/48000/2",
        f"a=fingerprint:sha-256 {certificate}", "a=ice-ufrag:abcd", f"a=ice-pwd:{'p' * 22}",
        "a=setup:actpass", "a=mid:0", "a=sendonly",
    )  # fmt: skip
    return "\r\n".join(lines) + "\r\n"


def offer(world: World, **other: object) -> LegOffer:
    gate = world.gate
    usual = {
        "recording": gate.recording,
        "generation": gate.generation,
        "party": world.customer.id,
        "sdp": sdp(world.recorder.fingerprint),
    }
    return LegOffer(**(usual | other))  # type: ignore[arg-type]


async def turned_away(world: World, message: LegOffer, error: type[AvsessionError]) -> None:
    with pytest.raises(error):
        await legs.leg_offer(world.app, world.recorder.worker, message)
    assert not world.agent.all(LegOffered)
    assert not world.customer.all(LegOffered)


async def test_an_offer_reaches_its_party_alone(world: World) -> None:
    await world.record()
    message = offer(world)
    await legs.leg_offer(world.app, world.recorder.worker, message)
    said = world.customer.last(LegOffered)
    assert (said.recording, said.generation, said.sdp) == (
        message.recording, message.generation, message.sdp,
    )  # fmt: skip
    assert not world.agent.all(LegOffered)


async def test_with_another_fingerprint(world: World) -> None:
    await world.record()
    await turned_away(world, offer(world, sdp=sdp(fingerprint())), SdpRefused)


async def test_with_the_fingerprint_of_a_connection_that_is_not_the_grants(world: World) -> None:
    """The same worker connected anew under another certificate: what the first had is over."""
    await world.record()
    old = offer(world)
    world.recorder.fingerprint = fingerprint()
    await world.recorder.join()
    await turned_away(world, old, GrantStale)
    mixed = msgspec.structs.replace(offer(world), sdp=old.sdp)
    await turned_away(world, mixed, SdpRefused)
    await legs.leg_offer(world.app, world.recorder.worker, offer(world))


async def test_for_somebody_without_a_leg(world: World) -> None:
    await world.record()
    _, stranger = await world.new_call(world.staff)
    await turned_away(world, offer(world, party=stranger.id), NotPermitted)
    assert not stranger.all(LegOffered)


async def test_of_a_generation_that_is_not_live(world: World) -> None:
    await world.record()
    now = world.gate.generation
    await turned_away(world, offer(world, generation=now - 1), GrantStale)
    await turned_away(world, offer(world, generation=now + 1), GrantStale)
    await turned_away(world, offer(world, recording="rec_" + "a" * 26), GrantStale)
    message = offer(world)
    await world.withdraw(world.customer, world.gate.request)
    await turned_away(world, message, GrantStale)


async def test_by_a_recorder_that_was_granted_nothing(world: World) -> None:
    await world.record()
    other = Recorder(world)
    await other.join()
    message = offer(world, sdp=sdp(other.fingerprint))
    with pytest.raises(GrantStale):
        await legs.leg_offer(world.app, other.worker, message)
    assert not world.customer.all(LegOffered)


async def test_an_answer_is_its_partys_own(world: World) -> None:
    await world.record()
    gate = world.gate
    message = LegAnswer(
        recording=gate.recording, generation=gate.generation, sdp=sdp(fingerprint())
    )
    _, stranger = await world.new_call(world.staff)
    with pytest.raises(GrantStale):
        await legs.leg_answer(world.app, stranger.id, message)
    assert not world.recorder.all(LegAnswered)
    await legs.leg_answer(world.app, world.agent.id, message)
    assert world.recorder.last(LegAnswered).party == world.agent.id
    await world.stop(world.agent, gate.request)
    with pytest.raises(GrantStale):
        await legs.leg_answer(world.app, world.agent.id, message)


async def test_an_answer_is_checked_before_it_goes_on(world: World) -> None:
    await world.record()
    gate = world.gate
    message = LegAnswer(recording=gate.recording, generation=gate.generation, sdp="v=0\r\nnonsense")
    with pytest.raises(SdpRefused):
        await legs.leg_answer(world.app, world.agent.id, message)
    assert not world.recorder.all(LegAnswered)


async def test_candidates_and_failures_name_who_sent_them(world: World) -> None:
    await world.record()
    here = {"recording": world.gate.recording, "generation": world.gate.generation}
    trickle = LegTrickle(candidate="", mid="0", **here)  # type: ignore[arg-type]
    failed = LegFailed(reason="ice", **here)  # type: ignore[arg-type]
    await legs.leg_trickle(world.app, world.customer.id, trickle)
    await legs.leg_failed(world.app, world.customer.id, failed)
    assert world.recorder.last(LegTrickled).party == world.customer.id
    assert world.recorder.last(LegLost).party == world.customer.id
    _, stranger = await world.new_call(world.staff)
    with pytest.raises(GrantStale):
        await legs.leg_trickle(world.app, stranger.id, trickle)
    with pytest.raises(GrantStale):
        await legs.leg_failed(world.app, stranger.id, failed)


def state(world: World, name: str, reason: str) -> LegState:
    return LegState(
        recording=world.gate.recording,
        generation=world.gate.generation,
        party=world.agent.id,
        state=name,
        reason=reason,
    )


async def test_a_leg_may_fail_and_be_made_anew(world: World) -> None:
    await world.record()
    await legs.leg_state(world.app, world.recorder.worker, state(world, "capturing", ""))
    await legs.leg_state(world.app, world.recorder.worker, state(world, "failed", "ice"))
    assert world.live() is not None


@pytest.mark.parametrize("by", ["browser", "recorder"])
async def test_a_leg_that_is_lost_late_is_made_anew_under_another_grant(
    world: World, by: str
) -> None:
    """A grant starts legs for a minute only: a browser would refuse every later offer."""
    await world.record()

    async def lost() -> None:
        here = {"recording": world.gate.recording, "generation": world.gate.generation}
        if by == "browser":
            failed = LegFailed(reason="grant.expired", **here)  # type: ignore[arg-type]
            await legs.leg_failed(world.app, world.customer.id, failed)
        else:
            await legs.leg_state(world.app, world.recorder.worker, state(world, "failed", "silent"))

    first = world.gate
    await world.later(LIFETIME_MS / 1000 - 10)
    await lost()
    assert world.gate == first, "there is time enough"
    told = len(world.recorder.all(LegLost))
    await world.later(8)
    await lost()
    assert world.live() is None
    assert len(world.recorder.all(LegLost)) == told
    assert world.customer.last(RecordingChanged).recording.reason == "leg_lost"
    await world.later(0.5)
    assert world.gate.recording == first.recording
    assert world.gate.generation > first.generation
    assert world.gate.until_ms >= first.until_ms + LIFETIME_MS - 10_000
    assert world.customer.last(RecordingChanged).recording.state == "on"
    # what had been said before that is of no consequence any more
    stale = LegFailed(reason="ice", recording=first.recording, generation=first.generation)
    with pytest.raises(GrantStale):
        await legs.leg_failed(world.app, world.customer.id, stale)


async def test_a_recorder_that_can_store_nothing_ends_the_recording_and_not_the_call(
    world: World,
) -> None:
    await world.record()
    await legs.leg_state(world.app, world.recorder.worker, state(world, "failed", "disk.failed"))
    assert world.live() is None
    assert (await world.state()).request is None
    assert world.customer.last(RecordingChanged).recording.reason == "storage_failed"
    assert world.customer.ended is None


async def test_a_recorder_that_refuses_its_grant_records_nothing_and_that_is_said(
    world: World,
) -> None:
    await world.record()
    gate = world.gate
    stale = GrantRefused(recording=gate.recording, generation=gate.generation - 1, code="x")
    with pytest.raises(GrantStale):
        await legs.grant_refused(world.app, world.recorder.worker, stale)
    assert world.live() is not None
    refused = GrantRefused(recording=gate.recording, generation=gate.generation, code="x")
    await legs.grant_refused(world.app, world.recorder.worker, refused)
    assert world.live() is None
    assert world.agent.last(RecordingChanged).recording.state == "off"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("storage.full", "storage_full"),
        ("too_many", "recorder_unavailable"),
        ("grant.stale", "recorder_failed"),
    ],
)
async def test_why_a_recorder_refused_is_told_to_everyone(
    world: World, code: str, reason: str
) -> None:
    await world.record()
    here = {"recording": world.gate.recording, "generation": world.gate.generation}
    refused = GrantRefused(code=code, **here)  # type: ignore[arg-type]
    await legs.grant_refused(world.app, world.recorder.worker, refused)
    for person in (world.agent, world.customer):
        assert person.last(RecordingChanged).recording.reason == reason
    assert (await world.state()).request is None


async def test_a_recorder_that_is_stopping_is_waited_for(world: World) -> None:
    await world.record()
    gate = world.gate
    refused = GrantRefused(
        recording=gate.recording, generation=gate.generation, code="recorder.stopping"
    )
    await legs.grant_refused(world.app, world.recorder.worker, refused)
    assert world.live() is None
    await world.recorder.vanish()
    await world.recorder.join()
    assert world.gate.recording == gate.recording
    assert world.gate.generation > gate.generation
