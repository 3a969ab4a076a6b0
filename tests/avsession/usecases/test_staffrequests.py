"""People of the house ask about their own data: queued, due, answered, logged like anybody's."""

from typing import Any

import pytest

from avsession.config import Retention
from avsession.errors import Conflict, Invalid, NotFound, NotPermitted, TooMany
from avsession.privacy.requests import Right
from avsession.records import Account, Detail
from avsession.session import Party
from avsession.staff_records import StaffRequest
from avsession.usecases import desk, leaving, retention, rights, sessions, staffdata, staffrequests
from tests.avsession.usecases.test_typed import verified
from tests.avsession.usecases.world import AGENT_NAME, LOGIN, World

DAY_S = 86_400
MARRIED = "Agnes Amtmann-Ito"


async def asked(world: World, right: Right = Right.OBJECT, wanted: str = "") -> str:
    said = await staffrequests.ask(world.app, world.staff, right, "My own words", wanted)
    return str(said["request"])


async def mine(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await staffdata.own(world.app, world.staff))["requests"]
    return found


async def test_it_is_queued_with_the_others_by_due_date_and_counted(world: World) -> None:
    first = await rights.ask(
        world.app, world.customer.data_secret, Right.COMPLAIN, "A story", (), "k" * 32
    )
    await world.later(DAY_S)
    second = await asked(world)
    await world.later(DAY_S)
    third = await rights.ask(
        world.app, world.customer.data_secret, Right.ACCESS, "All of it", (), "l" * 32
    )
    found = await desk.queue(world.app, world.admin)
    assert [one["request"] for one in found["requests"]] == [
        first["request"], second, third["request"],
    ]  # fmt: skip
    row = found["requests"][1]
    assert (row["of"], row["name"], row["role"], row["contact"]) == (
        "staff", AGENT_NAME, "agent", LOGIN,
    )  # fmt: skip
    assert (row["party"], row["text"], row["late"]) == (world.staff.account, "My own words", False)
    assert row.keys() == found["requests"][0].keys()
    assert found["figures"]["open"] == 3
    world.clock.forward(35 * DAY_S)
    assert (await desk.figures(world.app, world.admin))["late"] == 3
    async with world.store.read() as tx:
        assert await desk.counted(tx, world.clock.now_ms()) == {"open": 3, "soon": 0, "late": 3}


async def test_extended_answered_and_read_by_who_asked(world: World) -> None:
    request = await asked(world)
    due = (await mine(world))[0]["due_ms"]
    row = await desk.extend(world.app, world.admin, request, "It concerns many calls")
    assert row["due_ms"] > due
    with pytest.raises(Conflict):
        await desk.extend(world.app, world.admin, request, "Once more")
    await desk.answer(world.app, world.admin, request, "We agree with you")
    (told,) = await mine(world)
    assert (told["state"], told["extension"], told["answer"]) == (
        "answered", "It concerns many calls", "We agree with you",
    )  # fmt: skip
    with pytest.raises(Conflict):
        await desk.refuse(world.app, world.admin, request, "No after all")
    kinds = "privacy.requested privacy.answered privacy.answered"
    assert kinds in await world.story()
    for leaf in await world.leaves():
        assert world.staff.account not in str(leaf)
        assert "My own words" not in str(leaf)
    report = await verified(world)
    assert report.ok, report.findings


async def test_refused_and_taken_back(world: World) -> None:
    await desk.refuse(world.app, world.admin, await asked(world), "The law wants it kept")
    other = await asked(world, Right.ERASE)
    with pytest.raises(NotFound):
        await staffrequests.withdraw(world.app, world.admin, other)
    await staffrequests.withdraw(world.app, world.staff, other)
    assert sorted(one["state"] for one in await mine(world)) == ["refused", "withdrawn"]
    with pytest.raises(Conflict):
        await desk.answer(world.app, world.admin, other, "Too late")


async def test_a_name_is_corrected_by_carrying_it_out(world: World) -> None:
    await sessions.end_session(world.app, world.session, "test")
    request = await asked(world, Right.RECTIFY, MARRIED)
    with pytest.raises(Conflict, match="Carry it out"):
        await desk.answer(world.app, world.admin, request, "Yes, yes")
    assert await desk.carry_out(world.app, world.admin, request) == {"state": "corrected"}
    assert (await world.only(Account, id=world.staff.account)).name == MARRIED
    assert (await world.only(Party, account=world.staff.account)).name == MARRIED
    assert (await mine(world))[0]["state"] == "answered"
    with pytest.raises(Conflict):
        await desk.carry_out(world.app, world.admin, request)
    report = await verified(world)
    assert report.ok, report.findings


