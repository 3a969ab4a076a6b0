"""Ending a recording though no party asked for it: the server stops, or the recorder failed."""

from __future__ import annotations

import asyncio
import logging

from avsession.consent import Stopped
from avsession.errors import AvsessionError, RequestOver
from avsession.recording import State
from avsession.records import Recording
from avsession.session import Session
from avsession.usecases import effects
from avsession.usecases.capture import open_gate
from avsession.usecases.closing import close_now
from avsession.usecases.common import advance, load_state
from avsession.usecases.services import Services

log = logging.getLogger("avsession.stopping")

FINALISE_S = 6.0
"""How long recorders may take to write their last entries."""
POLL_S = 0.05


async def stop_recordings(app: Services) -> None:
    """End every live request without withdrawing it, then wait for the recorders' last entries.

    What a recorder has not finished by then it finishes after the next start.
    """
    async with app.store.read() as tx:
        live = await tx.find(Session, ended_ms=None, limit=100_000)
    for session in live:
        try:
            await stop_one(app, session.id, "server_stopping")
        except AvsessionError as error:
            log.warning("not stopped: %s", error.code, extra={"session": session.id})
    loop = asyncio.get_running_loop()
    until = loop.time() + FINALISE_S
    while await _unfinished(app) and loop.time() < until:  # noqa: ASYNC110 - a database has no event
        await asyncio.sleep(POLL_S)


async def stop_one(app: Services, session_id: str, reason: str, request: str = "") -> None:
    """End the session's live request, whatever it is, or only ``request``; nobody withdraws.

    Without a database the gate is closed all the same; :func:`stop_again` commits it later.
    """
    gate = app.gate.of_session(session_id)
    if gate is not None and request in ("", gate.request):
        close_now(app, session_id, reason, final=True)
        app.gate.unstopped[session_id] = (gate.request, reason)
    await _commit(app, session_id, reason, request)
    app.gate.unstopped.pop(session_id, None)


async def stop_again(app: Services) -> None:
    """Commit what could not be committed when a recording had to stop."""
    for session_id, (request, reason) in list(app.gate.unstopped.items()):
        await stop_one(app, session_id, reason, request)


async def _commit(app: Services, session_id: str, reason: str, request: str) -> None:
    async with app.store.write() as tx:
        session = await tx.get(Session, session_id)
        state = await load_state(tx, app, session_id)
        if session is None or session.ended_ms is not None or state.request is None:
            return
        try:
            decision = await advance(
                app, tx, session_id, Stopped(None, request or state.request.id, reason)
            )
        except RequestOver:
            return
        after = await effects.record(app, tx, session, decision)
        after.reason = reason
    await effects.speak(app, after, open_gate)


async def _unfinished(app: Services) -> bool:
    connected = {worker.worker for worker in app.bus.workers()}
    async with app.store.read() as tx:
        rows = await tx.find(Recording, state=State.CLOSING)
    return any(row.worker in connected for row in rows)
