"""Who nobody is; and children, at once. The rest is told in test_retention."""

import pytest
from msgspec.structs import replace

from avsession.errors import Held
from avsession.privacy import retention as rules
from avsession.privacy.requests import Right
from avsession.records import Restriction
from avsession.session import Party, Session
from avsession.usecases import holds, persons, retention, rights, sessions
from avsession.usecases.persons import erase_child, is_nobody
from tests.avsession.usecases.world import AGENT_NAME, World


async def marked(world: World) -> None:
    async with world.store.write() as tx:
        session = await tx.get(Session, world.session)
        assert session is not None
        await tx.put(replace(session, child_ms=world.clock.now_ms()))


async def test_nobody_is_who_has_no_name_and_no_way_in(world: World) -> None:
    party = world.customer.party
    assert not is_nobody(party)
    bare = replace(party, name="", token_hash=None, data_hash=None)
    assert is_nobody(bare)
    assert not is_nobody(replace(bare, data_hash=b"x"))
    assert not is_nobody(replace(bare, account="acc_1")), "an agent whose name is not told"


async def test_a_child_that_was_marked_goes_with_the_next_tick(world: World) -> None:
    await world.sealed()
    await sessions.end_session(world.app, world.session, "child")
    await marked(world)
    await world.later(0.5)
    assert {party.name for party in await world.find(Party)} == {AGENT_NAME, ""}
    assert (await world.only(Session)).child_ms is None
    assert world.files("objects") == world.files("keys") == []
    assert (await world.story()).split()[-2:] == ["subject.erased", "privacy.answered"]
    assert not await erase_child(world.app, world.session), "once"


async def test_a_hold_keeps_a_child_and_its_release_lets_it_go(world: World) -> None:
    await world.sealed()
    await sessions.end_session(world.app, world.session, "child")
    placed = await holds.place(
        world.app, world.admin, scope="session", target=world.session, category="order",
        reason="the court", asked_by="court", review_ms=world.clock.now_ms() + 1000,
    )  # fmt: skip
    await marked(world)
    await world.later(1)
    assert [row.why for row in await world.find(Restriction)] == ["kept"], "by the schedule, too"
    with pytest.raises(Held):
        await erase_child(world.app, world.session)
    assert len(await world.find(Restriction)) == 1
    assert (await world.only(Session)).child_ms is not None
    await holds.release(world.app, world.admin, placed["hold"], "settled")
    await world.later(1)
    assert (await world.only(Session)).child_ms is None


def test_few_persons_go_in_one_turn() -> None:
    assert persons.AT_ONCE <= 20, "the timers of calls wait meanwhile"


async def sessions_of(world: World) -> retention.Tally:
    found = await retention.run(world.app, dry=True)
    return next(one for one in found if one.rule.what == "sessions")


async def test_who_restricted_or_waits_for_an_answer_is_not_forgotten_by_time(
    world: World,
) -> None:
    await sessions.end_session(world.app, world.session, "test")
    secret = world.customer.data_secret
    asked = await rights.ask(world.app, secret, Right.COMPLAIN, "It hurt", (), "k" * 32)
    world.clock.forward(366 * 86_400)
    assert (await sessions_of(world)).kept == {"request": 1}
    await rights.withdraw_request(world.app, secret, str(asked["request"]))
    assert (await sessions_of(world)).count == 1
    await rights.restrict(world.app, secret)
    assert (await sessions_of(world)).kept == {"restriction": 1}
    await retention.run(world.app)
    assert AGENT_NAME in {party.name for party in await world.find(Party)}


@pytest.mark.parametrize("what", ["request", "restriction", "hold"])
async def test_what_comes_after_the_look_keeps_them_too(world: World, what: str) -> None:
    await sessions.end_session(world.app, world.session, "test")
    world.clock.forward(366 * 86_400)
    rule = next(one for one in rules.table(world.app.settings) if one.what == "sessions")
    now = world.clock.now_ms()
    async with world.store.read() as tx:
        seen = await persons.SESSIONS.look(world.app, tx, rule, now, None)
    assert seen.due == (world.session,)
    if what == "request":
        secret = world.customer.data_secret
        await rights.ask(world.app, secret, Right.COMPLAIN, "It hurt", (), "k" * 32)
    elif what == "restriction":
        await rights.restrict(world.app, world.customer.data_secret)
    else:
        await holds.place(
            world.app, world.admin, scope="party", target=world.customer.id, category="order",
            reason="the court", asked_by="court", review_ms=now + 1000,
        )  # fmt: skip
    assert await persons.SESSIONS.go(world.app, rule, seen.due, now) == []
    assert len([one for one in await world.find(Party) if not is_nobody(one)]) == 2
    assert (await world.only(Session)).forgotten_ms is None