async def test_what_cannot_be_carried_out(world: World) -> None:
    with pytest.raises(Conflict, match="words"):
        await desk.carry_out(world.app, world.admin, await asked(world))
    with pytest.raises(Invalid):
        await asked(world, Right.ERASE, MARRIED)
    wish = await asked(world, Right.RECTIFY, MARRIED)
    await leaving.disable(world.app, world.admin, world.staff.account)
    with pytest.raises(Conflict, match="no record"):
        await desk.carry_out(world.app, world.admin, wish)


async def test_who_has_left_writes_and_is_verified_first(world: World) -> None:
    await leaving.disable(world.app, world.admin, world.staff.account)
    entered = await staffrequests.enter(
        world.app, world.admin, world.staff.account, Right.ACCESS, "by letter"
    )
    assert (entered["state"], entered["by"]) == ("verifying", "staff")
    with pytest.raises(Conflict):
        await desk.answer(world.app, world.admin, entered["request"], "Here it is")
    await desk.verify(world.app, world.admin, entered["request"], "a copy of the passport")
    row = await desk.answer(world.app, world.admin, entered["request"], "Here it is")
    assert row["state"] == "answered"
    with pytest.raises(NotFound):
        await staffrequests.enter(world.app, world.admin, "acc_x", Right.ACCESS, "by letter")


async def test_nobody_answers_their_own_while_there_is_another(world: World) -> None:
    request = str(
        (await staffrequests.ask(world.app, world.admin, Right.COMPLAIN, "Too much"))["request"]
    )
    second = await world.staff_member("berta", "Berta Zweit", "admin")
    with pytest.raises(Conflict, match="Somebody else"):
        await desk.refuse(world.app, world.admin, request, "I like it so")
    await desk.answer(world.app, second, request, "It will be less")
    alone = await staffrequests.ask(world.app, world.admin, Right.COMPLAIN, "Too much still")
    await leaving.disable(world.app, world.admin, second.account)
    await desk.answer(world.app, world.admin, alone["request"], "Nobody else is here")


async def test_agents_are_not_at_the_desk(world: World) -> None:
    request = await asked(world)
    for refused in (
        desk.answer(world.app, world.staff, request, "Yes, yes"),
        desk.carry_out(world.app, world.staff, request),
        staffrequests.enter(world.app, world.staff, world.staff.account, Right.ACCESS, "letter"),
    ):
        with pytest.raises(NotPermitted):
            await refused


async def test_only_so_many_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staffrequests, "MAX_WAITING", 1)
    request = await asked(world)
    with pytest.raises(TooMany):
        await asked(world)
    await desk.answer(world.app, world.admin, request, "Done by now")
    await asked(world)
    with pytest.raises(Invalid):
        await staffrequests.ask(world.app, world.staff, Right.COMPLAIN, " ")


async def test_words_go_in_their_time_and_the_log_says_so(world: World) -> None:
    request = await asked(world, Right.RECTIFY, MARRIED)
    await desk.refuse(world.app, world.admin, request, "Show us a paper")
    waits = await asked(world)
    days = Retention().session_days
    world.clock.forward((days - 1) * DAY_S)
    await retention.run(world.app)
    assert (await world.only(StaffRequest, id=request)).wanted == MARRIED
    world.clock.forward(2 * DAY_S)
    await retention.run(world.app)
    row = await world.only(StaffRequest, id=request)
    assert (row.text, row.wanted, row.answer, row.state) == ("", "", "", "refused")
    assert (await world.only(StaffRequest, id=waits)).text, "nobody has answered it yet"
    left = [one.value for one in await world.find(Detail)]
    assert not [one for one in left if b"Show us" in one or MARRIED.encode() in one]
    report = await verified(world)
    assert report.ok, report.findings
    count = len(await world.leaves())
    await retention.run(world.app)
    assert len(await world.leaves()) == count, "what went does not go again"
