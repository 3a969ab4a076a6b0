"""The admin's desk: what people ask for, the house's own among them, due when, and what is done
about it. All of it logged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from avsession.errors import Conflict, Invalid, NotFound
from avsession.ports import Reader
from avsession.privacy.requests import Right, State, Step, is_late
from avsession.records import PrivacyRequest
from avsession.session import Party
from avsession.staff_records import StaffRequest
from avsession.usecases import (
    erasing,
    holds,
    objecting,
    requests,
    restricting,
    rights,
    staffrequests,
    stepup,
)
from avsession.usecases.common import load
from avsession.usecases.permissions import PRIVACY_DESK, Principal, require
from avsession.usecases.services import Services

MIN_TEXT = 3
DONE = 100
"""Requests at their end that the desk shows, the newest."""
MOST = 500
"""Requests that wait and are shown, those that are due first; the figures count more of them,
:data:`requests.MOST` of each state and kind."""
CARRIED_OUT = requests.DONE_AT_ONCE
"""What is answered by doing it."""


async def queue(app: Services, who: Principal) -> dict[str, Any]:
    """What waits, the late and the next due in front; what was done last; the figures."""
    require(who, PRIVACY_DESK)
    now = app.clock.now_ms()
    async with app.store.read() as tx:
        waiting = await _waiting(tx)
        waiting.sort(key=lambda row: (row.due_ms, row.id))
        done = await _done(tx, DONE)
        done.sort(key=lambda row: (-(row.done_ms or 0), row.id))
        return {
            "requests": [await _seen(tx, row, now) for row in (*waiting[:MOST], *done[:DONE])],
            "figures": await _figures(tx, now),
        }


async def figures(app: Services, who: Principal) -> dict[str, int]:
    """How many wait, are due soon, late, and what became of the others."""
    require(who, PRIVACY_DESK)
    async with app.store.read() as tx:
        return await _figures(tx, app.clock.now_ms())


async def counted(tx: Reader, now_ms: int) -> dict[str, int]:
    """How many wait for an answer, of parties and of staff; how many of them are due within a
    week, and how many are late."""
    return requests.tally([row.due_ms for row in await _waiting(tx)], now_ms)


async def _figures(tx: Reader, now: int) -> dict[str, int]:
    found = dict.fromkeys(
        ("open", "soon", "late", "answered", "answered_late", "refused", "withdrawn"), 0
    )
    for row in await _waiting(tx):
        late = is_late(State(row.state), row.due_ms, now)
        soon = row.due_ms - now <= requests.SOON_MS
        found["late" if late else "soon" if soon else "open"] += 1
    for row in await _done(tx, requests.MOST):
        was_late = row.state == State.ANSWERED and (row.done_ms or 0) > row.due_ms
        found["answered_late" if was_late else row.state] += 1
    return found


async def _waiting(tx: Reader) -> list[PrivacyRequest | StaffRequest]:
    rows: list[PrivacyRequest | StaffRequest] = [*await requests.waiting(tx)]
    return rows + await staffrequests.waiting(tx, requests.MOST)


async def _done(tx: Reader, limit: int) -> list[PrivacyRequest | StaffRequest]:
    rows: list[PrivacyRequest | StaffRequest] = []
    rows += await tx.find(PrivacyRequest, order="-done_ms", above=0, limit=limit)
    return rows + await staffrequests.done(tx, limit)


async def _seen(tx: Reader, row: PrivacyRequest | StaffRequest, now: int) -> dict[str, Any]:
    if isinstance(row, StaffRequest):
        return await staffrequests.desk_view(tx, row, now)
    return await _view(tx, row, now)


async def _view(tx: Reader, row: PrivacyRequest, now: int) -> dict[str, Any]:
    party = await tx.get(Party, row.party)
    if party is None:
        raise NotFound
    standing = await restricting.of_request(tx, row.id)
    return {
        **requests.view(row),
        "wanted": "",
        "of": "party",
        "session": row.session,
        "party": row.party,
        "name": party.name,
        "role": str(party.role),
        "contact": party.contact or "",
        "carried_out": row.right in CARRIED_OUT,
        "late": is_late(State(row.state), row.due_ms, now),
        "restricts": bool(standing),
        "held": holds.told(await holds.on_party(tx, party)),
    }


async def enter(
    app: Services,
    who: Principal,
    party_id: str,
    right: Right,
    text: str,
    purposes: Sequence[str] = (),
) -> dict[str, Any]:
    """Enter a request that came by another way; it waits until it is verified who asks.

    An objection names the purposes objected to, as a person's own does. An erasure or a restriction
    that waits already is not entered again: it is answered with.

    Raises NotFound, Invalid, TooMany.
    """
    require(who, PRIVACY_DESK)
    text = requests.checked_text(text, MIN_TEXT, "What was asked")
    async with app.store.write() as tx:
        session, party = await load(tx, party_id)
        if not party.name:
            raise NotFound("This person was erased.")
        if right is Right.OBJECT:
            await rights.check_purposes(app, tx, session, purposes)
        elif purposes:
            raise Invalid(rights.NOTHING_ELSE)
        row = None
        if right in CARRIED_OUT:
            row = await requests.waiting_for(tx, party.id, right)
        if row is None:
            row = await requests.receive(
                app, tx, session, party, right, text=text, purposes=purposes, who=who
            )
        return await _view(tx, row, app.clock.now_ms())


async def verify(app: Services, who: Principal, request: str, how: str) -> dict[str, Any]:
    """It is known who asks; ``how`` that was found out is written down. From now on an objection
    restricts what it is about, as a person's own does at once."""
    return await _step(app, who, request, Step.VERIFIED, how)


