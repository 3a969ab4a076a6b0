"""Tracks that somebody is watching right now, kept open between the requests of a player.

A player asks for many ranges; unwrapping the key and verifying the manifest for each would
cost more than the reading. Who may watch is still checked at every request, in the database.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable

from avsession.sealing.open import VirtualFile

MOST = 16
"""Tracks open at once, each with its cache of plain segments; the longest unused one goes."""


class Opened:
    """Open tracks by (access, track). Holds keys in memory, never longer than it must."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._files: OrderedDict[tuple[str, str], tuple[int, VirtualFile]] = OrderedDict()

    async def get(
        self,
        access: str,
        track: str,
        expires_ms: int,
        make: Callable[[], Awaitable[VirtualFile]],
    ) -> VirtualFile:
        """The open track, made by ``make`` if it is not open. It closes at ``expires_ms``."""
        key = (access, track)
        if key not in self._files:
            self._files[key] = (expires_ms, await make())
        self._files.move_to_end(key)
        while len(self._files) > self._most:
            self._files.popitem(last=False)
        return self._files[key][1]

    def forget(self, track: str) -> None:
        """Close a track for everyone who watches it: it was destroyed."""
        for key in [key for key in self._files if key[1] == track]:
            del self._files[key]

    def expire(self, now_ms: int) -> None:
        """Close what may be watched no longer: no key stays in memory for nothing."""
        for key in [key for key, (end, _) in self._files.items() if end <= now_ms]:
            del self._files[key]
