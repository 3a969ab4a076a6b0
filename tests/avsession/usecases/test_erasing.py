"""Erased at once, or kept apart and restricted until a hold is over; the other's data whole."""

import pytest

from avsession.audit import certificate as certificates
from avsession.errors import Conflict, LinkSpent, Restricted, SessionLive, Unavailable
from avsession.privacy.requests import Right, Step
from avsession.recording import State
from avsession.records import Detail, PrivacyRequest, Recording, Restriction, TrackRecord
from avsession.session import Party
from avsession.usecases import (
    desk,
    erasing,
    evidence,
    holds,
    mydata,
    requests,
    restricting,
    review,
    rights,
    sessions,
)
from avsession.usecases.common import load
from tests.avsession.usecases.test_forgetting import traces, where
from tests.avsession.usecases.test_typed import typed_about, typed_words, verified
from tests.avsession.usecases.world import CUSTOMER_NAME, World

DAY_MS = 86_400_000
COMPLAINT = "Kundig is cross about Amtmann"


async def over(world: World) -> str:
    """A call that is over, with a recording, a complaint, a correction, a restriction."""
    recording = await world.sealed()
    secret = world.customer.data_secret
    await rights.rectify(world.app, secret, "Kuno Kundig-Klein", "kundig@example.org")
    await rights.ask(world.app, secret, Right.COMPLAIN, COMPLAINT, (), "k" * 32)
    await rights.restrict(world.app, secret)
    await sessions.end_session(world.app, world.session, "test")
    return recording


async def held(world: World, scope: holds.Scope, target: str) -> str:
    placed = await holds.place(
        world.app, world.admin, scope=scope, target=target, category="duty", reason="the law",
        asked_by="court", review_ms=world.clock.now_ms() + DAY_MS,
    )  # fmt: skip
    return str(placed["hold"])


async def test_done_at_once_with_the_certificate_as_the_answer(world: World) -> None:
    recording = await over(world)
    words = await traces(world, world.customer, (world.customer.data_secret,))
    words += [COMPLAINT.encode(), b"Kundig-Klein", b"kundig@example.org"]
    words += [f'"{COMPLAINT}"'.encode()]
    assert where(world, words)
    answer = await erasing.by_holder(world.app, world.customer.data_secret)
    assert (answer["state"], answer["held"], answer["request"]) == ("erased", None, None)
    (line,) = answer["destructions"]
    (found,) = answer["certificates"]
    assert found["certificate"]["certificate"] == line["certificate"]
    assert found["sha256"] == certificates.digest(found["certificate"])
    assert found["certificate"]["what"]["recording"] == recording
    leaf = (await world.leaves())[answer["leaf"]]
    assert (leaf["kind"], leaf["refs"]["party"]) == (
        "subject.erased", world.customer.party.pseudonym,
    )  # fmt: skip
    assert where(world, words) == set()
    with pytest.raises(LinkSpent):
        await erasing.by_holder(world.app, world.customer.data_secret)
    report = await evidence.verify(world.store, world.app.notary.key, world.app.notary.anchors)
    assert report.ok, report.findings


async def test_its_requests_end_with_it_and_no_word_is_left(world: World) -> None:
    await over(world)
    await erasing.by_holder(world.app, world.customer.data_secret)
    rows = {row.right: row for row in await world.find(PrivacyRequest)}
    assert {right: row.state for right, row in rows.items()} == dict.fromkeys(
        ("rectify", "complain", "restrict", "erase"), "answered"
    )
    for row in rows.values():
        assert (row.text, row.answer, row.extension) == ("", "", "")
        party = await world.only(Party, id=row.party)
        assert party.name == ""
    assert all(row.lifted_ms is not None for row in await world.find(Restriction))


async def test_not_while_the_call_goes_on_and_then_it_can_be_ended(world: World) -> None:
    await world.sealed()
    secret = world.customer.data_secret
    with pytest.raises(SessionLive):
        await erasing.by_holder(world.app, secret)
    assert await world.find(PrivacyRequest) == []
    await rights.end_call(world.app, secret)
    assert (await erasing.by_holder(world.app, secret))["state"] == "erased"


async def test_a_person_without_a_recording(world: World) -> None:
    await rights.end_call(world.app, world.customer.data_secret)
    answer = await erasing.by_holder(world.app, world.customer.data_secret)
    assert (answer["state"], answer["destructions"]) == ("erased", [])
    assert answer["leaf"] is not None


async def test_what_a_hold_keeps_is_restricted_and_the_rest_goes(world: World) -> None:
    kept = await over(world)
    await held(world, "recording", kept)
    answer = await erasing.by_holder(world.app, world.customer.data_secret)
    assert answer["state"] == "held"
    assert answer["held"] == {"category": "duty", "review_ms": world.clock.now_ms() + DAY_MS}
    assert answer["request"]["state"] == "open"
    data = await mydata.my_data(world.app, world.customer.data_secret)
    assert "kept" in [one["why"] for one in data["restrictions"]]
    await rights.lift(world.app, world.customer.data_secret)
    with pytest.raises(Restricted):
        await review.open_recording(world.app, world.admin, kept, "a case", "quality")
    again = await erasing.by_holder(world.app, world.customer.data_secret)
    assert again["request"]["request"] == answer["request"]["request"]


