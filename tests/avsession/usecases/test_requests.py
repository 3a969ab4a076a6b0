"""Requests as rows: each step a leaf, their words bounded, and gone with their person."""

import pytest

from avsession.errors import Conflict, Invalid, TooMany
from avsession.privacy.requests import Right, Step
from avsession.records import Detail, PrivacyRequest
from avsession.usecases import desk, requests
from avsession.usecases.common import load
from tests.avsession.usecases.world import World

MONTH = 31 * 86_400


async def received(world: World, right: Right = Right.COMPLAIN, text: str = "") -> PrivacyRequest:
    async with world.store.write() as tx:
        session, party = await load(tx, world.customer.id)
        return await requests.receive(world.app, tx, session, party, right, text=text)


async def stepped(world: World, step: Step, told: str = "") -> PrivacyRequest:
    async with world.store.write() as tx:
        row = (await tx.find(PrivacyRequest, order="-received_ms"))[0]
        return await requests.step(world.app, tx, row, step, told=told, who=world.admin)


async def test_every_step_is_a_leaf_without_a_word_of_anybody(world: World) -> None:
    row = await received(world, text="Kundig is cross")
    await stepped(world, Step.EXTEND, "Kundig has many calls")
    await stepped(world, Step.ANSWER, "Kundig is right")
    asked, extended, answered = (await world.leaves())[-3:]
    assert (asked["kind"], asked["actor"]) == (
        "privacy.requested",
        world.customer.party.pseudonym,
    )
    assert asked["refs"] == {
        "privacy_request": row.id, "right": "complain", "by": "party", "purposes": [],
        "received_ms": row.received_ms, "due_ms": row.due_ms,
    }  # fmt: skip
    assert [leaf["refs"]["step"] for leaf in (extended, answered)] == ["extend", "answer"]
    assert answered["actor"] == world.admin.pseudonym
    assert answered["refs"]["due_ms"] == extended["refs"]["due_ms"] > row.due_ms
    for leaf in (asked, extended, answered):
        assert leaf["subject"] == world.customer.party.pseudonym
        assert "Kundig" not in str(leaf)
    words = {d.value for d in await world.find(Detail, party=world.customer.id)}
    assert {b'"Kundig is cross"', b'"Kundig has many calls"', b'"Kundig is right"'} <= words
    (seen,) = await own(world)
    assert (seen["state"], seen["answer"], seen["extension"]) == (
        "answered", "Kundig is right", "Kundig has many calls",
    )  # fmt: skip


async def own(world: World) -> list[dict[str, object]]:
    async with world.store.read() as tx:
        return await requests.views(tx, world.customer.id)


async def test_more_time_is_taken_in_the_first_month_only(world: World) -> None:
    await received(world)
    world.clock.forward(MONTH)
    with pytest.raises(Conflict, match="first month"):
        await stepped(world, Step.EXTEND, "late")


async def test_nobody_fills_the_desk(world: World) -> None:
    for _ in range(requests.MAX_WAITING):
        await received(world)
    with pytest.raises(TooMany):
        await received(world)
    await stepped(world, Step.ANSWER, "done")
    await received(world)


@pytest.mark.parametrize("text", ["x" * (requests.MAX_TEXT + 1), "a\x00b", "a\u202eb"])
async def test_words_are_bounded_and_printable(world: World, text: str) -> None:
    with pytest.raises(Invalid):
        await received(world, text=text)
    assert await own(world) == []


def test_lines_stay_lines() -> None:
    assert requests.checked_text("  one \r\n two\n\n", 1, "It") == "one\n two"
    with pytest.raises(Invalid):
        requests.checked_text(" \n ", 1, "It")


async def test_what_waits_is_counted_and_the_next_due_comes_first(world: World) -> None:
    first = await received(world)
    world.clock.forward(10)
    await received(world, Right.ACCESS)
    async with world.store.read() as tx:
        waiting = await requests.waiting(tx)
        assert [row.right for row in waiting] == ["complain", "access"]
        assert await desk.counted(tx, first.due_ms) == {"open": 2, "soon": 1, "late": 1}
    await stepped(world, Step.REFUSE, "no")
    async with world.store.read() as tx:
        assert await desk.counted(tx, first.due_ms) == {"open": 1, "soon": 0, "late": 1}
