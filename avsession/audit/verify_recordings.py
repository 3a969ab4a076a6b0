"""Recordings against the leaves of their sessions: grants, tracks, the manifest's chain, segments.

One recording at a time; nothing of another is held.
"""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from avsession.audit import rows as digests
from avsession.audit import verify_grants
from avsession.audit.findings import Findings, rows
from avsession.audit.verify_leaves import read
from avsession.canonical import unb64
from avsession.errors import ManifestBroken
from avsession.ports import Reader
from avsession.recording import (
    AnyEntry,
    Dropped,
    Sealed,
    State,
    check_next,
    decode_line,
    encode_line,
    entry_digest,
)
from avsession.records import (
    Certificate,
    EntryRecord,
    GrantRecord,
    Leaf,
    Recording,
    SegmentRecord,
    TrackRecord,
)
from avsession.session import Session

KINDS = (
    "grant.issued", "grant.revoked", "key.created", "key.destroyed", "recording.sealed",
    "recording.interrupted", "recording.erased",
)  # fmt: skip
"""The leaves that speak of a recording's rows."""
PARTS: dict[type, str] = {
    TrackRecord: "track",
    GrantRecord: "capture_grant",
    EntryRecord: "manifest_entry",
    SegmentRecord: "segment",
}
"""What a recording has rows of, by their tables."""
MOST_LEAVES = 100_000
"""Leaves of one kind in one session that are read."""
FINISHED = ("recording.sealed", "recording.interrupted")
FINAL = (State.SEALED, State.INTERRUPTED)

Refs = dict[str, Any]


async def recordings(tx: Reader, findings: Findings) -> None:
    """Check every recording, and that each row names one."""
    seen = dict.fromkeys(PARTS, 0)
    async for recording in rows(tx, Recording, "id"):
        for kind in PARTS:
            seen[kind] += await tx.count(kind, recording=recording.id)
        session = await tx.get(Session, recording.session)
        if session is None:
            findings.add(7, f"recording {recording.id}", "its session is gone")
            continue
        said, finished = await _said(tx, recording, session)
        await _Check(tx, findings, recording, said).run()
        await verify_grants.against_grants(tx, recording, session.pseudonym, said, findings)
        await verify_grants.against_time(tx, recording, finished, said, findings)
    for kind, name in PARTS.items():
        strays = await tx.count(kind) - seen[kind]
        if strays and not findings.unread("recording"):
            findings.add(7, name, f"{strays} rows are of no recording")


async def _said(
    tx: Reader, recording: Recording, session: Session
) -> tuple[dict[str, list[Refs]], Leaf | None]:
    """What the leaves of its session say of a recording, by kind; the one that ended it."""
    said: dict[str, list[Refs]] = {}
    finished: Leaf | None = None
    for kind in KINDS:
        leaves = await tx.find(
            Leaf, order="index", session=session.pseudonym, kind=kind, limit=MOST_LEAVES
        )
        mine = [
            (leaf, body.refs)
            for leaf in leaves
            if (body := read(leaf)[0]) is not None and body.refs.get("recording") == recording.id
        ]
        said[kind] = [refs for _, refs in mine]
        if kind in FINISHED and mine:
            finished = mine[-1][0]
    return said, finished


