"""Gathering what ``audit.media`` needs: a recording's leaves, its manifest, its files.

No key that opens media is used, and of the database only the log; of a recording that still runs
also the entries that were accepted so far.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from avsession.audit import checkpoint as notes
from avsession.audit import media, merkle
from avsession.audit.checkpoint import VerifierKey
from avsession.audit.intervals import Said, Story, read
from avsession.audit.media_proof import File, Place, Proof
from avsession.audit.verify import Kept
from avsession.audit.verify_tree import PAGE, Rising
from avsession.errors import AvsessionError, CheckpointInvalid, NotFound
from avsession.ports import ObjectStore, Reader
from avsession.recording import MAX_SEGMENT
from avsession.records import EntryRecord, Leaf, Recording, SegmentRecord, SignedHead
from avsession.session import Session

MAX_LEAVES = 200_000
"""Leaves of one session that are read."""
MAX_ENTRIES = 1_000_000
"""Manifest entries of one recording that are read."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def quiet(what: str, done: int, total: int) -> None:
    """A progress that nobody watches."""


class Scan(msgspec.Struct, kw_only=True):
    """What reading the whole log found."""

    size: int = 0
    signed: int = 0
    """How many of the leaves are under a signed checkpoint, by the newest that is right."""
    recordings: dict[str, str]
    """Every recording that has a grant in the log, and its session's pseudonym."""
    wrong: list[str]
    """What does not hold of the log itself; empty when all does."""


class _Claim(NamedTuple):
    """A root that a signed checkpoint says the first ``size`` leaves had."""

    name: str
    size: int
    root: bytes


async def scan(
    tx: Reader, key: VerifierKey, anchors: Sequence[Kept] = (), progress: Progress = quiet
) -> Scan:
    """Read every leaf, make the root anew, and hold it against the newest signed checkpoint and
    against those that are kept outside the database (``evidence.kept``, asked before this).

    ``avsession audit verify`` looks at much more; this is what a recording's proof rests on.
    """
    found = Scan(recordings={}, wrong=[])
    claims = await _claims(tx, key, anchors, found)
    total = await tx.count(Leaf)
    if total and not (claims or found.wrong):
        found.wrong.append("no checkpoint was ever signed")
    rising = Rising()
    while True:
        page = await tx.find(Leaf, order="index", above=found.size - 1, limit=PAGE)
        hashes = _hashes(page, found)
        rising.grow(hashes)
        found.size = rising.size
        claims = _reached(claims, rising, found)
        progress("leaves", min(found.size, total), total)
        if len(hashes) < len(page):
            return found  # what follows has no place in the tree
        if len(page) < PAGE:
            break
    for claim in claims:
        more = f"{claim.size} leaves were signed, and there are {found.size}"
        found.wrong.append(f"{claim.name}: {more}")
    return found


async def _claims(
    tx: Reader, key: VerifierKey, anchors: Sequence[Kept], found: Scan
) -> list[_Claim]:
    """What was signed, as far as it is the log's key that signed it."""
    heads = await tx.find(SignedHead, order="-size", limit=1)
    kept = [Kept("the newest checkpoint", head.note) for head in heads]
    kept += [Kept(f"the checkpoint kept in {anchor.name}", anchor.note) for anchor in anchors]
    claims = []
    for name, note in ((one.name, one.note) for one in kept):
        if note is None:
            if heads:
                found.wrong.append(f"{name}: it is gone")
            continue
        try:
            head = notes.verify(note, key)
            claims.append(_Claim(name, head.size, head.root))
        except CheckpointInvalid as error:
            found.wrong.append(f"{name}: {error}")
    return claims


def _hashes(page: Sequence[Leaf], found: Scan) -> list[bytes]:
    """The hashes of a page's leaves, up to the first that is none or stands elsewhere."""
    hashes: list[bytes] = []
    for index, row in enumerate(page, found.size):
        if row.index != index:
            found.wrong.append(f"leaf {index} is gone")
            break
        try:
            said = read(row.data)
        except ValueError:
            found.wrong.append(f"leaf {index} is none")
            break
        if (said.index, said.session, said.kind) != (row.index, row.session, row.kind):
            found.wrong.append(f"leaf {index} is not what its columns say")
        if said.kind == "grant.issued":
            found.recordings.setdefault(said.ref("recording"), said.session or "")
        hashes.append(merkle.leaf_hash(row.data))
    return hashes


