"""The server's time: one that nobody can set while it is being compared with.

Closing moments, grants and what a recorder says of its frames are compared with each other. If
the computer's clock were set in between, a frame from after a withdrawal could look older than
it. So a process counts on from the moment at which it looked, with a clock that only goes
forward, and takes a clock that was set over only when it is told to (``usecases.resetting``).
"""

from __future__ import annotations

import time
from collections.abc import Callable

NS_PER_MS = 1_000_000


class SystemClock:
    """As ``ports.HostClock``: the computer's time as of :meth:`adopt`, counted on from there."""

    def __init__(
        self,
        wall_ns: Callable[[], int] = time.time_ns,
        steady_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """``wall_ns``: time since the Unix epoch; ``steady_ns``: since any moment, never set."""
        self._wall_ns, self._steady_ns = wall_ns, steady_ns
        self.adopt()

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC; never goes back but by :meth:`adopt`."""
        return (self._steady_ns() + self._shift_ns) // NS_PER_MS

    def away_ms(self) -> int:
        """How far the computer's clock was set away from this one meanwhile (ms)."""
        return (self._wall_ns() - self._steady_ns() - self._shift_ns) // NS_PER_MS

    def adopt(self) -> None:
        """Take the computer's clock as it is now. Only while no gate is open."""
        self._shift_ns = self._wall_ns() - self._steady_ns()
