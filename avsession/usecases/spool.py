"""What recorders left behind of recordings that are over: nobody takes it over any more.

A worker deletes its part itself when the server tells it so; this is for a worker that never
came back.
"""

from __future__ import annotations

from collections.abc import Sequence

from avsession.ports import Reader
from avsession.privacy import retention as rules
from avsession.privacy.retention import Rule
from avsession.recording import State
from avsession.records import Recording
from avsession.usecases.services import Services
from avsession.usecases.sweep import Cursor, Look, Sweep, applied, one_by_one

OVER = (State.SEALED, State.INTERRUPTED, State.ERASED)


async def _left(app: Services, tx: Reader, rule: Rule, now_ms: int, after: Cursor | None) -> Look:
    """Recordings in a spool that were over long ago, or that nobody knows."""
    names = await app.objects.spooled()
    rows = await tx.get_all(Recording, [(name,) for name in names])
    due = [
        name
        for name, row in zip(names, rows, strict=True)
        if row is None or _is_left(row, rule.cut(now_ms))
    ]
    return Look(due=tuple(due))


def _is_left(row: Recording, cut_ms: int) -> bool:
    over = row.closed_ms if row.closed_ms is not None else row.created_ms
    return row.state in OVER and over <= cut_ms


async def _clear(app: Services, rule: Rule, ids: Sequence[str], now_ms: int) -> list[str]:
    async def go(recording: str) -> bool:
        return await app.objects.unspool(recording)

    gone = await one_by_one(ids, go, rule.what)
    if gone:
        async with app.store.write() as tx:
            await applied(app, tx, rule, len(gone))
    return gone


SPOOL = Sweep(rules.SPOOL, _left, _clear)
