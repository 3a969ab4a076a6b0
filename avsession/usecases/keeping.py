"""How long a recording is kept: for the longest time that was told for its purposes.

What counts is what the notices said when consent was given, not what the settings say now.
"""

from __future__ import annotations

from typing import Any

from avsession.ports import Reader
from avsession.records import ConsentEvent, Recording

DAY_MS = 86_400_000


async def keep_until(tx: Reader, recording: Recording, over_ms: int) -> int:
    """When the recording must go: the longest of its purposes' times after ``over_ms``.

    Everyone was told the same, so the first ``given`` that names a purpose decides it; a
    purpose that nobody's record names (there is none) is kept for no time at all.
    """
    days = [0]
    for event in await tx.find(ConsentEvent, request=recording.request, kind="given"):
        document: dict[str, Any] = event.document
        days += [
            purpose["retention_days"] or 0
            for purpose in document["purposes"]
            if purpose["id"] in recording.purposes
        ]
    return over_ms + max(days) * DAY_MS


async def is_due(tx: Reader, recording: Recording, now_ms: int) -> bool:
    """Whether a recording's time has passed; never, while it is not over."""
    if recording.closed_ms is None:
        return False
    return now_ms >= await keep_until(tx, recording, recording.closed_ms)
