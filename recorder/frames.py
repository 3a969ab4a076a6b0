"""One encoded frame, the thing that travels from the leg to the spool."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    """What a frame holds; the value is its WebM track number (FORMAT.md)."""

    VIDEO = 1
    AUDIO = 2


MAX_A_SECOND = 500
"""Frames of a kind: Opus has 400 at most, browsers send 50. With the 2 ms that FORMAT.md puts
between two sounds, what comes in a second then never takes more than a second."""


class EachSecond:
    """Counts the frames of each kind in the running second."""

    def __init__(self) -> None:
        self._since_ms = float("-inf")
        self._counts = [0, 0]

    def count(self, kind: Kind, now_ms: float) -> int:
        """Another one; the how manieth it is."""
        if now_ms - self._since_ms >= 1_000.0:
            self._since_ms, self._counts = now_ms, [0, 0]
        self._counts[kind - 1] += 1
        return self._counts[kind - 1]


class Span(NamedTuple):
    """From when to when something is lost that no frame tells of, at the most. Monotonic ms."""

    since_ms: float
    until_ms: float = math.inf


@dataclass(slots=True)
class EncodedFrame:
    """One whole VP8 frame or one Opus packet, as the browser encoded it.

    Both times are milliseconds on the recorder's monotonic clock, until `seal` moves the first
    onto the recording's timeline.
    """

    kind: Kind
    timestamp_ms: float
    """When it was captured, as well as RTP and sender reports can tell."""
    arrival_ms: float
    """When its last packet arrived: an upper bound of when it was captured."""
    data: bytes
    keyframe: bool = True
    """Decodes without an earlier frame; always true for Opus."""
    width: int = 0
    """Pixels, of a video keyframe only; 0 otherwise."""
    height: int = 0
    after_loss: bool = False
    """Something of its kind should have come since the frame before it, and is lost."""
    lost_since_ms: float | None = None
    """After a loss: when its kind was first heard, or heard again after a pause, if no whole
    frame need have come since."""

    @property
    def latest_ms(self) -> float:
        """The later of the two times; what a closing gate compares, to err on the safe side."""
        return max(self.timestamp_ms, self.arrival_ms)
