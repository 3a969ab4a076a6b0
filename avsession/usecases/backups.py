"""How the newest backup stands: how old it is, whether it was found whole, what it does not hold.

``avsession backup create`` and ``check`` leave word in the data folder; the admin's page, the
metrics and the doctor go by it. Nothing of a person is in it.
"""

from __future__ import annotations

import msgspec

from avsession.ports import Reader
from avsession.records import Leaf
from avsession.usecases.journal import BY_HAND, ERASED, FORGOTTEN, RESTRICTED, WITHDRAWN
from avsession.usecases.readiness import LastBackup

DAY_MS = 86_400_000
MOST = 1000
"""Leaves of a kind that are counted; so many stand for more."""

NONE, OLD, DAMAGED, KEYS = "none", "old", "damaged", "keys"
PROBLEMS = {
    NONE: "No backup of this data folder has been made.",
    OLD: "The newest backup is older than `backup_days`.",
    DAMAGED: "The newest backup was found damaged, or its log does not verify.",
    KEYS: "Its copy of the key store should have been deleted by now.",
}
"""Every reason for an operator to act."""


class Since(msgspec.Struct, frozen=True, kw_only=True):
    """What happened after the newest backup, in leaves; :data:`MOST` stands for more."""

    leaves: int
    """All of them, without a bound."""
    erased: int
    """Erasures of recordings and persons, withdrawals, restrictions: a restore does them again,
    from the journal."""
    by_hand: int
    """What a restore cannot repeat: it lists them."""


def problems(last: LastBackup | None, now_ms: int, days: int) -> list[str]:
    """Codes of :data:`PROBLEMS`; none: all is well.

    ``days``: how old it may be; 0: backups are made another way, and only one that is there is
    looked at.
    """
    if last is None:
        return [NONE] if days else []
    found = {
        OLD: bool(days) and now_ms - last.made_ms > days * DAY_MS,
        DAMAGED: last.whole is False,
        KEYS: last.keys_delete_by_ms is not None and now_ms > last.keys_delete_by_ms,
    }
    return [code for code, so in found.items() if so]


async def size(tx: Reader) -> int:
    """Leaves of the log now."""
    last = await tx.find(Leaf, order="-index", limit=1)
    return last[0].index + 1 if last else 0


async def since(tx: Reader, last: LastBackup) -> Since:
    """What the newest backup does not hold."""

    async def count(*kinds: str) -> int:
        found = 0
        for kind in kinds:
            rows = await tx.find(Leaf, kind=kind, order="index", above=last.leaves - 1, limit=MOST)
            found += len(rows)
        return min(found, MOST)

    return Since(
        leaves=max(0, await size(tx) - last.leaves),
        erased=await count(ERASED, FORGOTTEN, WITHDRAWN, RESTRICTED),
        by_hand=await count(*BY_HAND),
    )
