"""Who read what of the audit log a moment ago. Each reading is written into it, but not twice."""

from __future__ import annotations

from collections import OrderedDict

AGAIN_MS = 60_000
"""How long the same reading is not written down again."""
READINGS = 1000
"""Readings that are remembered for that; the oldest is forgotten."""


class Readings:
    """Who read what a moment ago, so that paging to and fro does not fill the log."""

    def __init__(self) -> None:
        self._at: OrderedDict[tuple[str, str], int] = OrderedDict()

    def fresh(self, who: str, what: str, now_ms: int) -> bool:
        """Whether this must be written down."""
        key = (who, what)
        last = self._at.get(key)
        if last is not None and 0 <= now_ms - last < AGAIN_MS:
            return False
        self._at[key] = now_ms
        self._at.move_to_end(key)
        while len(self._at) > READINGS:
            self._at.popitem(last=False)
        return True
