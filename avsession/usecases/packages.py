"""Exports and disclosures' packages that may be downloaded no longer.

A server removes them at its next tick (``exports.expire``, ``disclosures.expire``); this is for
the command, and for what it names in a dry run.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from avsession.export_records import Disclosure, Export
from avsession.ports import Reader
from avsession.privacy import retention as rules
from avsession.privacy.retention import Rule
from avsession.usecases import exports
from avsession.usecases.disclosures import WAITING
from avsession.usecases.services import Services
from avsession.usecases.sweep import Cursor, Look, Sweep, applied, one_by_one, page


async def _old_exports(
    app: Services, tx: Reader, rule: Rule, now_ms: int, after: Cursor | None
) -> Look:
    rows, on = await page(tx, Export, "expires_ms", "id", after, below=rule.cut(now_ms) + 1)
    return Look(tuple(row.id for row in rows if row.state in exports.ALIVE), after=on)


async def _remove_exports(app: Services, rule: Rule, ids: Sequence[str], now_ms: int) -> list[str]:
    """The file first: what is left of an interruption is still found by its row."""

    async def go(one: str) -> bool:
        app.building.over(one)
        await app.parcels.remove(one)
        async with app.store.write() as tx:
            if not await exports.over(app, tx, one):
                return False
            await applied(app, tx, rule, 1)
        return True

    return await one_by_one(ids, go, rule.what)


async def _told_exports(
    app: Services, tx: Reader, rule: Rule, now_ms: int, after: Cursor | None
) -> Look:
    rows, on = await page(tx, Export, "expires_ms", "id", after, below=rule.cut(now_ms) + 1)
    return Look(tuple(row.id for row in rows if row.state not in exports.ALIVE), after=on)


async def _remove_told(app: Services, rule: Rule, ids: Sequence[str], now_ms: int) -> list[str]:
    async def go(one: str) -> bool:
        async with app.store.write() as tx:
            if not await tx.remove(Export, id=one):
                return False
            await applied(app, tx, rule, 1)
        return True

    return await one_by_one(ids, go, rule.what)


async def _old_packages(
    app: Services, tx: Reader, rule: Rule, now_ms: int, after: Cursor | None
) -> Look:
    rows, on = await page(tx, Disclosure, "made_ms", "id", after, gone_ms=None)
    due = tuple(row.id for row in rows if _is_over(row, rule.cut(now_ms)))
    return Look(due, after=on)


def _is_over(row: Disclosure, cut_ms: int) -> bool:
    return row.expires_ms <= cut_ms and row.state != WAITING


async def _remove_packages(app: Services, rule: Rule, ids: Sequence[str], now_ms: int) -> list[str]:
    """What was done stays written down; the package goes."""

    async def go(one: str) -> bool:
        await app.parcels.remove(one)
        async with app.store.write() as tx:
            row = await tx.get(Disclosure, one)
            if row is None or row.gone_ms is not None or not _is_over(row, rule.cut(now_ms)):
                return False
            await tx.put(replace(row, gone_ms=now_ms))
            await applied(app, tx, rule, 1)
        return True

    return await one_by_one(ids, go, rule.what)


SWEEPS = (
    Sweep(rules.EXPORTS, _old_exports, _remove_exports),
    Sweep(rules.EXPORT_NOTES, _told_exports, _remove_told),
    Sweep(rules.PACKAGES, _old_packages, _remove_packages),
)
