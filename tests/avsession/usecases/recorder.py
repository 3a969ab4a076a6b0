"""A recorder worker without media: real keys, real age files in the spool, a real signed chain."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from avsession import grant as grants
from avsession.canonical import b64, sha256_hex
from avsession.messages import (
    Capture,
    EntryAccepted,
    EntryRefused,
    ManifestLine,
    Message,
    WorkerHello,
    WorkerWelcome,
)
from avsession.recording import (
    GENESIS,
    AnyEntry,
    Attach,
    Begin,
    Cluster,
    End,
    Sealed,
    TrackInfo,
    encode_line,
    entry_digest,
    sign_entry,
)
from avsession.sealing.seal import Sealer
from avsession.session import new_id
from avsession.usecases import accept, workers
from recorder import webm
from recorder.frames import EncodedFrame, Kind
from signaling.connection import End as ConnectionEnd
from signaling.hub import Ear

if TYPE_CHECKING:
    from tests.avsession.usecases.parts import Person
    from tests.avsession.usecases.world import World

M = TypeVar("M", bound=Message)
E = TypeVar("E", Begin, Attach, Sealed, End)


def fingerprint() -> str:
    return secrets.token_bytes(32).hex(":").upper()


class Recorder:
    """A worker and its connection; what it was told is in ``heard``."""

    def __init__(self, world: World, capacity: int = 4) -> None:
        self.world, self.capacity = world, capacity
        self.worker = new_id("wrk", secrets.token_bytes)
        self.fingerprint = fingerprint()
        self.key = Ed25519PrivateKey.generate()
        self.connected = self.ended = False
        self.heard: list[Message] = []
        self.chain: list[AnyEntry] = []
        """The entries that the domain took."""
        self.index: dict[str, int] = {}

    @property
    def recorder_key(self) -> str:
        return b64(self.key.public_key().public_bytes_raw())

    # --- the connection

    def tell(self, message: Message) -> None:
        self.heard.append(message)

    def end_connection(self, end: ConnectionEnd) -> None:
        self.connected = False

    def all(self, kind: type[M]) -> list[M]:
        return [message for message in self.heard if isinstance(message, kind)]

    def last(self, kind: type[M]) -> M:
        return self.all(kind)[-1]

    def hello(self, *recordings: str) -> WorkerHello:
        """What it says first."""
        return WorkerHello(
            worker=self.worker,
            fingerprint=self.fingerprint,
            recorder_key=self.recorder_key,
            capacity=self.capacity,
            recordings=recordings,
        )

    @property
    def ear(self) -> Ear:
        """Where it hears, on another connection each time."""
        return _Ear(self)

    async def join(self, *recordings: str) -> WorkerWelcome:
        """Connect, naming the recordings in the spool."""
        hello = self.hello(*recordings)
        self.world.hub.attach_worker(hello, self.ear)
        self.connected = True
        welcome = await workers.worker_joined(self.world.app, hello)
        await workers.worker_ready(self.world.app, self.worker)
        return welcome

    async def vanish(self) -> None:
        """The connection breaks."""
        self.world.hub._workers.pop(self.worker)
        self.connected = False
        await workers.worker_gone(self.world.app, self.worker)

    # --- capture

    @property
    def grant(self) -> grants.Grant:
        """The newest grant, read as a recorder reads it."""
        token = self.last(Capture).grant
        public = self.world.grant_key.public_key()
        return grants.read(token, public, self.world.clock.now_ms())

    def leg(self, person: Person) -> grants.GrantedLeg:
        granted = grants.read(self.last(Capture).grant, self.world.grant_key.public_key(), 0)
        return next(leg for leg in granted.legs if leg.party == person.id)

    async def begin(self) -> None:
        """The first entry, if there is none, and the one that attaches the newest grant."""
        grant = self.grant
        if not self.chain or self.chain[0].recording != grant.recording:
            self.chain, self.index = [], {}
            tracks = tuple(TrackInfo(leg.track, leg.party, leg.recipient) for leg in grant.legs)
            begin = self.entry(
                Begin, epoch_ms=grant.epoch_ms, recorder_key=self.recorder_key, tracks=tracks
            )
            await self.say(begin)
        attach = self.entry(
            Attach,
            generation=grant.generation,
            grant=grants.digest(self.last(Capture).grant),
            clock_offset_ms=0.0,
            clock_uncertainty_ms=1.0,
        )
        await self.say(attach)

    def entry(self, kind: type[E], **fields: Any) -> E:
        """The next entry of the chain, with ``fields`` as said."""
        granted = grants.read(self.last(Capture).grant, self.world.grant_key.public_key(), 0)
        last = self.chain[-1] if self.chain else None
        usual: dict[str, Any] = {
            "recording": granted.recording,
            "n": len(self.chain),
            "prev": entry_digest(last) if last else GENESIS,
            "at_ms": self.world.clock.now_ms(),
        }
        return kind(**(usual | fields))

    async def say(
        self, entry: AnyEntry, *, key: Ed25519PrivateKey | None = None, recording: str = ""
    ) -> EntryAccepted | EntryRefused:
        """Send a manifest line; it counts as part of the chain once it was answered."""
        line = encode_line(sign_entry(entry, key or self.key)).decode()
        message = ManifestLine(recording=recording or entry.recording, line=line)
        answer = await accept.manifest_line(self.world.app, self.worker, message)
        if entry.n == len(self.chain):
            self.chain.append(entry)
        return answer

    async def segment(self, person: Person, **fields: Any) -> EntryAccepted | EntryRefused:
        """Seal a second of this party into the spool and say so, with ``fields`` as said."""
        return await self.say(self.sealed(person, **fields))

    def sealed(self, person: Person, **fields: Any) -> Sealed:
        """The file in the spool, and the entry that lists it. The first one is the header."""
        leg = self.leg(person)
        index = self.index.get(leg.track, -1) + 1
        self.index[leg.track] = index
        granted = grants.read(self.last(Capture).grant, self.world.grant_key.public_key(), 0)
        now = self.world.clock.now_ms()
        at = now - granted.epoch_ms
        plain, clusters = webm.header(320, 240), tuple[Cluster, ...]()
        if index:
            frame = EncodedFrame(Kind.AUDIO, at, at, f"spoken {person.id} {index}".encode(), True)
            plain, clusters = webm.cluster([frame]), (Cluster(0, at, keyframe=True),)
        data = Sealer(leg.recipient).seal(plain)
        path = self.spooled(leg.track, index)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(data)
        usual: dict[str, Any] = {
            "track": leg.track,
            "index": index,
            "generation": granted.generation,
            "start_ms": at,
            "end_ms": at + 1,
            "captured_ms": now - 1,  # with its uncertainty: now, and no later
            "uncertainty_ms": 1.0,
            "sha256": sha256_hex(data),
            "size": len(data),
            "plain_size": len(plain),
            "clusters": clusters,
        }
        return self.entry(Sealed, **(usual | fields))

    def spooled(self, track: str, index: int) -> Path:
        recording = grants.read(
            self.last(Capture).grant, self.world.grant_key.public_key(), 0
        ).recording
        return self.world.folder / "spool" / self.worker / recording / track / f"{index:06d}.age"

    async def end(self, state: str = "sealed") -> EntryAccepted | EntryRefused:
        """The last entry."""
        ends = [entry.end_ms for entry in self.chain if isinstance(entry, Sealed)]
        return await self.say(self.entry(End, state=state, duration_ms=max(ends, default=0)))


class _Ear:
    """The worker's connection, as the hub sees it."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def tell(self, message: Message) -> None:
        self._recorder.tell(message)

    def end(self, end: ConnectionEnd) -> None:
        self._recorder.end_connection(end)
