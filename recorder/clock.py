"""Media time onto the recorder's clock: RTP timestamps, sender reports, arrivals. Pure.

Two clocks tick at the sender (audio and video samples), sender reports tie both to its wall
clock (RFC 3550 section 6.4.1). The earliest arrivals tie that wall clock to ours. All times are
milliseconds; ours is monotonic, the sender's need not be.
"""

from __future__ import annotations

from recorder.rtp import NTP_UNIX_OFFSET_S, SenderReport

WINDOW_MS = 10_000.0
"""The smallest delay is looked for in this window and the one before it."""
JUMP_MS = 5_000.0
"""Media time further than this from its arrival is a restarted sender, not jitter."""
SET_MS = 100.0
"""Two reports of a stream differ in wall time and media time by more: one of the two was set."""
STEP_MS = 1_000.0
"""A first report this far from what arrivals say is believed only when the next one agrees."""
SLEW = 0.01
"""A correction is spread: at most 10 ms in a second of media, which nobody hears or sees."""
FAR_MS, FAR_SLEW = 20.0, 0.2
"""Further off than this, lips are about to be seen out of step: 4 ms in a packet of 20 ms then."""
SUDDEN_MS = 50.0
"""Media that is early by more than this is believed only when a report's arrival says the same."""
_NO_WALL_CLOCK_MS = -NTP_UNIX_OFFSET_S * 1000.0


class SenderClock:
    """How far the sender's wall clock is from ours: the smallest delay seen lately.

    One for each leg, shared by its streams; this is what keeps lips in step. Sender's time is
    steady here: see `steady`.
    """

    def __init__(self) -> None:
        self._current: float | None = None
        self._previous: float | None = None
        self._window_start = 0.0
        self._set_ms = 0.0
        self.offset_ms: float | None = None
        """Add it to the sender's time to get ours; None before the first sender report."""

    def steady(self, wall_ms: float) -> float:
        """The sender's wall clock as if nobody had ever set it."""
        return wall_ms - self._set_ms

    def was_set(self, by_ms: float) -> None:
        """The sender's wall clock was set forward by so much (or back, below 0)."""
        self._set_ms += by_ms

    def observe(self, sender_ms: float, arrival_ms: float) -> None:
        """Something of the sender's steady time arrived."""
        delay = arrival_ms - sender_ms
        if arrival_ms - self._window_start >= WINDOW_MS:
            self._previous, self._current = self._current, None
            self._window_start = arrival_ms
        if self._current is None or delay < self._current:
            self._current = delay
            before = self._previous
            self.offset_ms = delay if before is None or delay < before else before


class StreamClock:
    """RTP timestamps of one stream to our clock.

    What comes out never lies after the arrival and, within one stream, never goes back.
    """

    def __init__(self, ticks_per_ms: int, sender: SenderClock, *, leaps: bool = False) -> None:
        """``leaps``: the first report is followed at once, right for pictures; sound would be
        squeezed, and is brought into step packet by packet."""
        self._ticks_per_ms, self._leaps = ticks_per_ms, leaps
        self._sender = sender
        self._highest: int | None = None
        self._shift_ms = 0.0
        self._last_ms = float("-inf")
        self._last_media_ms = 0.0
        self._report: tuple[float, float] | None = None
        """Sender's steady time and media time of the last report."""
        self._leap = False
        """The next frame goes where the last report says, at once."""
        self._suspect: float | None = None

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
            offset = self._sender.offset_ms
            if offset is None or arrival_ms - sender_ms > offset - SUDDEN_MS:
                self._sender.observe(sender_ms, arrival_ms)
                offset = self._sender.offset_ms
            if offset is not None:
                goal = sender_ms + offset - media
                change = goal - self._shift_ms
                if change:
                    self._move(change, media)
        elif media + self._shift_ms > arrival_ms:
            # nothing arrives before it is captured: an earlier packet was late
            self._shift_ms = arrival_ms - media
        self._last_media_ms = media
        captured_ms = min(media + self._shift_ms, arrival_ms)
        self._last_ms = max(self._last_ms, captured_ms)
        return self._last_ms

    def _move(self, change: float, media: float) -> None:
        """Go towards what the reports say: slowly, but for a leap."""
        if self._leap:
            self._leap = False
        else:
            slew = SLEW if abs(change) <= FAR_MS else FAR_SLEW
            most = slew * max(0.0, media - self._last_media_ms)
            change = max(-most, min(change, most))
        self._shift_ms += change

    def report(self, report: SenderReport, arrival_ms: float) -> None:
        """A sender report of this stream arrived."""
        if self._highest is None or report.ntp_ms == _NO_WALL_CLOCK_MS:
            return
        sender = self._sender
        sender_ms = sender.steady(report.ntp_ms)
        media = self._extend(report.rtp) / self._ticks_per_ms
        before, offset = self._report, sender.offset_ms
        moved = 0.0
        if before is not None:
            moved = sender_ms - (before[0] + media - before[1])
            if abs(moved) <= SET_MS:
                moved = 0.0
        elif offset is not None and abs(arrival_ms - sender_ms - offset) > STEP_MS:
            moved = sender_ms + offset - arrival_ms
            if self._suspect is None or abs(moved - self._suspect) > STEP_MS / 4:
                self._suspect = moved
                return
        self._suspect = None
        if moved and offset is not None:
            # which clock was set? If it was the wall clock, arrivals go on as before without it
            delay = arrival_ms - sender_ms
            if abs(delay + moved - offset) < abs(delay - offset):
                sender.was_set(moved)
                sender_ms -= moved
                moved = 0.0
        if before is None:
            # the earliest arrival so far, in the sender's time
            sender.observe(sender_ms, min(arrival_ms, media + self._shift_ms))
        else:
            sender.observe(sender_ms, arrival_ms)
        self._leap = self._leap or moved != 0.0 or (before is None and self._leaps)
        self._report = (sender_ms, media)

    def _extend(self, timestamp: int) -> int:
        if self._highest is None:
            return timestamp
        return self._highest + ((timestamp - self._highest + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
