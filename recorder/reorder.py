"""A time-bounded reorder buffer for one RTP stream, and what it asks to be sent again. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from recorder.rtp import Packet

MAX_WAITING = 1024
"""Packets held behind a gap; beyond it the oldest gap is given up at once (about 1.5 MB)."""
MAX_SPAN = 2048
"""Sequence numbers between the oldest missing one and the highest: few packets with wide gaps
between them would otherwise be a long list of what to ask for."""
MAX_JUMP = 512
"""Sequence numbers a packet may be ahead; further ahead is taken for a sender's restart."""
MAX_TRIES = 10
"""Times one packet is asked for; its age ends the asking earlier."""
NACK_AFTER_MS = 10.0
"""A gap younger than this may be mere reordering."""


@dataclass(slots=True)
class _Missing:
    since_ms: float
    asked_ms: float = 0.0
    tries: int = 0


class Reorder:
    """Packets in, packets in order out; a ``None`` among them says that something was lost there.

    A gap is waited for ``hold_ms`` after it was seen, then given up. Sequence numbers are
    extended to never wrap (RFC 3550 appendix A.1).
    """

    def __init__(self, hold_ms: float) -> None:
        self.hold_ms = hold_ms
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
        if self._next < 0:
            if recovered:
                return []
            self._begin(packet.sequence)
        # the nearest number to the highest one seen, whichever side of a wrap it is on
        extended = self.highest + ((packet.sequence - self.highest + 0x8000) & 0xFFFF) - 0x8000
        ahead = extended - self.highest
        out: list[Packet | None] = []
        if abs(ahead) > MAX_JUMP:
            # one stray packet is dropped, two in a row are a sender that began anew
            if recovered or packet.sequence != self._restart_at:
                self._restart_at = (packet.sequence + 1) & 0xFFFF
                return out
            self._begin(packet.sequence)
            extended = self.highest + 1
            out.append(None)
        if recovered:
            if extended not in self._missing:
                return out
            self.recovered += 1
        else:
            self.received += 1
        if extended > self.highest:
            for sequence in range(self.highest + 1, extended):
                self._missing[sequence] = _Missing(now_ms)
            self.highest = extended
        elif extended < self._next or extended in self._waiting:
            return out  # too late, or a duplicate
        else:
            self._missing.pop(extended, None)
        if extended == self._next and not self._waiting:
            self._next += 1
            out.append(packet)
            return out
        self._waiting[extended] = packet
        self._drain(out)
        while len(self._waiting) > MAX_WAITING or self.highest - self._next > MAX_SPAN:
            self._skip(out)
        return out

    @property
    def waiting(self) -> bool:
        """Whether something is missing."""
        return bool(self._waiting)

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

    def to_nack(self, now_ms: float, round_trip_ms: float) -> list[int]:
        """The sequence numbers (16 bits, ascending) to ask for now; each once a round trip."""
        asked: list[int] = []
        for sequence, missing in self._missing.items():
            waited = now_ms - (missing.asked_ms if missing.tries else missing.since_ms)
            due = round_trip_ms * 1.25 if missing.tries else NACK_AFTER_MS
            if waited >= due and missing.tries < MAX_TRIES:
                missing.asked_ms = now_ms
                missing.tries += 1
                asked.append(sequence & 0xFFFF)
        return asked

    def asked_at(self, sequence: int) -> float | None:
        """When this missing packet was asked for, if once only: its answer tells the round trip."""
        extended = self.highest + ((sequence - self.highest + 0x8000) & 0xFFFF) - 0x8000
        missing = self._missing.get(extended)
        return missing.asked_ms if missing is not None and missing.tries == 1 else None

    def _begin(self, sequence: int) -> None:
        # 2^16 above zero, so that a first packet that came late does not go below it
        self._next = self.first = (1 << 16) + sequence
        self.highest = self._next - 1
        self.received = 0
        self._waiting.clear()
        self._missing.clear()
        self._restart_at = -1

    def _drain(self, out: list[Packet | None]) -> None:
        while (packet := self._waiting.pop(self._next, None)) is not None:
            out.append(packet)
            self._next += 1

    def _skip(self, out: list[Packet | None]) -> None:
        """Give up the gap in front of the oldest waiting packet."""
        after = min(self._waiting)
        for sequence in range(self._next, after):
            self._missing.pop(sequence, None)
        self.lost += after - self._next
        self._next = after
        out.append(None)
        self._drain(out)