class _Check:
    """One recording."""

    def __init__(
        self, tx: Reader, findings: Findings, recording: Recording, said: dict[str, list[Refs]]
    ) -> None:
        self._tx, self._findings = tx, findings
        self._recording, self._said = recording, said
        self._dropped: set[tuple[str, int]] = set()
        self._gone: list[tuple[str, int]] = []
        self._under_way = False

    async def run(self) -> None:
        # decided, and not through with it: the log will say so when everything is gone
        self._under_way = bool(
            await self._tx.count(Certificate, recording=self._recording.id, done_ms=None)
        )
        await self._grants()
        await self._tracks()
        self._state()
        await self._manifest()
        await self._segments()

    def _wrong(self, row: str, what: str) -> None:
        self._findings.add(7, row, what)

    async def _grants(self) -> None:
        issued = {one.get("generation") for one in self._said["grant.issued"]}
        revoked = {one.get("generation") for one in self._said["grant.revoked"]}
        newest: GrantRecord | None = None
        async for grant in rows(self._tx, GrantRecord, "generation", recording=self._recording.id):
            newest = grant
            row = f"capture_grant {grant.recording}/{grant.generation}"
            if grant.generation not in issued:
                self._wrong(row, "no leaf issued it")
            elif grant.closed_ms is not None and grant.generation not in revoked:
                self._wrong(row, "is closed, though no leaf revoked it")
            elif not grant.token:
                continue  # whether it may be gone is seen with its leaf
            elif (key := _recorder_key(grant.token)) != self._recording.recorder_key:
                self._wrong(f"recording {grant.recording}", f"its key is not its grant's, {key}")
        is_open = newest is not None and newest.closed_ms is None
        if is_open != (self._recording.state is State.ON):
            what = f"its state is {self._recording.state}, its newest grant says otherwise"
            self._wrong(f"recording {self._recording.id}", what)

    async def _tracks(self) -> None:
        created = {one.get("track") for one in self._said["key.created"]}
        destroyed = {one.get("track") for one in self._said["key.destroyed"]}
        certificates = await self._tx.find(Certificate, recording=self._recording.id)
        decided = {one.decided_ms for one in certificates}
        async for track in rows(self._tx, TrackRecord, "id", recording=self._recording.id):
            if track.id not in created:
                self._wrong(f"track {track.id}", "no leaf created its key")
            elif track.erased_ms is not None and not (track.id in destroyed or self._under_way):
                self._wrong(f"track {track.id}", "is marked destroyed, though no leaf says so")
            elif decided and track.erased_ms is not None and track.erased_ms not in decided:
                self._wrong(f"track {track.id}", "is marked destroyed at another time")

    @property
    def _finished(self) -> Refs | None:
        return next((self._said[kind][-1] for kind in FINISHED if self._said[kind]), None)

    @property
    def _erased(self) -> bool:
        return any(one.get("whole") for one in self._said["recording.erased"])

    def _state(self) -> None:
        recording, row = self._recording, f"recording {self._recording.id}"
        state, finished = recording.state, self._finished
        if not self._said["grant.issued"]:
            self._wrong(row, "no grant of it is in the log")
        erased = self._erased or (self._under_way and state is State.ERASED)
        if (state is State.ERASED) != erased or (state in FINAL and finished is None):
            self._wrong(row, f"its state is {state}, the log says otherwise")
        elif finished is not None and state not in (*FINAL, State.ERASED):
            self._wrong(row, f"its state is {state}, the log says that it is over")
        elif finished is not None and finished.get("manifest") != recording.manifest_head:
            self._wrong(row, "its manifest's head is not the one in the log")
        elif finished is None and recording.manifest_head is not None:
            self._wrong(row, "has a manifest's head, though it is not finished")
        elif (recording.closed_ms is None) != (state in (State.ON, State.OFF, State.PAUSED)):
            self._wrong(row, f"its state is {state}, and when it was over says otherwise")
        elif wrong := self._end_wrong():
            self._wrong(row, wrong)

    def _end_wrong(self) -> str:
        """What the columns repeat of the leaf that ended it, and of its destruction's.

        Older leaves do not say it.
        """
        recording, erased = self._recording, self._said["recording.erased"]
        said = {**(self._finished or {}), **next((one for one in erased if one.get("whole")), {})}
        for name in ("reason", "closed_ms", "duration_ms"):
            under_way = self._under_way and name == "reason"
            if not under_way and said.get(name, getattr(recording, name)) != getattr(
                recording, name
            ):
                return f"its {name} is not the one in the log"
        return ""

    async def _manifest(self) -> None:
        recording, finished = self._recording, self._finished
        try:
            key = Ed25519PublicKey.from_public_bytes(unb64(recording.recorder_key))
        except ValueError:
            self._wrong(f"recording {recording.id}", "its recorder's key is none")
            return
        previous: AnyEntry | None = None
        count = 0
        async for entry_row in rows(self._tx, EntryRecord, "n", recording=recording.id):
            row = f"manifest_entry {recording.id}/{entry_row.n}"
            if entry_row.n != count:
                self._wrong(f"manifest_entry {recording.id}/{count}", "is gone")
                return
            try:
                line = decode_line(entry_row.line)
                check_next(line, previous, key)
            except ManifestBroken as error:
                self._wrong(row, str(error))
                return
            if encode_line(line) != entry_row.line:
                self._wrong(row, "is not spelt as it was accepted")
            previous, count = line.entry, count + 1
            await self._entry(line.entry)
        if finished is None or (count == 0 and recording.state is State.ERASED):
            return
        head = entry_digest(previous) if previous is not None else None
        if count < finished.get("entries", 0):
            self._wrong(f"manifest_entry {recording.id}/{count}", "is gone")
        elif count > finished.get("entries", 0):
            self._wrong(f"manifest_entry {recording.id}/{count - 1}", "came after the end")
        elif head != finished.get("manifest"):
            self._wrong(f"recording {recording.id}", "its manifest is not the one in the log")

    async def _entry(self, entry: AnyEntry) -> None:
        """A sealed segment's row, if there is one, is as the entry says."""
        if isinstance(entry, Dropped):
            self._dropped.add((entry.track, entry.index))
        if not isinstance(entry, Sealed):
            return
        segment = await self._tx.get(SegmentRecord, entry.track, entry.index)
        if segment is None:
            self._gone.append((entry.track, entry.index))
        elif (segment.recording, segment.sha256, segment.size) != (
            entry.recording, entry.sha256, entry.size
        ):  # fmt: skip
            self._wrong(f"segment {entry.track}/{entry.index}", "is not the manifest's")

    async def _segments(self) -> None:
        """Which segments a finished recording keeps stands in its leaf, track by track.

        Of a track that is destroyed nothing is left, and nothing is compared.
        """
        said = (self._finished or {}).get("segments")
        if said is None:
            return
        wanted = {str(one.get("track")): one for one in said}
        found = 0
        async for track in rows(self._tx, TrackRecord, "id", recording=self._recording.id):
            mine = [one async for one in rows(self._tx, SegmentRecord, "index", track=track.id)]
            found += len(mine)
            self._of_track(track, wanted.get(track.id), mine)
        if strays := await self._tx.count(SegmentRecord, recording=self._recording.id) - found:
            row = f"segments of recording {self._recording.id}"
            self._wrong(row, f"are {strays} more than its tracks have")

    def _of_track(self, track: TrackRecord, said: Refs | None, mine: list[SegmentRecord]) -> None:
        row = f"segments of track {track.id}"
        if track.erased_ms is not None:
            if mine:
                self._wrong(row, "are still there after it was destroyed")
            return
        if _kept(mine) == ([said] if said else []):
            return
        gone = [
            place for place in self._gone if place not in self._dropped and place[0] == track.id
        ]
        for _, index in gone:
            self._wrong(f"segment {track.id}/{index}", "is gone")
        if not gone:
            count = said["count"] if said else 0
            self._wrong(row, f"are {len(mine)}, not the {count} that were kept")


def _kept(segments: list[SegmentRecord]) -> list[Refs] | None:
    """As the leaf says it; None when a number in them is none of ours."""
    try:
        return digests.kept(segments)
    except ValueError:
        return None


def _recorder_key(token: str) -> str | None:
    """The manifest's key that a grant names; None when the token is none."""
    grant = verify_grants.read(token)
    return grant.recorder_key if grant is not None else None
