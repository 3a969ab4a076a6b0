"""A front with everything behind it on loopback, but the domain: that one listens and obeys.

`World` is the server: real TLS, real websockets, a real aiohttp app, use cases that only note
what they were asked. `Page` and `Worker` are clients that speak in dicts.
"""

import asyncio
import contextlib
import datetime
import ipaddress
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from avsession.errors import TicketRefused
from avsession.forwarded import Proxies
from avsession.messages import (
    EntryAccepted,
    HeartbeatReply,
    ManifestLine,
    RecordingStatus,
    Welcome,
    WorkerWelcome,
)
from avsession.session import Party, Role
from signaling.cases import UseCases
from signaling.front import Front, tls_context
from signaling.hub import Hub
from signaling.limits import Limits
from signaling.server import SignalingServer

ORIGIN = "https://localhost:8443"
CREDENTIAL = "c" * 43


def ident(prefix: str, letter: str) -> str:
    """A well-formed identifier."""
    return f"{prefix}_{letter * 26}"


SESSION, OTHER_SESSION = ident("ses", "a"), ident("ses", "b")
AGENT, CUSTOMER, STRANGER = ident("pty", "a"), ident("pty", "b"), ident("pty", "c")
REQUEST, RECORDING = ident("req", "a"), ident("rec", "a")
KEY = "k" * 16


def party(name: str, session: str = SESSION, role: Role = Role.CUSTOMER) -> Party:
    """A party as the domain knows it."""
    return Party(
        id=name, session=session, pseudonym="p", role=role, name="n", language="en", created_ms=0
    )


PARTIES = {
    AGENT: party(AGENT, role=Role.AGENT),
    CUSTOMER: party(CUSTOMER),
    STRANGER: party(STRANGER, OTHER_SESSION),
}


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for loopback that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


class Domain:
    """Use cases that note each call in ``calls`` and do what ``does`` says, if it says anything."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.calls: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        self.tickets: dict[str, Party] = {}
        self.expected: list[tuple[str, tuple[str, ...]]] = []
        self.held: list[tuple[str, str]] = []
        self.does: dict[str, Callable[..., Awaitable[Any]]] = {}

    def cases(self) -> UseCases:
        at_once: dict[str, Any] = {
            "heartbeat": self._heartbeat,
            "expect": self._expect,
            "hold": lambda party, key: self.held.append((party.id, key)),
        }
        names = UseCases.__dataclass_fields__.keys() - at_once.keys()
        asynchronous: dict[str, Any] = {name: self._case(name) for name in names}
        return UseCases(**asynchronous, **at_once)

    def ticket(self, owner: str) -> str:
        ticket = f"ticket-{len(self.tickets)}-{owner[-1]}"
        self.tickets[ticket] = PARTIES[owner]
        return ticket

    async def called(self, name: str) -> tuple[Any, ...]:
        """Wait for a call of this name; the ones before it are passed over."""
        while True:
            call = await self.calls.get()
            if call[0] == name:
                return call

    def _case(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def case(*args: Any) -> Any:
            self.calls.put_nowait((name, *args))
            if name in self.does:
                return await self.does[name](*args)
            usual = getattr(self, f"_{name}", None)
            return await usual(*args) if usual else None

        return case

    async def _redeem_ticket(self, ticket: str) -> Party:
        if ticket not in self.tickets:
            raise TicketRefused
        return self.tickets.pop(ticket)

    def _expect(self, party: Party, keys: tuple[str, ...]) -> None:
        self.expected.append((party.id, keys))

    async def _joined(self, owner: str) -> None:
        self.hub.tell(owner, welcome(owner))

    async def _worker_joined(self, hello: Any) -> WorkerWelcome:
        return WorkerWelcome(ice_servers=(), known={})

    async def _manifest_line(self, worker: str, message: ManifestLine) -> EntryAccepted:
        return EntryAccepted(recording=message.recording, n=0)

    def _heartbeat(self, worker: str, message: Any) -> HeartbeatReply:
        return HeartbeatReply(sent=message.sent, server_ms=0, live=())


def welcome(owner: str) -> Welcome:
    return Welcome(
        you=owner,
        session=PARTIES[owner].session,
        parties=(),
        ice_servers=(),
        relay_only=False,
        recording=RecordingStatus(state="off"),
    )


class Peer:
    """A client that speaks in dicts."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, **fields: Any) -> None:
        await self.socket.send(json.dumps(fields))

    async def hear(self, kind: str) -> dict[str, Any]:
        """The next message of this type; the ones before it are passed over."""
        while True:
            message: dict[str, Any] = json.loads(await self.socket.recv())
            if message["type"] == kind:
                return message

    async def next(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await self.socket.recv())
        return message

    async def end(self) -> tuple[int | None, str | None]:
        """Wait for the connection's end; its close code and reason."""
        try:
            while True:
                await self.socket.recv()
        except ConnectionClosed:
            return self.socket.close_code, self.socket.close_reason


