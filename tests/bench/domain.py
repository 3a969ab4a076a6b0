"""A signaling server for one recorder process: many recordings, each manifest checked as it grows.

It does what the product's own does with a segment: checks its line, takes the file over, answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pyrage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from avsession import grant as grants
from avsession.canonical import b64, unb64
from avsession.messages import (
    FROM_RECORDER,
    RECORDER_SUBPROTOCOL,
    Capture,
    CloseGate,
    EntryAccepted,
    Heartbeat,
    HeartbeatReply,
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
from avsession.recording import Line, Manifest, Sealed, check_next, decode_line, verify
from avsession.sealing.open import open_track
from tests.support.signer import Signer


def identifier(prefix: str, number: int = 0) -> str:
    """An id of the product's form; the same for the same number."""
    letters = ""
    for _ in range(26):
        number, rest = divmod(number, 26)
        letters += "abcdefghijklmnopqrstuvwxyz"[rest]
    return f"{prefix}_{letters}"


WORKER = identifier("wrk")


def party_names(number: int) -> tuple[str, str]:
    """Recording and party of a publisher: two parties in each recording, as in a call."""
    return identifier("rec", number // 2 + 1), identifier("pty", number + 1)


def track_name(party: str) -> str:
    """The track of a party."""
    return "trk" + party[3:]


class Domain:
    """The server, and the worker process that it starts."""

    def __init__(self, folder: Path, on_offer: Callable[[str, str, str], Awaitable[None]]) -> None:
        """``on_offer``: recording, party and SDP of each leg that the worker offers."""
        self._folder, self._on_offer = folder, on_offer
        self._store = folder / "store"
        self._store.mkdir()
        self._key = Ed25519PrivateKey.generate()
        self._hello: WorkerHello | None = None
        self._connection: ServerConnection | None = None
        self._server: Server | None = None
        self._changed = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self.lines: dict[str, list[Line]] = {}
        self.problems: list[str] = []
        self.connected: set[str] = set()
        """Parties whose leg stands, or has stood."""
        self.epoch_ms: dict[str, int] = {}
        """Of each recording: 0 of its timeline, in ms since the Unix epoch."""
        self._identities: dict[str, str] = {}
        self._live: dict[str, int] = {}

    @property
    def pid(self) -> int:
        """The recorder process."""
        assert self._process is not None
        return self._process.pid

    async def start(self, *command: str, capacity: int) -> None:
        """Listen, and start ``python -m recorder``; ``command`` comes before it, if anything."""
        credential = self._folder / "credential"
        credential.touch(mode=0o600)
        credential.write_text(secrets.token_hex(16))
        self._server = await serve(
            self._serve, "127.0.0.1", 0, subprotocols=[Subprotocol(RECORDER_SUBPROTOCOL)],
            compression=None,
        )  # fmt: skip
        port = next(iter(self._server.sockets)).getsockname()[1]
        self._process = await asyncio.create_subprocess_exec(
            *command, sys.executable, "-m", "recorder",
            "--url", f"ws://127.0.0.1:{port}/recorder", "--worker", WORKER,
            "--credential", str(credential),
            f"--grant-key={b64(self._key.public_key().public_bytes_raw())}",
            "--spool", str(self._folder / "spool"), "--capacity", str(capacity),
            "--log-level", "WARNING", "--stop-with-stdin",
            stdin=asyncio.subprocess.PIPE,
        )  # fmt: skip
        await self.until(lambda: self._hello is not None)

    async def stop(self) -> None:
        """End the worker, then the server."""
        if self._process is not None:
            if self._process.returncode is None:
                self._process.terminate()
            await self._process.wait()
        if self._server is not None:
            self._server.close(close_connections=True)
            await self._server.wait_closed()

    async def until(self, condition: Callable[[], bool], within_s: float = 30.0) -> None:
        """Wait for something that the worker says."""
        async with asyncio.timeout(within_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def capture(self, publishers: range, generation: int = 1) -> None:
        """Open the gates of these publishers' recordings."""
        assert self._hello is not None
        now = int(time.time() * 1000)
        recordings: dict[str, list[str]] = {}
        for number in publishers:
            recording, party = party_names(number)
            recordings.setdefault(recording, []).append(party)
        for recording, parties in recordings.items():
            self.epoch_ms[recording] = now
            legs = tuple(
                grants.GrantedLeg(party, track_name(party), self._recipient(track_name(party)))
                for party in parties
            )
            session, request = identifier("ses"), identifier("req")
            consents = tuple(
                Signer(session, party).consent(now, request, identifier("evt", number))
                for number, party in enumerate(parties)
            )
            grant = grants.Grant(
                id=identifier("grt"), session=session, request=request,
                recording=recording, generation=generation, epoch_ms=now, issued_ms=now,
                expires_ms=now + grants.LIFETIME_MS, worker=WORKER,
                fingerprint=self._hello.fingerprint, recorder_key=self._hello.recorder_key,
                purposes=("quality",), consents=consents, legs=legs,
            )  # fmt: skip
            self._live[recording] = generation
            await self.say(Capture(grant=grants.sign(grant, self._key), resume=0))

    async def close_gates(self) -> None:
        """End every recording, and wait for the last entry of each."""
        live, self._live = self._live, {}
        now = int(time.time() * 1000)
        for recording, generation in live.items():
            await self.say(
                CloseGate(
                    recording=recording, generation=generation, closed_ms=now, reason="ended",
                    final=True, erase=False,
                )
            )  # fmt: skip
        await self.until(
            lambda: all(lines[-1].entry.__class__.__name__ == "End" for lines in
                        self.lines.values())
        )  # fmt: skip

    async def answer(self, recording: str, party: str, sdp: str) -> None:
        """A party's answer to its offer."""
        await self.say(LegAnswered(recording=recording, generation=1, party=party, sdp=sdp))

    def frames(self) -> tuple[int, int]:
        """Video and audio frames that the manifests list."""
        sealed = [
            line.entry
            for lines in self.lines.values()
            for line in lines
            if isinstance(line.entry, Sealed)
        ]
        return sum(e.video_frames for e in sealed), sum(e.audio_frames for e in sealed)

    def manifest(self, recording: str) -> Manifest:
        """A recording's manifest, verified."""
        assert self._hello is not None
        key = Ed25519PublicKey.from_public_bytes(unb64(self._hello.recorder_key))
        return verify(self.lines[recording], key)

    async def review(self, recording: str, track: str) -> bytes:
        """A track as its reviewer gets it."""
        manifest = self.manifest(recording)

        async def fetch(index: int) -> bytes:
            return (self._store / f"{track}-{index:06d}.age").read_bytes()

        file = await open_track(manifest, track, self._identities[track], fetch)
        return await file.read(0, file.size)

    def _recipient(self, track: str) -> str:
        """A new key pair's public half."""
        identity = pyrage.x25519.Identity.generate()
        self._identities[track] = str(identity)
        return str(identity.to_public())

    async def say(self, message: Message) -> None:
        """Send to the worker."""
        assert self._connection is not None
        await self._connection.send(encode(message))

    async def _serve(self, connection: ServerConnection) -> None:
        self._connection = connection
        with contextlib.suppress(ConnectionClosed):
            async for text in connection:
                await self._handle(FROM_RECORDER.decode(text))
                self._changed.set()

    async def _handle(self, message: Any) -> None:
        match message:
            case WorkerHello():
                self._hello = message
                await self.say(WorkerWelcome(ice_servers=(), known={}))
            case Heartbeat():
                live = tuple(Live(recording=r, generation=g) for r, g in self._live.items())
                now = time.time() * 1000
                await self.say(HeartbeatReply(sent=message.sent, server_ms=now, live=live))
            case LegOffer():
                await self._on_offer(message.recording, message.party, message.sdp)
            case LegState():
                if message.state == "failed":
                    self.problems.append(message.reason)
                elif message.state == "connected":
                    self.connected.add(message.party)
            case ManifestLine():
                await self._line(message)
            case _:
                self.problems.append(type(message).__name__)

    async def _line(self, message: ManifestLine) -> None:
        assert self._hello is not None
        key = Ed25519PublicKey.from_public_bytes(unb64(self._hello.recorder_key))
        line = decode_line(message.line)
        lines = self.lines.setdefault(message.recording, [])
        check_next(line, lines[-1].entry if lines else None, key)
        lines.append(line)
        if isinstance(entry := line.entry, Sealed):
            name = f"{entry.index:06d}.age"
            source = self._folder / "spool" / message.recording / entry.track / name
            shutil.copyfile(source, self._store / f"{entry.track}-{name}")
        await self.say(EntryAccepted(recording=message.recording, n=line.entry.n))
