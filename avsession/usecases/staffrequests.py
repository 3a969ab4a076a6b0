"""What members of staff ask for about their own data: put to the desk, answered like anybody's.

Who is signed in asks in words; who has left writes, and the desk enters it. Nothing is done at
once: what is kept for somebody's work is the house's to weigh. A correction may name the name that
is to stand instead, and is answered by carrying it out. Nobody answers their own request while
there is somebody else who can.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from avsession.errors import Conflict, Invalid, NotFound, TooMany
from avsession.ports import Reader
from avsession.privacy import retention as rules
from avsession.privacy.requests import WAITING, Right, State, Step, advance, due_ms, is_late
from avsession.privacy.requests import may_extend as extendable
from avsession.privacy.retention import Rule
from avsession.records import Account, Detail, Leaf
from avsession.session import new_id
from avsession.staff_records import StaffRequest
from avsession.usecases import leaving, requests
from avsession.usecases.common import leaf
from avsession.usecases.permissions import PERMISSIONS, PRIVACY_DESK, Principal, require
from avsession.usecases.services import Services
from avsession.usecases.sessions import checked_name
from avsession.usecases.sweep import Cursor, Look, Sweep, applied, page

PREFIX = "stq"
"""What the identifier of such a request begins with."""
MIN_TEXT = 3
MAX_WAITING = 10
"""Requests of one account that wait for an answer."""
MAX_ALL = 200
"""Requests of one account that are told, the newest."""
MANY = 1000
LEAVES = 1_000_000


def is_one(request: str) -> bool:
    """Whether this is the identifier of such a request."""
    return request.startswith(f"{PREFIX}_")


async def ask(
    app: Services, who: Principal, right: Right, text: str, wanted: str = ""
) -> dict[str, Any]:
    """Put a request of one's own to the desk; the request.

    ``wanted``: the name that is to stand instead, for a correction. Raises Invalid, TooMany.
    """
    return await _receive(app, who, who.account, right, text, wanted, by="account")


async def enter(
    app: Services, who: Principal, account: str, right: Right, text: str
) -> dict[str, Any]:
    """Enter what a member of staff, or one who has left, asked another way; it waits until it is
    verified who asks. Raises NotFound, Invalid, TooMany.
    """
    require(who, PRIVACY_DESK)
    return await _receive(app, who, account, right, text, "", by="staff")


async def _receive(
    app: Services, who: Principal, account_id: str, right: Right, text: str, wanted: str, *, by: str
) -> dict[str, Any]:
    if wanted and right is not Right.RECTIFY:
        raise Invalid("A name is corrected, nothing else.")
    wanted = checked_name(wanted) if wanted else ""
    text = requests.checked_text(text, 0 if wanted else MIN_TEXT, "What you write")
    now = app.clock.now_ms()
    row = StaffRequest(
        id=new_id(PREFIX, app.entropy),
        account=account_id,
        right=str(right),
        state=str(State.VERIFYING if by == "staff" else State.OPEN),
        text=text,
        wanted=wanted,
        by=by,
        received_ms=now,
        due_ms=due_ms(now),
    )
    async with app.store.write() as tx:
        account = await tx.get(Account, account_id)
        if account is None:
            raise NotFound
        if await tx.count(StaffRequest, account=account_id, done_ms=None) >= MAX_WAITING:
            raise TooMany("There are too many requests; wait until they are answered.")
        await tx.add(row)
        words = {"text": row.text, "wanted": row.wanted}
        await leaf(
            app,
            tx,
            "privacy.requested",
            actor=who.pseudonym,
            refs={
                "staff_request": row.id,
                "right": row.right,
                "by": row.by,
                "received_ms": row.received_ms,
                "due_ms": row.due_ms,
            },
            details={"of": row.account, "account": who.account}
            | {name: word for name, word in words.items() if word},
        )
        return await desk_view(tx, row, now) if by == "staff" else view(row)


async def withdraw(app: Services, who: Principal, request: str) -> dict[str, Any]:
    """Take a request of one's own back. Raises NotFound, Conflict."""
    async with app.store.read() as tx:
        row = await _load(tx, request)
    if row.account != who.account:
        raise NotFound
    return view(await _go(app, who, request, Step.WITHDRAW, ""))


async def step(
    app: Services, who: Principal, request: str, what: Step, text: str
) -> dict[str, Any]:
    """A step that the desk takes in words; the request as the desk sees it.

    Raises NotFound, Conflict for what cannot follow, for one's own request while somebody else
    could take the step, and for what is answered by carrying it out.
    """
    require(who, PRIVACY_DESK)
    async with app.store.read() as tx:
        row = await _load(tx, request)
        await _another(tx, who, row)
    if what is Step.ANSWER and row.wanted:
        raise Conflict("Carry it out, or refuse it with a reason.")
    row = await _go(app, who, request, what, text)
    async with app.store.read() as tx:
        return await desk_view(tx, row, app.clock.now_ms())


