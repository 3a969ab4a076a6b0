"""Exports and disclosures that are being prepared: how far they are, and which had to wait.

Nothing here is needed to go on: what waits stands in the database.
"""

from __future__ import annotations

import asyncio


class Building:
    """What is being prepared in this process."""

    def __init__(self) -> None:
        self._progress: dict[str, tuple[int, int]] = {}
        self._late: dict[str, int] = {}
        self._turn = 0
        self.wanted = asyncio.Event()
        """Set when there is something to prepare."""

    def want(self) -> None:
        """Something waits to be prepared."""
        self.wanted.set()

    def later(self, name: str) -> None:
        """It cannot be prepared now: the others come first."""
        self._turn += 1
        self._late[name] = self._turn

    def turn(self, name: str) -> int:
        """The lower, the sooner it is tried again; 0: it never had to wait."""
        return self._late.get(name, 0)

    def over(self, name: str) -> None:
        """It is sealed, or will not be: nothing is noted of it any more."""
        self._late.pop(name, None)
        self._progress.pop(name, None)

    def note(self, name: str, done: int, total: int) -> None:
        """How far an export or a disclosure is, in bytes of media."""
        self._progress[name] = (done, total)

    def progress(self, name: str) -> tuple[int, int]:
        """How far it is; (0, 0) when that is not known."""
        return self._progress.get(name, (0, 0))