async def test_of_two_recordings_the_one_without_a_hold_goes(world: World) -> None:
    kept = await world.sealed()
    gone = await world.sealed()
    await sessions.end_session(world.app, world.session, "test")
    await held(world, "recording", kept)
    answer = await erasing.by_holder(world.app, world.customer.data_secret)
    assert answer["state"] == "held"
    assert [one["whole"] for one in answer["destructions"]] == [True]
    assert (await world.only(Recording, id=gone)).state is State.ERASED
    assert (await world.only(Recording, id=kept)).state is State.SEALED
    assert (await world.only(Party, id=world.customer.id)).name == CUSTOMER_NAME


@pytest.mark.parametrize("scope", ["recording", "session", "party"])
async def test_it_goes_on_by_itself_once_the_hold_is_released(world: World, scope: str) -> None:
    recording = await over(world)
    at = {"recording": recording, "session": world.session, "party": world.customer.id}[scope]
    hold = await held(world, scope, at)  # type: ignore[arg-type]
    assert (await erasing.by_holder(world.app, world.customer.data_secret))["state"] == "held"
    await world.later(1000)
    assert await world.find(Party, id=world.customer.id)
    await holds.release(world.app, world.admin, hold, "the case is over")
    await world.later(1)
    assert await world.find(Party, id=world.customer.id) == []
    assert (await world.only(Recording)).state is State.ERASED
    assert await world.find(PrivacyRequest, state="open") == []


async def test_taken_back_while_it_waits_nothing_is_erased(world: World) -> None:
    recording = await over(world)
    hold = await held(world, "recording", recording)
    waiting = await erasing.by_holder(world.app, world.customer.data_secret)
    secret = world.customer.data_secret
    await rights.withdraw_request(world.app, secret, waiting["request"]["request"])
    await holds.release(world.app, world.admin, hold, "the case is over")
    await world.later(1)
    assert (await mydata.my_data(world.app, secret))["name"] == "Kuno Kundig-Klein"


async def asked(world: World) -> PrivacyRequest:
    """The customer's request to be erased, as it was read before anything was done."""
    async with world.store.write() as tx:
        session, party = await load(tx, world.customer.id)
        return await requests.receive(world.app, tx, session, party, Right.ERASE)


@pytest.mark.parametrize("kept", [False, True], ids=["free", "held"])
async def test_taken_back_just_before_it_is_carried_out(world: World, kept: bool) -> None:
    recording = await world.sealed()
    spare = await world.sealed()
    await sessions.end_session(world.app, world.session, "test")
    if kept:
        await held(world, "recording", recording)
    row = await asked(world)
    await rights.withdraw_request(world.app, world.customer.data_secret, row.id)
    with pytest.raises(Conflict):
        await erasing.carry_out(world.app, row)
    assert {(await world.only(Recording, id=one)).state for one in (recording, spare)} == {
        State.SEALED
    }
    assert await world.find(Restriction) == []
    assert (await world.only(Party, id=world.customer.id)).name == CUSTOMER_NAME


async def test_taken_back_while_the_recordings_go_the_rest_stays(world: World) -> None:
    gone = await world.sealed()
    left = await world.sealed()
    await sessions.end_session(world.app, world.session, "test")
    row = await asked(world)
    destroy, calls = world.app.custody.destroy, iter(range(9))

    async def and_back(track: str) -> bool:
        if next(calls) == 0:
            await rights.withdraw_request(world.app, world.customer.data_secret, row.id)
        return await destroy(track)

    world.app.custody.destroy = and_back  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        await erasing.carry_out(world.app, row)
    states = [(await world.only(Recording, id=one)).state for one in (gone, left)]
    assert sorted(states) == sorted([State.ERASED, State.SEALED])
    assert (await world.only(Party, id=world.customer.id)).name == CUSTOMER_NAME


async def test_one_recording_gone_and_taken_back_the_person_stays(world: World) -> None:
    await world.sealed()
    await sessions.end_session(world.app, world.session, "test")
    row = await asked(world)
    remove = world.app.objects.remove

    async def and_back(prefix: str) -> int:
        await rights.withdraw_request(world.app, world.customer.data_secret, row.id)
        return await remove(prefix)

    world.app.objects.remove = and_back  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        await erasing.carry_out(world.app, row)
    assert (await world.only(Party, id=world.customer.id)).name == CUSTOMER_NAME


