"""Restricted: kept, and nothing else, until it is lifted; and what goes on all the same."""

import dataclasses

import msgspec
import pytest

from avsession.errors import (
    Conflict,
    ConsentRequired,
    LinkSpent,
    NotFound,
    RecordingTruncated,
    Restricted,
)
from avsession.privacy.requests import Right
from avsession.recording import State
from avsession.records import Leaf, Recording, Restriction
from avsession.usecases import (
    desk,
    holds,
    mydata,
    outgoing,
    review,
    rights,
    sessions,
    taking,
    timeline,
)
from tests.avsession.usecases.test_disclosures import disclose
from tests.avsession.usecases.test_holds import DAY_MS
from tests.avsession.usecases.test_taking import taken
from tests.avsession.usecases.world import World

KEY = "k" * 32


async def watch(world: World, recording: str, purpose: str = "quality") -> dict[str, object]:
    return await review.open_recording(world.app, world.admin, recording, "a check", purpose)


async def shut(world: World, recording: str, purpose: str = "quality") -> bool:
    """Whether it cannot be opened for the purpose."""
    try:
        await watch(world, recording, purpose)
    except Restricted:
        return True
    return False


async def listed(world: World) -> dict[str, object]:
    (row,) = await review.recordings(world.app, world.admin, 2**53 - 1, 10)
    return row


@pytest.mark.parametrize("who", ["customer", "agent"])
async def test_nobody_opens_what_anybody_in_it_has_restricted(world: World, who: str) -> None:
    recording = await world.sealed()
    person = world.customer if who == "customer" else world.agent
    link = await mydata.renew_link(world.app, person.party)
    opened = await watch(world, recording)
    track = opened["tracks"][0]["track"]  # type: ignore[index]
    file = await review.track_file(world.app, world.admin, str(opened["access"]), track)
    await world.story()
    said = await rights.restrict(world.app, link)
    assert (said["right"], said["state"]) == ("restrict", "answered")
    assert await world.story() == "privacy.requested subject.restricted privacy.answered"
    with pytest.raises(RecordingTruncated):  # who was watching sees no more
        await file.read(0, 10)
    with pytest.raises(Restricted):
        await review.track_file(world.app, world.admin, str(opened["access"]), track)
    accesses = len(await world.find(Leaf, kind="recording.accessed"))
    assert await shut(world, recording)
    with pytest.raises(Restricted):
        await timeline.timeline(world.app, world.admin, recording)
    assert len(await world.find(Leaf, kind="recording.accessed")) == accesses
    row = await listed(world)
    assert (row["playable"], row["restricted"]) == (False, True)
    await rights.lift(world.app, link)
    assert not await shut(world, recording)
    assert (await listed(world))["playable"]


async def test_asking_twice_is_asking_once(world: World) -> None:
    secret = world.customer.data_secret
    first = await rights.restrict(world.app, secret)
    assert await rights.restrict(world.app, secret) == first
    assert len(await world.find(Restriction)) == 1
    assert await rights.lift(world.app, secret) == {"lifted": 1}
    with pytest.raises(Conflict):
        await rights.lift(world.app, secret)


async def test_a_recording_that_runs_is_ended_and_kept(world: World) -> None:
    recording = await world.recorded()
    await rights.restrict(world.app, world.customer.data_secret)
    assert world.live() is None
    await world.recorder.end()
    assert (await world.only(Recording)).state is State.SEALED
    assert await shut(world, recording)


async def test_time_does_not_destroy_what_is_restricted(world: World) -> None:
    recording = await world.sealed()
    await rights.restrict(world.app, world.customer.data_secret)
    await world.later(40 * 86_400)
    assert (await world.only(Recording)).state is State.SEALED
    assert len(world.files("keys")) == 2
    await rights.lift(world.app, world.customer.data_secret)
    await world.later(1)
    assert (await world.only(Recording, id=recording)).state is State.ERASED


async def test_withdrawing_goes_on(world: World) -> None:
    await world.sealed()
    request = world.recorder.grant.request
    await rights.restrict(world.app, world.customer.data_secret)
    await mydata.withdraw(world.app, world.customer.data_secret, request, "destroy", KEY)
    assert (await world.only(Recording)).state is State.ERASED


async def test_a_hold_stands_beside_it(world: World) -> None:
    recording = await world.sealed()
    await rights.restrict(world.app, world.customer.data_secret)
    await holds.place(
        world.app, world.admin, scope="recording", target=recording, category="claim",
        reason="a case", asked_by="a lawyer", review_ms=world.clock.now_ms() + DAY_MS,
    )  # fmt: skip
    assert await shut(world, recording)
    await rights.lift(world.app, world.customer.data_secret)
    await world.later(40 * 86_400)
    assert (await world.only(Recording)).state is State.SEALED


async def test_another_call_is_not_concerned(world: World) -> None:
    recording = await world.sealed()
    _, stranger = await world.new_call(world.staff)
    await rights.restrict(world.app, await mydata.renew_link(world.app, stranger.party))
    assert not await shut(world, recording)


