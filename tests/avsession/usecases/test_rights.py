"""What the link's holder does: put things to the desk, correct, end the call."""

from typing import Any

import pytest

from avsession.errors import Conflict, Invalid, LinkSpent, SessionOver, TooMany
from avsession.messages import Parties
from avsession.privacy.requests import Right
from avsession.records import Detail, PrivacyRequest
from avsession.session import Party
from avsession.usecases import desk, erasing, mydata, requests, rights, sessions
from avsession.usecases.limits import RIGHT_BURST, RIGHT_EVERY_MS
from tests.avsession.usecases.world import AGENT_NAME, CUSTOMER_NAME, World

KEY = "k" * 64


async def ask(world: World, right: Right, text: str = "", *purposes: str, key: str = KEY) -> str:
    secret = world.customer.data_secret
    return str((await rights.ask(world.app, secret, right, text, purposes, key))["request"])


async def mine(world: World) -> dict[str, Any]:
    return await mydata.my_data(world.app, world.customer.data_secret)


async def test_a_complaint_goes_to_the_desk_and_stands_on_the_page(world: World) -> None:
    request = await ask(world, Right.COMPLAIN, "Nobody was kind to me")
    (seen,) = (await mine(world))["requests"]
    assert (seen["request"], seen["state"], seen["text"]) == (
        request, "open", "Nobody was kind to me",
    )  # fmt: skip
    assert seen["due_ms"] > seen["received_ms"] == world.clock.now_ms()
    assert await world.story() == "privacy.requested"


async def test_a_repeat_is_no_second_request(world: World) -> None:
    first = await ask(world, Right.COMPLAIN, "Once")
    assert await ask(world, Right.COMPLAIN, "Once") == first
    with pytest.raises(Conflict):
        await ask(world, Right.COMPLAIN, "Something else")
    assert await ask(world, Right.COMPLAIN, "Once", key="l" * 16) != first
    assert len(await world.find(PrivacyRequest)) == 2


@pytest.mark.parametrize(
    ("right", "text", "purposes"),
    [
        (Right.COMPLAIN, "", ()),
        (Right.RECTIFY, " a ", ()),
        (Right.OBJECT, "", ()),
        (Right.OBJECT, "", ("sale",)),
        (Right.OBJECT, "", ("quality", "quality")),
        (Right.ACCESS, "", ("quality",)),
        (Right.ERASE, "please", ()),
        (Right.EXPORT, "please", ()),
    ],
)
async def test_what_says_nothing_is_not_sent(
    world: World, right: Right, text: str, purposes: tuple[str, ...]
) -> None:
    with pytest.raises(Invalid):
        await ask(world, right, text, *purposes)
    assert await world.find(PrivacyRequest) == []


