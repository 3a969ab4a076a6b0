"""An upheld objection destroys what its purposes alone justified; a hold, and a wish, keep it."""

import pytest

from avsession.errors import Invalid, Restricted
from avsession.privacy.requests import Right
from avsession.recording import State
from avsession.records import Certificate, Recording, Restriction, TrackRecord
from avsession.usecases import (
    desk,
    erasure,
    holds,
    mydata,
    retention,
    review,
    rights,
    sessions,
)
from tests.avsession.usecases.test_typed import verified
from tests.avsession.usecases.world import World

DAY_S = 86_400


async def objects(world: World, *purposes: str, secret: str = "") -> str:
    said = await rights.ask(
        world.app, secret or world.customer.data_secret, Right.OBJECT, "Not for that", purposes,
        world.key() * 2,
    )  # fmt: skip
    return str(said["request"])


async def upheld(world: World, *purposes: str, secret: str = "") -> None:
    await desk.answer(
        world.app, world.admin, await objects(world, *purposes, secret=secret), "You are right"
    )


async def state(world: World, recording: str) -> State:
    return (await world.only(Recording, id=recording)).state


async def test_what_nothing_else_justifies_is_destroyed_with_a_certificate(world: World) -> None:
    gone = await world.sealed("quality")
    left = await world.sealed("quality", "evidence")
    await sessions.end_session(world.app, world.session, "test")
    request = await objects(world, "quality")
    assert await state(world, gone) is State.SEALED, "it is not decided yet"
    await desk.answer(world.app, world.admin, request, "You are right")
    assert await state(world, gone) is State.ERASED
    assert await state(world, left) is State.SEALED
    (row,) = await world.find(Certificate)
    assert (row.recording, row.reason, row.whole, row.party) == (
        gone, "objected", True, world.customer.id,
    )  # fmt: skip
    assert row.done_ms is not None
    assert world.files("objects") == [name for name in world.files("objects") if left in name]
    with pytest.raises(Restricted):
        await review.open_recording(world.app, world.admin, left, "a case", "quality")
    await review.open_recording(world.app, world.admin, left, "a case", "evidence")
    await upheld(world, "evidence")
    assert await state(world, left) is State.ERASED, "by the two of them together"
    data = await mydata.my_data(world.app, world.customer.data_secret)
    assert [one["certificates"][0]["reason"] for one in data["recordings"]] == ["objected"] * 2
    report = await verified(world)
    assert report.ok, report.findings


async def test_one_entered_at_the_desk_names_its_purposes_too(world: World) -> None:
    gone = await world.sealed("quality")
    left = await world.sealed("quality", "evidence")
    await sessions.end_session(world.app, world.session, "test")
    who = world.customer.id

    async def enter(*purposes: str, right: Right = Right.OBJECT) -> str:
        made = await desk.enter(world.app, world.admin, who, right, "by letter", purposes)
        assert made["purposes"] == list(purposes)
        return str(made["request"])

    for wrong in ((), ("quality", "quality"), ("something else",)):
        with pytest.raises(Invalid):
            await enter(*wrong)
    with pytest.raises(Invalid):
        await enter("quality", right=Right.COMPLAIN)
    request = await enter("quality")
    await review.open_recording(world.app, world.admin, gone, "a case", "quality")
    assert not await world.find(Restriction), "nobody knows yet who asks"
    await desk.verify(world.app, world.admin, request, "called back")
    with pytest.raises(Restricted):
        await review.open_recording(world.app, world.admin, gone, "a case", "quality")
    (told,) = (await mydata.my_data(world.app, world.customer.data_secret))["restrictions"]
    assert (told["why"], told["purposes"]) == ("objection", ["quality"])
    await desk.answer(world.app, world.admin, request, "You are right")
    assert await state(world, gone) is State.ERASED
    assert await state(world, left) is State.SEALED
    again = await enter("evidence")
    await desk.refuse(world.app, world.admin, again, "Nobody of that name asked")
    assert await state(world, left) is State.SEALED
    report = await verified(world)
    assert report.ok, report.findings


