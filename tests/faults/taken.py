"""A recorder worker that was taken over: the real credential, keys of its own, no scruples.

It has no media, but what it lists is real: age files in the spool, a chain that it signs.
"""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.typing import Subprotocol

from avsession import grant as grants
from avsession.canonical import b64, sha256_hex, unb64
from avsession.recording import (
    GENESIS,
    AnyEntry,
    Attach,
    Begin,
    Cluster,
    End,
    Gap,
    Sealed,
    TrackInfo,
    encode_line,
    entry_digest,
    sign_entry,
)
from avsession.sealing.seal import Sealer
from avsession.session import new_id
from recorder import webm
from recorder.frames import EncodedFrame, Kind
from tests.faults.outside import Outside, Person, Said, Wire

E = TypeVar("E", Begin, Attach, Sealed, Gap, End)


def now_ms() -> int:
    """Server time: the same machine's."""
    return time.time_ns() // 1_000_000


def read_grant(token: str) -> grants.Grant:
    """What a grant says; its signature is not checked, as a thief would not."""
    return msgspec.json.decode(unb64(token.partition(".")[0]), type=grants.Grant)


class Worker:
    """A connection to ``/recorder`` and what is lied on it."""

    def __init__(self, outside: Outside, worker: str = "") -> None:
        self.outside = outside
        self.id = worker or new_id("wrk", secrets.token_bytes)
        self.fingerprint = secrets.token_bytes(32).hex(":").upper()
        self.key = Ed25519PrivateKey.generate()
        self.chain: list[AnyEntry] = []
        self.index: dict[str, int] = {}
        self.grant = grants.Grant(
            id="", session="", request="", recording="", generation=0, epoch_ms=0, issued_ms=0,
            expires_ms=0, worker="", fingerprint="", recorder_key="", purposes=(), consents=(),
            legs=(),
        )  # fmt: skip
        self.token = ""
        self._wire: Wire | None = None

    @property
    def wire(self) -> Wire:
        """The connection."""
        assert self._wire is not None
        return self._wire

    @property
    def recorder_key(self) -> str:
        """The public half of what it signs with."""
        return b64(self.key.public_key().public_bytes_raw())

    @property
    def spool(self) -> Path:
        """Its part of the spool."""
        return self.outside.product.data / "spool" / self.id

    async def join(self, *recordings: str) -> Said:
        """Connect with the credential that lies in the data folder; the welcome."""
        credential = (self.outside.product.data / "keys" / "recorder.credential").read_text()
        self._wire = await self.outside.wire(
            "/recorder",
            origin=None,
            subprotocols=[Subprotocol("avsession.recorder.v1")],
            additional_headers={"Authorization": f"Bearer {credential.strip()}"},
        )
        await self._wire.say(
            "worker.hello",
            worker=self.id,
            fingerprint=self.fingerprint,
            recorder_key=self.recorder_key,
            capacity=9,
            recordings=recordings,
        )
        return await self._wire.hear("recorder.welcome")

    async def granted(self, after: int = 0) -> grants.Grant:
        """The next grant; entries are made under it from now on."""
        self.token = (await self.wire.hear("recorder.capture", after=after))["grant"]
        self.grant = read_grant(self.token)
        return self.grant

    async def settle(self) -> None:
        """Until the server has read all that was said before."""
        after = len(self.wire.heard)
        await self.wire.say("worker.heartbeat", sent=1.0)
        await self.wire.hear("recorder.heartbeat", after=after)

    async def line(self, entry: AnyEntry, key: Ed25519PrivateKey | None = None) -> Said:
        """Send a manifest entry; what came of it. It counts as part of the chain then."""
        after = len(self.wire.heard)
        text = encode_line(sign_entry(entry, key or self.key)).decode()
        await self.wire.say("worker.manifest", recording=entry.recording, line=text)
        said = await self.wire.hear("recorder.accepted", "recorder.refused", "error", after=after)
        if said["type"] != "error" and entry.n == len(self.chain):
            self.chain.append(entry)
        return said

    def entry(self, kind: type[E], **fields: Any) -> E:
        """The next entry of the chain, with ``fields`` as said."""
        last = self.chain[-1] if self.chain else None
        usual: dict[str, Any] = {
            "recording": self.grant.recording,
            "n": len(self.chain),
            "prev": entry_digest(last) if last else GENESIS,
            "at_ms": now_ms(),
        }
        return kind(**(usual | fields))

    async def begin(self) -> None:
        """The first entries under the grant."""
        if not self.chain:
            legs = self.grant.legs
            tracks = tuple(TrackInfo(leg.track, leg.party, leg.recipient) for leg in legs)
            key, epoch_ms = self.recorder_key, self.grant.epoch_ms
            begin = self.entry(Begin, epoch_ms=epoch_ms, recorder_key=key, tracks=tracks)
            assert (await self.line(begin))["type"] == "recorder.accepted"
        attach = self.entry(
            Attach,
            generation=self.grant.generation,
            grant=grants.digest(self.token),
            clock_offset_ms=0.0,
            clock_uncertainty_ms=1.0,
        )
        assert (await self.line(attach))["type"] == "recorder.accepted"

    def sealed(self, person: Person, **fields: Any) -> Sealed:
        """A second of this party in the spool, and the entry that lists it; first the header."""
        leg = next(leg for leg in self.grant.legs if leg.party == person.id)
        index = self.index.get(leg.track, -1) + 1
        self.index[leg.track] = index
        at = now_ms() - self.grant.epoch_ms
        plain, clusters = webm.header(320, 240), tuple[Cluster, ...]()
        if index:
            frame = EncodedFrame(Kind.AUDIO, at, at, b"spoken " * 20, True)
            plain, clusters = webm.cluster([frame]), (Cluster(0, at, keyframe=True),)
        data = Sealer(leg.recipient).seal(plain)
        path = self.spooled(leg.track, index)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(data)
        usual: dict[str, Any] = {
            "track": leg.track,
            "index": index,
            "generation": self.grant.generation,
            "start_ms": at,
            "end_ms": at + 1,
            "captured_ms": now_ms() - 1,
            "uncertainty_ms": 1.0,
            "sha256": sha256_hex(data),
            "size": len(data),
            "plain_size": len(plain),
            "clusters": clusters,
        }
        return self.entry(Sealed, **(usual | fields))

    def spooled(self, track: str, index: int) -> Path:
        """Where the spool has a segment."""
        return self.spool / self.grant.recording / track / f"{index:06d}.age"

    async def store(self, *people: Person, seconds: int = 3) -> None:
        """Store something of everyone, as an honest recorder would."""
        for person in people:
            for _ in range(seconds):
                assert (await self.line(self.sealed(person)))["type"] == "recorder.accepted"

    async def end(self) -> Said:
        """The last entry."""
        ends = [entry.end_ms for entry in self.chain if isinstance(entry, Sealed)]
        return await self.line(self.entry(End, state="sealed", duration_ms=max(ends, default=0)))
