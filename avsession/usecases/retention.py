"""Retention: a recording goes when the longest time that was told for its purposes has passed."""

from __future__ import annotations

from avsession.errors import Held
from avsession.records import Recording
from avsession.usecases import erasure, holds
from avsession.usecases.services import Services

BATCH = 50
"""Recordings destroyed in one turn; the rest waits for the next."""
HELD = 10_000
"""Due recordings looked through for one that no hold keeps, while there is any hold."""


async def apply(app: Services) -> None:
    """Destroy every recording whose time has passed. Repeating it is harmless.

    One that a hold keeps stays due, and goes once the hold is released.
    """
    async with app.store.read() as tx:
        # held ones stay at the head of the list: they must not keep the others from their turn
        limit = HELD if await holds.any_standing(tx) else BATCH
        due = await tx.find(
            Recording, order="keep_until_ms", below=app.clock.now_ms() + 1, limit=limit
        )
        free = [row.id for row in due if limit == BATCH or not await holds.on_recording(tx, row)]
    for recording in free[:BATCH]:
        await _apply_one(app, recording)


async def _apply_one(app: Services, recording_id: str) -> None:
    async with app.store.write() as tx:
        recording = await tx.get(Recording, recording_id)
        if recording is None or recording.keep_until_ms is None:
            return
        try:
            await erasure.decide(app, tx, recording, None, "retention", whole=True)
        except Held:
            return
    await erasure.go_on(app, recording_id)
