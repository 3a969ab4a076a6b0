"""A signaling server of the tests' own: grants, heartbeats, and a domain that takes segments over.

It checks what the real one must: the credential, the subprotocol, each manifest line's place and
signature, and that no segment is later than the moment at which the gate closed.
"""

from __future__ import annotations

import asyncio
import http
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import pyrage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from avsession import grant as grants
from avsession.canonical import b64, sha256_hex, unb64
from avsession.messages import (
    FROM_RECORDER,
    RECORDER_SUBPROTOCOL,
    Capture,
    CloseGate,
    EntryAccepted,
    EntryRefused,
    GrantRefused,
    Heartbeat,
    HeartbeatReply,
    IceServer,
    LegAnswered,
    LegOffer,
    LegState,
    Live,
    ManifestLine,
    Message,
    WorkerHello,
    WorkerWelcome,
    encode,
)
from avsession.recording import (
    AnyEntry,
    Line,
    Manifest,
    Sealed,
    check_next,
    decode_line,
    verify,
)
from avsession.tasks import Tasks
from recorder.worker import Worker, WorkerConfig
from tests.support.ports import free_port
from tests.support.signer import Signer

T = TypeVar("T")
CREDENTIAL = "a-credential-of-the-tests"


def identifier(prefix: str, letter: str = "a") -> str:
    """An id of the product's form."""
    return f"{prefix}_{letter * 26}"


WORKER, RECORDING, SESSION = identifier("wrk"), identifier("rec"), identifier("ses")
PARTY, TRACK = identifier("pty"), identifier("trk")


