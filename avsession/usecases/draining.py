"""Stopping without cutting calls: who is in one is told and may end it, nobody begins a new one."""

from __future__ import annotations

import asyncio
import logging
import signal

from avsession.errors import AvsessionError, ServerStopping
from avsession.messages import ServerStops
from avsession.session import Party, Presence, Session
from avsession.tasks import Tasks
from avsession.usecases.services import Services

log = logging.getLogger("avsession.draining")

POLL_S = 0.25
"""How often it is asked whether everybody has gone."""


def refuse_new(app: Services) -> None:
    """Raise ServerStopping while the server takes no new calls."""
    if app.ready.draining:
        raise ServerStopping


def tell(app: Services, party: str) -> None:
    """Tell a party that has just connected, if there is something to tell."""
    if app.ready.draining:
        app.bus.tell(party, ServerStops())


async def drain(app: Services) -> None:
    """Take no more calls, say so to everyone in one, and wait until the last of them is over.

    :func:`until` limits the time. While the database does not answer, nobody is taken for gone.
    """
    app.ready.draining = True
    async with app.store.read() as tx:
        live = await tx.find(Session, ended_ms=None, limit=100_000)
    for session in live:
        app.bus.tell_session(session.id, ServerStops())
    log.info("waiting for the calls to end")
    while await _seated(app):  # noqa: ASYNC110 - a database has no event
        await asyncio.sleep(POLL_S)


async def until(app: Services, again: asyncio.Queue[signal.Signals]) -> signal.Signals | None:
    """:func:`drain` for ``drain_s`` seconds at most; a second signal ends it, and is returned."""
    tasks = Tasks(limit=2)
    over = tasks.spawn(drain(app), name="draining")
    cut = tasks.spawn(again.get(), name="second signal")
    try:
        done, _ = await asyncio.wait(
            {over, cut}, timeout=app.settings.drain_s, return_when=asyncio.FIRST_COMPLETED
        )
        return cut.result() if cut in done else None
    finally:
        await tasks.close()


async def _seated(app: Services) -> bool:
    try:
        async with app.store.read() as tx:
            return any([await tx.count(Party, presence=one) for one in Presence])
    except AvsessionError:
        return True
