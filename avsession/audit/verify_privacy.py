"""Privacy requests, of parties and of staff, and restrictions, against the leaves that speak of
them, and the other way.

A request's leaves are gone through once more by the rules of ``privacy.requests``: the row must
stand where they lead. A leaf that asks for something and names no request is of something else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from avsession.audit.absence import Absences
from avsession.audit.findings import Findings, rows
from avsession.audit.verify_leaves import Body, bodies
from avsession.audit.verify_people import People, is_then
from avsession.canonical import canonical
from avsession.errors import Conflict
from avsession.ports import Reader
from avsession.privacy.requests import WAITING, State, Step, advance
from avsession.records import Detail, PrivacyRequest, Restriction
from avsession.staff_records import StaffRequest

R = TypeVar("R", PrivacyRequest, StaffRequest)
PARTYS, STAFFS = "privacy_request", "staff_request"
"""What a leaf's reference to a request is called: of a party, of a member of staff."""


class _Told(msgspec.Struct):
    """What the leaves say of a request so far."""

    asked: Body
    state: State
    due_ms: Any
    extended: Body | None = None
    ended: Body | None = None


class _Stands(msgspec.Struct):
    """What the leaves say of a restriction so far."""

    placed: Body
    whole: bool = True
    lifted: Body | None = None


async def privacy(tx: Reader, absences: Absences, people: People, findings: Findings) -> None:
    """Check every privacy request and every restriction."""
    check = _Check(tx, absences, people)
    await _requests(tx, PrivacyRequest, PARTYS, check.request, findings)
    await _requests(tx, StaffRequest, STAFFS, check.staff_request, findings)
    await _restrictions(tx, check, findings)


async def _requests(
    tx: Reader,
    kind: type[R],
    called: str,
    check: Callable[[R, _Told], Awaitable[str]],
    findings: Findings,
) -> None:
    """Every request of one kind."""
    told = await _told(tx, called, findings)
    for name, one in told.items():
        row = await tx.get(kind, name)
        if row is None:
            gone = f"is gone, though leaf {one.asked.index} speaks of it"
            findings.add(7, f"{called} {name}", gone)
        elif wrong := await check(row, one):
            findings.add(7, f"{called} {name}", f"{wrong} (leaf {one.asked.index})")
    async for row in rows(tx, kind, "id"):
        if row.id not in told:
            findings.add(7, f"{called} {row.id}", "no leaf speaks of it")


async def _told(tx: Reader, called: str, findings: Findings) -> dict[str, _Told]:
    """Where the leaves lead, request by request."""
    told: dict[str, _Told] = {}
    async for body in bodies(tx, "privacy.requested"):
        if called in body.refs:
            # the server asks in somebody's stead: there is nobody whose identity is in question
            verifying = body.refs.get("by") == "staff" and body.actor != "server"
            state = State.VERIFYING if verifying else State.OPEN
            told[str(body.refs[called])] = _Told(body, state, body.refs.get("due_ms"))
    async for body in bodies(tx, "privacy.answered"):
        if called not in body.refs:
            continue
        name = str(body.refs[called])
        one = told.get(name)
        if one is None or one.asked.index > body.index:
            findings.add(7, f"{called} {name}", f"leaf {body.index} comes before any asking")
            continue
        try:
            step = Step(str(body.refs.get("step")))
            one.state = advance(one.state, step)
        except (ValueError, Conflict):
            findings.add(7, f"{called} {name}", f"cannot have gone on by leaf {body.index}")
            continue
        one.due_ms = body.refs.get("due_ms")
        if step is Step.EXTEND:
            one.extended = body
        elif one.state not in WAITING:
            one.ended = body
    return told


async def _restrictions(tx: Reader, check: _Check, findings: Findings) -> None:
    """One that was taken away, or called lifted, would open what it shuts."""
    stands: dict[str, _Stands] = {}
    async for body in bodies(tx, "subject.restricted"):
        name, what = str(body.refs.get("restriction")), body.refs.get("what")
        if what == "placed":
            stands[name] = _Stands(body)
        elif name in stands and what == "narrowed":
            stands[name].whole = False
        elif name in stands and what == "lifted":
            stands[name].lifted = body
    for name, one in stands.items():
        row = await tx.get(Restriction, name)
        if row is None:
            gone = f"is gone, though leaf {one.placed.index} speaks of it"
            findings.add(7, f"restriction {name}", gone)
        elif wrong := await check.restriction(row, one):
            findings.add(7, f"restriction {name}", f"{wrong} (leaf {one.placed.index})")
    async for row in rows(tx, Restriction, "id"):
        if row.id not in stands:
            findings.add(7, f"restriction {row.id}", "no leaf speaks of it")


