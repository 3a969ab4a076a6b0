"""Rows that are of no use any more go in their time; the ones that are stay."""

import pytest

from avsession.errors import LinkSpent, SignInRequired
from avsession.privacy.retention import table
from avsession.records import AuthSession, Detail, Idempotent, Ticket
from avsession.session import Party, Role, Session
from avsession.usecases import accounts, evidence, outdated, sessions
from avsession.usecases.tokens import secret_hash
from tests.avsession.usecases.world import World

DAY_S = 86_400


async def test_answers_are_kept_for_a_day_and_tickets_as_long_as_they_are_good(
    world: World,
) -> None:
    await world.ask()
    await sessions.issue_ticket(world.app, world.agent.party)
    await world.later(29)
    assert await world.find(Ticket)
    await world.later(3600)
    assert not await world.find(Ticket)
    await world.later(DAY_S - 3700)
    assert await world.find(Idempotent)
    await world.later(3600)
    assert not await world.find(Idempotent)


async def test_what_was_used_meanwhile_stays(world: World) -> None:
    """A staff session that is looked at as idle, and then moved on by a request."""
    secret = await accounts.make_sign_in_link(world.app, world.staff.account)
    token = (await accounts.sign_in_by_link(world.app, secret)).token
    world.clock.forward(world.app.settings.signin.idle_s - 1)
    await accounts.authenticate(world.app, token)
    sweep = next(one for one in outdated.SWEEPS if one.what == "staff sessions")
    rule = next(one for one in table(world.app.settings) if one.what == sweep.what)
    mine = secret_hash(token).hex()
    others = [row.token_hash.hex() for row in await world.find(AuthSession)]
    world.clock.forward(1)
    gone = await sweep.go(world.app, rule, others, world.clock.now_ms())
    assert mine not in gone
    assert len(gone) == len(others) - 1
    await accounts.authenticate(world.app, token)
    world.clock.forward(world.app.settings.signin.idle_s)
    with pytest.raises(SignInRequired):
        await accounts.authenticate(world.app, token)
    assert await sweep.go(world.app, rule, [mine], world.clock.now_ms()) == [mine]


async def test_an_invitation_that_ran_out_leads_nowhere_and_a_seat_that_is_over_neither(
    world: World,
) -> None:
    await sessions.end_session(world.app, world.session, "test")
    await world.later(world.app.settings.signin.invitation_s + 1)
    before = await world.only(Session)
    assert (before.invitation_state, before.invitation_hash) == (
        "claimed", secret_hash(world.invitation),
    )  # fmt: skip
    await world.later(DAY_S)
    after = await world.only(Session)
    assert after.invitation_state == outdated.CLOSED
    assert after.invitation_hash != secret_hash(world.invitation)
    (customer,) = await world.find(Party, role=str(Role.CUSTOMER))
    assert (customer.token_hash, customer.data_hash is None) == (None, False)
    with pytest.raises(LinkSpent):
        await sessions.claim(world.app, world.invitation, "Ben", "en")


async def test_a_live_session_keeps_its_invitation(world: World) -> None:
    await world.later(10 * DAY_S)
    assert (await world.only(Session)).invitation_state == "claimed"


async def test_who_signed_in_is_known_for_a_year_and_the_log_verifies_without(
    world: World,
) -> None:
    await world.later(364 * DAY_S)
    assert len(await world.find(Detail, field="login")) == 2
    await world.staff_member("late", "Late", "agent")
    await world.later(2 * DAY_S)
    (left,) = await world.find(Detail, field="login")
    assert left.value == b'"late"'
    await evidence.checkpoint(world.app)
    key = world.app.notary.key
    assert (await evidence.verify(world.store, key)).findings == ()
    async with world.store.write() as tx:
        await tx.remove(Detail, leaf=left.leaf, field="login")
    (found,) = (await evidence.verify(world.store, key)).findings
    assert found.where == f"detail {left.leaf}/login", "one that went without a word is found"
