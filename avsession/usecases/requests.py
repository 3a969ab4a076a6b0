"""Privacy requests as rows: received, moved on step by step, shown. Each step is a leaf.

What is written freely (the person's words, a reason, an answer) stands in the row and, salted,
beside the leaf; erasing the person removes both.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from avsession.errors import Conflict, Invalid, NotFound, TooMany
from avsession.ports import Reader, Writer
from avsession.privacy.requests import (
    TABLE,
    WAITING,
    Right,
    State,
    Step,
    advance,
    due_ms,
    may_extend,
)
from avsession.records import PrivacyRequest
from avsession.session import Party, Session, new_id
from avsession.usecases.common import leaf
from avsession.usecases.permissions import Principal
from avsession.usecases.services import Services

SOON_MS = 7 * 86_400_000
"""A request is due soon when its answer is owed within a week."""
MAX_TEXT = 4000
"""Characters of what is written freely."""
MAX_WAITING = 10
"""Requests of one party that were put to the desk and wait for an answer."""
MAX_ALL = 200
"""Requests of one party that were put to the desk, whatever became of them."""
DONE_AT_ONCE = (Right.ERASE, Right.RESTRICT)
"""What is carried out and needs no words: never refused because of what else was asked for."""
MOST = 10_000
"""Requests that are gone through at once."""


def checked_text(text: str, least: int, what: str) -> str:
    """``least`` to :data:`MAX_TEXT` characters, in lines; raises Invalid."""
    text = "\n".join(line.rstrip() for line in text.strip().splitlines())
    odd = any(unicodedata.category(c)[0] == "C" and c not in "\n\t" for c in text)
    if not least <= len(text) <= MAX_TEXT or odd:
        raise Invalid(f"{what} has {least} to {MAX_TEXT} printable characters.")
    return text


async def receive(  # noqa: PLR0913 - who asks for whom, what, and in which words
    app: Services,
    tx: Writer,
    session: Session,
    party: Party,
    right: Right,
    *,
    text: str = "",
    purposes: Sequence[str] = (),
    who: Principal | None = None,
    actor: str | None = None,
) -> PrivacyRequest:
    """Take a request in. From the holder of the private link it is open; what ``who`` enters for
    somebody waits until it is verified who that is. ``actor``: who asks in their stead and needs
    no verifying. Raises TooMany when it is put to the desk and too many are there; Invalid for a
    text that is too long.
    """
    if _at_desk(right, text):
        await _check_desk(tx, party)
    now = app.clock.now_ms()
    row = PrivacyRequest(
        id=new_id("prv", app.entropy),
        session=session.id,
        party=party.id,
        right=str(right),
        state=str(State.VERIFYING if who else State.OPEN),
        text=checked_text(text, 0, "What you write"),
        purposes=list(purposes),
        by="staff" if who or actor else "party",
        received_ms=now,
        due_ms=due_ms(now),
    )
    await tx.add(row)
    details = {"text": row.text} if row.text else {}
    await leaf(
        app,
        tx,
        "privacy.requested",
        session=session,
        subject=party,
        actor=who.pseudonym if who else actor,
        refs={
            "privacy_request": row.id,
            "right": row.right,
            "by": row.by,
            "purposes": row.purposes,
            "received_ms": row.received_ms,
            "due_ms": row.due_ms,
        },
        details=details | ({"account": who.account} if who else {}),
    )
    return row


def _at_desk(right: str, text: str) -> bool:
    """Whether somebody must answer it; a correction without words was made by the person."""
    return right not in DONE_AT_ONCE and (right != Right.RECTIFY or bool(text.strip()))


async def _check_desk(tx: Reader, party: Party) -> None:
    there = await tx.count(PrivacyRequest, party=party.id)
    there -= await tx.count(PrivacyRequest, party=party.id, right=str(Right.RECTIFY), text="")
    for right in DONE_AT_ONCE:
        there -= await tx.count(PrivacyRequest, party=party.id, right=str(right))
    open_ = await tx.find(PrivacyRequest, party=party.id, done_ms=None, limit=MOST)
    if there >= MAX_ALL or sum(_at_desk(row.right, row.text) for row in open_) >= MAX_WAITING:
        raise TooMany("There are too many requests; wait until they are answered.")


async def at_once(
    app: Services, tx: Writer, session: Session, party: Party, right: Right
) -> PrivacyRequest:
    """The open request of the link's holder for what is done at once: the one that waits, or new.

    One that was entered at the desk is verified by that: the link says who asks. Raises TooMany
    when new ones come faster than :data:`limits.RIGHT_EVERY_MS` allows.
    """
    row = await waiting_for(tx, party.id, right) if right in DONE_AT_ONCE else None
    if row is None:
        if not app.limits.rights.take(f"{right} {party.id}", app.clock.now_ms()):
            raise TooMany
        return await receive(app, tx, session, party, right)
    return await step(app, tx, row, Step.VERIFIED) if row.state == State.VERIFYING else row


async def step(
    app: Services,
    tx: Writer,
    row: PrivacyRequest,
    what: Step,
    *,
    told: str = "",
    who: Principal | None = None,
    actor: str | None = None,
) -> PrivacyRequest:
    """Move a request on, and write that down; the row as it is now.

    ``told``: the reason or the answer, which the person reads. ``actor``: who acted, if that was
    neither ``who`` nor the person. Raises Conflict when it cannot go on so, or an extension
    comes after the first month.
    """
    state = advance(State(row.state), what)
    now = app.clock.now_ms()
    if what is Step.EXTEND:
        if not may_extend(row.received_ms, now):
            raise Conflict("More time can be taken within the first month only.")
        row = replace(row, due_ms=due_ms(row.received_ms, extended=True), extension=told)
    elif state not in WAITING:
        row = replace(row, answer=told, done_ms=now)
    row = replace(row, state=str(state))
    await tx.put(row)
    details = {"told": told} if told else {}
    await leaf(
        app,
        tx,
        "privacy.answered",
        session=await tx.get(Session, row.session),
        subject=await tx.get(Party, row.party),
        actor=who.pseudonym if who else actor,
        refs={"privacy_request": row.id, "step": str(what), "due_ms": row.due_ms},
        details=details | ({"account": who.account} if who else {}),
    )
    return row


async def load(tx: Reader, request: str) -> PrivacyRequest:
    """A request; raises NotFound."""
    row = await tx.get(PrivacyRequest, request)
    if row is None:
        raise NotFound
    return row


async def check_waiting(tx: Reader, request: str) -> None:
    """Raise Conflict when nobody waits for this request's answer any more."""
    if (await load(tx, request)).state not in WAITING:
        raise Conflict("This request has ended meanwhile.")


