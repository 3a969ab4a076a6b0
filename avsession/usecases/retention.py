"""Retention: a recording goes when the longest time that was told for its purposes has passed."""

from __future__ import annotations

from avsession.errors import Held
from avsession.ports import Reader
from avsession.records import Recording
from avsession.usecases import erasure, holds, restricting
from avsession.usecases.services import Services

BATCH = 50
"""Recordings destroyed in one turn; the rest waits for the next."""
HELD = 10_000
"""Due recordings looked through for one that nothing keeps, while anything is kept."""


async def apply(app: Services) -> None:
    """Destroy every recording whose time has passed. Repeating it is harmless.

    One that a hold or a restriction keeps stays due, and goes once that is over.
    """
    async with app.store.read() as tx:
        # held ones stay at the head of the list: they must not keep the others from their turn
        kept = await holds.any_standing(tx) or await restricting.any_standing(tx)
        limit = HELD if kept else BATCH
        due = await tx.find(
            Recording, order="keep_until_ms", below=app.clock.now_ms() + 1, limit=limit
        )
        free = [row.id for row in due if not kept or not await _is_kept(tx, row)]
    for recording in free[:BATCH]:
        await _apply_one(app, recording)


async def _is_kept(tx: Reader, recording: Recording) -> bool:
    return bool(await holds.on_recording(tx, recording)) or await restricting.keeps(tx, recording)


async def _apply_one(app: Services, recording_id: str) -> None:
    async with app.store.write() as tx:
        recording = await tx.get(Recording, recording_id)
        if recording is None or recording.keep_until_ms is None:
            return
        if await restricting.keeps(tx, recording):
            return
        try:
            await erasure.decide(app, tx, recording, None, "retention", whole=True)
        except Held:
            return
    await erasure.go_on(app, recording_id)