class _Check:
    """A row against what its leaves lead to; each says what is wrong, empty when nothing is."""

    def __init__(self, tx: Reader, absences: Absences, people: People) -> None:
        self._tx, self._absences, self._people = tx, absences, people

    async def request(self, row: PrivacyRequest, one: _Told) -> str:
        """A privacy request's row."""
        refs = one.asked.refs
        said = (row.right, row.by, row.purposes, row.received_ms)
        if said != tuple(refs.get(name) for name in ("right", "by", "purposes", "received_ms")):
            return "is not what was asked"
        if wrong := self._stands(row, one):
            return wrong
        if not await self._is_about(row.session, row.party, one.asked):
            return "is somebody else's"
        return await self._words(row, one)

    async def staff_request(self, row: StaffRequest, one: _Told) -> str:
        """A row of what a member of staff asked for."""
        refs = one.asked.refs
        said = (row.right, row.by, row.received_ms)
        if said != tuple(refs.get(name) for name in ("right", "by", "received_ms")):
            return "is not what was asked"
        if wrong := self._stands(row, one):
            return wrong
        whose = await self._tx.get(Detail, one.asked.index, "of")
        if whose is None or whose.value != canonical(row.account):
            return "is somebody else's"
        if not await self._is_said(row.wanted, one.asked, "wanted"):
            return "does not want what was written down"
        return await self._words(row, one)

    def _stands(self, row: PrivacyRequest | StaffRequest, one: _Told) -> str:
        if (row.state, row.due_ms) != (str(one.state), one.due_ms):
            return f"does not stand where the log says: {one.state}"
        return "" if _is_at(row.done_ms, one.ended) else "its end is not the log's"

    async def _words(self, row: PrivacyRequest | StaffRequest, one: _Told) -> str:
        texts = (
            (row.text, one.asked, "text"),
            (row.extension, one.extended, "told"),
            (row.answer, one.ended, "told"),
        )
        for text, body, field in texts:
            if not await self._is_said(text, body, field):
                return "its words are not those that were written down"
        return ""

    async def restriction(self, row: Restriction, one: _Stands) -> str:
        """A restriction's row."""
        names = ("privacy_request", "why", "purposes")
        if (row.request, row.why, row.purposes) != tuple(one.placed.refs.get(n) for n in names):
            return "is not the one that was placed"
        if row.whole != one.whole or not _is_at(row.lifted_ms, one.lifted):
            return "does not stand as the log says"
        if not await self._is_about(row.session, row.party, one.placed):
            return "is about somebody else"
        if not is_then(row.placed_ms, one.placed):
            return "was placed at another time"
        if row.lifted_by != _who(one.lifted):
            return "was lifted by somebody else"
        if not await self._is_said(row.lift_reason, one.lifted, "reason"):
            return "was lifted for another reason"
        return ""

    async def _is_about(self, session: str, party: str, body: Body) -> bool:
        return await self._people.is_in(session, body) and await self._people.is_whose(party, body)

    async def _is_said(self, text: str, body: Body | None, field: str) -> bool:
        """Whether a text is the one that a leaf commits to; none where there is none, or none any
        more."""
        if body is None or self._absences.erased(body.subject or "", body.index):
            return text == ""
        detail = await self._tx.get(Detail, body.index, field)
        return text == "" if detail is None else detail.value == canonical(text)


def _is_at(at_ms: int | None, body: Body | None) -> bool:
    """Whether a time stands in the row just when a leaf says that it happened."""
    if at_ms is None or body is None:
        return at_ms is None and body is None
    return is_then(at_ms, body)


def _who(lifted: Body | None) -> str:
    """Who lifted a restriction, by who acted: the person themselves, the server, or staff."""
    if lifted is None:
        return ""
    if lifted.actor == lifted.subject:
        return "party"
    return "server" if lifted.actor == "server" else "staff"
