"""Exports that are being prepared: how far they are, and the keys that seal them meanwhile.

A key is here only until its export is sealed. After a restart it is gone, and comes again when its
person looks at the page: until then the export waits.
"""

from __future__ import annotations

import asyncio

from avsession.errors import TooMany

MOST = 1000
"""Exports that may wait at once."""


class Building:
    """What is being prepared in this process."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._keys: dict[str, str] = {}
        self._progress: dict[str, tuple[int, int]] = {}
        self.wanted = asyncio.Event()
        """Set when there is something to prepare."""

    def want(self, export: str, key: str) -> None:
        """This export waits to be sealed with this key. Raises TooMany."""
        if export not in self._keys and len(self._keys) >= self._most:
            raise TooMany
        self._keys[export] = key
        self.wanted.set()

    def key(self, export: str) -> str | None:
        """The export's key, if it is known here."""
        return self._keys.get(export)

    def waiting(self) -> list[str]:
        """The exports whose key is known here, in the order in which they are to be tried."""
        return list(self._keys)

    def later(self, export: str) -> None:
        """It cannot be prepared now: the others come first."""
        if export in self._keys:
            self._keys[export] = self._keys.pop(export)

    def over(self, name: str) -> None:
        """It is sealed, or will not be: its key and progress go."""
        self._keys.pop(name, None)
        self._progress.pop(name, None)

    def note(self, name: str, done: int, total: int) -> None:
        """How far an export or a disclosure is, in bytes of media."""
        self._progress[name] = (done, total)

    def progress(self, name: str) -> tuple[int, int]:
        """How far it is; (0, 0) when that is not known."""
        return self._progress.get(name, (0, 0))
