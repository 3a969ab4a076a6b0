"""What lies between ICE and DTLS: a bounded queue of datagrams, and no forged alerts in them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

MAX_DTLS_WAITING = 32
"""DTLS datagrams not yet read; more are dropped, DTLS sends again."""


class DtlsPipe:
    """What RTCDtlsTransport takes for its ICE transport: DTLS datagrams only, a bounded queue."""

    role = "controlling"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send_now = send
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_DTLS_WAITING)

    def put(self, data: bytes | None) -> None:
        """A datagram that arrived; None ends the waiting."""
        if data is None and self._queue.full():
            self._queue.get_nowait()
        if not self._queue.full():
            self._queue.put_nowait(data)

    async def _recv(self) -> bytes:
        data = await self._queue.get()
        if data is None:
            raise ConnectionError("the leg is closed")
        return data

    async def _send(self, data: bytes) -> None:
        self._send_now(data)


def without_plain_alerts(data: bytes) -> bytes:
    """A DTLS datagram without its unencrypted alert records (RFC 6347 section 4.1.2.7).

    Anyone who can forge an address can forge such an alert, and it would end a handshake; a real
    one costs us only the wait until the handshake's time is over. A cut record ends the reading.
    """
    kept = b""
    position = 0
    while position + 13 <= len(data):
        end = position + 13 + int.from_bytes(data[position + 11 : position + 13], "big")
        plain = data[position + 3 : position + 5] == b"\x00\x00"
        if not (data[position] == 21 and plain):
            kept += data[position:end]
        position = end
    return kept
