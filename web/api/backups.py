"""What an admin sees of backups: how the newest stands, and what happened since."""

from __future__ import annotations

from typing import Any

import msgspec

from avsession.usecases import backups
from avsession.usecases.permissions import LOG_READ, require
from avsession.usecases.readiness import LastBackup
from web.access import staff
from web.api import examples
from web.routing import Call, Nothing, Route

LAST = LastBackup(
    to="monday",
    made_ms=examples.NOW,
    leaves=18,
    sessions=1,
    recordings=1,
    segments=6,
    bytes=700_000,
    keys=2,
    keys_delete_by_ms=examples.NOW,
    checked_ms=examples.NOW,
    whole=True,
)
SINCE = backups.Since(leaves=4, erased=1, by_hand=0)


async def get_backup(call: Call[Nothing]) -> dict[str, Any]:
    """The newest backup of this data folder, its name without its place; null: none was made.

    With ``problems``, codes of what an operator should do something about, and how many leaves of
    which kind came ``since``; 1000 erasures stand for more.
    """
    require(call.who, LOG_READ)
    app = call.app
    last = app.ready.last_backup() if app.ready.last_backup is not None else None
    async with app.store.read() as tx:
        leaves = await backups.size(tx)
        later = None if last is None else await backups.since(tx, last)
    now, days = app.clock.now_ms(), app.settings.backup_days
    return _answer(now, days, leaves, backups.problems(last, now, days), last, later)


def _answer(
    now_ms: int,
    days: int,
    leaves: int,
    problems: list[str],
    last: LastBackup | None,
    later: backups.Since | None,
) -> dict[str, Any]:
    return {
        "now_ms": now_ms,
        "days": days,
        "leaves": leaves,
        "problems": problems,
        "backup": msgspec.to_builtins(last),
        "since": msgspec.to_builtins(later),
    }


ROUTES = (
    Route(
        method="GET",
        path="/api/admin/backup",
        handle=get_backup,
        summary="When the newest backup was made and checked, what it holds, and what came since",
        access=staff(LOG_READ),
        answer=_answer(examples.NOW, 7, 22, [backups.OLD], LAST, SINCE),
    ),
)