async def test_staff_lift_with_a_reason_that_the_person_reads(world: World) -> None:
    recording = await world.sealed()
    request = (await rights.restrict(world.app, world.customer.data_secret))["request"]
    await desk.lift(world.app, world.admin, request, "You asked us by telephone")
    assert not await shut(world, recording)
    (told,) = (await mydata.my_data(world.app, world.customer.data_secret))["restrictions"]
    assert (told["lifted_by"], told["reason"]) == ("staff", "You asked us by telephone")
    with pytest.raises(Conflict):
        await desk.lift(world.app, world.admin, request, "once more")


# --- objections


async def objected(world: World, *purposes: str) -> str:
    said = await rights.ask(
        world.app, world.customer.data_secret, Right.OBJECT, "no training", purposes, KEY
    )
    return str(said["request"])


async def test_an_objection_shuts_at_once_and_waits_for_the_desk(world: World) -> None:
    recording = await world.sealed("quality", "evidence")
    request = await objected(world, "quality")
    assert await shut(world, recording, "quality")
    assert await shut(world, recording, "evidence"), "all of it, until it is decided"
    await desk.refuse(world.app, world.admin, request, "It is needed for a claim of ours")
    assert not await shut(world, recording, "quality")


async def test_upheld_its_purposes_stay_shut_and_the_others_are_free(world: World) -> None:
    recording = await world.sealed("quality", "evidence")
    await desk.answer(world.app, world.admin, await objected(world, "quality"), "You are right")
    assert await shut(world, recording, "quality")
    opened = await watch(world, recording, "evidence")
    assert opened["tracks"]
    row = await listed(world)
    assert (row["playable"], row["restricted"]) == (True, False)
    with pytest.raises(ConsentRequired):
        await watch(world, recording, "sale")
    await world.later(200 * 86_400)
    assert (await world.only(Recording)).state is State.ERASED, "time goes on for what is decided"


async def test_upheld_for_every_purpose_nothing_may_be_opened(world: World) -> None:
    """Of what a hold keeps from being destroyed by that."""
    recording = await world.sealed("quality")
    await holds.place(
        world.app, world.admin, scope="recording", target=recording, category="duty",
        reason="the law", asked_by="court", review_ms=world.clock.now_ms() + DAY_MS,
    )  # fmt: skip
    await desk.answer(world.app, world.admin, await objected(world, "quality"), "You are right")
    row = await listed(world)
    assert (row["playable"], row["restricted"]) == (False, True)


async def test_an_objection_to_another_purpose_shuts_nothing(world: World) -> None:
    recording = await world.sealed("quality")
    await objected(world, "evidence")
    assert not await shut(world, recording)


async def test_taken_back_it_is_free_again(world: World) -> None:
    recording = await world.sealed("quality")
    request = await objected(world, "quality")
    await rights.withdraw_request(world.app, world.customer.data_secret, request)
    assert not await shut(world, recording)
    with pytest.raises(Conflict):
        await rights.withdraw_request(world.app, world.customer.data_secret, request)


async def test_a_strangers_link_takes_nothing_back(world: World) -> None:
    await world.sealed("quality")
    request = await objected(world, "quality")
    link = await mydata.renew_link(world.app, world.agent.party)
    with pytest.raises(NotFound):
        await rights.withdraw_request(world.app, link, request)
    with pytest.raises(LinkSpent):
        await rights.restrict(world.app, "x" * 43)
    await sessions.end_session(world.app, world.session, "test")


# --- taking media out


async def test_an_admin_takes_nothing_out_and_what_was_taken_opens_no_more(world: World) -> None:
    recording = await world.sealed()
    row = await taken(world, recording)
    await rights.restrict(world.app, world.customer.data_secret)
    with pytest.raises(Restricted):
        await taken(world, recording)
    with pytest.raises(Restricted):
        await taking.track_file(world.app, row.id, row.tracks[0], 2**52)


async def test_a_processor_gets_nothing_and_a_court_what_the_law_demands(world: World) -> None:
    recording = await world.sealed()
    await rights.restrict(world.app, world.customer.data_secret)
    with pytest.raises(Conflict):
        await disclose(world, recording, basis="contract")
    assert await disclose(world, recording, basis="order")


async def test_ones_own_export_goes_on_without_who_has_restricted_theirs(world: World) -> None:
    settings = msgspec.structs.replace(
        world.settings, export=msgspec.structs.replace(world.settings.export, other_party="always")
    )
    app = dataclasses.replace(world.app, settings=settings)
    recording = await world.sealed()
    await rights.restrict(app, await mydata.renew_link(app, world.agent.party))
    async with world.store.read() as tx:
        row = await tx.get(Recording, recording)
        assert row is not None
        for person in (world.customer, world.agent):
            found = await outgoing.for_person(app, tx, person.party, row)
            own = [track.party for track in found]
            assert own == [world.customer.id] if person is world.customer else len(own) == 2
