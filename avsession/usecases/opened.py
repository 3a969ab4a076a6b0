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
        self._files: OrderedDict[tuple[str, str], VirtualFile] = OrderedDict()

    async def get(
        self, access: str, track: str, make: Callable[[], Awaitable[VirtualFile]]
    ) -> VirtualFile:
        """The open track, made by ``make`` if it is not open."""
        key = (access, track)
        if key not in self._files:
            self._files[key] = await make()
        self._files.move_to_end(key)
        while len(self._files) > self._most:
            self._files.popitem(last=False)
        return self._files[key]

    def forget(self, track: str) -> None:
        """Close a track for everyone who watches it: it was destroyed."""
        for key in [key for key in self._files if key[1] == track]:
            del self._files[key]

    def revoke(self, access: str) -> None:
        """Close what was opened under one access: it has expired."""
        for key in [key for key in self._files if key[0] == access]:
            del self._files[key]
