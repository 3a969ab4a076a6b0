"""Sessions: made by an agent, entered by invitation, ended by either."""

from __future__ import annotations

import re
import unicodedata

import msgspec
from msgspec.structs import replace

from avsession.consent import Ended
from avsession.errors import (
    Invalid,
    LinkSpent,
    NotFound,
    SignInRequired,
    TicketRefused,
    TooMany,
    TooYoung,
)
from avsession.messages import Ended as EndedMessage
from avsession.ports import Reader, Writer
from avsession.records import AuthSession, Ticket
from avsession.session import Party, Role, Session, new_id
from avsession.usecases import denials, draining, effects
from avsession.usecases.capture import open_gate
from avsession.usecases.closing import close_now
from avsession.usecases.common import advance, leaf, load_live
from avsession.usecases.permissions import SESSION_CREATE, SESSION_OWN, Principal, require
from avsession.usecases.services import Services
from avsession.usecases.tokens import new_secret, secret_hash

TICKET_MS = 30_000
"""How long a signaling ticket may be used, once."""
MAX_NAME = 80
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?")
OWN_SESSIONS = 50


class NewSession(msgspec.Struct, frozen=True):
    """A fresh session; ``secret`` goes into the invitation link and is kept nowhere else."""

    session: Session
    party: Party
    secret: str
    expires_ms: int


class Claimed(msgspec.Struct, frozen=True):
    """A claimed invitation: the seat's cookie and the private link's secret, both said once."""

    session: Session
    party: Party
    seat_token: str
    data_secret: str


class SessionView(msgspec.Struct, frozen=True):
    """A session with its parties."""

    session: Session
    parties: tuple[Party, ...]


def checked_name(name: str) -> str:
    """A display name: 1 to 80 printable characters; raises Invalid."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= MAX_NAME or any(unicodedata.category(c)[0] == "C" for c in name):
        raise Invalid(f"A name has 1 to {MAX_NAME} printable characters.")
    return name


def checked_language(language: str) -> str:
    """A language tag such as ``de`` or ``pt-BR``; raises Invalid."""
    if not LANGUAGE.fullmatch(language):
        raise Invalid("That is not a language tag.")
    return language


async def create_session(app: Services, who: Principal, language: str) -> NewSession:
    """A session with the agent's seat in it and an invitation for one customer.

    Raises ServerStopping while no new calls are taken.
    """
    require(who, SESSION_CREATE)
    draining.refuse_new(app)
    secret = new_secret(app.entropy)
    now = app.clock.now_ms()
    session = Session(
        id=new_id("ses", app.entropy),
        pseudonym=new_id("psn", app.entropy),
        created_ms=now,
        created_by=who.account,
        invitation_hash=secret_hash(secret),
        invitation_expires_ms=now + app.settings.signin.invitation_s * 1000,
    )
    party = Party(
        id=new_id("pty", app.entropy),
        session=session.id,
        pseudonym=new_id("psn", app.entropy),
        role=Role.AGENT,
        name=who.name,
        language=checked_language(language),
        account=who.account,
        created_ms=now,
    )
    async with app.store.write() as tx:
        await tx.add(session)
        await tx.add(party)
        await leaf(
            app,
            tx,
            "session.created",
            session=session,
            subject=party,
            details={"account": who.account},
        )
    return NewSession(session, party, secret, session.invitation_expires_ms)


async def _own(tx: Reader, who: Principal, session_id: str) -> Session:
    require(who, SESSION_OWN)
    session = await tx.get(Session, session_id)
    if session is None or session.created_by != who.account:
        raise NotFound
    return session


async def revoke_invitation(app: Services, who: Principal, session_id: str) -> None:
    """Make an unclaimed invitation useless."""
    async with app.store.write() as tx:
        session = await _own(tx, who, session_id)
        if session.invitation_state == "open":
            await tx.put(replace(session, invitation_state="revoked"))
            refs = {"what": "invitation"}
            await leaf(app, tx, "access.revoked", session=session, actor=who.pseudonym, refs=refs)


async def own_sessions(app: Services, who: Principal) -> list[SessionView]:
    """The agent's own sessions, newest first."""
    require(who, SESSION_OWN)
    async with app.store.read() as tx:
        found = await tx.find(
            Session, created_by=who.account, order="-created_ms", limit=OWN_SESSIONS
        )
        return [
            SessionView(s, tuple(await tx.find(Party, session=s.id, order="created_ms")))
            for s in found
        ]


async def agent_seat(app: Services, who: Principal, session_id: str) -> Party:
    """The agent's own party in a session of theirs."""
    async with app.store.read() as tx:
        session = await _own(tx, who, session_id)
        party = await tx.one(Party, session=session.id, account=who.account)
    if party is None:
        raise NotFound
    return party


