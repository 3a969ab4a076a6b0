"""When to ask a sender again: how long its answers take, and when a keyframe is wanted. Pure.

All times are ms on the caller's monotonic clock.
"""

from __future__ import annotations

import statistics
from collections import deque

DEFAULT_ROUND_TRIP_MS = 50.0
LATEST = 16
"""Answers that the round trip is read from."""
NACK_SPACING_MS = 15.0
"""A missing packet is asked for again after a quarter of a round trip, but not sooner than this."""
HOLD_ROUND_TRIPS = 10
"""A gap is waited for at least so many of them,"""
MOST_HOLD_MS = 700.0
"""but no longer than this, since what waits is lost in a crash (FORMAT.md)."""

KEYFRAME_EVERY_MS = 3_000.0
"""Asked for this long after the last one, so that with the answer's time it stays below 4 s."""
PLI_SPACING_MS = 150.0
"""Keyframes are never asked for more often,"""
PLI_SPACING_MOST_MS = 1_000.0
"""and, while none comes, less and less often, down to this."""
PLI_BACKOFF, MOST_BACKOFF = 1.5, 10.0
ROUND_TRIPS_OF_PATIENCE = 2.5
"""So long an answer is hoped for; then the packet was probably lost again."""


class RoundTrip:
    """The time from an ask to its answer: the middle one of the latest.

    An answer is counted from the first ask. Where that one, or its answer, was lost, and a later
    one was heard, it seems too long; where the answer overtook others, too short. Neither is so
    for most of them, up to a loss of 30 % each way.
    """

    def __init__(self) -> None:
        self._latest: deque[float] = deque(maxlen=LATEST)
        self.ms = DEFAULT_ROUND_TRIP_MS
        """A guess until something was answered."""

    @property
    def nack_every_ms(self) -> float:
        """How often to ask for a missing packet.

        Browsers send a packet again no sooner than a round trip after the last time, so asking
        more often makes up for asks that are lost, and one comes when it is heeded again. It
        costs a few bytes: other packets are missing at the same time, and all share a datagram.
        """
        return max(NACK_SPACING_MS, self.ms / 4)

    @property
    def hold_ms(self) -> float:
        """How long a gap is worth waiting for."""
        return min(HOLD_ROUND_TRIPS * self.ms, MOST_HOLD_MS)

    def answered(self, took_ms: float) -> None:
        """An answer came so long after the first ask."""
        self._latest.append(max(1.0, took_ms))
        self.ms = statistics.median_low(self._latest)


class Keyframes:
    """When to ask for a keyframe (PLI): by the clock, on demand, and until a lost one is there."""

    def __init__(self) -> None:
        self._wanted = False
        self._came_ms = float("-inf")
        self._asked_ms = float("-inf")
        self._spacing = 1.0

    @property
    def seen(self) -> bool:
        """Whether there has been one."""
        return self._came_ms > float("-inf")

    def came_since(self, moment_ms: float) -> bool:
        """Whether there has been one since then."""
        return self._came_ms >= moment_ms

    def want(self) -> None:
        """Ask at the next occasion."""
        self._wanted = True

    def came(self, now_ms: float) -> None:
        """A keyframe is whole."""
        self._came_ms, self._spacing = now_ms, 1.0

    def due(self, now_ms: float) -> bool:
        """Whether one is wanted, whatever else happens."""
        return self._wanted or now_ms - self._came_ms >= KEYFRAME_EVERY_MS

    def may_ask(self, now_ms: float, round_trip_ms: float) -> bool:
        """Whether the last asking was long enough ago to have been lost."""
        least_ms = max(PLI_SPACING_MS, 1.5 * round_trip_ms)
        return now_ms - self._asked_ms >= min(least_ms * self._spacing, PLI_SPACING_MOST_MS)

    def asked(self, now_ms: float) -> None:
        """It was asked for now."""
        self._asked_ms, self._wanted = now_ms, False
        self._spacing = min(self._spacing * PLI_BACKOFF, MOST_BACKOFF)
