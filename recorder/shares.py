"""So many a second of each sort of datagram: what a flood may take of a worker. Pure."""

from __future__ import annotations

STUN_A_SECOND = 200
"""From a leg's peer, and as many from all others together. ICE needs a dozen."""
RTCP_A_SECOND = 200
"""Browsers send a few."""
DTLS_A_SECOND = 100
"""A handshake needs a dozen datagrams."""
DTLS_LATER = 64
"""After the handshake, in all: a farewell is to come. OpenSSL would keep all else without limit."""
FLOOD_FACTOR, FLOOD_SECONDS = 5, 3
"""A sender at more than so many times the agreed rate for so many seconds loses its leg."""


class Share:
    """How many of one sort are looked at; the rest is dropped unread."""

    def __init__(self, a_second: int, *, in_all: int | None = None) -> None:
        """``in_all``: so many for ever, if there is an end to them."""
        self._a_second, self._left = a_second, in_all
        self._since_ms = float("-inf")
        self._count = 0

    def takes(self, now_ms: float) -> bool:
        """Count one that came now; whether it is still within the share."""
        if now_ms - self._since_ms >= 1_000.0:
            self._since_ms, self._count = now_ms, 0
        if self._count >= self._a_second or self._left == 0:
            return False
        self._count += 1
        if self._left is not None:
            self._left -= 1
        return True


class Shares:
    """What one leg looks at, beside SRTP, which `Flood` measures."""

    def __init__(self) -> None:
        self.stun = Share(STUN_A_SECOND), Share(STUN_A_SECOND)
        """Strangers' and the peer's: they must not use up the peer's share."""
        self.dtls = Share(DTLS_A_SECOND)
        self.rtcp = Share(RTCP_A_SECOND)

    def connected(self) -> None:
        """The handshake is over."""
        self.dtls = Share(DTLS_A_SECOND, in_all=DTLS_LATER)


class Flood:
    """Whether a sender goes on at far more than the agreed rate."""

    def __init__(self, cap_bps: int) -> None:
        self._most = FLOOD_FACTOR * cap_bps / 8
        self._since_ms = float("-inf")
        self._size = self._seconds = 0

    def lasts(self, now_ms: float, size: int) -> bool:
        """``size``: all bytes so far. Whether the last FLOOD_SECONDS were each a flood."""
        if now_ms - self._since_ms >= 1_000.0:
            self._seconds = self._seconds + 1 if size - self._size > self._most else 0
            self._since_ms, self._size = now_ms, size
        return self._seconds >= FLOOD_SECONDS