async def extend(app: Services, who: Principal, request: str, reason: str) -> dict[str, Any]:
    """Take two months more, once; the person reads the reason. Raises Conflict when too late."""
    return await _step(app, who, request, Step.EXTEND, reason)


async def answer(app: Services, who: Principal, request: str, text: str) -> dict[str, Any]:
    """Answer; the person reads it. An objection is upheld by that: its purposes stay shut, and
    what was kept for nothing else is destroyed (:mod:`~.objecting`).

    Raises Conflict for what is answered by carrying it out.
    """
    return await _step(app, who, request, Step.ANSWER, text)


async def refuse(app: Services, who: Principal, request: str, reason: str) -> dict[str, Any]:
    """Refuse, with the reason that the person reads; an objection's restriction ends with it."""
    return await _step(app, who, request, Step.REFUSE, reason)


async def _step(
    app: Services, who: Principal, request: str, step: Step, text: str
) -> dict[str, Any]:
    require(who, PRIVACY_DESK)
    text = requests.checked_text(text, MIN_TEXT, "What you write")
    if staffrequests.is_one(request):
        return await staffrequests.step(app, who, request, step, text)
    async with app.store.write() as tx:
        row = await requests.load(tx, request)
        if step is Step.ANSWER and row.right in CARRIED_OUT:
            raise Conflict("Carry it out, or refuse it with a reason.")
        row = await requests.step(app, tx, row, step, told=text, who=who)
        objects = row.right == Right.OBJECT and step is Step.VERIFIED and bool(row.purposes)
        if objects:
            await restricting.place(
                app, tx, row, restricting.OBJECTION, purposes=row.purposes, who=who
            )
        if step in (Step.ANSWER, Step.REFUSE):
            for standing in await restricting.of_request(tx, row.id):
                if step is Step.ANSWER and standing.why == restricting.OBJECTION:
                    await restricting.narrow(app, tx, standing, who)
                else:
                    await restricting.lift(app, tx, standing, who=who, told=text)
    if objects:
        await rights.shut_now(app, row.party)
    if row.right == Right.OBJECT and step is Step.ANSWER:
        await objecting.carry_out(app, row.party)
    async with app.store.read() as tx:
        return await _view(tx, row, app.clock.now_ms())


async def carry_out(app: Services, who: Principal, request: str) -> dict[str, Any]:
    """Erase or restrict, as was asked; what the person would be told if they did it themselves.
    Or correct the name of a member of staff.

    Raises Conflict when it cannot be done in this state or is nothing to be carried out,
    SessionLive for an erasure while the call goes on.
    """
    require(who, PRIVACY_DESK)
    if staffrequests.is_one(request):
        return await staffrequests.carry_out(app, who, request)
    async with app.store.write() as tx:
        row = await requests.load(tx, request)
        if row.right not in CARRIED_OUT:
            raise Conflict("That is answered in words.")
        if row.state not in (State.OPEN, State.EXTENDED):
            raise Conflict("Verify first who asks.")
        if row.right == Right.ERASE:
            await stepup.spend(app, tx, who, stepup.ERASE, request)
        if row.right == Right.RESTRICT:
            await rights.shut(app, tx, row, who)
    if row.right == Right.RESTRICT:
        await rights.shut_now(app, row.party)
        return {"state": "restricted"}
    done = await erasing.carry_out(app, row, who)
    return {"state": done["state"]}


async def lift(app: Services, who: Principal, request: str, reason: str) -> dict[str, Any]:
    """End the restriction that a request brought, with a reason that is written down.

    What a hold keeps of somebody who is to be erased stays shut: raises Conflict, also when
    nothing is restricted by it.
    """
    require(who, PRIVACY_DESK)
    reason = requests.checked_text(reason, MIN_TEXT, "A reason")
    async with app.store.write() as tx:
        row = await requests.load(tx, request)
        standing = await restricting.of_request(tx, row.id)
        if not standing or any(one.why == restricting.KEPT for one in standing):
            raise Conflict("There is no restriction of this request that can be lifted.")
        for one in standing:
            await restricting.lift(app, tx, one, who=who, told=reason)
        return await _view(tx, row, app.clock.now_ms())
