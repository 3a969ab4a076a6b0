"""One RTP stream of a leg: its SSRC, its order, its clock, and its part of the reports. Pure."""

from __future__ import annotations

from recorder import rtp, vp8
from recorder.clock import SenderClock, StreamClock
from recorder.reorder import Reorder

VIDEO_TICKS_PER_MS, OPUS_TICKS_PER_MS = 90, 48
MOST_IN_VAIN = 120
"""Asks for sound without one answer; each missing packet is asked for a dozen times or so."""
OVERTAKEN_MS = 80.0
"""What is not sent again is waited for only as long as packets overtake each other."""
LOSSY = 256 * 2 // 100
"""In 256ths, as reports count it (rounded down): at least this, some 2 in a hundred, is lossy."""
MAX_BEGINNING_MS = 1_000.0
"""What was read first and says it is older than this before the newest is stamped like it."""
MISSED = 16
"""So many packets before the first one of video are asked for: without its first packet the first
keyframe is lost, and with it all until the next one."""
PAUSE_MS = 1_500.0
"""Nothing of a kind for longer is its sender's own pause (silence has a packet every 400 ms),
unless more than MISSED packets are missing after it: then the path was gone so long."""
SSRC_CHANGE_MS = 1_000.0
"""A stream may change its SSRC (a sender restarted) once in this time; more often is ignored."""


class Stream:
    """What audio and video share: one SSRC, its order, its clock, its report."""

    def __init__(
        self,
        ticks_per_ms: int,
        hold_ms: float,
        sender: SenderClock,
        *,
        in_place: bool = False,
        before: int = 0,
    ) -> None:
        """``in_place``, ``before``: see `Reorder`."""
        self._ticks_per_ms, self._sender = ticks_per_ms, sender
        self._begin(Reorder(hold_ms, in_place=in_place, before=before))

    def _begin(self, reorder: Reorder) -> None:
        """Nothing is known of it yet."""
        self.ssrc: int | None = None
        self.reorder = reorder
        self._in_vain = 0
        leaps = self._ticks_per_ms == VIDEO_TICKS_PER_MS
        self.clock = StreamClock(self._ticks_per_ms, self._sender, leaps=leaps)
        self._since_ms = float("-inf")
        self.since_ms = float("-inf")
        """When it was heard first, or first after a pause: what is lost was lost after that."""
        self._heard_ms = float("-inf")
        self._jitter = 0.0
        self._transit: float | None = None
        self._last_report: tuple[int, float] | None = None
        self._prior = (0, 0)
        self._fraction = 0

    def claim(self, ssrc: int, now_ms: float, *, torn: bool = False) -> bool:
        """Whether a packet with this SSRC belongs to the stream; a new one begins it anew.

        ``torn``: what came under the old one ended with a loss, so `since_ms` stays.
        """
        if ssrc == self.ssrc:
            return True
        if self.ssrc is not None and now_ms - self._since_ms < SSRC_CHANGE_MS:
            return False
        since_ms, old = self.since_ms, self.reorder
        self._begin(Reorder(old.hold_ms, in_place=old.in_place, before=old.before))
        self.ssrc, self._since_ms = ssrc, now_ms
        self.since_ms, self._heard_ms = (since_ms if torn else now_ms), now_ms
        return True

    def heard(self, now_ms: float, sequence: int | None = None) -> bool:
        """A packet came, the next one if no ``sequence`` is told; whether the first after a pause.

        Call it before the packet is given to the reorder buffer.
        """
        resumes = now_ms - self._heard_ms > PAUSE_MS
        if resumes and sequence is not None:
            resumes = (sequence - self.reorder.highest - 1) & 0xFFFF <= MISSED
        if resumes:
            self.since_ms = now_ms
        self._heard_ms = now_ms
        return resumes

    @property
    def heard_ms(self) -> float:
        """When it was heard last."""
        return self._heard_ms

    def pausing(self, now_ms: float) -> bool:
        """Whether nothing has come for so long that its sender has probably paused."""
        return now_ms - self._heard_ms > PAUSE_MS

    def ask(self, now_ms: float, every_ms: float) -> list[int]:
        """The sequence numbers to ask for now.

        Whether sound is sent again no answer tells: Chromium does, and does not say so. One
        who never does is not asked for ever, and is then waited for only a little.
        """
        reorder = self.reorder
        if not reorder.waiting or self._in_vain > MOST_IN_VAIN:
            return []
        named = reorder.to_nack(now_ms, every_ms)
        if reorder.in_place and not reorder.recovered:
            self._in_vain += len(named)
            if self._in_vain > MOST_IN_VAIN:
                reorder.hold_ms = min(reorder.hold_ms, OVERTAKEN_MS)
        return named

    def beginning(self, heard: list[tuple[int, float]]) -> list[float]:
        """When what was read first, together, was captured (ms), by the newest of it.

        ``heard``: RTP timestamps and arrivals. They came one after the other, the newest last: by
        the first, the others would be squeezed into the moment of reading.
        """
        newest, now_ms = heard[-1]
        end_ms = self.clock.at(newest, now_ms)
        ages = [((newest - at) & 0xFFFFFFFF) / self._ticks_per_ms for at, _ in heard]
        return [end_ms - (age_ms if age_ms < MAX_BEGINNING_MS else 0.0) for age_ms in ages]

    def arrived(self, timestamp: int, now_ms: float) -> None:
        """Count towards jitter (RFC 3550 appendix A.8)."""
        transit = now_ms * self._ticks_per_ms - timestamp
        if self._transit is not None:
            change = abs(transit - self._transit)
            if change < self._ticks_per_ms * 10_000:  # neither a wrap nor a restart
                self._jitter += (change - self._jitter) / 16
        self._transit = transit

    def sender_report(self, report: rtp.SenderReport, now_ms: float) -> None:
        """A report of the sender's clock."""
        self._last_report = (report.ntp_middle, now_ms)
        self.clock.report(report, now_ms)

    @property
    def lossy(self) -> bool:
        """Whether the last report said that much was lost."""
        return self._fraction >= LOSSY

    def block(self, now_ms: float) -> rtp.ReportBlock | None:
        """This stream's part of a receiver report (RFC 3550 appendix A.3)."""
        if self.ssrc is None or self.reorder.highest < 0:
            return None
        expected = self.reorder.highest - self.reorder.first + 1
        received = self.reorder.received
        new_expected, new_received = expected - self._prior[0], received - self._prior[1]
        self._prior = (expected, received)
        lost = max(0, new_expected - new_received)
        fraction = min(255, (lost << 8) // new_expected) if new_expected > 0 else 0
        self._fraction = fraction
        last, delay = 0, 0
        if self._last_report is not None:
            last = self._last_report[0]
            delay = int((now_ms - self._last_report[1]) * 65.536)
        highest = self.reorder.highest - (1 << 16)  # Reorder counts from one cycle above zero
        return rtp.ReportBlock(
            self.ssrc, fraction, expected - received, highest, int(self._jitter), last, delay
        )


def begins_keyframe(packet: rtp.Packet) -> bool:
    """Whether this packet of video is the first of a keyframe."""
    return vp8.begins_keyframe(packet.payload)
