"""Retention: a recording goes when the longest time that was told for its purposes has passed.

What counts is what the notices said when consent was given, not what the settings say now.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from avsession.messages import RecordingFinished
from avsession.ports import Reader
from avsession.recording import State
from avsession.records import ConsentEvent, Recording
from avsession.session import Session
from avsession.usecases import effects, erasure
from avsession.usecases.common import leaf
from avsession.usecases.services import Services

DAY_MS = 86_400_000
BATCH = 50
"""Recordings destroyed in one turn; the rest waits for the next."""


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


async def apply(app: Services) -> None:
    """Destroy every recording whose time has passed. Repeating it is harmless."""
    async with app.store.read() as tx:
        due = await tx.find(
            Recording, order="keep_until_ms", below=app.clock.now_ms() + 1, limit=BATCH
        )
    for row in due:
        await _apply_one(app, row.id)


async def _apply_one(app: Services, recording_id: str) -> None:
    """Keys and rows first, then the objects; only then it is done and written down."""
    async with app.store.write() as tx:
        recording = await tx.get(Recording, recording_id)
        if recording is None or recording.keep_until_ms is None:
            return
        if recording.state is not State.ERASED:
            recording = await erasure.destroy(app, tx, recording, None, "retention", whole=True)
        final = await effects.final_message(tx, recording)
    await app.objects.remove(recording_id)
    async with app.store.write() as tx:
        await tx.put(replace(recording, keep_until_ms=None))
        session = await tx.get(Session, recording.session)
        refs = {"recording": recording_id, "purposes": len(recording.purposes)}
        await leaf(app, tx, "retention.applied", session=session, actor="server", refs=refs)
    if recording.worker is not None:
        app.bus.tell_worker(recording.worker, final)
    app.bus.tell_session(
        recording.session,
        RecordingFinished(
            recording=recording_id, request=recording.request, state="erased", duration_ms=0
        ),
    )
