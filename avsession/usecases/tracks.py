"""A recording's track as a file, from its manifest and its sealed segments.

Whoever calls this has committed the leaf that the key is unwrapped against.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from avsession.canonical import unb64
from avsession.logs import about
from avsession.ports import Reader
from avsession.recording import Manifest, Sealed, State, decode_line, verify
from avsession.records import EntryRecord, Recording, SegmentRecord
from avsession.sealing.open import VirtualFile, open_track
from avsession.usecases.grounds import Logged
from avsession.usecases.services import Services

PLAYABLE = (State.SEALED, State.INTERRUPTED)
"""States in which nothing is added to a recording any more."""
MAX_ENTRIES = 1_000_000
"""Manifest entries of one recording that are read at once."""


async def manifest_of(tx: Reader, row: Recording) -> Manifest:
    """The recording's manifest, verified; raises ManifestBroken."""
    entries = await tx.find(EntryRecord, recording=row.id, order="n", limit=MAX_ENTRIES)
    key = Ed25519PublicKey.from_public_bytes(unb64(row.recorder_key))
    return verify([decode_line(entry.line) for entry in entries], key)


async def kept(tx: Reader, manifest: Manifest, track: str) -> Manifest:
    """The manifest without this track's segments that the domain did not accept."""
    rows = await tx.find(SegmentRecord, track=track, limit=MAX_ENTRIES)
    indexes = {row.index for row in rows}
    return Manifest(
        tuple(
            e
            for e in manifest.entries
            if not isinstance(e, Sealed) or e.track != track or e.index in indexes
        )
    )


async def opened(app: Services, row: Recording, track: str, leaf: int) -> VirtualFile:
    """Verify the manifest, have the key unwrapped against this leaf, and open the track.

    Raises NotFound once its key is destroyed, ManifestBroken, RecordingTruncated,
    CustodyUnavailable, CustodyRefused.
    """
    async with app.store.read() as tx:
        manifest = await kept(tx, await manifest_of(tx, row), track)
    with about(row.session):
        identity = await app.custody.unwrap(row.id, track, Logged(app, leaf))

    async def fetch(index: int) -> bytes:
        return await app.objects.get(f"{row.id}/{track}/{index:08d}.age")

    return await open_track(manifest, track, identity, fetch)
