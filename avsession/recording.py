"""A recording: its tracks, its segments, and the signed chain that lists them. Pure.

The recorder appends entries; each names the digest of the one before it and is signed, so
that nothing can be dropped, swapped or reordered without its being seen. The domain accepts
them one by one. Nothing is rewritten: a segment that must not stay gets a ``dropped`` entry.

Times in entries: ``at_ms`` is server time (ms since the Unix epoch) as the recorder estimates
it; ``start_ms`` and ``end_ms`` are on the recording's timeline (0 = the grant's ``epoch_ms``).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from avsession.canonical import b64, canonical, sha256_hex, unb64
from avsession.errors import ManifestBroken

CONTEXT = b"avsession.manifest.v1\n"
GENESIS = "0" * 64
MAX_LINE = 65_536
"""Bytes of one signed entry; a longer one is refused before it is parsed."""
MAX_SEGMENT = 4 * 1024 * 1024
"""Bytes of one sealed segment: one second at more than 30 Mbit/s."""


PAUSED = "paused"
"""Why a gate closed, a generation was detached, and a gap is there: a party has paused."""


class State(enum.StrEnum):
    """Where a recording is. ``on``, ``paused`` and ``off`` (RFC 7866) may alternate; from there
    it goes only forward."""

    ON = "on"
    PAUSED = "paused"  # somebody paused it, and nothing is recorded until they resume
    OFF = "off"  # the gate is closed for now: a gap
    CLOSING = "closing"  # over; the recorder's last entries are awaited
    SEALED = "sealed"
    INTERRUPTED = "interrupted"
    ERASED = "erased"


ORDER = {
    State.ON: 0,
    State.PAUSED: 0,
    State.OFF: 0,
    State.CLOSING: 1,
    State.SEALED: 2,
    State.INTERRUPTED: 2,
    State.ERASED: 3,
}


GOING_ON = (State.ON, State.PAUSED, State.OFF)
"""More may be recorded in it: its recorder keeps a place for it."""


def may_become(old: State, new: State) -> bool:
    """Terminal states only move forward."""
    return ORDER[new] > ORDER[old] or (ORDER[new] == ORDER[old] == 0)


class Entry(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True
):
    """What every entry has: its number in the chain, the digest before it, and when."""

    recording: str
    n: int
    prev: str
    at_ms: int


class TrackInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A track as the manifest names it: no person, only opaque identifiers and a public key."""

    track: str
    party: str
    recipient: str


class Begin(Entry, frozen=True, kw_only=True, tag="begin"):
    """The first entry: which recording, whose key signs, which tracks."""

    format: str = "avsession.manifest.v1"
    epoch_ms: int
    recorder_key: str
    tracks: tuple[TrackInfo, ...]


class Attach(Entry, frozen=True, kw_only=True, tag="attach"):
    """Capture begins under this generation of the gate; ``grant`` is the token's SHA-256."""

    generation: int
    grant: str
    clock_offset_ms: float
    clock_uncertainty_ms: float


