"""Tracks that somebody is watching right now, kept open between the requests of a player.

A player asks for many ranges; unwrapping the key and verifying the manifest for each would
cost more than the reading. Who may watch is still checked at every request, in the database;
and an answer that is still on its way ends when its track is closed here.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Container
from weakref import WeakKeyDictionary

from avsession.errors import NotFound
from avsession.records import Access
from avsession.sealing.open import VirtualFile

MOST = 16
"""Tracks open at once, each with its cache of plain segments; the longest unused one goes."""


@dataclasses.dataclass(eq=False)
class _Viewing:
    """One track under one access, open or about to be."""

    access: Access
    track: str
    over: bool = False


class Opened:
    """Open tracks by access and track. Holds keys in memory, never longer than it must."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._files: OrderedDict[tuple[str, str], VirtualFile] = OrderedDict()
        self._opening: set[_Viewing] = set()
        self._made: WeakKeyDictionary[VirtualFile, _Viewing] = WeakKeyDictionary()
        """Those too that are kept no longer, but that an answer still reads."""

    async def get(
        self, access: Access, track: str, make: Callable[[], Awaitable[VirtualFile]]
    ) -> VirtualFile:
        """The open track, made by ``make`` if it is not open. It closes when the access expires.

        Raises NotFound when it had to be closed while it was being made.
        """
        key = (access.id, track)
        if key not in self._files:
            self._files[key] = await self._make(_Viewing(access, track), make)
        self._files.move_to_end(key)
        while len(self._files) > self._most:
            self._files.popitem(last=False)
        return self._files[key]

    async def _make(
        self, viewing: _Viewing, make: Callable[[], Awaitable[VirtualFile]]
    ) -> VirtualFile:
        self._opening.add(viewing)
        try:
            file = await make()
        finally:
            self._opening.discard(viewing)
        if viewing.over:
            file.close()
            raise NotFound
        self._made[file] = viewing
        return file

    def forget(self, track: str) -> None:
        """Close a track for everyone who watches it: it was destroyed, or may not be shown."""
        self._close(lambda viewing: viewing.track == track)

    def sign_out(self, auth: bytes) -> None:
        """Close what this staff session watches: it is over."""
        self._close(lambda viewing: viewing.access.auth == auth)

    def leave(self, accounts: Container[str]) -> None:
        """Close what these accounts watch: they are disabled."""
        self._close(lambda viewing: viewing.access.account in accounts)

    def expire(self, now_ms: int) -> None:
        """Close what may be watched no longer: no key stays in memory for nothing."""
        self._close(lambda viewing: viewing.access.expires_ms <= now_ms)

    def _close(self, over: Callable[[_Viewing], bool]) -> None:
        for viewing in self._opening:
            viewing.over = viewing.over or over(viewing)
        for file, viewing in list(self._made.items()):
            if over(viewing):
                file.close()
                self._files.pop((viewing.access.id, viewing.track), None)
                del self._made[file]
