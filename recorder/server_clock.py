"""The server's clock as seen from here: offset and uncertainty, from heartbeats. Pure.

A heartbeat leaves at ``sent`` and its answer, stamped by the server, is here at ``now``: the
stamp was made somewhere in between, so half that time is how far the estimate may be off.
"""

from __future__ import annotations

KEPT = 60
"""Heartbeats remembered: a minute."""
GOOD_MS, ENOUGH = 5.0, 5
"""An answer this certain is enough, or this many answers of any kind."""
DRIFT = 100e-6
"""How far two ordinary clocks part: 0.1 ms a second. An old estimate is worth that much less."""
STEP_MS = 250.0
"""Two answers that disagree by more than this and their uncertainty: the server's clock was set."""


class ServerClock:
    """Offset of the server's clock (ms since the Unix epoch) to the monotonic one here."""

    def __init__(self) -> None:
        self._samples: tuple[tuple[float, float, float], ...] = ()
        """When, offset, half the round trip. Replaced, never changed: the spool's thread reads."""
        self._doubted = False

    @property
    def known(self) -> bool:
        """Whether there has been an answer yet."""
        return bool(self._samples)

    @property
    def settled(self) -> bool:
        """Whether a recording may be placed in time by it: one good answer, or several."""
        if self._doubted:
            return False
        good = any(half <= GOOD_MS for _, _, half in self._samples)
        return good or len(self._samples) >= ENOUGH

    def doubt(self) -> None:
        """The connection was lost: another server, or one whose clock was set, may answer next.

        Until it does, the estimate stands for what was captured so far.
        """
        self._doubted = True

    def answer(self, sent_ms: float, server_ms: float, now_ms: float) -> None:
        """A heartbeat's answer; one that claims to be from the future is ignored."""
        half = (now_ms - sent_ms) / 2
        if half < 0:
            return
        offset = server_ms - (sent_ms + half)
        if self._doubted:
            self._samples, self._doubted = (), False
        if self.known:
            best, uncertainty = self.estimate(now_ms)
            if abs(offset - best) > STEP_MS + half + uncertainty:
                self._samples = ()
        self._samples = (*self._samples[1 - KEPT :], (now_ms, offset, half))

    def estimate(self, now_ms: float) -> tuple[float, float]:
        """(offset, uncertainty) in ms: server time = monotonic time + offset, give or take.

        Raises LookupError before the first answer.
        """
        samples = self._samples
        if not samples:
            raise LookupError("no heartbeat has been answered")
        return min(
            ((offset, half + (now_ms - when) * DRIFT) for when, offset, half in samples),
            key=lambda pair: pair[1],
        )
