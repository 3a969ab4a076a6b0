"""Looking after the log while the server runs, for the standing sign on the admin's page.

A full verification runs at the start and once a day, as ``avsession audit verify`` does it, beside
the event loop. In between each new signed head is shown to extend the last one that was looked at.
What was found wrong stays said until a full verification finds nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from avsession.audit import merkle
from avsession.audit.checkpoint import Checkpoint
from avsession.audit.verify import Report
from avsession.errors import AvsessionError, Invalid, LogBroken, NotFound
from avsession.usecases import evidence
from avsession.usecases.services import Services

log = logging.getLogger("avsession.watching")

EVERY_S = 60.0
"""How often a new head is looked for."""
FULL_MS = 86_400_000
"""How often everything is verified."""

Check = Callable[[], Awaitable[Report]]
"""A full verification; the composition root gives one that does not hold up the event loop."""


async def full(app: Services, check: Check) -> None:
    """Verify everything. Raises what reading the log raises; the sign stays as it was then."""
    app.watch.checking = True
    try:
        # the head first: what comes meanwhile extends it, and is looked at in the next turn
        head = await _newest(app)
        report = await check()
    finally:
        app.watch.checking = False
    app.watch.verified(report, head, app.clock.now_ms())


async def look(app: Services) -> None:
    """Whether the newest signed head extends the last one that was looked at."""
    watch = app.watch
    old = watch.head
    if watch.problem is not None:
        return
    if old is None:
        watch.head = await _newest(app)
        return
    try:
        found = await evidence.consistency(app, old.size)
    except LogBroken as error:
        watch.wrong(str(error))
        return
    except (Invalid, NotFound):
        watch.wrong(f"checkpoint {old.size}: was signed, and is gone")
        return
    new = found.checkpoint
    if merkle.verify_consistency(old.size, new.size, found.hashes, old.root, new.root):
        watch.extended(new, app.clock.now_ms())
    else:
        watch.wrong(f"checkpoint {new.size}: does not extend the one over {old.size} leaves")


async def _newest(app: Services) -> Checkpoint | None:
    try:
        return await evidence.newest(app)
    except (NotFound, LogBroken):
        return None  # a full verification says more


async def keep_watching(app: Services, check: Check) -> None:
    """Until it is cancelled. What cannot be looked at now is looked at again in a minute."""
    watch = app.watch
    while True:
        try:
            due = watch.full_ms is None or app.clock.now_ms() - watch.full_ms >= FULL_MS
            await (full(app, check) if due else look(app))
        except AvsessionError as error:
            log.warning("the audit log was not verified: %s", error.code)
        await asyncio.sleep(EVERY_S)
