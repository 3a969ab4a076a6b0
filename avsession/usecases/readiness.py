"""Whether this server should be sent new calls: what a load balancer asks.

Health says that the process answers; readiness that everything is there which a call that may be
recorded needs. The answer is codes, nothing of what is inside.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from avsession.errors import AvsessionError

log = logging.getLogger("avsession.readiness")

KEEP_MS = 2000
"""How long an answer is given again: whoever asks more often costs nothing."""
PROBE_S = 5.0
"""How long a part may take to answer."""
Probe = Callable[[], Awaitable[bool]]
"""Asks a part whether it is fine."""

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


class LastBackup(msgspec.Struct, frozen=True, kw_only=True):
    """The newest backup, as it said of itself. Times in milliseconds since the epoch."""

    to: str
    """The name of its folder, without the place."""
    made_ms: int
    leaves: int
    """Leaves of the log that it holds."""
    sessions: int = 0
    recordings: int = 0
    segments: int = 0
    bytes: int = 0
    keys: int | None = None
    """Track keys in the copy of the key store; None: there is no copy."""
    keys_delete_by_ms: int | None = None
    checked_ms: int | None = None
    """When ``backup check`` looked at it last; None: never."""
    whole: bool | None = None
    """What that found."""


@dataclass
class Readiness:
    """What the parts say of themselves. One a process."""

    draining: bool = False
    free_bytes: Callable[[], int] | None = None
    """Free space where recordings are kept; raises OSError. None: nobody knows."""
    last_backup: Callable[[], LastBackup | None] | None = None
    """The newest backup of the data folder, or None. Reads a small file."""
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

    async def problems(self, probes: Mapping[str, Probe], now_ms: int) -> list[str]:
        """Codes of :data:`CODES`, in their order; none: ready. Probes have theirs."""
        async with self._asking:
            if self._kept is None or not 0 <= now_ms - self._kept[0] < KEEP_MS:
                self._kept = now_ms, await _look(probes)
            found = self._kept[1] | ({DRAINING} if self.draining else set())
        return [code for code in CODES if code in found]


async def _look(probes: Mapping[str, Probe]) -> frozenset[str]:
    found = set()
    for code, probe in probes.items():
        try:
            async with asyncio.timeout(PROBE_S):
                fine = await probe()
        except (AvsessionError, OSError, TimeoutError) as error:
            log.warning("not ready: %s: %s", code, type(error).__name__)
            fine = False
        if not fine:
            found.add(code)
    return frozenset(found)
