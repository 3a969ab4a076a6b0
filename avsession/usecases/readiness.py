"""Whether this server should be sent new calls: what a load balancer asks.

Health says that the process answers; readiness that everything is there which a call that may be
recorded needs. The answer is codes, nothing of what is inside.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from avsession.errors import AvsessionError
from avsession.session import new_id

if TYPE_CHECKING:
    from avsession.usecases.services import Services

log = logging.getLogger("avsession.readiness")

KEEP_MS = 2000
"""How long an answer is given again: whoever asks more often costs nothing."""
PROBE_S = 5.0
"""How long a part may take to answer."""
MIB = 1024 * 1024

DATABASE, KEYS, DISK, RECORDERS, DRAINING = "database", "keys", "disk", "recorders", "draining"
STANDBY = "standby"
CODES = {
    DATABASE: "The database cannot be written to.",
    KEYS: "The key store does not answer.",
    DISK: "There is less free space than `recorder_min_free_mb`.",
    RECORDERS: "No recorder would take a new recording.",
    DRAINING: "The server is stopping and takes no new calls.",
    STANDBY: "The server waits to take over from another one.",
}
"""Every reason not to be ready."""
CERTIFICATE = "certificate"
WARNINGS = {
    CERTIFICATE: "The certificate's files have changed and cannot be used; the old one still is.",
}
"""What an operator should look at though calls go on."""


@dataclass
class Readiness:
    """What the parts say of themselves. One a process."""

    draining: bool = False
    free_bytes: Callable[[], int] | None = None
    """Free space where recordings are kept; raises OSError. None: nobody knows."""
    last_backup: Callable[[], dict[str, Any] | None] | None = None
    """What the newest backup was, or None; see ``backup.last``."""
    certificate_ends_ms: int | None = None
    """When the certificate that is served ends; None: TLS is a proxy's."""
    certificate_problem: bool = False
    standbys: int | None = None
    """Servers that wait to take over from this one; None: nobody knows."""
    _kept: tuple[int, frozenset[str]] | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def stand_by(self, standbys: int) -> None:
        """How many servers wait to take over from this one."""
        self.standbys = standbys

    @property
    def warnings(self) -> list[str]:
        """Codes of :data:`WARNINGS`."""
        return [CERTIFICATE] if self.certificate_problem else []

    async def problems(self, app: Services) -> list[str]:
        """Codes of :data:`CODES`, in their order; none: ready."""
        async with self._asking:
            now = app.clock.now_ms()
            if self._kept is None or not 0 <= now - self._kept[0] < KEEP_MS:
                self._kept = now, await self._look(app)
            found = self._kept[1] | ({DRAINING} if self.draining else set())
        return [code for code in CODES if code in found]

    async def _look(self, app: Services) -> frozenset[str]:
        probes = {DATABASE: _database, KEYS: _keys, DISK: self._disk, RECORDERS: _recorders}
        found = set()
        for code, probe in probes.items():
            try:
                async with asyncio.timeout(PROBE_S):
                    fine = await probe(app)
            except (AvsessionError, OSError, TimeoutError) as error:
                log.warning("not ready: %s: %s", code, type(error).__name__)
                fine = False
            if not fine:
                found.add(code)
        return frozenset(found)

    async def _disk(self, app: Services) -> bool:
        if self.free_bytes is None:
            return True
        free = await asyncio.to_thread(self.free_bytes)
        return free >= app.settings.recorder_min_free_mb * MIB


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