async def test_a_refused_objection_destroys_nothing(world: World) -> None:
    recording = await world.sealed("quality")
    request = await objects(world, "quality")
    await desk.refuse(world.app, world.admin, request, "We need it for your claim")
    world.clock.forward(3600)
    await retention.run(world.app)
    assert await state(world, recording) is State.SEALED


async def test_an_agents_covers_their_own_track(world: World) -> None:
    recording = await world.sealed("quality")
    link = await mydata.renew_link(world.app, world.agent.party)
    await upheld(world, "quality", secret=link)
    assert await state(world, recording) is State.SEALED
    tracks = {row.party: row.erased_ms for row in await world.find(TrackRecord)}
    assert tracks[world.agent.id] is not None
    assert tracks[world.customer.id] is None
    seen = await review.open_recording(world.app, world.admin, recording, "a case", "quality")
    assert [track["role"] for track in seen["tracks"]] == ["customer"]
    report = await verified(world)
    assert report.ok, report.findings


async def test_a_hold_keeps_it_until_it_is_released(world: World) -> None:
    recording = await world.sealed("quality")
    placed = await holds.place(
        world.app, world.admin, scope="recording", target=recording, category="claim",
        reason="a case", asked_by="a lawyer", review_ms=world.clock.now_ms() + DAY_S * 1000,
    )  # fmt: skip
    await upheld(world, "quality")
    tally = {one.rule.what: one for one in await retention.run(world.app)}
    assert await state(world, recording) is State.SEALED
    assert dict(tally["objections"].kept) == {"hold": 1}
    await holds.release(world.app, world.admin, placed["hold"], "the case is over")
    dry = {one.rule.what: one for one in await retention.run(world.app, dry=True)}
    assert dry["objections"].gone == [recording]
    assert await state(world, recording) is State.SEALED, "looking changes nothing"
    await retention.run(world.app)
    assert await state(world, recording) is State.ERASED


async def test_who_wants_it_kept_and_not_used_is_asked_first(world: World) -> None:
    """GDPR Art. 18(1): restriction instead of erasure."""
    recording = await world.sealed("quality")
    secret = world.customer.data_secret
    await rights.restrict(world.app, secret)
    await upheld(world, "quality")
    await retention.run(world.app)
    assert await state(world, recording) is State.SEALED
    await rights.lift(world.app, secret)
    await retention.run(world.app)
    assert await state(world, recording) is State.ERASED


async def test_a_purpose_whose_time_is_over_is_no_reason_either(world: World) -> None:
    recording = await world.sealed("quality", "evidence")
    await upheld(world, "evidence")
    assert await state(world, recording) is State.SEALED
    world.clock.forward(31 * DAY_S)  # quality is told to be kept 30 days, evidence 180
    await retention.run(world.app)
    assert await state(world, recording) is State.ERASED
    assert (await world.only(Certificate)).reason == "objected"


async def test_it_goes_by_the_schedule_once_the_recorder_is_done(world: World) -> None:
    recording = await world.recorded("quality")
    link = await mydata.renew_link(world.app, world.agent.party)
    await upheld(world, "quality", secret=link)
    assert not await world.find(Certificate)
    await world.recorder.end()
    for _ in range(2):
        await world.later(3600)
    assert (await world.only(Certificate)).recording == recording


async def test_an_audit_knows_what_led_to_one_under_way(world: World) -> None:
    recording = await world.sealed("quality")
    request = await objects(world, "quality")
    async with world.store.write() as tx:
        row = await tx.get(Recording, recording)
        assert row is not None
        await erasure.decide(world.app, tx, row, world.customer.party, "objected", whole=True)
    report = await verified(world)
    assert ["no subject.restricted led to it" in one.what for one in report.findings] == [True]
    await desk.answer(world.app, world.admin, request, "You are right")
    report = await verified(world)
    assert report.ok, report.findings
