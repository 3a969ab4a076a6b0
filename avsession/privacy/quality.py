"""Call quality as statistics: which figures, and into which ranges they are counted.

A browser whose user allowed it sends a call's figures once, rounded, when the call is over. What
is kept is, for each day, how many calls fell into each range of each figure: nobody's figures,
and nothing that says whose they were.
"""

from __future__ import annotations

import bisect
import datetime

import msgspec

KEEP_DAYS = 90
"""How long a day's counts are kept."""
ENOUGH = 5
"""Fewer calls than this are not shown: somebody might know whose they were."""
CALLS = "calls"
"""Counts the calls themselves, in range 0."""


class Figure(msgspec.Struct, frozen=True):
    """What is measured. A value belongs to the last range whose bound it has reached; below the
    first bound it is range 0."""

    unit: str
    """``ms``, ``permille``, ``lines``, ``per_s`` or ``times``."""
    bounds: tuple[int, ...]
    most: int
    """A larger value is no measurement."""

    def range_of(self, value: int) -> int:
        """The number of the range that a value is counted in."""
        return bisect.bisect_right(self.bounds, value)


FIGURES: dict[str, Figure] = {
    "first_frame": Figure("ms", (500, 1000, 2000, 5000), 600_000),
    "round_trip": Figure("ms", (50, 100, 200, 400), 60_000),
    "jitter": Figure("ms", (10, 30, 60, 120), 60_000),
    "loss": Figure("permille", (1, 10, 30, 100), 1000),
    "height": Figure("lines", (180, 360, 720), 10_000),
    "frames": Figure("per_s", (5, 15, 24), 240),
    "freezes": Figure("times", (1, 3, 10), 100_000),
}
"""Every figure: the time to the first picture, the way there and back, how unevenly sound came,
packets lost, lines and pictures a second of the picture that came, and how often it stood still."""


def day_of(ms: int) -> str:
    """The day (UTC) of a time, such as ``2026-11-22``."""
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC).date().isoformat()


def oldest(now_ms: int) -> str:
    """The oldest day whose counts are still kept."""
    return day_of(now_ms - (KEEP_DAYS - 1) * 86_400_000)
