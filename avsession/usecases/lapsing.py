"""What ends when this server may be one that was overtaken: every gate, at once.

No database stands in between, since it is the database that does not answer. What was live is
waited for, and opens anew under another generation once the server has made sure of its claim.
"""

from __future__ import annotations

import asyncio

from avsession.usecases.closing import close_now
from avsession.usecases.services import Services

EVERY_S = 0.25
"""How often :func:`keep_looking` looks."""
REASON = "storage_failed"
"""What everyone is told: as when nothing can be written."""


def lapse(app: Services) -> None:
    """Close every gate if the lease has run out; consent and request stand."""
    if app.gate.lease.held:
        return
    for session in app.gate.sessions():
        close_now(app, session, REASON, final=False)
        app.gate.waiting.setdefault(session, app.clock.now_ms())


async def keep_looking(app: Services) -> None:
    """:func:`lapse` for as long as this runs."""
    while True:
        lapse(app)
        await asyncio.sleep(EVERY_S)
