"""What an admin sees of backups: when the newest was made, and what it holds."""

from __future__ import annotations

from typing import Any

from avsession.usecases.permissions import LOG_READ, require
from web.access import staff
from web.api import examples
from web.routing import Call, Nothing, Route

LAST = {
    "to": "monday",
    "made_ms": examples.NOW,
    "leaves": 18,
    "sessions": 1,
    "recordings": 1,
    "segments": 6,
    "bytes": 700_000,
    "keys": 2,
    "keys_delete_by_ms": examples.NOW,
}


async def get_backup(call: Call[Nothing]) -> object:
    """The newest backup of this data folder, its name without its place; null: none was made."""
    require(call.who, LOG_READ)
    last: dict[str, Any] | None = None
    if call.app.ready.last_backup is not None:
        last = call.app.ready.last_backup()
    return {"now_ms": call.app.clock.now_ms(), "backup": last}


ROUTES = (
    Route(
        method="GET",
        path="/api/admin/backup",
        handle=get_backup,
        summary="When the newest backup was made, and what it holds",
        access=staff(LOG_READ),
        answer={"now_ms": examples.NOW, "backup": LAST},
    ),
)
