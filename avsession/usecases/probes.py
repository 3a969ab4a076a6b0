"""The probes behind readiness: what a call that may be recorded needs of each part."""

from __future__ import annotations

import asyncio
from functools import partial

from avsession.session import new_id
from avsession.usecases.readiness import DATABASE, DISK, KEYS, RECORDERS
from avsession.usecases.services import Services

MIB = 1024 * 1024


async def problems(app: Services) -> list[str]:
    """Why this server should be sent no new calls: codes of ``readiness.CODES``; none: ready."""
    asked = {DATABASE: _database, KEYS: _keys, DISK: _disk, RECORDERS: _recorders}
    probes = {code: partial(probe, app) for code, probe in asked.items()}
    return await app.ready.problems(probes, app.clock.now_ms())


async def _database(app: Services) -> bool:
    """The write lock is to be had; nothing is written."""
    async with app.store.write():
        return True


async def _keys(app: Services) -> bool:
    """Custody answers: of a track that never was there is no key to destroy."""
    return not await app.custody.destroy(new_id("trk", app.entropy))


async def _recorders(app: Services) -> bool:
    if not app.settings.recorders:
        return True
    return any(app.figures.taking(worker.worker) for worker in app.bus.workers())


async def _disk(app: Services) -> bool:
    if app.ready.free_bytes is None:
        return True
    free = await asyncio.to_thread(app.ready.free_bytes)
    return free >= app.settings.recorder_min_free_mb * MIB
