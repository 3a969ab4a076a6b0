"""One leg's socket, read in batches outside the event loop; SRTP decrypted where it lies.

This file knows libsrtp, and neither ICE nor DTLS: what is not SRTP from the peer's address is
handed on, a copy with its source.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pylibsrtp._binding import ffi, lib

from recorder.sockets import SLOT, SLOTS, STRIDE, Inlet

log = logging.getLogger("recorder.intake")

MAX_DATAGRAM = 1_500
"""Larger ones are not ours."""
TOO_LONG = MAX_DATAGRAM + 1
MAX_BATCHES = 8
"""Read in one tick: 12800 packets a second; what is more is lost in the socket."""


@dataclass(slots=True)
class Counters:
    """What a leg counts."""

    packets: int = 0
    refused: int = 0
    """Datagrams dropped: empty, oversized, from strangers, undecryptable."""
    size: int = 0
    """Bytes of what looked like SRTP."""
    heard_ms: float = 0.0
    """When something came that only the peer can have sent."""
    complained: bool = False

    def complain(self, error: Exception) -> None:
        """A datagram must never end the worker; one line a leg, so that nobody fills the log."""
        self.refused += 1
        if not self.complained:
            self.complained = True
            log.warning("a datagram could not be handled", exc_info=error)


Take = Callable[[bytearray, int, int, float], None]
Other = Callable[[bytes, tuple[str, int]], None]


class Intake:
    """The socket of a connected leg.

    ``take`` gets each decrypted RTP packet (buffer, start, end, arrival) and must be done with it
    when it returns; ``other`` all else. The owner's duty: `drain` at each tick, `close` once.
    """

    def __init__(
        self,
        descriptor: int,
        peer: tuple[str, int],
        context: Any,
        *,
        take: Take,
        other: Other,
        counters: Counters,
    ) -> None:
        """``context``: libsrtp's receiving session, which the caller keeps alive."""
        self._inlet: Inlet | None = Inlet(descriptor)
        self._context, self._take, self._other, self._counters = context, take, other, counters
        self._batch = self._inlet.batch
        self._key = self._batch.key(peer)
        start = ffi.cast("char *", ffi.from_buffer(self._batch.data))
        self._slots = [start + slot * SLOT for slot in range(SLOTS)]
        self._length = ffi.new("int *")

    def close(self) -> None:
        """Read no more; safe within ``other``."""
        if self._inlet is not None:
            self._inlet.close()
            self._inlet = None

    @property
    def closed(self) -> bool:
        """Whether nothing is read any more."""
        return self._inlet is None

    def drain(self, now_ms: float) -> None:
        """Everything that waits in the socket. Nearly all is RTP, in order: no call too many."""
        batch, counters, take, unprotect = self._batch, self._counters, self._take, _unprotect
        data, lengths, sources, inet6 = batch.data, batch.lengths, batch.sources, batch.inet6
        context, slots, length = self._context, self._slots, self._length
        key, key1, key2 = self._key
        for _ in range(MAX_BATCHES):
            if self._inlet is None:  # closed by what came before
                return
            count = batch.receive(self._inlet)
            received = total = refused = start = 0
            for slot in range(count):
                size = lengths[slot * STRIDE]
                if (
                    sources[4 * slot] == key
                    and 127 < data[start] < 192
                    and not 191 < data[start + 1] < 224  # RTCP (RFC 5761 section 4)
                    and 11 < size < TOO_LONG
                    and not (
                        inet6 and (sources[4 * slot + 1] != key1 or sources[4 * slot + 2] != key2)
                    )
                ):
                    received += 1
                    total += size
                    length[0] = size
                    if unprotect(context, slots[slot], length):
                        refused += 1
                    else:
                        try:
                            take(data, start, start + length[0], now_ms)
                        except Exception as error:  # noqa: BLE001 - of one packet
                            counters.complain(error)
                elif self.closed:
                    break
                else:
                    self._other(bytes(data[start : start + size]), batch.source(slot))
                start += SLOT
            counters.packets += received
            counters.size += total
            counters.refused += refused
            if received > refused:
                counters.heard_ms = now_ms
            if count < SLOTS:
                return


_unprotect = lib.srtp_unprotect
