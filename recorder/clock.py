"""Media time onto the recorder's clock: RTP timestamps, sender reports, arrivals. Pure.

Two clocks tick at the sender (audio and video samples), sender reports tie both to its wall
clock (RFC 3550 section 6.4.1). The earliest arrivals tie that wall clock to ours. All times are
milliseconds; ours is monotonic, the sender's need not be.
"""

from __future__ import annotations

from recorder.rtp import SenderReport

WINDOW_MS = 10_000.0
"""The smallest delay is looked for in this window and the one before it."""
JUMP_MS = 5_000.0
"""Media time further than this from its arrival is a restarted sender, not jitter."""
STEP_MS = 1_000.0
"""A sender's wall clock that moved further than this was set; two reports must agree on it."""
SLEW = 0.01
"""A correction is spread: at most 10 ms in a second of media, which nobody hears or sees."""


class SenderClock:
    """How far the sender's wall clock is from ours: the smallest delay seen lately.

    One for each leg, shared by its streams; this is what keeps lips in step.
    """

    def __init__(self) -> None:
        self._current: float | None = None
        self._previous: float | None = None
        self._window_start = 0.0
        self._suspect: float | None = None
        self.offset_ms: float | None = None
        """Add it to the sender's time to get ours; None before the first sender report."""

    def observe(self, sender_ms: float, arrival_ms: float) -> None:
        """Something of the sender's time arrived."""
        delay = arrival_ms - sender_ms
        if arrival_ms - self._window_start >= WINDOW_MS:
            self._previous, self._current = self._current, None
            self._window_start = arrival_ms
        if self._current is None or delay < self._current:
            self._current = delay
            before = self._previous
            self.offset_ms = delay if before is None or delay < before else before

    def report(self, sender_ms: float, arrival_ms: float) -> bool:
        """A sender report's time arrived; False if it is not to be believed (yet)."""
        delay, offset = arrival_ms - sender_ms, self.offset_ms
        if offset is not None and abs(delay - offset) > STEP_MS:
            if self._suspect is None or abs(delay - self._suspect) > STEP_MS / 4:
                self._suspect = delay
                return False
            self._current = self._previous = None  # its clock was set
        self._suspect = None
        self.observe(sender_ms, arrival_ms)
        return True


class StreamClock:
    """RTP timestamps of one stream to our clock.

    What comes out never lies after the arrival and, within one stream, never goes back.
    """

    def __init__(self, ticks_per_ms: int, sender: SenderClock) -> None:
        self._ticks_per_ms = ticks_per_ms
        self._sender = sender
        self._highest: int | None = None
        self._shift_ms = 0.0
        self._last_ms = float("-inf")
        self._last_media_ms = 0.0
        self._report: tuple[float, float] | None = None
        """Sender's time and media time of the last report."""

    def at(self, timestamp: int, arrival_ms: float) -> float:
        """When the frame with this 32-bit timestamp was captured, on our clock."""
        highest = self._highest
        extended = timestamp if highest is None else self._extend(timestamp)
        if highest is None or extended > highest:
            self._highest = extended
        media = extended / self._ticks_per_ms
        if self._last_ms == float("-inf") or abs(media + self._shift_ms - arrival_ms) > JUMP_MS:
            # begin, or begin anew: by arrival, until a report says better
            self._highest = timestamp
            media = timestamp / self._ticks_per_ms
            self._shift_ms = arrival_ms - media
            self._report = None
        elif self._report is not None:
            sender_ms = self._report[0] + media - self._report[1]
            self._sender.observe(sender_ms, arrival_ms)
            offset = self._sender.offset_ms
            if offset is not None:
                goal = sender_ms + offset - media
                change = goal - self._shift_ms
                if change:
                    most = SLEW * max(0.0, media - self._last_media_ms)
                    self._shift_ms += max(-most, min(change, most))
        elif media + self._shift_ms > arrival_ms:
            # nothing arrives before it is captured: an earlier packet was late
            self._shift_ms = arrival_ms - media
        self._last_media_ms = media
        captured_ms = min(media + self._shift_ms, arrival_ms)
        self._last_ms = max(self._last_ms, captured_ms)
        return self._last_ms

    def report(self, report: SenderReport, arrival_ms: float) -> None:
        """A sender report of this stream arrived."""
        if self._highest is None:
            return
        if self._sender.report(report.ntp_ms, arrival_ms):
            media = self._extend(report.rtp) / self._ticks_per_ms
            self._report = (report.ntp_ms, media)

    def _extend(self, timestamp: int) -> int:
        if self._highest is None:
            return timestamp
        return self._highest + ((timestamp - self._highest + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
