"""What a recording may still be used for: its consented purposes, each until its told time is over.

What counts is what the notices said when consent was given, not what the settings say now.
"""

from __future__ import annotations

from avsession.ports import Reader
from avsession.privacy import retention as rules
from avsession.records import ConsentEvent, Recording


async def told(tx: Reader, recording: Recording) -> dict[str, int]:
    """How many days each of its purposes was said to be kept for; 0 when nobody said it."""
    given = await tx.find(ConsentEvent, request=recording.request, kind="given")
    days = rules.told_days((event.document for event in given), recording.purposes)
    # a record that cannot be read is found by the audit; nothing is kept on its word
    return dict.fromkeys(recording.purposes, 0) if days is None else days


async def keep_until(tx: Reader, recording: Recording, over_ms: int) -> int:
    """When the recording must go (ms): the longest of its purposes' times after ``over_ms``."""
    return rules.keep_until(over_ms, await told(tx, recording))


async def expired(tx: Reader, recording: Recording, now_ms: int) -> frozenset[str]:
    """The purposes whose time is over: nobody may open the recording for them any more."""
    return rules.expired(recording.closed_ms, await told(tx, recording), now_ms)


async def end_of(tx: Reader, recording: Recording, purpose: str) -> int | None:
    """When this purpose is over (ms); None while the recording is not."""
    if recording.closed_ms is None:
        return None
    return rules.ends(recording.closed_ms, await told(tx, recording)).get(purpose)


async def is_due(tx: Reader, recording: Recording, now_ms: int) -> bool:
    """Whether a recording's time has passed; never, while it is not over."""
    if recording.closed_ms is None:
        return False
    return now_ms >= await keep_until(tx, recording, recording.closed_ms)