class Cluster(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One WebM cluster in a segment: byte offset in the plain segment, start on the timeline."""

    offset: int
    start_ms: int
    keyframe: bool
    """Whether its first video block is a keyframe, so that a player can seek here."""


class Sealed(Entry, frozen=True, kw_only=True, tag="sealed"):
    """A sealed segment. Segment 0 of a track is the WebM header and has no clusters."""

    track: str
    index: int
    generation: int
    start_ms: int
    end_ms: int
    captured_ms: int
    """Server time when the last frame in it was read, as estimated: never before it arrived, and
    at most about 125 ms after."""
    uncertainty_ms: float
    """How far ``captured_ms`` may be off."""
    sha256: str
    """Of the sealed file."""
    size: int
    plain_size: int
    clusters: tuple[Cluster, ...] = ()
    video_frames: int = 0
    audio_frames: int = 0
    width: int = 0
    height: int = 0


class Gap(Entry, frozen=True, kw_only=True, tag="gap"):
    """Between these moments nothing of the track was stored, and why.

    ``paused``: a party wanted it so; any other reason is a loss or a closed gate (FORMAT.md).
    """

    track: str
    start_ms: int
    end_ms: int
    reason: str


class Dropped(Entry, frozen=True, kw_only=True, tag="dropped"):
    """A segment listed before was deleted: it lay outside an open gate."""

    track: str
    index: int
    reason: str


class Detach(Entry, frozen=True, kw_only=True, tag="detach"):
    """Capture under this generation ended."""

    generation: int
    reason: str


class End(Entry, frozen=True, kw_only=True, tag="end"):
    """The last entry. ``interrupted`` says that something was lost before it was written."""

    state: str  # sealed or interrupted
    duration_ms: int


AnyEntry = Begin | Attach | Sealed | Gap | Dropped | Detach | End


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entry with its signature: one line of the manifest file."""

    entry: AnyEntry
    signature: str


def entry_digest(entry: AnyEntry) -> str:
    """What the next entry's ``prev`` must be: SHA-256 of the canonical JSON, hex."""
    return sha256_hex(canonical(entry))


def sign_entry(entry: AnyEntry, key: Ed25519PrivateKey) -> Line:
    """The entry, signed."""
    return Line(entry, b64(key.sign(CONTEXT + canonical(entry))))


def sign_line(entry: AnyEntry, key: Ed25519PrivateKey) -> tuple[bytes, str]:
    """The entry's line, signed, as `encode_line` makes it, and its digest; written out once."""
    body = canonical(entry)
    signature = b64(key.sign(CONTEXT + body))
    return b'{"entry":%s,"signature":"%s"}' % (body, signature.encode()), sha256_hex(body)


def encode_line(line: Line) -> bytes:
    """One line of the manifest file, without the newline."""
    return canonical(line)


def decode_line(data: bytes | str) -> Line:
    """The line in ``data``; raises ManifestBroken."""
    if len(data) > MAX_LINE:
        raise ManifestBroken("A manifest entry is too long.")
    try:
        return msgspec.json.decode(data, type=Line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestBroken from error


def check_next(line: Line, previous: AnyEntry | None, key: Ed25519PublicKey) -> None:
    """Check that ``line`` follows ``previous`` (None: it is the first) and is signed by ``key``.

    Raises ManifestBroken with what does not hold.
    """
    entry = line.entry
    number, prev = (0, GENESIS) if previous is None else (previous.n + 1, entry_digest(previous))
    if entry.n != number:
        raise ManifestBroken(f"Entry {entry.n} stands where {number} should.")
    if entry.prev != prev:
        raise ManifestBroken(f"Entry {entry.n} does not follow the one before it.")
    if (previous is None) != isinstance(entry, Begin):
        raise ManifestBroken(f"Entry {entry.n} is of the wrong kind for its place.")
    if isinstance(previous, End):
        raise ManifestBroken("An entry follows the end.")
    if previous is not None and entry.recording != previous.recording:
        raise ManifestBroken(f"Entry {entry.n} belongs to another recording.")
    try:
        key.verify(unb64(line.signature), CONTEXT + canonical(entry))
    except (InvalidSignature, ValueError) as error:
        raise ManifestBroken(f"Entry {entry.n} is not signed by the recorder.") from error


class Manifest(msgspec.Struct, frozen=True):
    """A verified chain, with what readers ask of it."""

    entries: tuple[AnyEntry, ...]

    @property
    def begin(self) -> Begin:
        """The first entry; raises ManifestBroken when there is none."""
        if not self.entries or not isinstance(self.entries[0], Begin):
            raise ManifestBroken("The manifest has no beginning.")
        return self.entries[0]

    @property
    def complete(self) -> bool:
        """Whether the chain has its end. A missing last piece is truncation."""
        return bool(self.entries) and isinstance(self.entries[-1], End)

    def segments(self, track: str) -> tuple[Sealed, ...]:
        """The track's segments that were not dropped, in order."""
        gone = {(e.track, e.index) for e in self.entries if isinstance(e, Dropped)}
        return tuple(
            e
            for e in self.entries
            if isinstance(e, Sealed) and e.track == track and (track, e.index) not in gone
        )

    def gaps(self, track: str) -> tuple[Gap, ...]:
        """The track's gaps, in order."""
        return tuple(e for e in self.entries if isinstance(e, Gap) and e.track == track)

    @property
    def duration_ms(self) -> int:
        """The end of the last kept segment of any track, on the timeline."""
        ends = (s.end_ms for t in self.begin.tracks for s in self.segments(t.track))
        return max(ends, default=0)


def verify(lines: Sequence[Line] | Iterable[Line], key: Ed25519PublicKey) -> Manifest:
    """Check a whole chain; raises ManifestBroken naming the first entry that does not hold."""
    previous: AnyEntry | None = None
    entries: list[AnyEntry] = []
    for line in lines:
        check_next(line, previous, key)
        previous = line.entry
        entries.append(line.entry)
    manifest = Manifest(tuple(entries))
    seen: dict[str, int] = {}
    for entry in entries:
        if isinstance(entry, Sealed):
            if entry.index != seen.get(entry.track, -1) + 1:
                raise ManifestBroken(f"Segment {entry.index} of a track stands out of order.")
            seen[entry.track] = entry.index
    return manifest