class Signaling:
    """One worker's server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spool = folder / "spool"
        self.store = folder / "store"
        self.store.mkdir(exist_ok=True)
        self.identity = pyrage.x25519.Identity.generate()
        self.grant_key = Ed25519PrivateKey.generate()
        self.lines: list[Line] = []
        self.live: dict[str, int] = {}
        self.closed_ms: dict[int, int] = {}
        self.told: list[Any] = []
        self.hello: WorkerHello | None = None
        self.clock_ahead_ms = 0.0
        self.refuse_credential = False
        self.refuse_segments = False
        self.answer_heartbeats = True
        self.ice_servers: tuple[IceServer, ...] = ()
        self.on_offer: Callable[[LegOffer], Awaitable[None]] | None = None
        self._changed = asyncio.Event()
        self._server: Server | None = None
        self._connection: ServerConnection | None = None
        self._port = 0
        (folder / "credential").write_text(CREDENTIAL)
        (folder / "credential").chmod(0o600)

    @property
    def now_ms(self) -> float:
        """The server's clock."""
        return time.time() * 1000 + self.clock_ahead_ms

    @property
    def config(self) -> WorkerConfig:
        """What a worker of this server is started with."""
        return WorkerConfig(
            url=f"ws://127.0.0.1:{self._port}/recorder",
            worker=WORKER,
            credential=self.folder / "credential",
            grant_key=b64(self.grant_key.public_key().public_bytes_raw()),
            spool=self.spool,
            min_free_bytes=0,
        )

    async def start(self) -> None:
        """Listen; on the same port as before if it did before."""
        self._port = self._port or free_port()
        self._server = await serve(
            self._serve, "127.0.0.1", self._port,
            subprotocols=[Subprotocol(RECORDER_SUBPROTOCOL)], process_request=self._check,
        )  # fmt: skip

    async def stop(self) -> None:
        """Go away, connections too."""
        if self._server is not None:
            self._server.close(close_connections=True)
            await self._server.wait_closed()

    async def drop(self) -> None:
        """Break the connection."""
        if self._connection is not None:
            self._connection.transport.abort()

    async def say(self, message: Message) -> None:
        """Send to the worker."""
        assert self._connection is not None
        await self._connection.send(encode(message))

    def grant(self, generation: int = 1, **changes: Any) -> str:
        """A token; ``changes`` to its fields."""
        assert self.hello is not None
        now = int(self.now_ms)
        fields: dict[str, Any] = {
            "id": identifier("grt"), "session": SESSION, "request": identifier("req"),
            "recording": RECORDING, "generation": generation, "epoch_ms": now, "issued_ms": now,
            "expires_ms": now + grants.LIFETIME_MS, "worker": WORKER,
            "fingerprint": self.hello.fingerprint, "recorder_key": self.hello.recorder_key,
            "purposes": ("quality",),
            "legs": (grants.GrantedLeg(PARTY, TRACK, str(self.identity.to_public())),),
        }  # fmt: skip
        if self.lines:
            fields["epoch_ms"] = verify(self.lines, self.recorder_key).begin.epoch_ms
        key = changes.pop("key", self.grant_key)
        fields |= changes
        if "consents" not in fields:
            signers = [Signer(fields["session"], leg.party) for leg in fields["legs"]]
            fields["consents"] = tuple(
                one.consent(now, fields["request"], identifier("evt", letter))
                for letter, one in zip("abcdefgh", signers, strict=False)
            )
        return grants.sign(grants.Grant(**fields), key)

    def decoded(self, token: str) -> grants.Grant:
        """What a token of ours says."""
        return grants.read(token, self.grant_key.public_key(), int(self.now_ms))

    async def capture(self, generation: int = 1, **changes: Any) -> None:
        """Open the gate and say so."""
        self.live[RECORDING] = generation
        grant = self.grant(generation, **changes)
        await self.say(Capture(grant=grant, resume=len(self.lines), ice_servers=self.ice_servers))

    async def close_gate(
        self,
        generation: int = 1,
        *,
        final: bool,
        closed_ms: int | None = None,
        erase: bool = False,
        reason: str = "withdrawn",
    ) -> int:
        """Close it and say so; the moment."""
        moment = int(self.now_ms) if closed_ms is None else closed_ms
        self.live.pop(RECORDING, None)
        self.closed_ms[generation] = moment
        await self.say(
            CloseGate(
                recording=RECORDING, generation=generation, closed_ms=moment, reason=reason,
                final=final, erase=erase,
            )
        )  # fmt: skip
        return moment

    async def until(self, condition: Callable[[], object], within_s: float = 20.0) -> None:
        """Wait until something is so; fails after ``within_s``."""
        async with asyncio.timeout(within_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def said(self, kind: type[T]) -> list[T]:
        """The worker's messages of a kind."""
        return [message for message in self.told if isinstance(message, kind)]

    def states(self) -> list[str]:
        """What the legs did."""
        return [message.state for message in self.said(LegState)]

    @property
    def recorder_key(self) -> Ed25519PublicKey:
        """What manifests verify with."""
        assert self.hello is not None
        return Ed25519PublicKey.from_public_bytes(unb64(self.hello.recorder_key))

    @property
    def manifest(self) -> Manifest:
        """The chain so far, verified."""
        return verify(self.lines, self.recorder_key)

    def entries(self, kind: type[T]) -> list[T]:
        """The manifest's entries of a kind."""
        return [line.entry for line in self.lines if isinstance(line.entry, kind)]

    def plain(self, segments: Iterable[Sealed] | None = None) -> bytes:
        """What the stored segments hold, opened and joined."""
        out = b""
        for segment in self.manifest.segments(TRACK) if segments is None else segments:
            data = self.stored(segment).read_bytes()
            assert sha256_hex(data) == segment.sha256
            assert len(data) == segment.size
            opened = pyrage.decrypt(data, [self.identity])
            assert len(opened) == segment.plain_size
            out += opened
        return out

    def stored(self, segment: Sealed) -> Path:
        """Where the domain keeps it."""
        return self.store / f"{segment.track}-{segment.index:06d}.age"

    async def _check(self, connection: ServerConnection, request: Request) -> Response | None:
        good = request.headers.get("Authorization") == f"Bearer {CREDENTIAL}"
        if not good or "Origin" in request.headers or self.refuse_credential:
            return connection.respond(http.HTTPStatus.FORBIDDEN, "")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        self._connection = connection
        try:
            async for text in connection:
                message = FROM_RECORDER.decode(text)
                self.told.append(message)
                await self._handle(message)
                self._changed.set()
        except ConnectionClosed:
            pass

    async def _handle(self, message: Any) -> None:
        if isinstance(message, WorkerHello):
            self.hello = message
            known = {
                name: len(self.lines) if name == RECORDING else -1 for name in message.recordings
            }
            await self.say(WorkerWelcome(ice_servers=(), known=known))
        elif isinstance(message, Heartbeat) and self.answer_heartbeats:
            live = tuple(Live(recording=r, generation=g) for r, g in self.live.items())
            await self.say(HeartbeatReply(sent=message.sent, server_ms=self.now_ms, live=live))
        elif isinstance(message, LegOffer) and self.on_offer is not None:
            await self.on_offer(message)
        elif isinstance(message, ManifestLine):
            await self._line(message)

    async def _line(self, message: ManifestLine) -> None:
        line = decode_line(message.line)
        entry: AnyEntry = line.entry
        if entry.n < len(self.lines):
            assert line == self.lines[entry.n], "a line sent again differs"
        else:
            check_next(line, self.lines[-1].entry if self.lines else None, self.recorder_key)
            self.lines.append(line)
        if isinstance(entry, Sealed) and not self._take(entry):
            await self.say(EntryRefused(recording=RECORDING, n=entry.n, code="segment.refused"))
        else:
            await self.say(EntryAccepted(recording=RECORDING, n=entry.n))

    def _take(self, entry: Sealed) -> bool:
        closed = self.closed_ms.get(entry.generation)
        late = closed is not None and entry.captured_ms + entry.uncertainty_ms > closed
        if late or self.refuse_segments:
            return False
        source = self.spool / RECORDING / entry.track / f"{entry.index:06d}.age"
        if source.exists():
            self.stored(entry).write_bytes(source.read_bytes())
        return self.stored(entry).exists()


async def answer_with(signaling: Signaling, offer: LegOffer, sdp: str) -> None:
    """Send a party's answer."""
    await signaling.say(
        LegAnswered(
            recording=offer.recording, generation=offer.generation, party=offer.party, sdp=sdp
        )
    )


def refused(signaling: Signaling) -> list[str]:
    """Why grants were refused."""
    return [message.code for message in signaling.said(GrantRefused)]


def stored(signaling: Signaling) -> int:
    """How many segments of the track the domain holds."""
    return len(signaling.manifest.segments(TRACK)) if signaling.lines else 0


class Running:
    """A worker in this process."""

    def __init__(self, signaling: Signaling) -> None:
        self.tasks = Tasks()
        self.worker = Worker(signaling.config)
        self.task = self.tasks.spawn(self.worker.run(), name="worker")

    async def stop(self) -> None:
        self.worker.stop()
        await self.task

    async def kill(self) -> None:
        """End it without a word, as SIGKILL would."""
        self.task.cancel()
        await asyncio.wait([self.task])