async def carry_out(app: Services, who: Principal, request: str) -> dict[str, str]:
    """Correct the name as was asked: of the account, and in the sessions that it was in.

    Raises NotFound, Conflict.
    """
    require(who, PRIVACY_DESK)
    async with app.store.write() as tx:
        row = await _load(tx, request)
        await _another(tx, who, row)
        account = await tx.get(Account, row.account)
        if account is None or not row.wanted:
            raise Conflict("That is answered in words.")
        if row.state not in (State.OPEN, State.EXTENDED):
            raise Conflict("This request has ended meanwhile.")
        if leaving.is_gone(account):
            raise Conflict("Their name is in no record any more.")
        await tx.put(replace(account, name=row.wanted))
        await leaf(
            app,
            tx,
            "subject.rectified",
            actor=who.pseudonym,
            refs={"field": "name", "staff_request": row.id},
            details={"of": row.account, "account": who.account},
        )
    await leaving.rename(app, row.account, row.wanted)
    await _go(app, who, request, Step.ANSWER, "")
    return {"state": "corrected"}


async def _go(app: Services, who: Principal, request: str, what: Step, told: str) -> StaffRequest:
    """Move it on, and write that down."""
    async with app.store.write() as tx:
        row = await _load(tx, request)
        state, now = advance(State(row.state), what), app.clock.now_ms()
        if what is Step.EXTEND:
            if not extendable(row.received_ms, now):
                raise Conflict("More time can be taken within the first month only.")
            row = replace(row, due_ms=due_ms(row.received_ms, extended=True), extension=told)
        elif state not in WAITING:
            row = replace(row, answer=told, done_ms=now)
        row = replace(row, state=str(state))
        await tx.put(row)
        await leaf(
            app,
            tx,
            "privacy.answered",
            actor=who.pseudonym,
            refs={"staff_request": row.id, "step": str(what), "due_ms": row.due_ms},
            details={"account": who.account} | ({"told": told} if told else {}),
        )
    return row


async def _load(tx: Reader, request: str) -> StaffRequest:
    row = await tx.get(StaffRequest, request)
    if row is None:
        raise NotFound
    return row


async def _another(tx: Reader, who: Principal, row: StaffRequest) -> None:
    """Raise Conflict for one's own request while somebody else has the desk, too."""
    if row.account != who.account:
        return
    others = await tx.find(Account, disabled=False, limit=MANY)
    if any(PRIVACY_DESK in PERMISSIONS[one.role] for one in others if one.id != who.account):
        raise Conflict("Somebody else has to answer your request.")


# --- looking


async def waiting(tx: Reader, limit: int) -> list[StaffRequest]:
    """Those that wait for an answer, the one that is due first in front; at most so many."""
    rows = await tx.find(StaffRequest, done_ms=None, limit=limit)
    return sorted(rows, key=lambda row: (row.due_ms, row.id))


async def done(tx: Reader, limit: int) -> list[StaffRequest]:
    """Those at their end, the newest in front."""
    return await tx.find(StaffRequest, order="-done_ms", above=0, limit=limit)


async def views(tx: Reader, account: str) -> list[dict[str, Any]]:
    """An account's requests as they are told to it, the newest first."""
    rows = await tx.find(StaffRequest, account=account, limit=10_000)
    rows.sort(key=lambda row: (-row.received_ms, row.id))
    return [view(row) for row in rows[:MAX_ALL]]


def view(row: StaffRequest) -> dict[str, Any]:
    """A request as who asked sees it. Times: ms since the Unix epoch."""
    return {
        "request": row.id,
        "right": row.right,
        "state": row.state,
        "text": row.text,
        "wanted": row.wanted,
        "by": row.by,
        "received_ms": row.received_ms,
        "due_ms": row.due_ms,
        "extension": row.extension,
        "answer": row.answer,
        "done_ms": row.done_ms,
    }


async def desk_view(tx: Reader, row: StaffRequest, now: int) -> dict[str, Any]:
    """A request as the desk sees it, with the same fields as a party's."""
    account = await tx.get(Account, row.account)
    if account is None:
        raise NotFound
    return {
        **view(row),
        "purposes": [],
        "of": "staff",
        "session": "",
        "party": row.account,
        "name": account.name,
        "role": account.role,
        "contact": leaving.login_of(account),
        "carried_out": bool(row.wanted),
        "late": is_late(State(row.state), row.due_ms, now),
        "restricts": False,
        "held": None,
    }


# --- words whose time is over


async def _old(app: Services, tx: Reader, rule: Rule, now_ms: int, after: Cursor | None) -> Look:
    rows, on = await page(tx, StaffRequest, "done_ms", "id", after, below=rule.cut(now_ms) + 1)
    said = [row for row in rows if row.text or row.wanted or row.extension or row.answer]
    return Look(due=tuple(row.id for row in said), after=on)


async def _forget(app: Services, rule: Rule, ids: Sequence[str], now_ms: int) -> list[str]:
    """What was asked and answered stays, without the words; the leaf names those that they stood
    beside."""
    gone: list[str] = []
    texts: list[int] = []
    async with app.store.write() as tx:
        for name in ids:
            row = await tx.get(StaffRequest, name)
            if row is not None and row.done_ms is not None and row.done_ms <= rule.cut(now_ms):
                await tx.put(replace(row, text="", wanted="", extension="", answer=""))
                gone.append(name)
        for kind in ("privacy.requested", "privacy.answered"):
            for one in await tx.find(Leaf, kind=kind, session=None, limit=LEAVES):
                if json.loads(one.data)["refs"].get("staff_request") in gone:
                    removed = [
                        await tx.remove(Detail, leaf=one.index, field=field)
                        for field in ("text", "wanted", "told")
                    ]
                    texts += [one.index] * any(removed)
        if gone:
            await applied(app, tx, rule, len(gone), texts=sorted(texts))
    return gone


WORDS = Sweep(rules.STAFF_REQUESTS, _old, _forget)
