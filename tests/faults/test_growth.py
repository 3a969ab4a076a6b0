"""Nobody outside makes the database or the log grow without a limit."""

from __future__ import annotations

import asyncio

from tests.faults.outside import Outside, Person

TRIES = 60
MOST = 30
"""More than a page needs that comes back again and again in a bad network."""


async def test_tickets_are_not_hoarded(out: Outside) -> None:
    agent, customer = await out.call(await out.sign_in("agent"), joined=False)

    async def get(person: Person, what: str) -> int:
        status, body = await out.post(f"{person.path}/{what}", {}, cookie=person.cookie)
        assert status == 200 or body["code"] == "too_many", body
        return status

    for person in (agent, customer):
        for what in ("ticket", "data-link"):
            statuses = [await get(person, what) for _ in range(TRIES)]
            assert statuses[:10] == [200] * 10
            assert statuses.count(200) <= MOST
            assert statuses[-1] == 429
    assert out.product.rows("select count(*) as n from ticket")[0]["n"] <= 2 * MOST


async def test_coming_and_going_fills_no_log(out: Outside) -> None:
    _, customer = await out.call(await out.sign_in("agent"))
    before = out.product.rows("select count(*) as n from leaf")[0]["n"]
    came = 0
    for _ in range(TRIES):
        status, body = await out.post("/api/seat/ticket", {}, cookie=customer.cookie)
        if status == 429:
            break
        wire = await out.wire()
        await wire.say("hello", ticket=body["ticket"], build="none")
        await wire.hear("welcome")
        await wire.say("leave")
        await wire.hear("closed")  # whoever left is not listened to any more
        came += 1
    assert 10 <= came <= MOST
    async with asyncio.timeout(5):
        while not _all_left(out, came):  # noqa: ASYNC110 - another process's database
            await asyncio.sleep(0.05)
    grown = out.product.rows("select count(*) as n from leaf")[0]["n"] - before
    assert grown <= 2 * came + 2


def _all_left(out: Outside, came: int) -> bool:
    leaves = out.product.rows("select data from leaf")
    return sum(b'"party.left"' in bytes(leaf["data"]) for leaf in leaves) >= came
