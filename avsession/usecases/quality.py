"""Call quality: one more call in today's counts, and the counts for who runs the service.

Nothing of a call, a party or a choice is kept with them. Whoever sent the figures is known while
the request lasts, so that only a party can, and not again and again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from avsession.errors import ConsentRequired
from avsession.ports import Reader, Writer
from avsession.privacy.quality import CALLS, ENOUGH, FIGURES, day_of, oldest
from avsession.privacy.retention import QUALITY, Rule
from avsession.privacy.stored import Choice, Group
from avsession.records import QualityCount
from avsession.session import Party
from avsession.usecases.permissions import REVIEW_READ, Principal, require
from avsession.usecases.services import Services
from avsession.usecases.sweep import Cursor, Look, Sweep, applied

MOST = 10_000
"""Rows that are read at once: 90 days of seven figures in five ranges are 3,240."""
BATCH = 200


async def count(
    app: Services, party: Party, choice: Choice | None, figures: Mapping[str, int]
) -> bool:
    """Count a call of ``party``'s. False when this party has been counted just now.

    ``choice``: the sender's, if it stands. Figures that are not known or larger than a measurement
    can be are left out. Raises ConsentRequired unless analytics was allowed.
    """
    if choice is None or Group.ANALYTICS not in choice.given:
        raise ConsentRequired
    now = app.clock.now_ms()
    if not app.limits.reports.take(party.id, now):
        return False
    day = day_of(now)
    async with app.store.write() as tx:
        await _one_more(tx, day, CALLS, 0)
        for name, figure in FIGURES.items():
            value = figures.get(name)
            if value is not None and 0 <= value <= figure.most:
                await _one_more(tx, day, name, figure.range_of(value))
    return True


async def _one_more(tx: Writer, day: str, figure: str, number: int) -> None:
    row = await tx.get(QualityCount, day, figure, number)
    row = row or QualityCount(day=day, figure=figure, number=number, calls=0)
    await tx.put(replace(row, calls=row.calls + 1))


async def statistics(app: Services, who: Principal) -> dict[str, Any]:
    """Calls a day, and for each figure how many calls fell into each of its ranges, over the days
    that are kept.

    Without ``enough`` calls the ranges are empty: one call's figures are nobody's statistics.
    """
    require(who, REVIEW_READ)
    async with app.store.read() as tx:
        rows = await tx.find(QualityCount, order="day", limit=MOST)
    rows = [row for row in rows if row.day >= oldest(app.clock.now_ms())]
    days = {row.day: row.calls for row in rows if row.figure == CALLS}
    enough = sum(days.values()) >= ENOUGH
    return {
        "days": [{"day": day, "calls": calls} for day, calls in sorted(days.items())],
        "enough": enough,
        "needed": ENOUGH,
        "figures": [
            {
                "figure": name,
                "unit": figure.unit,
                "bounds": list(figure.bounds),
                "calls": _ranges(rows, name, len(figure.bounds) + 1) if enough else [],
            }
            for name, figure in FIGURES.items()
        ],
    }


def _ranges(rows: list[QualityCount], name: str, ranges: int) -> list[int]:
    sums = [0] * ranges
    for row in rows:
        if row.figure == name and row.number < ranges:
            sums[row.number] += row.calls
    return sums


# --- counts of days that are too long ago


async def _old(app: Services, tx: Reader, rule: Rule, now_ms: int, after: Cursor | None) -> Look:
    """Days; a page of rows is of a few, and the last of them may have more on the next."""
    first = oldest(now_ms)
    rows = await tx.find(QualityCount, order="day", below=first, above=_last(after), limit=BATCH)
    days = tuple(sorted({row.day for row in rows}))
    more = (days[-1],) if len(rows) == BATCH else None
    return Look(due=days, after=more)


def _last(after: Cursor | None) -> str | None:
    return after[0] if after else None


async def _remove(app: Services, rule: Rule, ids: Sequence[str], now_ms: int) -> list[str]:
    async with app.store.write() as tx:
        due = [day for day in ids if day < oldest(now_ms)]
        gone = [day for day in due if await tx.remove(QualityCount, day=day)]
        if gone:
            await applied(app, tx, rule, len(gone))
    return gone


COUNTS = Sweep(QUALITY, _old, _remove)
