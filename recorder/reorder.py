"""A time-bounded reorder buffer for one RTP stream, and what it asks to be sent again. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recorder.rtp import MAX_NACK_PAIRS, NACK_PAIR_SPAN, Packet

MAX_WAITING = 1024
"""Packets held behind a gap; beyond it the oldest gap is given up at once (about 1.5 MB)."""
MAX_SPAN = 2048
"""Sequence numbers between the oldest missing one and the highest: few packets with wide gaps
between them would otherwise be a long list of what to ask for."""
MAX_JUMP = 512
"""Sequence numbers a packet may be ahead; further ahead is taken for a sender's restart."""
NACK_AFTER_MS = 10.0
"""A gap younger than this may be mere reordering,"""
OVERTAKING = 5
"""unless the newest packet is so many further on: nothing is overtaken by that much at once."""


@dataclass(slots=True)
class _Missing:
    since_ms: float
    first_ms: float | None = None
    """When it was asked for first,"""
    asked_ms: float = 0.0
    """and last."""


class Reorder:
    """Packets in, packets in order out; a ``None`` among them says that something was lost there.

    A gap is waited for ``hold_ms`` after it was seen, then given up. Sequence numbers are
    extended to never wrap (RFC 3550 appendix A.1).
    """

    def __init__(self, hold_ms: float, *, in_place: bool = False, before: int = 0) -> None:
        """``in_place``: what is sent again comes as it was, not wrapped (audio without RTX).

        ``before``: so many packets before the first one that comes are taken for missing, since a
        stream's first packets may be lost or overtaken like any other.
        """
        self.hold_ms, self.in_place, self.before = hold_ms, in_place, before
        self.first = 0
        """Extended sequence number of the first packet since the last restart."""
        self.highest = -1
        self.received = 0
        """Packets that came by themselves, retransmissions not counted: for receiver reports."""
        self.lost = 0
        """Packets given up."""
        self.recovered = 0
        """Packets that a retransmission brought."""
        self._next = -1
        self._waiting: dict[int, Packet] = {}
        self._missing: dict[int, _Missing] = {}
        self._restart_at = -1

    def push(
        self, packet: Packet, now_ms: float, *, recovered: bool = False
    ) -> list[Packet | None]:
        """Take a packet; what can go on in order now."""
        out: list[Packet | None] = []
        if recovered:
            extended = self._extend(packet.sequence)
            if extended not in self._missing:
                return out
            self.recovered += 1
        else:
            if self._next < 0:
                self._begin(packet.sequence)
                self._look_back(now_ms)
            extended = self._extend(packet.sequence)
            if abs(extended - self.highest) > MAX_JUMP:
                # one stray packet is dropped, two in a row are a sender that began anew
                if packet.sequence != self._restart_at:
                    self._restart_at = (packet.sequence + 1) & 0xFFFF
                    return out
                self._begin(packet.sequence)
                extended = self.highest + 1
                out.append(None)
            self.received += 1
        if extended > self.highest:
            for sequence in range(self.highest + 1, extended):
                self._missing[sequence] = _Missing(now_ms)
            self.highest = extended
        elif extended < self._next or extended in self._waiting:
            return out  # too late, or a duplicate
        elif (missing := self._missing.pop(extended, None)) and missing.first_ms is not None:
            self.recovered += self.in_place
        if extended == self._next and not self._waiting:
            self._next += 1
            out.append(packet)
            return out
        self._waiting[extended] = packet
        self._drain(out)
        while len(self._waiting) > MAX_WAITING or self.highest - self._next > MAX_SPAN:
            self._skip(out)
        return out

    def __len__(self) -> int:
        """How many packets wait behind a gap."""
        return len(self._waiting)

    @property
    def waiting(self) -> bool:
        """Whether something is missing."""
        return bool(self._waiting)

    def missing_for(self, now_ms: float) -> float:
        """How long the oldest missing packet has been missing, in ms; 0 if none is."""
        for missing in self._missing.values():  # in ascending order, the oldest first
            return now_ms - missing.since_ms
        return 0.0

    def holds(self, wanted: Callable[[Packet], bool]) -> bool:
        """Whether such a packet waits behind a gap."""
        return any(map(wanted, self._waiting.values()))

    def skip_to(self, wanted: Callable[[Packet], bool]) -> list[Packet | None]:
        """Give up all gaps before the first such packet that waits; what can go on then."""
        target = min((n for n, p in self._waiting.items() if wanted(p)), default=self._next)
        out: list[Packet | None] = []
        for sequence in range(self._next, target):
            packet = self._waiting.pop(sequence, None)
            if self._missing.pop(sequence, None) is not None:
                self.lost += sequence >= self.first
            out.append(packet)
        self._next = target
        self._drain(out)
        return out

    def advance(self, sequence: int) -> bool:
        """Whether this packet is simply the next one; if so it is counted, and may go on at once.

        What nearly every packet is. For any other, `push` says what happens.
        """
        following = self._next
        if self._waiting or sequence != following & 0xFFFF or following < 0:
            return False
        # nothing waits, so nothing is missing, and the highest one was the one before
        self.highest = following
        self._next = following + 1
        self.received += 1
        return True

    def give_up(self, now_ms: float) -> list[Packet | None]:
        """Stop waiting for what has been missing for ``hold_ms``; what can go on then."""
        out: list[Packet | None] = []
        while self._waiting:
            oldest = self._missing.get(self._next)
            if oldest is not None and now_ms - oldest.since_ms < self.hold_ms:
                break
            self._skip(out)
        return out

    def to_nack(self, now_ms: float, every_ms: float) -> list[int]:
        """The sequence numbers (16 bits, ascending) to ask for now; each every so often.

        Until it comes or is given up by age: who sends again keeps to a pace of its own, and
        an ask may be lost like anything else. No more than one NACK has room for.
        """
        asked: list[int] = []
        pairs, begins = 0, -NACK_PAIR_SPAN
        for sequence, missing in self._missing.items():
            if missing.first_ms is None:
                young = now_ms - missing.since_ms < NACK_AFTER_MS
                if young and self.highest - sequence < OVERTAKING:
                    continue
            elif now_ms - missing.asked_ms < every_ms:
                continue
            if sequence - begins >= NACK_PAIR_SPAN:
                if pairs == MAX_NACK_PAIRS:
                    break
                pairs, begins = pairs + 1, sequence
            if missing.first_ms is None:
                missing.first_ms = now_ms
            missing.asked_ms = now_ms
            asked.append(sequence & 0xFFFF)
        return asked

    def asked_at(self, sequence: int) -> float | None:
        """When this missing packet was asked for first; None if it was not."""
        missing = self._missing.get(self._extend(sequence))
        return missing.first_ms if missing is not None else None

    def _extend(self, sequence: int) -> int:
        """The nearest number to the highest one seen, whichever side of a wrap it is on."""
        return self.highest + ((sequence - self.highest + 0x8000) & 0xFFFF) - 0x8000

    def _begin(self, sequence: int) -> None:
        # 2^16 above zero, so that a first packet that came late does not go below it
        self._next = self.first = (1 << 16) + sequence
        self.highest = self._next - 1
        self.received = 0
        self._waiting.clear()
        self._missing.clear()
        self._restart_at = -1

    def _look_back(self, now_ms: float) -> None:
        """Take for missing what may have come before the very first packet."""
        self._next -= self.before
        for sequence in range(self._next, self.first):
            self._missing[sequence] = _Missing(now_ms)

    def _drain(self, out: list[Packet | None]) -> None:
        while (packet := self._waiting.pop(self._next, None)) is not None:
            out.append(packet)
            self._next += 1

    def _skip(self, out: list[Packet | None]) -> None:
        """Give up the gap in front of the oldest waiting packet."""
        after = min(self._waiting)
        for sequence in range(self._next, after):
            self._missing.pop(sequence, None)
        self.lost += after - max(self._next, min(self.first, after))
        self._next = after
        out.append(None)
        self._drain(out)
