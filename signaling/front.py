"""One TLS port for pages and signaling: reads who is asked for, then passes everything on.

A connection's first request head is read here, within limits, and its path decides: signaling's
protocols for theirs, the HTTP protocol for everything else. That one is a parameter: signaling
knows no web server. Afterwards the front stays in between and only counts, so that the limit on
connections holds and a client that never reads is noticed.

Browsers keep certificate exceptions per host and port, hence one port. TLS begins only once a
connection is counted: a flood of connections costs no handshakes.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import re
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import cast

from avsession.forwarded import Proxies
from avsession.tasks import Tasks
from signaling.limits import Limits

log = logging.getLogger("signaling.front")

Factory = Callable[[], asyncio.Protocol]

_REQUEST_LINE = re.compile(rb"[A-Z]{1,16} (?P<target>[!-~]+) HTTP/1\.[01]\r\n")
_BEGINNING = re.compile(rb"[A-Z]{1,16}( [!-~]*( [HTP/1.]{0,8}[01]?\r?)?)?")
"""What may still become a request line."""


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 and newer with this certificate chain; HTTP/1.1 only, which WebSockets need."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(certificate, key)
    return context


class Front:
    """The listening port.

    ``routes``: exact request target -> maker of the protocol that gets the connection; ``http``
    makes it for every other target. ``context``: None speaks plain HTTP, to the ``proxies`` and to
    this machine alone; it may be replaced while the front runs, for the connections to come.

    A proxy's connections do not count as one address's; those of them that ``routes`` takes, which
    stay, count as the address that the proxy names. Call :meth:`start`, and at the end
    :meth:`stop`, which takes no more connections, then, when those behind it have closed theirs,
    :meth:`close`.
    """

    def __init__(
        self,
        routes: Mapping[str, Factory],
        http: Factory,
        context: ssl.SSLContext | None,
        limits: Limits | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.context = context
        self.proxies = proxies or Proxies()
        self.http = http
        self.routes = {path.encode(): factory for path, factory in routes.items()}
        self.tasks = Tasks(limit=self.limits.connections + 100)
        self._connections: set[Connection] = set()
        self._addresses: Counter[str] = Counter()
        self._server: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        """How many connections there are, handshakes included."""
        return len(self._connections)

    async def start(self, host: str, port: int) -> int:
        """Listen; port 0 takes a free one. Returns the port. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), host, port, backlog=512)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    def use(self, context: ssl.SSLContext) -> None:
        """Another certificate, for the connections to come."""
        self.context = context

    def stop(self) -> None:
        """Listen no more; the connections that are there go on."""
        if self._server is not None:
            self._server.close()

    async def close(self) -> None:
        """Cut what is left."""
        self.stop()
        for connection in tuple(self._connections):
            connection.abort()
        await self.tasks.close()
        if self._server is not None:
            await self._server.wait_closed()

    def admit(self, connection: Connection) -> bool:
        """Count a connection; False when there are too many."""
        if len(self._connections) >= self.limits.connections or (
            not connection.proxied and not self.count(connection, connection.address)
        ):
            log.warning("too many connections: %d", len(self._connections))
            return False
        self._connections.add(connection)
        return True

    def count(self, connection: Connection, address: str) -> bool:
        """Count a connection as one of ``address``; False when that has too many."""
        if self._addresses[address] >= self.limits.connections_per_address:
            return False
        self._addresses[address] += 1
        connection.counted = address
        return True

    def release(self, connection: Connection) -> None:
        """A connection that was admitted has ended."""
        if connection in self._connections:
            self._connections.discard(connection)
            if (address := connection.counted) is not None:
                self._addresses[address] -= 1
                if not self._addresses[address]:
                    del self._addresses[address]


