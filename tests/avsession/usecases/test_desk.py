"""The desk: a queue with due dates; each step permitted, in words, logged, told."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from avsession.errors import Conflict, Invalid, NotFound, NotPermitted, SessionLive
from avsession.privacy.requests import Right
from avsession.usecases import desk, evidence, mydata, rights, sessions
from tests.avsession.usecases.world import CUSTOMER_NAME, World

DAY_S = 86_400
KEY = "k" * 16


async def asked(world: World, right: Right = Right.COMPLAIN, key: str = KEY) -> str:
    secret = world.customer.data_secret
    return str((await rights.ask(world.app, secret, right, "A long story", (), key))["request"])


async def queue(world: World) -> tuple[list[dict[str, Any]], dict[str, int]]:
    found = await desk.queue(world.app, world.admin)
    return found["requests"], found["figures"]


async def test_the_late_ones_come_first_and_are_counted(world: World) -> None:
    old = await asked(world)
    await world.later(20 * DAY_S)
    new = await asked(world, Right.ACCESS, "l" * 16)
    rows, figures = await queue(world)
    assert [row["request"] for row in rows] == [old, new]
    assert (figures["open"], figures["soon"], figures["late"]) == (2, 0, 0)
    world.clock.forward(5 * DAY_S)
    assert (await queue(world))[1]["soon"] == 1
    world.clock.forward(10 * DAY_S)
    rows, figures = await queue(world)
    assert [row["late"] for row in rows] == [True, False]
    assert (figures["open"], figures["soon"], figures["late"]) == (1, 0, 1)
    await desk.answer(world.app, world.admin, old, "Sorry that it took so long")
    rows, figures = await queue(world)
    assert [row["request"] for row in rows] == [new, old], "what is done comes last"
    assert (figures["answered_late"], figures["answered"], figures["late"]) == (1, 0, 0)
    await desk.refuse(world.app, world.admin, new, "It was answered by telephone")
    assert await desk.figures(world.app, world.admin) == {
        "open": 0, "soon": 0, "late": 0, "answered": 0, "answered_late": 1, "refused": 1,
        "withdrawn": 0,
    }  # fmt: skip


async def test_a_row_says_who_asks_and_where_to_tell_them(world: World) -> None:
    await rights.rectify(world.app, world.customer.data_secret, None, "kuno@example.org")
    await asked(world)
    row = (await queue(world))[0][0]
    assert (row["name"], row["role"], row["contact"]) == (
        CUSTOMER_NAME, "customer", "kuno@example.org",
    )  # fmt: skip


async def test_more_time_with_a_reason_that_the_person_reads(world: World) -> None:
    request = await asked(world)
    before = (await queue(world))[0][0]["due_ms"]
    row = await desk.extend(world.app, world.admin, request, "It concerns many calls")
    assert (row["state"], row["due_ms"] > before + 58 * DAY_S * 1000) == ("extended", True)
    (told,) = (await mydata.my_data(world.app, world.customer.data_secret))["requests"]
    assert (told["extension"], told["due_ms"]) == ("It concerns many calls", row["due_ms"])
    with pytest.raises(Conflict):
        await desk.extend(world.app, world.admin, request, "Once more")
    await desk.answer(world.app, world.admin, request, "Now it is done")


async def test_who_came_by_another_way_is_verified_first(world: World) -> None:
    entered = await desk.enter(
        world.app, world.admin, world.customer.id, Right.RESTRICT, "by telephone"
    )
    request = entered["request"]
    assert (entered["state"], entered["by"]) == ("verifying", "staff")
    for early in (
        desk.answer(world.app, world.admin, request, "yes, yes"),
        desk.carry_out(world.app, world.admin, request),
        desk.extend(world.app, world.admin, request, "later"),
    ):
        with pytest.raises(Conflict):
            await early
    await world.story()
    row = await desk.verify(world.app, world.admin, request, "She named the last invoice")
    assert row["state"] == "open"
    assert await desk.carry_out(world.app, world.admin, request) == {"state": "restricted"}
    assert await world.story() == "privacy.answered subject.restricted privacy.answered"
    for leaf in (await world.leaves())[-3:]:
        assert (leaf["actor"], leaf["subject"]) == (
            world.admin.pseudonym, world.customer.party.pseudonym,
        )  # fmt: skip
    report = await evidence.verify(world.store, world.app.notary.key, world.app.notary.anchors)
    assert report.ok, report.findings


async def test_what_is_done_is_not_answered_in_words(world: World) -> None:
    entered = await desk.enter(world.app, world.admin, world.customer.id, Right.ERASE, "by letter")
    await desk.verify(world.app, world.admin, entered["request"], "passport")
    with pytest.raises(Conflict, match="Carry it out"):
        await desk.answer(world.app, world.admin, entered["request"], "It was erased, believe me")
    with pytest.raises(SessionLive):
        await desk.carry_out(world.app, world.admin, entered["request"])
    await desk.refuse(world.app, world.admin, entered["request"], "It was not you")
    complaint = await asked(world)
    with pytest.raises(Conflict, match="in words"):
        await desk.carry_out(world.app, world.admin, complaint)


Act = Callable[[World, str, str], Awaitable[object]]
STEPS: dict[str, Act] = {
    "verify": lambda w, r, text: desk.verify(w.app, w.admin, r, text),
    "extend": lambda w, r, text: desk.extend(w.app, w.admin, r, text),
    "answer": lambda w, r, text: desk.answer(w.app, w.admin, r, text),
    "refuse": lambda w, r, text: desk.refuse(w.app, w.admin, r, text),
    "lift": lambda w, r, text: desk.lift(w.app, w.admin, r, text),
}


@pytest.mark.parametrize("act", STEPS.values(), ids=STEPS)
async def test_no_step_without_words_or_without_a_request(world: World, act: Act) -> None:
    request = await asked(world)
    await world.story()
    with pytest.raises(Invalid):
        await act(world, request, "  a ")
    with pytest.raises(NotFound):
        await act(world, "prv_" + "a" * 26, "good words")
    assert await world.story() == ""


async def test_only_who_has_the_permission(world: World) -> None:
    request = await asked(world)
    await sessions.end_session(world.app, world.session, "test")
    await world.story()
    app, agent = world.app, world.staff
    for attempt in (
        desk.queue(app, agent),
        desk.figures(app, agent),
        desk.enter(app, agent, world.customer.id, Right.ERASE, "please"),
        desk.verify(app, agent, request, "known"),
        desk.extend(app, agent, request, "later"),
        desk.answer(app, agent, request, "done"),
        desk.refuse(app, agent, request, "never"),
        desk.carry_out(app, agent, request),
        desk.lift(app, agent, request, "over"),
    ):
        with pytest.raises(NotPermitted):
            await attempt
    assert await world.story() == ""


async def test_nothing_is_entered_for_nobody(world: World) -> None:
    with pytest.raises(NotFound):
        await desk.enter(world.app, world.admin, "pty_" + "a" * 26, Right.ERASE, "please")
