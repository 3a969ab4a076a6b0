"""Persons of sessions whose time is over, and children: what is left of the session is figures.

Erasing goes person by person, each in a transaction of its own (:mod:`~.forgetting`); the session
is marked when nobody of it is left, so that what was interrupted is gone on with.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from msgspec.structs import replace

from avsession.errors import Conflict, Held, NotFound
from avsession.ports import Reader
from avsession.privacy import retention as rules
from avsession.privacy.retention import Rule
from avsession.recording import State
from avsession.records import Recording
from avsession.session import Party, Role, Session
from avsession.usecases import erasing, holds, restricting
from avsession.usecases.common import leaf
from avsession.usecases.forgetting import forget
from avsession.usecases.services import Services
from avsession.usecases.sweep import (
    HOLD,
    IN_USE,
    Cursor,
    Look,
    Sweep,
    applied,
    kept_by,
    one_by_one,
    page,
)

AT_ONCE = 20
"""Sessions whose persons go in one go: each takes some writes and a scrub."""


def is_nobody(party: Party) -> bool:
    """Whether the party is what erasing leaves: nothing leads from it to anybody."""
    return not (party.name or party.account or party.token_hash or party.data_hash)


async def _old(app: Services, tx: Reader, rule: Rule, now_ms: int, after: Cursor | None) -> Look:
    """Sessions that are long over, :data:`AT_ONCE` due ones at most."""
    rows, on = await page(
        tx, Session, "ended_ms", "id", after, below=rule.cut(now_ms) + 1, forgotten_ms=None
    )
    due: list[str] = []
    kept: list[str] = []
    for row in rows:
        why = await _kept(tx, rule, row, now_ms)
        if why is not None:
            kept.append(why)
            continue
        due.append(row.id)
        if len(due) == AT_ONCE and row is not rows[-1]:
            return Look(tuple(due), tuple(kept), (row.ended_ms, row.id))
    return Look(tuple(due), tuple(kept), on)


async def _kept(tx: Reader, rule: Rule, session: Session, now_ms: int) -> str | None:
    """Why this session's persons stay; None when they go."""
    if why := await kept_by(tx, session.id):
        return why
    gone = [
        row.state is State.ERASED or rules.recording_goes(row.keep_until_ms, now_ms)
        for row in await tx.find(Recording, session=session.id)
    ]
    return None if rules.session_goes(rule, session.ended_ms, gone, now_ms) else IN_USE


async def _anonymise(app: Services, rule: Rule, ids: Sequence[str], now_ms: int) -> list[str]:
    async def go(session: str) -> bool:
        async def still(tx: Reader) -> None:
            if await kept_by(tx, session) is not None:
                raise Conflict("Something keeps this session now.")

        async with app.store.read() as tx:
            parties = await tx.find(Party, session=session)
        for party in parties:
            if not is_nobody(party):
                with contextlib.suppress(NotFound):  # somebody else was faster
                    await forget(app, party.id, still)
        return True

    gone = []
    done = await one_by_one(ids, go, rule.what)
    async with app.store.write() as tx:
        for one in done:
            session = await tx.get(Session, one)
            if session is not None and session.forgotten_ms is None:
                await tx.put(replace(session, forgotten_ms=app.clock.now_ms()))
                gone.append(one)
        if gone:
            await applied(app, tx, rule, len(gone))
    return gone


# --- children


async def _children(
    app: Services, tx: Reader, rule: Rule, now_ms: int, after: Cursor | None
) -> Look:
    rows, on = await page(tx, Session, "child_ms", "id", after, below=rule.cut(now_ms) + 1)
    kept = {row.id for row in rows if await _held(tx, row.id)}
    due = tuple(row.id for row in rows if row.id not in kept)
    return Look(due, (HOLD,) * len(kept), on)


async def _held(tx: Reader, session: str) -> bool:
    """Whether a hold keeps them, and what it keeps is shut already."""
    customers = await _customers(tx, session)
    held = [one for one in customers if await holds.on_party(tx, one)]
    return bool(held) and all([await _is_shut(tx, one) for one in held])


async def _is_shut(tx: Reader, party: Party) -> bool:
    return any(row.why == restricting.KEPT for row in await restricting.of_party(tx, party.id))


async def _customers(tx: Reader, session: str) -> list[Party]:
    parties = await tx.find(Party, session=session, role=str(Role.CUSTOMER))
    return [party for party in parties if not is_nobody(party)]


async def erase_child(app: Services, session_id: str) -> bool:
    """Erase the session's customer, who is a child, and say so; False when that was done before.

    The session must have ended. Raises Held while a legal hold stands, when nobody can open or
    play what it keeps; Unavailable when a part cannot be done now. The schedule goes on with it
    in either case.
    """
    async with app.store.read() as tx:
        customers = await _customers(tx, session_id)
    for party in customers:
        with contextlib.suppress(NotFound):
            try:
                await forget(app, party.id)
            except Held:
                await erasing.keep_apart(app, party.id)
                raise
    async with app.store.write() as tx:
        session = await tx.get(Session, session_id)
        if session is None or session.child_ms is None:
            return False
        await tx.put(replace(session, child_ms=None))
        refs = {"right": "child", "step": "answer", "count": len(customers)}
        await leaf(app, tx, "privacy.answered", session=session, actor="server", refs=refs)
    return True


async def _erase_children(app: Services, rule: Rule, ids: Sequence[str], now_ms: int) -> list[str]:
    return await one_by_one(ids, lambda one: erase_child(app, one), rule.what)


CHILDREN = Sweep(rules.CHILDREN, _children, _erase_children)
SESSIONS = Sweep(rules.SESSIONS, _old, _anonymise)