class World:
    """The server side, and doors into it. Made by :func:`world`."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        self.trust = trust
        self.hub = Hub()
        self.domain = Domain(self.hub)
        self.port = 0
        self.front: Front
        self.server: SignalingServer

    @asynccontextmanager
    async def page(
        self,
        owner: str | None = CUSTOMER,
        *,
        origin: str | None = ORIGIN,
        subprotocols: tuple[str, ...] = ("avsession.v1",),
        ticket: str | None = None,
    ) -> AsyncIterator[Peer]:
        """A party's page: connected, and welcomed if it has an owner."""
        async with connect(
            f"wss://localhost:{self.port}/signaling",
            host="127.0.0.1",
            ssl=self.trust,
            origin=Origin(origin) if origin is not None else None,
            subprotocols=[Subprotocol(one) for one in subprotocols],
            close_timeout=2,
        ) as socket:
            peer = Peer(socket)
            if owner is not None:
                await peer.say(
                    type="hello", ticket=ticket or self.domain.ticket(owner), build="test"
                )
                await peer.hear("welcome")
            yield peer

    @asynccontextmanager
    async def worker(
        self,
        name: str | None = ident("wrk", "a"),
        *,
        origin: str | None = None,
        credential: str | None = CREDENTIAL,
        scheme: str = "Bearer",
    ) -> AsyncIterator[Peer]:
        """A recorder worker: connected, and welcomed if it has a name."""
        headers = {"Authorization": f"{scheme} {credential}"} if credential is not None else {}
        async with connect(
            f"wss://localhost:{self.port}/recorder",
            host="127.0.0.1",
            ssl=self.trust,
            origin=Origin(origin) if origin is not None else None,
            subprotocols=[Subprotocol("avsession.recorder.v1")],
            additional_headers=headers,
            close_timeout=2,
        ) as socket:
            peer = Peer(socket)
            if name is not None:
                await peer.say(**worker_hello(name))
                await peer.hear("recorder.welcome")
            yield peer

    @asynccontextmanager
    async def raw(
        self, *, tls: bool = True
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection on which nothing has been said; cut at the end."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1",
            self.port,
            ssl=self.trust if tls else None,
            server_hostname="localhost" if tls else None,
        )
        try:
            yield reader, writer
        finally:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


def worker_hello(name: str) -> dict[str, Any]:
    return {
        "type": "worker.hello",
        "worker": name,
        "fingerprint": ":".join(["AB"] * 32),
        "recorder_key": "k" * 43,
        "capacity": 4,
        "recordings": [],
    }


def pages() -> web.Application:
    """A small web app: a greeting, an echo, and an answer as long as one likes."""
    app = web.Application()

    async def greet(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def long(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * int(request.match_info["size"]))

    app.router.add_get("/", greet)
    app.router.add_post("/echo", echo)
    app.router.add_get("/long/{size}", long)
    return app


@asynccontextmanager
async def world(
    files: tuple[Path, Path],
    limits: Limits | None = None,
    proxies: Proxies | None = None,
    *,
    plain: bool = False,
    relay_only: bool = False,
    now: Callable[[], float] = time.monotonic,
) -> AsyncIterator[World]:
    """Everything up; afterwards everything down, in the order of a real end."""
    trust = ssl.create_default_context(cafile=str(files[0]))
    it = World(trust)
    runner = web.AppRunner(pages(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    it.server = SignalingServer(
        it.hub,
        it.domain.cases(),
        origins=frozenset({ORIGIN}),
        credential=CREDENTIAL,
        limits=limits,
        relay_only=relay_only,
        now=now,
    )
    assert runner.server is not None
    it.front = Front(
        {"/signaling": it.server.party, "/recorder": it.server.recorder},
        runner.server,
        None if plain else tls_context(*files),
        limits,
        proxies,
    )
    it.port = await it.front.start("127.0.0.1", 0)
    try:
        yield it
    finally:
        it.front.stop()
        await it.server.close()
        await runner.cleanup()
        await it.front.close()