async def test_everything_is_bounded(world: World) -> None:
    for n in range(10):
        await ask(world, Right.ACCESS, key=f"key-{n:016}")
    with pytest.raises(TooMany):
        await ask(world, Right.ACCESS)
    with pytest.raises(TooMany):
        await ask(world, Right.RECTIFY, "My street is wrong")
    secret = world.customer.data_secret
    for n in range(RIGHT_BURST):  # what needs nobody's answer is not kept back by the desk
        await rights.rectify(world.app, secret, f"Kuno {n}", None)
    with pytest.raises(TooMany):
        await rights.rectify(world.app, secret, "Kuno K.", None)
    world.clock.forward(RIGHT_EVERY_MS // 1000)
    await rights.rectify(world.app, secret, "Kuno K.", None)


async def test_a_full_desk_keeps_nobody_from_being_restricted_or_erased(world: World) -> None:
    for n in range(10):
        await ask(world, Right.ACCESS, key=f"key-{n:016}")
    secret = world.customer.data_secret
    for _ in range(RIGHT_BURST):
        assert (await rights.restrict(world.app, secret))["state"] == "answered"
        await rights.lift(world.app, secret)
    with pytest.raises(TooMany):
        await rights.restrict(world.app, secret)
    with pytest.raises(TooMany):
        await ask(world, Right.ACCESS)
    await rights.end_call(world.app, secret)
    assert (await erasing.by_holder(world.app, secret))["state"] == "erased"


async def test_who_was_refused_often_by_the_desk_can_still_be_erased(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "MAX_ALL", 2)
    secret = world.customer.data_secret
    await rights.rectify(world.app, secret, "Kuno K.", None)
    await rights.restrict(world.app, secret)
    for key in ("k" * 16, "l" * 16):  # neither of those two counts
        request = await ask(world, Right.ACCESS, key=key)
        await rights.withdraw_request(world.app, secret, request)
    with pytest.raises(TooMany):
        await ask(world, Right.ACCESS, key="m" * 16)
    await rights.end_call(world.app, secret)
    assert (await erasing.by_holder(world.app, secret))["state"] == "erased"
    assert {row.text for row in await world.find(PrivacyRequest, done_ms=None)} == set()


async def test_a_restriction_entered_at_the_desk_is_the_one_that_is_carried_out(
    world: World,
) -> None:
    entered = [
        await desk.enter(world.app, world.admin, world.customer.id, Right.RESTRICT, "by letter")
        for _ in range(12)
    ]
    assert {row["request"] for row in entered} == {entered[0]["request"]}
    done = await rights.restrict(world.app, world.customer.data_secret)
    assert (done["request"], done["state"]) == (entered[0]["request"], "answered")


# --- correct


async def test_a_name_is_corrected_at_once_and_everyone_sees_it(world: World) -> None:
    told = await rights.rectify(world.app, world.customer.data_secret, " Kuno  Künding ", None)
    assert told == {"name": "Kuno Künding", "contact": ""}
    shown = world.agent.last(Parties).parties
    assert "Kuno Künding" in [party.name for party in shown]
    assert (await mine(world))["name"] == "Kuno Künding"
    asked, rectified, answered = (await world.leaves())[-3:]
    assert [leaf["kind"] for leaf in (asked, rectified, answered)] == [
        "privacy.requested", "subject.rectified", "privacy.answered",
    ]  # fmt: skip
    assert rectified["refs"]["field"] == "name"
    assert "Kun" not in str(rectified), "old and new are salted details"
    said = {d.field: d.value for d in await world.find(Detail, leaf=rectified["index"])}
    assert said == {"old": b'"Kuno Kundig"', "new": '"Kuno Künding"'.encode()}


async def test_a_contact_is_of_ones_own_choosing_and_can_be_taken_away(world: World) -> None:
    secret = world.customer.data_secret
    await rights.rectify(world.app, secret, CUSTOMER_NAME, "kuno@example.org")
    assert (await mine(world))["preferences"] == {"language": "de", "contact": "kuno@example.org"}
    await rights.rectify(world.app, secret, None, " ")
    assert (await world.only(Party, id=world.customer.id)).contact is None
    fields = [
        leaf["refs"]["field"]
        for leaf in await world.leaves()
        if leaf["kind"] == "subject.rectified"
    ]
    assert fields == ["contact", "contact"]


async def test_what_is_right_already_is_no_request(world: World) -> None:
    told = await rights.rectify(world.app, world.customer.data_secret, CUSTOMER_NAME, "")
    assert told == {"name": CUSTOMER_NAME, "contact": ""}
    assert await world.find(PrivacyRequest) == []
    assert await world.story() == ""


@pytest.mark.parametrize(
    ("name", "contact"),
    [("", None), ("x" * 81, None), ("a\x07b", None), (None, "ab"), (None, "x" * 201),
     (None, "a\x00bc"), ("Good", "\u202ebad")],
)  # fmt: skip
async def test_a_correction_that_is_none(
    world: World, name: str | None, contact: str | None
) -> None:
    with pytest.raises(Invalid):
        await rights.rectify(world.app, world.customer.data_secret, name, contact)
    assert (await mine(world))["name"] == CUSTOMER_NAME


async def test_only_ones_own_name_changes(world: World) -> None:
    link = await mydata.renew_link(world.app, world.agent.party)
    await rights.rectify(world.app, link, "Agnes A.", None)
    names = {party.id: party.name for party in await world.find(Party)}
    assert names == {world.agent.id: "Agnes A.", world.customer.id: CUSTOMER_NAME}
    assert world.staff.name == AGENT_NAME, "the account keeps its own"


# --- end the call


async def test_the_person_ends_the_call_so_that_they_can_be_erased(world: World) -> None:
    await world.record()
    for _ in range(2):
        assert await rights.end_call(world.app, world.customer.data_secret) == {"state": "ended"}
    assert world.live() is None
    with pytest.raises(SessionOver):
        await sessions.issue_ticket(world.app, world.agent.party)


@pytest.mark.parametrize("secret", ["", "x" * 43])
async def test_an_unknown_link_can_do_nothing(world: World, secret: str) -> None:
    app = world.app
    for attempt in (
        rights.ask(app, secret, Right.ACCESS, "", (), KEY),
        rights.withdraw_request(app, secret, "prv_" + "a" * 26),
        rights.restrict(app, secret),
        rights.lift(app, secret),
        rights.rectify(app, secret, "Eve", None),
        rights.end_call(app, secret),
    ):
        with pytest.raises(LinkSpent):
            await attempt
    assert await world.story() == ""