async def waiting_for(tx: Reader, party: str, right: Right) -> PrivacyRequest | None:
    """This party's request for a right that waits for an answer, if there is one."""
    rows = await tx.find(PrivacyRequest, party=party, right=str(right), order="received_ms")
    return next((row for row in rows if row.state in WAITING), None)


async def waiting(tx: Reader) -> list[PrivacyRequest]:
    """Every request that waits for an answer, the one that is due first in front."""
    found = [
        row
        for state in WAITING
        for row in await tx.find(PrivacyRequest, state=str(state), order="due_ms", limit=MOST)
    ]
    return sorted(found, key=lambda row: (row.due_ms, row.id))


def tally(due: Sequence[int], now_ms: int) -> dict[str, int]:
    """Of answers that are owed at these times (ms): how many, due soon, and late."""
    late = sum(one <= now_ms for one in due)
    return {
        "open": len(due),
        "soon": sum(one - now_ms <= SOON_MS for one in due) - late,
        "late": late,
    }


async def views(tx: Reader, party: str) -> list[dict[str, Any]]:
    """A party's requests as they are told to it, the newest first."""
    rows = await tx.find(PrivacyRequest, party=party, order="-received_ms", limit=MAX_ALL)
    return [view(row) for row in rows]


def view(row: PrivacyRequest) -> dict[str, Any]:
    """A request as the person sees it. Times: ms since the Unix epoch."""
    return {
        "request": row.id,
        "right": row.right,
        "state": row.state,
        "text": row.text,
        "purposes": row.purposes,
        "by": row.by,
        "received_ms": row.received_ms,
        "due_ms": row.due_ms,
        "extension": row.extension,
        "answer": row.answer,
        "done_ms": row.done_ms,
    }


async def forget(app: Services, tx: Writer, party: Party, nobody: Party) -> None:
    """The person is erased: what waits has ended with that, and no word of theirs is left."""
    while rows := await tx.find(PrivacyRequest, party=party.id, limit=MOST):
        for row in rows:
            if row.state in WAITING:
                can = (State(row.state), Step.ANSWER) in TABLE
                what = Step.ANSWER if can else Step.WITHDRAW
                row = await step(app, tx, row, what, actor="server")  # noqa: PLW2901
            await tx.put(replace(row, party=nobody.id, text="", extension="", answer=""))
