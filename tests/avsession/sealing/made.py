"""Recordings as the recorder would store them, made of real VP8 and Opus from ffmpeg."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pyrage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from avsession.canonical import b64, sha256_hex
from avsession.errors import NotFound
from avsession.recording import (
    GENESIS,
    AnyEntry,
    Begin,
    Cluster,
    Dropped,
    Line,
    Manifest,
    Sealed,
    TrackInfo,
    entry_digest,
    sign_entry,
    verify,
)
from avsession.sealing import ebml
from avsession.sealing.seal import Sealer
from recorder import webm
from recorder.frames import EncodedFrame, Kind

RECORDING, PARTY = "rec_" + "a" * 26, "pty_" + "b" * 26
TRACK = "trk_" + "c" * 26
SECONDS, RATE = 8, 15

Frame = tuple[int, Kind, bool, bytes]
"""ms, kind, keyframe, data."""


@cache
def frames(folder: Path) -> tuple[Frame, ...]:
    """Eight seconds of a test picture and a tone, a keyframe a second, as ffmpeg encodes them."""
    path = folder / "source.webm"
    command = ["ffmpeg", "-nostdin", "-v", "error"]
    command += ["-f", "lavfi", "-i", f"testsrc2=size=320x240:rate={RATE}:duration={SECONDS}"]
    command += ["-f", "lavfi", "-i", f"sine=frequency=440:duration={SECONDS}"]
    command += ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "300k"]
    command += ["-g", str(RATE), "-c:a", "libopus", "-b:a", "32k", "-ac", "2", str(path)]
    subprocess.run(command, check=True, timeout=60)
    return tuple(_blocks(path.read_bytes()))


def _blocks(data: bytes) -> Iterator[Frame]:
    """The frames of a WebM file as ffmpeg writes it: track 1 is video, track 2 audio."""
    head = ebml.read_element(data, 0)
    segment = ebml.read_element(data, head.end or 0)
    for top in ebml.children(data, segment.payload, len(data)):
        if top.id != ebml.CLUSTER or top.end is None:
            continue
        time = 0
        for found in ebml.children(data, top.payload, top.end):
            block = found
            if found.id == 0xE7:  # Timestamp
                time = ebml.read_unsigned(data, found)
            elif found.id == 0xA0:  # BlockGroup: ffmpeg writes the last audio packet in one
                block = next(ebml.children(data, found.payload, found.end or 0))
            if block.id in {0xA3, 0xA1}:
                raw = data[block.payload : block.end]
                kind = Kind(raw[0] & 0x7F)
                keyframe = kind is Kind.AUDIO or bool(raw[3] & 0x80)
                yield time + int.from_bytes(raw[1:3], "big", signed=True), kind, keyframe, raw[4:]


@dataclass
class Made:
    """A recording of one track: its verified manifest, its key, its sealed segments."""

    identity: str
    signer: Ed25519PrivateKey
    lines: list[Line] = field(default_factory=list)
    sealed: dict[int, bytes] = field(default_factory=dict)
    plain: dict[int, bytes] = field(default_factory=dict)
    fetched: list[int] = field(default_factory=list)

    @property
    def manifest(self) -> Manifest:
        return verify(self.lines, self.signer.public_key())

    async def fetch(self, index: int) -> bytes:
        """What an object store does, and which were asked for."""
        self.fetched.append(index)
        try:
            return self.sealed[index]
        except KeyError:
            raise NotFound from None

    def say(self, entry: AnyEntry) -> None:
        self.lines.append(sign_entry(entry, self.signer))

    @property
    def next(self) -> tuple[int, str]:
        """Number and ``prev`` of the next entry."""
        last = self.lines[-1].entry if self.lines else None
        return (0, GENESIS) if last is None else (last.n + 1, entry_digest(last))

    def seal(
        self,
        plain: bytes,
        start_ms: int,
        end_ms: int,
        clusters: Sequence[Cluster],
        pictures: int = 0,
    ) -> None:
        index, (n, prev) = len(self.sealed), self.next
        self.plain[index] = plain
        begin = self.lines[0].entry
        if not isinstance(begin, Begin):
            raise TypeError
        self.sealed[index] = Sealer(begin.tracks[0].recipient).seal(plain)
        self.say(
            Sealed(
                recording=RECORDING,
                n=n,
                prev=prev,
                at_ms=0,
                track=TRACK,
                index=index,
                generation=1,
                start_ms=start_ms,
                end_ms=end_ms,
                captured_ms=end_ms,
                uncertainty_ms=1.0,
                sha256=sha256_hex(self.sealed[index]),
                size=len(self.sealed[index]),
                plain_size=len(plain),
                clusters=tuple(clusters),
                video_frames=pictures,
            )
        )

    def drop(self, index: int) -> None:
        n, prev = self.next
        self.say(
            Dropped(
                recording=RECORDING, n=n, prev=prev, at_ms=0, track=TRACK, index=index, reason="x"
            )
        )
        del self.sealed[index]


def make(source: Iterable[Frame]) -> Made:
    """The frames, cut and sealed by the recorder's own code."""
    identity = pyrage.x25519.Identity.generate()
    made = Made(str(identity), Ed25519PrivateKey.generate())
    key = b64(made.signer.public_key().public_bytes_raw())
    made.say(
        Begin(
            recording=RECORDING,
            n=0,
            prev=GENESIS,
            at_ms=0,
            epoch_ms=0,
            recorder_key=key,
            tracks=(TrackInfo(TRACK, PARTY, str(identity.to_public())),),
        )
    )
    made.seal(webm.header(320, 240), 0, 0, [])
    cutter = webm.Cutter()

    def seal(group: list[EncodedFrame]) -> None:
        if group:
            plain, clusters = webm.clusters(group)
            made.seal(plain, int(group[0].timestamp_ms), int(group[-1].timestamp_ms), clusters)

    for at, kind, keyframe, data in source:
        seal(cutter.add(EncodedFrame(kind, at, at, data, keyframe)))
    seal(cutter.flush())
    return made


def late(source: Iterable[Frame], by_ms: int) -> list[Frame]:
    """The same, later on the timeline."""
    return [(at + by_ms, kind, keyframe, data) for at, kind, keyframe, data in source]


def without(source: Iterable[Frame], start_ms: int, end_ms: int) -> list[Frame]:
    """The same with nothing stored from ``start_ms`` to ``end_ms``, as when a leg was lost."""
    return [frame for frame in source if not start_ms <= frame[0] < end_ms]


def audio_only(source: Iterable[Frame]) -> list[Frame]:
    """The same with the camera off."""
    return [frame for frame in source if frame[1] is Kind.AUDIO]
