"""A small TURN client (RFC 8656, over RFC 8489): to see whether a relay does what it should.

Not for media. It makes an allocation and gives it back, and can ask for permissions and relay a
few datagrams, which is how the tests hold a real coturn against its promises.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import secrets
import ssl
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from avsession.errors import AvsessionError, Unavailable
from avsession.turn.settings import parse
from avsession.turn.stun import (
    ALLOCATE,
    DATA,
    ERROR_CODE,
    INDICATION,
    INTEGRITY,
    LIFETIME,
    MAPPED,
    NONCE,
    PAYLOAD,
    PEER,
    PERMIT,
    REALM,
    REFRESH,
    RELAYED,
    REQUEST,
    SEND,
    SUCCESS,
    TRANSPORT,
    UDP,
    USERNAME,
    Endpoint,
    Message,
    TurnUnreachable,
    decode,
    decode_address,
    encode,
    encode_address,
)

RESEND_S = 0.5
"""Over UDP a request is said again so often."""
MAX_BUFFER = 70_000
"""Bytes of a message that is not there whole yet, over TCP."""
MAX_WAITING = 64
"""Relayed datagrams that nobody has asked for yet; more are dropped."""


class TurnRefused(Unavailable):
    """A TURN server answered with an error; ``number`` is its code (RFC 8489 section 14.8)."""

    code = "turn.refused"
    sentence = "The TURN server refused."

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"The TURN server refused: {number} {reason}".rstrip() + ".")
        self.number = number


class _Link(asyncio.DatagramProtocol, asyncio.Protocol):
    """One connection to the server, over UDP, TCP or TLS: whole messages out of it."""

    def __init__(self) -> None:
        self.pending: dict[bytes, asyncio.Future[Message]] = {}
        self.relayed: asyncio.Queue[tuple[bytes, Endpoint]] = asyncio.Queue(MAX_WAITING)
        self.gone = asyncio.Event()
        self._buffer = b""

    def datagram_received(self, data: bytes, addr: object) -> None:
        with contextlib.suppress(TurnUnreachable, ValueError):
            self._take(decode(data))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 20:
            size = 20 + struct.unpack_from("!H", self._buffer, 2)[0]
            if len(self._buffer) < size:
                break
            self.datagram_received(self._buffer[:size], None)
            self._buffer = self._buffer[size:]
        if len(self._buffer) > MAX_BUFFER:
            self._buffer = b""

    def connection_lost(self, error: Exception | None) -> None:
        self.gone.set()
        self._hung_up()

    def error_received(self, error: Exception) -> None:
        self._hung_up()

    def _hung_up(self) -> None:
        for waiter in self.pending.values():
            if not waiter.done():
                waiter.set_exception(TurnUnreachable("The TURN server hung up."))

    def _take(self, message: Message) -> None:
        waiter = self.pending.get(message.transaction)
        if waiter is not None and not waiter.done():
            waiter.set_result(message)
        elif message.kind == DATA | INDICATION and {PEER, PAYLOAD} <= message.attributes.keys():
            peer = decode_address(message.attributes[PEER], message.transaction)
            with contextlib.suppress(asyncio.QueueFull):
                self.relayed.put_nowait((message.attributes[PAYLOAD], peer))


@dataclass(frozen=True)
class Allocation:
    """What a TURN server has given."""

    relayed: Endpoint
    """Where others reach us, through the server."""
    mapped: Endpoint
    """Where the server sees us."""
    lifetime_s: int


class Client:
    """One allocation's worth of conversation. Close it, which gives the allocation back.

    Each call raises TurnUnreachable when there is no answer within ``timeout_s``, and TurnRefused
    with the server's own number.
    """

    def __init__(
        self,
        made: tuple[asyncio.DatagramTransport | asyncio.Transport, _Link],
        user: str,
        password: str,
        *,
        datagrams: bool,
        wait_s: float,
    ) -> None:
        self._transport, self._link = made
        self._wait_s, self._again_s = wait_s, RESEND_S if datagrams else None
        self._user, self._password = user, password
        self._key: bytes | None = None
        self._known: dict[int, bytes] = {}
        self._allocated = False

    @classmethod
    async def connect(
        cls,
        url: str,
        user: str,
        password: str,
        *,
        timeout_s: float = 5.0,
        ca_file: Path | None = None,
    ) -> Client:
        """Connect; over TLS the certificate must be the host's, signed by the system's
        authorities or those in ``ca_file``. Raises Invalid for what is no TURN URL."""
        there = parse(url)
        loop = asyncio.get_running_loop()
        made: tuple[asyncio.DatagramTransport | asyncio.Transport, _Link]
        try:
            async with asyncio.timeout(timeout_s):
                if there.transport == "udp":
                    made = await loop.create_datagram_endpoint(
                        _Link, remote_addr=(there.host, there.port)
                    )
                else:
                    tls = ssl.create_default_context(cafile=ca_file) if there.tls else None
                    made = await loop.create_connection(_Link, there.host, there.port, ssl=tls)
        except ssl.SSLCertVerificationError as error:
            raise TurnUnreachable(
                f"The TURN server's certificate does not hold: {error.verify_message}."
            ) from error
        except (OSError, TimeoutError) as error:
            raise TurnUnreachable from error
        datagrams = there.transport == "udp"
        return cls(made, user, password, datagrams=datagrams, wait_s=timeout_s)

    async def allocate(self, lifetime_s: int = 600) -> Allocation:
        """Make the allocation (RFC 8656 section 7)."""
        asked = {TRANSPORT: UDP, LIFETIME: struct.pack("!I", lifetime_s)}
        answer = await self._authenticated(ALLOCATE, asked)
        self._allocated = True
        found = answer.attributes
        if not {RELAYED, MAPPED, LIFETIME} <= found.keys() or len(found[LIFETIME]) != 4:
            raise TurnUnreachable("The TURN server's answer is not whole.")
        return Allocation(
            relayed=decode_address(found[RELAYED], answer.transaction),
            mapped=decode_address(found[MAPPED], answer.transaction),
            lifetime_s=int.from_bytes(found[LIFETIME]),
        )

    async def refresh(self, lifetime_s: int = 600) -> int:
        """Keep the allocation, or with 0 give it back (section 8); the seconds it is kept."""
        answer = await self._authenticated(REFRESH, {LIFETIME: struct.pack("!I", lifetime_s)})
        return int.from_bytes(answer.attributes.get(LIFETIME, b""))

    async def permit(self, host: str) -> None:
        """Let this peer send to us, and us to it (section 10)."""
        await self._authenticated(PERMIT, {}, peer=host)

    def send(self, data: bytes, peer: Endpoint) -> None:
        """Have a datagram sent to a permitted peer (section 11.1). It may be lost, as any."""
        transaction = secrets.token_bytes(12)
        told = {PEER: encode_address(peer, transaction), PAYLOAD: data}
        self._write(encode(Message(SEND | INDICATION, transaction, told)))

    async def receive(self) -> tuple[bytes, Endpoint]:
        """The next datagram from a permitted peer, and which."""
        try:
            async with asyncio.timeout(self._wait_s):
                return await self._link.relayed.get()
        except TimeoutError as error:
            raise TurnUnreachable("Nothing came through the TURN server.") from error

    async def close(self) -> None:
        """Give the allocation back, if there is one, and disconnect. Never raises."""
        if self._allocated:
            with contextlib.suppress(AvsessionError):
                await self.refresh(0)
        self._transport.abort()
        await self._link.gone.wait()

    async def _authenticated(
        self, method: int, attributes: dict[int, bytes], peer: str | None = None
    ) -> Message:
        """Ask; where the server wants to know who asks, or a newer nonce, once more.

        And once again: coturn answers 401 to good credentials, too, while its user database is
        busy, as when several ask it for the first time.
        """
        for last in (False, False, True):
            transaction = secrets.token_bytes(12)
            told = attributes | self._known
            if peer is not None:
                told = {PEER: encode_address((peer, 0), transaction)} | told
            answer = await self._ask(Message(method | REQUEST, transaction, told))
            if answer.kind == method | SUCCESS:
                self._check(answer)
                return answer
            number, reason = _error(answer)
            found = answer.attributes
            if last or number not in (401, 438) or NONCE not in found:
                raise TurnRefused(number, reason)
            realm = found.get(REALM) or self._known.get(REALM, b"")
            self._known = {USERNAME: self._user.encode(), REALM: realm, NONCE: found[NONCE]}
            whole = b":".join([self._user.encode(), realm, self._password.encode()])
            # the key that RFC 8489 section 9.2.2 prescribes
            self._key = hashlib.md5(whole, usedforsecurity=False).digest()
        raise AssertionError("unreachable")

    async def _ask(self, message: Message) -> Message:
        data = encode(message, self._key)
        waiter: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._link.pending[message.transaction] = waiter
        try:
            async with asyncio.timeout(self._wait_s):
                while True:
                    self._write(data)
                    done, _ = await asyncio.wait([waiter], timeout=self._again_s)
                    if done:
                        return waiter.result()
        except TimeoutError as error:
            raise TurnUnreachable from error
        finally:
            del self._link.pending[message.transaction]

    def _write(self, data: bytes) -> None:
        if self._again_s is None:
            cast(asyncio.Transport, self._transport).write(data)
        else:
            cast(asyncio.DatagramTransport, self._transport).sendto(data)

    def _check(self, answer: Message) -> None:
        """A success must be signed with our own key: only who knows the secret can."""
        if self._key is None:
            return
        signed = answer.attributes.get(INTEGRITY, b"")
        expected = hmac.new(self._key, answer.covered, hashlib.sha1).digest()
        if not hmac.compare_digest(expected, signed):
            raise TurnUnreachable("What answered does not know the secret.")


def _error(answer: Message) -> tuple[int, str]:
    value = answer.attributes.get(ERROR_CODE, b"")
    if len(value) < 4:
        return 500, "an error without a number"
    reason = value[4:200].decode("utf-8", "replace")
    return (value[2] & 7) * 100 + value[3], "".join(c for c in reason if c.isprintable())


async def probe(
    url: str, user: str, password: str, *, timeout_s: float = 5.0, ca_file: Path | None = None
) -> Allocation:
    """Make a real allocation at one URL and give it back.

    Raises TurnUnreachable (no answer, certificate), TurnRefused (401: the secret differs, or the
    clocks do; 486: quota), Invalid (no TURN URL).
    """
    client = await Client.connect(url, user, password, timeout_s=timeout_s, ca_file=ca_file)
    try:
        return await client.allocate()
    finally:
        await client.close()
