"""What the holder of a private link can do with their rights: each at once, or put to the desk.

Withdrawing consent is ``mydata.withdraw``, erasing is ``erasing``. Everything here is of the
link's party alone.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from avsession.canonical import sha256_hex
from avsession.errors import AvsessionError, Conflict, Invalid, NotFound
from avsession.messages import Parties, StopRecording
from avsession.messages.common import Message
from avsession.ports import Reader, Writer
from avsession.privacy.requests import Right, Step
from avsession.records import PrivacyRequest, Recording
from avsession.session import Party, Session
from avsession.usecases import consent, mydata, requests, restricting, views
from avsession.usecases.common import answered_before, leaf, load, remember
from avsession.usecases.permissions import Principal
from avsession.usecases.services import Services
from avsession.usecases.sessions import checked_name, end_session

log = logging.getLogger("avsession.rights")

TO_THE_DESK = (Right.ACCESS, Right.RECTIFY, Right.OBJECT, Right.COMPLAIN)
"""What can be put to the desk in words; the others are done at once."""
WORDS = (Right.RECTIFY, Right.COMPLAIN)
"""Those that say nothing without words."""
NOTHING_ELSE = "Purposes are objected to, nothing else."
MIN_TEXT = 3
MAX_CONTACT = 200


class Asked(Message, frozen=True, kw_only=True, tag="privacy.ask"):
    """What was put to the desk, so that a repeat under the same key is known as one."""

    right: str
    text: str
    purposes: tuple[str, ...]


async def ask(
    app: Services, secret: str, right: Right, text: str, purposes: Sequence[str], key: str
) -> dict[str, Any]:
    """Put a request to the desk; the request. An objection restricts at once what it is about.

    ``key`` makes a repeat harmless. Raises LinkSpent, Invalid, TooMany, Conflict when the key
    was used for something else.
    """
    if right not in TO_THE_DESK:
        raise Invalid("That right is used in another way.")
    text = requests.checked_text(text, MIN_TEXT if right in WORDS else 0, "What you write")
    message = Asked(right=str(right), text=text, purposes=tuple(purposes))
    key = sha256_hex(f"privacy {key}".encode())
    holder = await mydata.holder(app, secret)
    async with app.store.write() as tx:
        if (said := await answered_before(tx, holder.id, key, message)) is not None:
            return requests.view(await requests.load(tx, said["request"]))
        session, party = await load(tx, holder.id)
        if right is Right.OBJECT:
            await check_purposes(app, tx, session, purposes)
        elif purposes:
            raise Invalid(NOTHING_ELSE)
        row = await requests.receive(app, tx, session, party, right, text=text, purposes=purposes)
        if right is Right.OBJECT:
            await restricting.place(app, tx, row, restricting.OBJECTION, purposes=purposes)
        await remember(app, tx, party.id, key, message, {"request": row.id})
    if right is Right.OBJECT:
        await _shut(app, party.id)
    return requests.view(row)


async def check_purposes(
    app: Services, tx: Reader, session: Session, purposes: Sequence[str]
) -> None:
    """They are purposes that there are, or that something of this session was recorded for.

    Raises Invalid when they are not, when there are none, or one stands twice.
    """
    known = {purpose.id for purpose in app.settings.consent.purposes}
    for recording in await tx.find(Recording, session=session.id):
        known |= set(recording.purposes)
    if not purposes or not set(purposes) <= known or len(set(purposes)) != len(purposes):
        raise Invalid("Name at least one purpose that you object to, each once.")


async def _shut(app: Services, party: str) -> None:
    """A restriction was committed: what runs ends, and what is watched is closed.

    A recording that runs is ended as by `Stop recording`; what cannot be ended now is still kept
    from everybody.
    """
    gate = app.gate.of_party(party)
    if gate is not None:
        message = StopRecording(
            request=gate.request, key=sha256_hex(f"restrict {gate.request}".encode())
        )
        try:
            await consent.stop(app, party, message)
        except AvsessionError as error:
            log.warning("a restricted recording could not be stopped: %s", error.code)
    await restricting.hide(app, party)


async def withdraw_request(app: Services, secret: str, request: str) -> dict[str, Any]:
    """Take a request back, with the restriction that came with it. Raises NotFound, Conflict."""
    holder = await mydata.holder(app, secret)
    async with app.store.write() as tx:
        row = await _own(tx, holder, request)
        row = await requests.step(app, tx, row, Step.WITHDRAW)
        for restriction in await restricting.of_request(tx, row.id):
            await restricting.lift(app, tx, restriction)
    return requests.view(row)


async def _own(tx: Reader, holder: Party, request: str) -> PrivacyRequest:
    row = await tx.get(PrivacyRequest, request)
    if row is None or row.party != holder.id:
        raise NotFound
    return row


# --- restrict


async def restrict(app: Services, secret: str) -> dict[str, Any]:
    """Restrict at once; the request, which is answered with that. Repeating changes nothing.

    Raises LinkSpent, TooMany.
    """
    holder = await mydata.holder(app, secret)
    async with app.store.write() as tx:
        session, party = await load(tx, holder.id)
        for standing in await restricting.of_party(tx, party.id):
            if standing.why == restricting.ASKED:
                return requests.view(await requests.load(tx, standing.request))
        row = await requests.at_once(app, tx, session, party, Right.RESTRICT)
        row = await shut(app, tx, row)
    await _shut(app, party.id)
    return requests.view(row)


async def shut(
    app: Services, tx: Writer, row: PrivacyRequest, who: Principal | None = None
) -> PrivacyRequest:
    """Carry a request for restriction out; afterwards call :func:`shut_now`."""
    await restricting.place(app, tx, row, restricting.ASKED, who=who)
    return await requests.step(app, tx, row, Step.ANSWER, who=who)


async def shut_now(app: Services, party: str) -> None:
    """After the commit of a restriction: end what runs and what is watched."""
    await _shut(app, party)


async def lift(app: Services, secret: str) -> dict[str, Any]:
    """End the restriction that the person asked for. Raises Conflict when there is none."""
    holder = await mydata.holder(app, secret)
    async with app.store.write() as tx:
        rows = await restricting.of_party(tx, holder.id)
        mine = [row for row in rows if row.why == restricting.ASKED]
        if not mine:
            raise Conflict("Nothing is restricted at your request.")
        for row in mine:
            await restricting.lift(app, tx, row)
    return {"lifted": len(mine)}


# --- correct


def checked_contact(contact: str) -> str:
    """Where somebody wishes to be told: one line, printable, or nothing. Raises Invalid."""
    contact = " ".join(contact.split())
    odd = any(unicodedata.category(c)[0] == "C" for c in contact)
    if odd or len(contact) > MAX_CONTACT or 0 < len(contact) < MIN_TEXT:
        raise Invalid(f"A contact has {MIN_TEXT} to {MAX_CONTACT} printable characters.")
    return contact


async def rectify(
    app: Services, secret: str, name: str | None, contact: str | None
) -> dict[str, Any]:
    """Correct the name, or the contact, at once; what is kept now.

    None leaves it as it is; an empty contact removes it. The log keeps what it said before, as
    salted details, until the person is erased. Raises Invalid, LinkSpent, TooMany.
    """
    holder = await mydata.holder(app, secret)
    async with app.store.write() as tx:
        session, party = await load(tx, holder.id)
        if said := wanted(party, name, contact):
            row = await requests.at_once(app, tx, session, party, Right.RECTIFY)
            party = await put_right(app, tx, session, party, row, said)
            await requests.step(app, tx, row, Step.ANSWER)
    if said:
        await tell_name(app, session)
    return {"name": party.name, "contact": party.contact or ""}


def wanted(party: Party, name: str | None, contact: str | None) -> dict[str, str | None]:
    """What of these would change what is kept, checked. Raises Invalid."""
    found: dict[str, str | None] = {}
    if name is not None and (checked := checked_name(name)) != party.name:
        found["name"] = checked
    if contact is not None and (said := checked_contact(contact) or None) != party.contact:
        found["contact"] = said
    return found


async def put_right(
    app: Services,
    tx: Writer,
    session: Session,
    party: Party,
    row: PrivacyRequest,
    wanted: Mapping[str, str | None],
    who: Principal | None = None,
) -> Party:
    """Correct these fields because of a request, by ``who`` or the person; the party as it is now.

    After the commit call :func:`tell_name`.
    """
    for field, new in wanted.items():
        details = {"old": getattr(party, field), "new": new}
        await leaf(
            app,
            tx,
            "subject.rectified",
            session=session,
            subject=party,
            actor=who.pseudonym if who else None,
            refs={"field": field, "privacy_request": row.id},
            details=details | ({"account": who.account} if who else {}),
        )
    party = replace(party, **wanted)
    await tx.put(party)
    return party


async def tell_name(app: Services, session: Session) -> None:
    """After the commit of a correction: a call that goes on shows the name."""
    if session.ended_ms is not None:
        return
    async with app.store.read() as tx:
        seated = await views.parties(app, tx, session.id)
    app.bus.tell_session(session.id, Parties(parties=seated))


# --- what a live call keeps from being erased


async def end_call(app: Services, secret: str) -> dict[str, Any]:
    """End the call for everyone, so that the person can be erased. Repeating is harmless."""
    holder = await mydata.holder(app, secret)
    await end_session(app, holder.session, "person_ended")
    return {"state": "ended"}
