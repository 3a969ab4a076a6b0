"""Stopping the server: every recording in progress is finalised, and everyone told."""

from __future__ import annotations

import asyncio

from avsession.consent import Stopped
from avsession.errors import RequestOver
from avsession.recording import State
from avsession.records import ConsentState as ConsentRow
from avsession.records import Recording
from avsession.session import Session
from avsession.usecases import effects
from avsession.usecases.capture import open_gate
from avsession.usecases.closing import close_now
from avsession.usecases.common import advance, load_state
from avsession.usecases.services import Services

FINALISE_S = 6.0
"""How long recorders may take to write their last entries."""
POLL_S = 0.05


async def stop_recordings(app: Services) -> None:
    """End every live request without withdrawing it, then wait for the recorders' last entries.

    What a recorder has not finished by then it finishes after the next start.
    """
    async with app.store.read() as tx:
        live = [row.session for row in await tx.find(ConsentRow, limit=100_000)]
    for session_id in live:
        await _stop_one(app, session_id)
    try:
        async with asyncio.timeout(FINALISE_S):
            while await _unfinished(app):
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        return


async def _stop_one(app: Services, session_id: str) -> None:
    close_now(app, session_id, "server_stopping", final=True)
    async with app.store.write() as tx:
        session = await tx.get(Session, session_id)
        state = await load_state(tx, app, session_id)
        if session is None or session.ended_ms is not None or state.request is None:
            return
        try:
            decision = await advance(app, tx, session_id, Stopped(None, state.request.id))
        except RequestOver:
            return
        after = await effects.record(app, tx, session, decision)
    await effects.speak(app, after, open_gate)


async def _unfinished(app: Services) -> bool:
    connected = {worker.worker for worker in app.bus.workers()}
    async with app.store.read() as tx:
        rows = await tx.find(Recording, state=State.CLOSING)
    return any(row.worker in connected for row in rows)