class Connection(asyncio.Protocol):
    """One TCP connection: counted, encrypted, read up to its first head, then passed on.

    asyncio calls ``connection_made`` with the bare transport, ``start_tls`` puts TLS between, and
    from then on every other callback speaks of the decrypted stream.
    """

    def __init__(self, front: Front) -> None:
        self._front = front
        self._transport: asyncio.Transport | None = None
        self._secure = False
        self._inner: asyncio.Protocol | None = None
        self._head = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._peer = ""
        self.address = "unknown"
        self.proxied = False
        """Whether a proxy of ours made it."""
        self.counted: str | None = None
        """The address that it counts as."""

    # --- TCP and TLS

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A TCP connection: admitted, it begins TLS."""
        self._transport = transport = cast(asyncio.Transport, transport)
        peername = transport.get_extra_info("peername")
        self._peer = str(peername[0]) if isinstance(peername, tuple) and peername else ""
        self.address = _network(self._peer)
        self.proxied = self._front.proxies.trusts(self._peer)
        context = self._front.context
        served = context is not None or self.proxied or _is_here(transport)
        if not served or not self._front.admit(self):
            transport.abort()
            return
        _limit_stall(transport, self._front.limits.stall_s)
        if context is None:
            self._begin()
            return
        transport.pause_reading()
        self._front.tasks.spawn(self._encrypt(transport, context), name="TLS handshake")

    async def _encrypt(self, bare: asyncio.Transport, context: ssl.SSLContext) -> None:
        limits = self._front.limits
        secure: asyncio.Transport | None = None
        try:
            secure = await asyncio.get_running_loop().start_tls(
                bare,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=limits.tls_s,
                ssl_shutdown_timeout=limits.close_s,
            )
        except (OSError, TimeoutError) as error:
            # Plain HTTP, garbage, a scanner, or a browser that does not know the certificate.
            log.debug("no TLS: %s", type(error).__name__)
        finally:
            # asyncio does not say connection_lost of what never became a TLS connection.
            if secure is None or secure.is_closing():
                bare.abort()
                self._front.release(self)
        if secure is None or secure.is_closing():
            return
        self._transport = secure
        self._begin()

    def _begin(self) -> None:
        """What comes from now on is a request."""
        self._secure = True
        self._limit(self._front.limits.head_s, HTTPStatus.REQUEST_TIMEOUT)
        self._route()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, whoever wanted it."""
        self._unlimit()
        self._front.release(self)
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def abort(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    # --- the first head

    def data_received(self, data: bytes) -> None:
        """Bytes for the protocol behind, or of the head that says which one that is."""
        if self._inner is not None:
            self._inner.data_received(data)
            return
        self._head += data
        # What comes with the end of the handshake is early: start_tls has not returned yet.
        if self._secure:
            self._route()

    def _route(self) -> None:
        limits = self._front.limits
        head = self._head
        line_end = head.find(b"\n") + 1
        if (line_end or len(head)) > limits.request_line_bytes:
            self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG)
            return
        if not line_end:
            if head and _BEGINNING.fullmatch(head) is None:
                self._refuse(HTTPStatus.BAD_REQUEST)
            return
        match = _REQUEST_LINE.fullmatch(head, 0, line_end)
        if match is None:
            self._refuse(HTTPStatus.BAD_REQUEST)
            return
        head_end = head.find(b"\r\n\r\n") + 4
        if head_end == 3 and len(head) <= limits.head_bytes:
            return
        if head_end == 3 or head_end > limits.head_bytes:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        factory = self._front.routes.get(match["target"])
        if factory is not None and self.proxied and not self._count_client(head[line_end:head_end]):
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS)
        elif self._transport is not None:
            self._pass_on(self._transport, factory or self._front.http)

    def _count_client(self, head: bytearray) -> bool:
        """Count as whoever the proxy speaks for; False when they have too many."""
        fields = [line.partition(b":") for line in head.split(b"\r\n")]

        def values(name: str) -> list[str]:
            wanted = name.lower().encode()
            found = [value for said, _, value in fields if said.lower() == wanted]
            return [bytes(value).decode("latin-1") for value in found]

        client = self._front.proxies.seen(self._peer, values).address
        return self._front.count(self, _network(client))

    def _pass_on(self, transport: asyncio.Transport, factory: Factory) -> None:
        self._unlimit()
        read = bytes(self._head)
        self._head.clear()
        self._inner = factory()
        self._inner.connection_made(transport)
        self._inner.data_received(read)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer for ourselves, and close."""
        self._unlimit()
        if self._transport is None or self._transport.is_closing():
            return
        log.info("refused a request: %d", status)
        body = f'{{"code":"http.{status.value}","message":"{status.phrase}."}}\n'
        self._head.clear()
        self._transport.write(
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n"
            f"{body}".encode()
        )
        self._transport.close()

    # --- afterwards

    def eof_received(self) -> bool | None:
        """The client sends no more."""
        return self._inner.eof_received() if self._inner is not None else None

    def pause_writing(self) -> None:
        """The client does not read: for how long, the kernel limits."""
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The client reads again."""
        if self._inner is not None:
            self._inner.resume_writing()

    def _limit(self, seconds: float, status: HTTPStatus) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._refuse, status)

    def _unlimit(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _limit_stall(transport: asyncio.Transport, stall_s: float) -> None:
    """Have the kernel end the connection when what was written is not taken for ``stall_s``.

    RFC 5482. asyncio cannot tell: its TLS hands everything to the socket's buffer and calls it
    written. Systems without the option rely on the timeouts of the protocols behind.
    """
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        plain = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            plain.setsockopt(socket.IPPROTO_TCP, option, int(stall_s * 1000))


def _is_here(transport: asyncio.Transport) -> bool:
    """Whether the other end is this machine: its loopback, or the very address we listen on."""
    peer, own = (transport.get_extra_info(name) for name in ("peername", "sockname"))
    with contextlib.suppress(ValueError, TypeError, IndexError):
        ip = ipaddress.ip_address(str(peer[0]).partition("%")[0])
        ip = getattr(ip, "ipv4_mapped", None) or ip
        return ip.is_loopback or peer[0] == own[0]
    return False


def _network(peer: str) -> str:
    """Whom a connection counts as: an IPv4 address, or the 64 bits of an IPv6 network."""
    with contextlib.suppress(ValueError):
        ip = ipaddress.ip_address(peer.partition("%")[0])
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is None:
            return str(ipaddress.IPv6Network((ip, 64), strict=False).network_address)
        return str(getattr(ip, "ipv4_mapped", None) or ip)
    return "unknown"