async def test_what_was_taken_back_is_not_tried_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await sessions.end_session(world.app, world.session, "test")
    row = await asked(world)
    async with world.store.write() as tx:
        await restricting.place(world.app, tx, row, restricting.KEPT)
        await requests.step(world.app, tx, row, Step.WITHDRAW)
    await erasing.carry_on(world.app)
    assert caplog.messages == []
    assert (await world.only(Party, id=world.customer.id)).name == CUSTOMER_NAME


async def test_a_hold_on_the_customer_is_told_to_the_agent_and_ends(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.sealed()
    link = await mydata.renew_link(world.app, world.agent.party)
    await sessions.end_session(world.app, world.session, "test")
    hold = await held(world, "party", world.customer.id)
    answer = await erasing.by_holder(world.app, link)
    assert (answer["state"], answer["held"]["category"]) == ("held", "duty")
    caplog.clear()
    await erasing.carry_on(world.app)
    assert caplog.messages == [], "nothing is tried while it stands"
    await holds.release(world.app, world.admin, hold, "the case is over")
    await world.later(1)
    assert await world.find(Party, id=world.agent.id) == []


async def test_the_other_partys_data_stays_whole(world: World) -> None:
    recording = await over(world)
    await rights.lift(world.app, world.customer.data_secret)
    await typed_about(world, recording)
    assert all((await typed_words(world)).values())
    link = await mydata.renew_link(world.app, world.agent.party)
    await rights.ask(world.app, link, Right.COMPLAIN, "He shouted", (), "k" * 32)
    before = await mydata.my_data(world.app, link)
    details = await world.find(Detail, party=world.agent.id)
    await erasing.by_holder(world.app, world.customer.data_secret)
    after = await mydata.my_data(world.app, link)
    for same in (
        "name", "role", "session", "events", "notices", "requests", "restrictions", "disclosures",
    ):  # fmt: skip
        assert after[same] == before[same]
    assert [one["reason"] for one in after["accesses"]] == ["training of Amtmann", ""]
    assert await world.find(Detail, party=world.agent.id) == details
    assert [word for word, kept in (await typed_words(world)).items() if not kept] == [
        "kundigs invoice", "he threatened to sue", "no more: he",
    ]  # fmt: skip
    assert (await verified(world)).ok
    assert (await erasing.by_holder(world.app, link))["state"] == "erased"
    assert not any((await typed_words(world)).values()), "nobody is left whose it could be"
    assert (await verified(world)).ok


async def test_an_erased_agents_restriction_shuts_the_customers_track_no_longer(
    world: World,
) -> None:
    recording = await world.sealed()
    link = await mydata.renew_link(world.app, world.agent.party)
    await rights.restrict(world.app, link)
    await sessions.end_session(world.app, world.session, "test")
    assert (await erasing.by_holder(world.app, link))["state"] == "erased"
    opened = await review.open_recording(world.app, world.admin, recording, "check", "quality")
    assert [track["role"] for track in opened["tracks"]] == ["customer"]
    assert await world.find(TrackRecord, erased_ms=None)


async def test_a_recorder_that_still_finishes_is_waited_for(world: World) -> None:
    await world.recorded()
    link = await mydata.renew_link(world.app, world.agent.party)
    await sessions.end_session(world.app, world.session, "test")
    answer = await erasing.by_holder(world.app, link)
    assert (answer["state"], answer["held"]) == ("begun", None)
    await world.recorder.end()
    await world.later(1)
    with pytest.raises(LinkSpent):
        await mydata.my_data(world.app, link)


async def test_what_cannot_be_scrubbed_yet_is_erased_all_the_same(world: World) -> None:
    await over(world)
    await world.later(1)
    scrub = world.store.scrub
    tries = iter([True, False])

    async def busy() -> bool:
        if next(tries):
            return await scrub()
        raise Unavailable

    world.store.scrub = busy  # type: ignore[method-assign]
    answer = await erasing.by_holder(world.app, world.customer.data_secret)
    world.store.scrub = scrub  # type: ignore[method-assign]
    assert answer["state"] == "erased"


async def test_from_the_desk_it_is_the_same_use_case(world: World) -> None:
    await over(world)
    entered = await desk.enter(
        world.app, world.admin, world.customer.id, Right.ERASE, "by letter of today"
    )
    request = entered["request"]
    await desk.verify(world.app, world.admin, request, "copy of the passport")
    assert await desk.carry_out(world.app, world.admin, request) == {"state": "erased"}
    assert await world.find(Party, id=world.customer.id) == []


async def test_the_link_says_who_asked_at_the_desk(world: World) -> None:
    await over(world)
    entered = await desk.enter(
        world.app, world.admin, world.customer.id, Right.ERASE, "by letter of today"
    )
    answer = await erasing.by_holder(world.app, world.customer.data_secret)
    assert answer["state"] == "erased"
    row = await world.only(PrivacyRequest, id=entered["request"])
    assert (row.state, row.text) == ("answered", "")
