"""Sessions: made by an agent, entered once, ended for everyone."""

import pytest

from avsession.errors import (
    AvsessionError,
    Invalid,
    LinkSpent,
    NotFound,
    NotPermitted,
    SessionOver,
    SignInRequired,
    TicketRefused,
    Unavailable,
)
from avsession.messages import CloseGate, Ended
from avsession.records import Ticket
from avsession.session import Party, Session
from avsession.usecases import sessions
from tests.avsession.usecases.world import CUSTOMER_NAME, World


async def test_the_story_of_an_invitation(world: World) -> None:
    made = await sessions.create_session(world.app, world.staff, "en")
    await sessions.claim(world.app, made.secret, CUSTOMER_NAME, "de")
    other = await sessions.create_session(world.app, world.staff, "en")
    await sessions.revoke_invitation(world.app, world.staff, other.session.id)
    await sessions.revoke_invitation(world.app, world.staff, other.session.id)
    assert await world.story() == ("session.created access.granted session.created access.revoked")


async def spent(world: World, secret: str) -> None:
    parties = len(await world.find(Party))
    with pytest.raises(LinkSpent):
        await sessions.claim(world.app, secret, "Eve", "en")
    assert len(await world.find(Party)) == parties


async def test_an_invitation_is_claimed_once(world: World) -> None:
    await spent(world, world.invitation)


async def test_an_invitation_that_was_revoked_expired_ended_or_never_was(world: World) -> None:
    made = [await sessions.create_session(world.app, world.staff, "en") for _ in range(3)]
    await sessions.revoke_invitation(world.app, world.staff, made[0].session.id)
    await spent(world, made[0].secret)
    await sessions.end_session(world.app, made[1].session.id, "test")
    await spent(world, made[1].secret)
    world.clock.forward(86_400)
    await spent(world, made[2].secret)
    await spent(world, "no such secret")


async def test_revoking_does_not_throw_out_who_is_in(world: World) -> None:
    await sessions.revoke_invitation(world.app, world.staff, world.session)
    assert (await world.only(Session, id=world.session)).invitation_state == "claimed"


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "a\0b", "a\u202eb"])
async def test_a_name_is_short_and_printable(world: World, name: str) -> None:
    made = await sessions.create_session(world.app, world.staff, "en")
    with pytest.raises(Invalid):
        await sessions.claim(world.app, made.secret, name, "en")
    await sessions.claim(world.app, made.secret, "  Zoë   Ångström ", "pt-BR")
    assert (await world.only(Party, session=made.session.id, role="customer")).name == (
        "Zoë Ångström"
    )


@pytest.mark.parametrize("language", ["", "EN", "english", "en\n", "../de"])
async def test_a_language_is_a_tag(world: World, language: str) -> None:
    with pytest.raises(Invalid):
        await sessions.create_session(world.app, world.staff, language)


# --- tickets and seats


async def test_a_ticket_lets_one_connection_in(world: World) -> None:
    ticket = await sessions.issue_ticket(world.app, world.customer.party)
    party = await sessions.redeem_ticket(world.app, ticket)
    assert party.id == world.customer.id
    await world.story()
    with pytest.raises(TicketRefused):
        await sessions.redeem_ticket(world.app, ticket)
    assert await world.story() == "access.denied"


async def test_a_ticket_is_good_for_thirty_seconds(world: World) -> None:
    tickets = [await sessions.issue_ticket(world.app, world.customer.party) for _ in range(2)]
    world.clock.forward(29.999)
    await sessions.redeem_ticket(world.app, tickets[0])
    world.clock.forward(0.001)
    with pytest.raises(TicketRefused):
        await sessions.redeem_ticket(world.app, tickets[1])
    leaf = (await world.leaves())[-1]
    assert leaf["subject"] == world.customer.party.pseudonym
    assert not await world.find(Ticket)


@pytest.mark.parametrize("ticket", ["", "x" * 43, "\ud800"])
async def test_a_ticket_that_never_was(world: World, ticket: str) -> None:
    with pytest.raises(TicketRefused):
        await sessions.redeem_ticket(world.app, ticket)


async def test_no_tickets_to_a_call_that_is_over(world: World) -> None:
    await sessions.end_session(world.app, world.session, "test")
    with pytest.raises(SessionOver):
        await sessions.issue_ticket(world.app, world.customer.party)


async def test_a_seat_is_found_by_its_cookie_for_twelve_hours(world: World) -> None:
    made = await sessions.create_session(world.app, world.staff, "en")
    claimed = await sessions.claim(world.app, made.secret, "Ben", "en")
    session, party = await sessions.seat(world.app, claimed.seat_token)
    assert (session.id, party.id) == (made.session.id, claimed.party.id)
    for wrong in ("", claimed.data_secret, made.secret):
        with pytest.raises(SignInRequired):
            await sessions.seat(world.app, wrong)
    world.clock.forward(43_200)
    with pytest.raises(SignInRequired):
        await sessions.seat(world.app, claimed.seat_token)


# --- whose session


async def test_another_agents_session_is_not_there(world: World) -> None:
    other = await world.staff_member("bert", "Bert", "agent")
    for attempt in (
        sessions.revoke_invitation(world.app, other, world.session),
        sessions.agent_seat(world.app, other, world.session),
        sessions.end_by_staff(world.app, other, world.session),
        sessions.end_by_staff(world.app, world.staff, "ses_" + "a" * 26),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert await sessions.own_sessions(world.app, other) == []
    assert (await world.only(Session, id=world.session)).ended_ms is None


async def test_an_admin_makes_and_joins_no_calls(world: World) -> None:
    for attempt in (
        sessions.create_session(world.app, world.admin, "en"),
        sessions.own_sessions(world.app, world.admin),
        sessions.agent_seat(world.app, world.admin, world.session),
        sessions.end_by_staff(world.app, world.admin, world.session),
    ):
        with pytest.raises(NotPermitted):
            await attempt


async def test_ones_own(world: World) -> None:
    (view,) = await sessions.own_sessions(world.app, world.staff)
    assert [party.id for party in view.parties] == [world.agent.id, world.customer.id]
    assert (await sessions.agent_seat(world.app, world.staff, world.session)).id == world.agent.id


# --- the end


async def test_the_end_is_for_everyone_and_keeps_what_was_recorded(world: World) -> None:
    await world.recorded()
    await world.story()
    await sessions.end_by_staff(world.app, world.staff, world.session)
    assert world.live() is None
    assert world.recorder.last(CloseGate).final
    for person in (world.agent, world.customer):
        assert person.last(Ended).reason == "agent_ended"
        assert person.ended is not None
    assert await world.story() == (
        "grant.revoked recording.off party.left party.left session.ended"
    )
    await sessions.end_session(world.app, world.session, "again")
    assert await world.story() == ""
    await world.recorder.end()
    assert await world.story() == "recording.sealed"


async def test_an_end_that_cannot_be_written_closes_the_gate(world: World) -> None:
    await world.recorded()
    world.store.down = True
    with pytest.raises(Unavailable):
        await sessions.end_session(world.app, world.session, "test")
    assert world.live() is None


async def test_nobody_joins_what_is_over(world: World) -> None:
    await sessions.end_session(world.app, world.session, "test")
    with pytest.raises(AvsessionError, match="ended"):
        await world.connect(world.customer)