async def claim(
    app: Services, secret: str, name: str, language: str, *, of_age: bool | None = None
) -> Claimed:
    """Use an invitation, once. Raises LinkSpent when it is used, revoked, expired or unknown.

    ``of_age``: what was said about ``minimum_age``, which the leaf then names; None: nothing.
    Raises TooYoung when it was denied, ServerStopping while no new calls are taken: nothing is
    stored, and the invitation stays good.
    """
    if of_age is False and app.settings.minimum_age:
        raise TooYoung
    draining.refuse_new(app)
    name, language = checked_name(name), checked_language(language)
    seat_token, data_secret = new_secret(app.entropy), new_secret(app.entropy)
    now = app.clock.now_ms()
    async with app.store.write() as tx:
        session = await tx.one(Session, invitation_hash=secret_hash(secret))
        if (
            session is None
            or session.invitation_state != "open"
            or session.invitation_expires_ms <= now
            or session.ended_ms is not None
        ):
            raise LinkSpent
        session = replace(session, invitation_state="claimed")
        party = Party(
            id=new_id("pty", app.entropy),
            session=session.id,
            pseudonym=new_id("psn", app.entropy),
            role=Role.CUSTOMER,
            name=name,
            language=language,
            token_hash=secret_hash(seat_token),
            data_hash=secret_hash(data_secret),
            created_ms=now,
        )
        await tx.put(session)
        await tx.add(party)
        await leaf(
            app,
            tx,
            "access.granted",
            session=session,
            subject=party,
            refs={"what": "invitation"} | _age(app, of_age),
            details={"name": name, "language": language},
        )
    return Claimed(session, party, seat_token, data_secret)


def _age(app: Services, of_age: bool | None) -> dict[str, int]:
    """At least how old the party said to be (years), if anybody asked."""
    return {"age": app.settings.minimum_age} if of_age and app.settings.minimum_age else {}


async def seat(app: Services, token: str) -> tuple[Session, Party]:
    """Whose seat this cookie is; raises SignInRequired when there is none, or it is too old."""
    async with app.store.read() as tx:
        party = await tx.one(Party, token_hash=secret_hash(token))
        session = await tx.get(Session, party.session) if party else None
    if party is None or session is None:
        raise SignInRequired
    if party.created_ms + app.settings.signin.seat_s * 1000 <= app.clock.now_ms():
        raise SignInRequired
    return session, party


async def issue_ticket(app: Services, party: Party, auth: bytes | None = None) -> str:
    """A ticket for one signaling connection; with ``auth`` it ends with that staff session.

    Raises SessionOver when there is no call, TooMany for a page that comes again and again.
    """
    if not app.limits.tickets.take(party.id, app.clock.now_ms()):
        raise TooMany
    secret = new_secret(app.entropy)
    async with app.store.write() as tx:
        session, party = await load_live(tx, party.id)
        await tx.add(
            Ticket(
                secret_hash=secret_hash(secret),
                party=party.id,
                session=session.id,
                expires_ms=app.clock.now_ms() + TICKET_MS,
                auth=auth,
            )
        )
    return secret


async def redeem_ticket(app: Services, ticket: str) -> Party:
    """Spend a ticket. Raises TicketRefused when it was used, has expired or never existed."""
    async with app.store.write() as tx:
        row = await tx.get(Ticket, secret_hash(ticket))
        party = await tx.get(Party, row.party) if row else None
        if row is not None:
            await tx.remove(Ticket, secret_hash=row.secret_hash)
        good = row is not None and await _signed_in(tx, row)
    if row is None or party is None or not good or row.expires_ms <= app.clock.now_ms():
        await denials.refused(app, TicketRefused.code, party=party.id if party else None)
        raise TicketRefused
    app.seated.note(party.id, row.auth)
    return party


async def _signed_in(tx: Reader, row: Ticket) -> bool:
    """Whether the sign-in that the ticket was asked for by is still there; customers need none."""
    return row.auth is None or await tx.get(AuthSession, row.auth) is not None


async def end_by_staff(app: Services, who: Principal, session_id: str) -> None:
    """The agent ends a session of theirs without being connected to it."""
    async with app.store.read() as tx:
        session = await _own(tx, who, session_id)
    await end_session(app, session.id, "agent_ended")


async def end_session(app: Services, session_id: str, reason: str) -> None:
    """End the call for everyone. What was recorded by consent is kept. Repeating is harmless."""
    close_now(app, session_id, "ended", final=True)
    async with app.store.write() as tx:
        session = await tx.get(Session, session_id)
        if session is None or session.ended_ms is not None:
            return
        decision = await advance(app, tx, session_id, Ended())
        after = await effects.record(app, tx, session, decision)
        now = app.clock.now_ms()
        await tx.put(replace(session, ended_ms=now, end_reason=reason))
        parties = await tx.find(Party, session=session_id)
        await _empty_seats(app, tx, session, parties, now)
        refs = {"reason": reason}
        await leaf(app, tx, "session.ended", session=session, actor="server", refs=refs)
    await effects.speak(app, after, open_gate)
    app.bus.tell_session(session_id, EndedMessage(reason=reason))
    for party in parties:
        app.bus.drop(party.id)
        app.gate.forget(party.id)
        app.seated.forget(party.id)


async def _empty_seats(
    app: Services, tx: Writer, session: Session, parties: list[Party], now: int
) -> None:
    for party in parties:
        if party.presence is not None:
            await tx.put(replace(party, presence=None, seat_deadline_ms=None, left_ms=now))
            refs = {"reason": "ended"}
            await leaf(app, tx, "party.left", session=session, subject=party, refs=refs)
