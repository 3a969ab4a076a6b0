"""Whether this may be kept: the generation that is live, and the moment it closed. Pure.

Closed unless said open, and closed again by itself when nobody confirms it. All times are
milliseconds on the recorder's monotonic clock; the caller maps the server's onto it.
"""

from __future__ import annotations

import bisect
import operator

from avsession.errors import GrantStale
from recorder.frames import EncodedFrame, Kind

CONFIRM_MS = 5_000.0
"""Without signaling for this long the gate closes by itself (promise 1)."""
MAX_DELAY_MS = 400
"""The longest a frame may be held before it goes into a cluster."""
MOST_LATE_MS = 40.0
"""Sound is put at most so much later than it was heard: lips are out of step from 45 ms on."""
MAX_DELAYED_FRAMES = 2_048
MAX_DELAYED_BYTES = 8 * 1024 * 1024
"""Beyond either the oldest frames go on at once: ten times the agreed rate fits, for the delay
and the second until a segment is cut."""


class Gate:
    """One recording's gate, as the recorder knows it.

    The caller's duty: `open` with every accepted grant, `confirm` or `close` with what the
    server says, `expire` at every tick, and `admits` for every frame before it is stored.
    Read from the writer's thread too: each attribute is replaced, never changed in place.
    """

    def __init__(self, seen: int = 0) -> None:
        """``seen``: the highest generation that this recording's manifest knows."""
        self.seen = seen
        self.generation: int | None = None
        """The live one, None while closed."""
        self.confirmed_ms = float("-inf")
        self._open_ms = float("-inf")
        self._closed_ms: dict[int, float] = {}

    def open(self, generation: int, now_ms: float) -> None:
        """Capture may begin under this generation; raises GrantStale unless it is a newer one."""
        if generation <= self.seen:
            raise GrantStale
        if self.generation is not None:
            # its closing was not heard of: it holds as far as it was last confirmed
            self.close(self.generation, self.confirmed_ms)
        self.seen = self.generation = generation
        self.confirmed_ms = self._open_ms = now_ms

    def confirm(self, live: int | None, asked_ms: float) -> bool:
        """What the server said is live, to a question sent at ``asked_ms``; whether it closed now.

        Anything but our generation closes the gate, as of the last time that it was confirmed:
        when it really closed is not known here, so nothing later is kept.
        """
        if self.generation is None or asked_ms < self._open_ms:
            return False
        if live == self.generation:
            self.confirmed_ms = max(self.confirmed_ms, asked_ms)
            return False
        self.close(self.generation, self.confirmed_ms)
        return True

    def close(self, generation: int, moment_ms: float) -> None:
        """The generation closed at this moment; of several moments the earliest holds."""
        earlier = self._closed_ms.get(generation, float("inf"))
        # a copy, for the writer's thread; only the latest few can still have frames on the way
        kept = sorted(self._closed_ms.items())[-7:]
        self._closed_ms = {**dict(kept), generation: min(earlier, moment_ms)}
        self.seen = max(self.seen, generation)
        if self.generation is not None and self.generation <= generation:
            self.generation = None

    def expire(self, now_ms: float) -> bool:
        """Close if nobody has confirmed for CONFIRM_MS; whether that happened now."""
        if self.generation is None or now_ms - self.confirmed_ms < CONFIRM_MS:
            return False
        self.close(self.generation, now_ms)
        return True

    def closed_at(self, generation: int) -> float | None:
        """The moment from which nothing is kept; None while the generation is live."""
        if generation == self.generation:
            return None
        return self._closed_ms.get(generation, float("-inf"))

    def admits(self, generation: int, latest_ms: float) -> bool:
        """Whether what was captured, and arrived, no later than this may be stored."""
        closed = self.closed_at(generation)
        return closed is None or latest_ms <= closed


class DelayLine:
    """Holds frames for a while, and lets them go in timestamp order.

    The delay lets a closing gate drop what arrived between the decision and its arrival here,
    and brings audio and video into one order. A picture that comes after later ones have gone is
    given their time: it is shown a little late, and everything after it still decodes. Sound that
    late is dropped, and the next one says that something is lost: lips would be out of step.
    """

    def __init__(self, delay_ms: float) -> None:
        self.delay_ms = min(max(0.0, delay_ms), MAX_DELAY_MS)
        self._frames: list[EncodedFrame] = []
        """As they came; put into order when some are let go, which is seldomer."""
        self._bytes = 0
        self._released_ms = float("-inf")
        self.silent_ms: float | None = None
        """When the first sound was captured that came too late, if none has come since."""

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def full(self) -> bool:
        """Whether more waits than may: `release` is to be called now."""
        return len(self._frames) > MAX_DELAYED_FRAMES or self._bytes > MAX_DELAYED_BYTES

    def add(self, frame: EncodedFrame) -> None:
        """Take a frame in, but for sound that is MOST_LATE_MS too late."""
        late_ms = self._released_ms - frame.timestamp_ms
        if late_ms > 0:
            if frame.kind is Kind.AUDIO and late_ms > MOST_LATE_MS:
                if self.silent_ms is None:
                    self.silent_ms = frame.timestamp_ms
                return
            frame.timestamp_ms = self._released_ms
        if self.silent_ms is not None and frame.kind is Kind.AUDIO:
            self.silent_ms, frame.after_loss = None, True
        self._frames.append(frame)
        self._bytes += len(frame.data)

    def release(self, now_ms: float) -> list[EncodedFrame]:
        """The frames whose time has come, in order; those of one time as they came."""
        frames = self._frames
        frames.sort(key=_time)
        count = bisect.bisect_right(frames, now_ms - self.delay_ms, key=_time)
        count = max(count, len(frames) - MAX_DELAYED_FRAMES)
        self._bytes -= sum([len(frame.data) for frame in frames[:count]])
        while self._bytes > MAX_DELAYED_BYTES:
            self._bytes -= len(frames[count].data)
            count += 1
        out, self._frames = frames[:count], frames[count:]
        if out:
            self._released_ms = out[-1].timestamp_ms
        return out

    def drop_after(self, moment_ms: float) -> int:
        """Forget every frame that arrived, or was captured, after the moment; how many."""
        kept = [frame for frame in self._frames if frame.latest_ms <= moment_ms]
        dropped = len(self._frames) - len(kept)
        self._frames, self._bytes = kept, sum(len(frame.data) for frame in kept)
        return dropped


_time = operator.attrgetter("timestamp_ms")
