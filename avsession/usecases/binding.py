"""Gathering what ``audit.media`` needs: a recording's leaves, its manifest, its files.

No key that opens media is used, and of the database only the log; of a recording that still runs
also the entries that were accepted so far.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

import msgspec

from avsession.audit import checkpoint as notes
from avsession.audit import media, merkle
from avsession.audit.checkpoint import VerifierKey
from avsession.audit.intervals import Said, Story, read
from avsession.audit.media_proof import File, Place, Proof
from avsession.errors import AvsessionError, CheckpointInvalid, NotFound
from avsession.ports import ObjectStore, Reader
from avsession.recording import MAX_SEGMENT
from avsession.records import EntryRecord, Leaf, Recording, SignedHead
from avsession.session import Session

MAX_LEAVES = 200_000
"""Leaves of one session that are read."""
MAX_ENTRIES = 1_000_000
"""Manifest entries of one recording that are read."""
PAGE = 4096
"""Leaves that are read at once."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def quiet(what: str, done: int, total: int) -> None:
    """A progress that nobody watches."""


class Scan(msgspec.Struct, kw_only=True):
    """What reading the whole log found."""

    size: int = 0
    signed: int = 0
    """How many of the leaves are under the newest signed checkpoint."""
    recordings: dict[str, str]
    """Every recording that has a grant in the log, and its session's pseudonym."""
    wrong: list[str]
    """What does not hold of the log itself; empty when all does."""


async def scan(tx: Reader, key: VerifierKey, progress: Progress = quiet) -> Scan:
    """Read every leaf, make the root anew, and hold it against the newest signed checkpoint.

    ``avsession audit verify`` looks at much more; this is what a recording's proof rests on.
    """
    found = Scan(recordings={}, wrong=[])
    heads = await tx.find(SignedHead, order="-size", limit=1)
    head = None
    try:
        head = notes.verify(heads[0].note, key) if heads else None
    except CheckpointInvalid as error:
        found.wrong.append(f"the newest checkpoint: {error}")
    tree = _Growing()
    total = await tx.count(Leaf)
    async for row in _leaves(tx):
        if row.index != found.size:
            found.wrong.append(f"leaf {found.size} is gone")
            break
        try:
            said = read(row.data)
        except ValueError:
            found.wrong.append(f"leaf {row.index} is none")
            break
        if (said.index, said.session, said.kind) != (row.index, row.session, row.kind):
            found.wrong.append(f"leaf {row.index} is not what its columns say")
        if said.kind == "grant.issued":
            found.recordings.setdefault(said.ref("recording"), said.session or "")
        tree.add(merkle.leaf_hash(row.data))
        found.size += 1
        if head is not None and found.size == head.size:
            found.signed = head.size
            if tree.root() != head.root:
                found.wrong.append(f"the first {head.size} leaves are not those that were signed")
        if found.size % PAGE == 0:
            progress("leaves", found.size, total)
    if head is not None and head.size > found.size and not found.wrong:
        found.wrong.append(f"{head.size} leaves were signed, and there are {found.size}")
    if head is None and found.size and not found.wrong:
        found.wrong.append("no checkpoint was ever signed")
    progress("leaves", found.size, total)
    return found


async def _leaves(tx: Reader) -> AsyncIterator[Leaf]:
    last = -1
    while page := await tx.find(Leaf, order="index", above=last, limit=PAGE):
        for row in page:
            yield row
        last = page[-1].index


class _Growing:
    """A root that grows leaf by leaf."""

    def __init__(self) -> None:
        self._edge: list[tuple[int, bytes]] = []  # size of a complete subtree, its hash

    def add(self, leaf: bytes) -> None:
        size, hash_ = 1, leaf
        while self._edge and self._edge[-1][0] == size:
            _, left = self._edge.pop()
            size, hash_ = size * 2, merkle.node_hash(left, hash_)
        self._edge.append((size, hash_))

    def root(self) -> bytes:
        return merkle.fold([hash_ for _, hash_ in self._edge])


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


async def _read(objects: ObjectStore, recording: str, place: Place, file: File) -> File:
    track, index = place
    if index < 0 or file.size > MAX_SEGMENT:
        return file
    try:
        return media.kept_file(await objects.get(f"{recording}/{track}/{index:06d}.age"))
    except AvsessionError:
        return File(-1, "unreadable")


async def prove(gathered: Gathered) -> Proof:
    """The proof, made beside the event loop: an hour's manifest takes a second or two."""
    return await asyncio.to_thread(media.verify, gathered.story, gathered.lines, gathered.files)


async def session_of(tx: Reader, recording: str) -> str | None:
    """The pseudonym of the session that a recording's row names; None without one."""
    row = await tx.get(Recording, recording)
    owner = await tx.get(Session, row.session) if row is not None else None
    return owner.pseudonym if owner is not None else None