def _reached(claims: Sequence[_Claim], rising: Rising, found: Scan) -> list[_Claim]:
    """Compare what was signed with the leaves that were read; what is about more of them."""
    for claim in claims:
        if claim.size > rising.size:
            continue
        if rising.root(claim.size) == claim.root:
            found.signed = max(found.signed, claim.size)
        else:
            what = f"the first {claim.size} leaves are not those that were signed"
            found.wrong.append(f"{claim.name}: {what}")
    return [claim for claim in claims if claim.size > rising.size]


class Gathered(NamedTuple):
    """What a proof is made of."""

    story: Story
    lines: Sequence[bytes]
    files: dict[Place, File] | None


async def leaves_of(tx: Reader, session: str) -> list[Said]:
    """A session's leaves, in the log's order. Raises ValueError when one is none."""
    rows = await tx.find(Leaf, order="index", session=session, limit=MAX_LEAVES)
    return [read(row.data) for row in rows]


async def gather(
    tx: Reader,
    objects: ObjectStore,
    recording: str,
    session: str,
    *,
    reading: bool,
    progress: Progress = quiet,
) -> Gathered:
    """A recording's leaves, manifest and files.

    ``reading``: read every sealed file and make its digest; otherwise only their sizes are looked
    at. Raises Unavailable, ValueError when a leaf is none.
    """
    story = Story(await leaves_of(tx, session), recording)
    over = story.of("recording.sealed", "recording.interrupted", "recording.erased")
    lines = await _lines(tx, objects, recording, finished=bool(over))
    files = {place: File(size) for place, size in (await objects.segments(recording)).items()}
    if not over:
        files = await _listed(tx, recording, files)
    if reading:
        for n, place in enumerate(sorted(files)):
            progress(recording, n, len(files))
            files[place] = await _read(objects, recording, place, files[place])
        progress(recording, len(files), len(files))
    return Gathered(story, lines, files)


async def _lines(
    tx: Reader, objects: ObjectStore, recording: str, *, finished: bool
) -> list[bytes]:
    if not finished:
        rows = await tx.find(EntryRecord, recording=recording, order="n", limit=MAX_ENTRIES)
        return [row.line for row in rows]
    try:
        data = await objects.get(f"{recording}/manifest.jsonl")
    except NotFound:
        return []
    return data.removesuffix(b"\n").split(b"\n") if data else []


async def _listed(tx: Reader, recording: str, files: dict[Place, File]) -> dict[Place, File]:
    """Without what a recording that goes on has stored since: it is there before it is listed."""
    newest: dict[str, int] = {}
    for row in await tx.find(SegmentRecord, recording=recording, limit=MAX_ENTRIES):
        newest[row.track] = max(row.index, newest.get(row.track, -1))
    return {place: file for place, file in files.items() if place[1] <= newest.get(place[0], -1)}


async def _read(objects: ObjectStore, recording: str, place: Place, file: File) -> File:
    track, index = place
    if index < 0 or file.size > MAX_SEGMENT:
        return file
    try:
        return media.kept_file(await objects.get(f"{recording}/{track}/{index:06d}.age"))
    except AvsessionError:
        return File(-1, "unreadable")


async def prove(gathered: Gathered, signed: int | None = None) -> Proof:
    """The proof, made beside the event loop: an hour's manifest takes a second or two.

    ``signed``: see ``media.verify``; :func:`scan` finds it.
    """
    story, lines, files = gathered
    return await asyncio.to_thread(media.verify, story, lines, files, signed=signed)


async def session_of(tx: Reader, recording: str) -> str | None:
    """The pseudonym of the session that a recording's row names; None without one."""
    row = await tx.get(Recording, recording)
    owner = await tx.get(Session, row.session) if row is not None else None
    return owner.pseudonym if owner is not None else None
