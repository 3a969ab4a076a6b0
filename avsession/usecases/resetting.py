"""The computer's clock was set: taking the new time without comparing it with the old.

What was captured before and what closes after would be told apart by times that have nothing to
do with each other. So every gate closes by the old time, and the recorders come back and ask for
the new one before anything opens again. Consent stands; the recordings go on.
"""

from __future__ import annotations

import logging

from avsession.usecases.closing import close_now
from avsession.usecases.services import Services
from avsession.usecases.workers import worker_gone

log = logging.getLogger("avsession.resetting")

AWAY_MS = 1_000
"""A clock that was set by less than this stays as it was until the next start."""


async def follow(app: Services) -> None:
    """Take the computer's clock if it was set. For the timers."""
    away_ms = app.clock.away_ms()
    if abs(away_ms) < AWAY_MS:
        return
    log.error("the computer's clock was set by %d ms: recorders are asked to come back", away_ms)
    workers = [info.worker for info in app.bus.workers()]
    # nothing waits in here: no grant is made, and no closing said, by two times at once
    for session in app.gate.sessions():
        close_now(app, session, "recorder_lost", final=False)
    app.clock.adopt()
    for worker in workers:
        app.bus.drop_worker(worker)
    for worker in workers:
        await worker_gone(app, worker)
