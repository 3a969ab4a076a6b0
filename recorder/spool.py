"""Segments and manifests on disk, in an order that a crash at any moment leaves consistent.

A segment is sealed in memory, written and synced, its folder synced, and only then listed in the
manifest, which is synced too; several are listed with one write. What no line lists was never
written: a start deletes it. Plain media never gets here.
Nothing in this file is asynchronous: the worker calls it from one thread of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from avsession.canonical import b64, sha256_hex
from avsession.config_processes import LINK
from avsession.errors import Conflict, ManifestBroken, Unavailable
from avsession.recording import (
    GENESIS,
    MAX_LINE,
    MAX_SEGMENT,
    AnyEntry,
    Attach,
    Detach,
    Dropped,
    End,
    Gap,
    Line,
    Sealed,
    check_next,
    decode_line,
    entry_digest,
    sign_line,
)
from recorder.disk import Disk

E = TypeVar("E", bound=AnyEntry)

MAX_ENTRIES = 200_000
"""Of one recording: about a day of two parties."""
MANIFEST = "manifest.jsonl"
LEG_LOST = "leg.lost"
"""The reason of a gap that begins with a leg's end: its path was gone, or its browser closed it."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SEGMENT = re.compile(r"\d{6,9}\.age")


def _safe(name: str) -> str:
    """``name`` if it can be nothing but a name in one folder; raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError("not an identifier")
    return name


class Spool:
    """A worker's folder. Only one process holds it at a time."""

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        """Take the folder, made if it is not there; raises Unavailable if another has it."""
        self.root, self.disk = root, disk or Disk()
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._lock = os.open(root / "lock", flags, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise Unavailable("Another recorder uses this spool.") from error
        self._link = os.open(root / LINK, flags, 0o600)
        self.key = self._load_key()
        self.public_key = b64(self.key.public_key().public_bytes_raw())

    def _load_key(self) -> Ed25519PrivateKey:
        path = self.root / "manifest.key"
        temporary = self.root / ".manifest.key"
        if not path.exists():
            self.disk.remove(temporary)
            self.disk.create(temporary, Ed25519PrivateKey.generate().private_bytes_raw())
            self.disk.publish(temporary, path)
        return Ed25519PrivateKey.from_private_bytes(path.read_bytes())

    def recordings(self) -> list[str]:
        """Recordings that have a folder here: live ones, and what a crash left."""
        return sorted(
            path.name
            for path in self.root.iterdir()
            if path.is_dir() and _NAME.fullmatch(path.name)
        )

    def open(self, recording: str, now_ms: Callable[[], int]) -> Chain:
        """The recording's chain, new or continued; ``now_ms`` is server time as estimated.

        Raises ManifestBroken when what is there does not verify.
        """
        return Chain(self.root / _safe(recording), self.key, self.disk, now_ms)

    def delete(self, recording: str) -> None:
        """Remove everything of a recording; nothing happens if there is nothing."""
        folder = self.root / _safe(recording)
        if folder.is_dir():
            shutil.rmtree(folder)
            self.disk.sync_folder(self.root)

    def show_link(self, *, there: bool) -> None:
        """Let ``avsession recorder check`` see whether there is a link to the server.

        It may look this very moment, and then it is for the next call to show it.
        """
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(self._link, fcntl.LOCK_SH | fcntl.LOCK_NB if there else fcntl.LOCK_UN)

    def close(self) -> None:
        """Let another process have the folder."""
        os.close(self._link)
        os.close(self._lock)


class _Made(NamedTuple):
    """An entry that is signed and not yet written."""

    entry: AnyEntry
    line: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class _Stored:
    """A segment whose file is written and that no line lists yet."""

    track: str
    path: Path
    may_list: Callable[[], bool]
    gaps: Sequence[tuple[int, int, str]]
    fields: dict[str, Any]


class Chain:
    """One recording's folder: the manifest and the segments it lists.

    After an OSError from `append` or `list_stored` nothing is stored and unlisted, after one from
    `store` that segment is not there; the manifest is as it was before the call.
    """

    def __init__(
        self, folder: Path, key: Ed25519PrivateKey, disk: Disk, now_ms: Callable[[], int]
    ) -> None:
        self.recording = folder.name
        self.last: AnyEntry | None = None
        self.lines: dict[int, str] = {}
        """Lines that the domain has not accepted, by number; all of them after a start."""
        self.generation = 0
        """The highest that an `attach` names."""
        self.attached: int | None = None
        """The generation that was attached and not detached: what a crash leaves."""
        self.detached = ""
        """Why the last generation ended; empty while one is attached, or before the first."""
        self.next_index: dict[str, int] = {}
        self.end_ms: dict[str, int] = {}
        """Where each track's last listed segment ends, on the timeline."""
        self.lost_until_ms: dict[str, int] = {}
        """Until when each track's last leg.lost reaches: the next gap begins no earlier."""
        self._folder, self._key, self._disk, self._now_ms = folder, key, disk, now_ms
        self._digest = ""
        """Of the last entry, if it was made here."""
        self._stored: list[_Stored] = []
        self._folders: dict[str, Path] = {}
        """Of the tracks; each is known to be there."""
        self._live: set[tuple[str, int]] = set()
        self._headers: dict[str, int] = {}
        disk.folder(folder)
        self._load()

    @property
    def ended(self) -> bool:
        """Whether the last entry is there; nothing can follow it."""
        return isinstance(self.last, End)

    @property
    def count(self) -> int:
        """How many entries there are."""
        return 0 if self.last is None else self.last.n + 1

    def holds(self, track: str) -> bool:
        """Whether a segment of this track is stored and not yet listed."""
        return any(stored.track == track for stored in self._stored)

    @property
    def unlisted(self) -> int:
        """How many segments are stored and not yet listed."""
        return len(self._stored)

    @property
    def begun(self) -> bool:
        """Whether there is a first entry."""
        return self.last is not None

    @property
    def duration_ms(self) -> int:
        """Where the last segment of any track ends."""
        return max(self.end_ms.values(), default=0)

    def needs_header(self, track: str) -> bool:
        """Whether the track has no WebM header yet, or lost it with a refused segment."""
        return track not in self._headers

    def append(self, kind: type[E], **fields: Any) -> int:
        """Sign and write the next entry, after what is stored; its number.

        Raises OSError, or Conflict after the end.
        """
        self.list_stored()
        made = self._made([], kind, fields)
        self._write([made])
        return made.entry.n

    def store(
        self,
        track: str,
        sealed: bytes,
        may_list: Callable[[], bool],
        *,
        gaps: Sequence[tuple[int, int, str]] = (),
        **fields: Any,
    ) -> None:
        """Write a sealed segment; `list_stored` lists it, if ``may_list`` says yes then.

        ``gaps``: what is missing before it, or in it: from when, until when, why.
        """
        if len(sealed) > MAX_SEGMENT:
            raise ValueError("the segment is too large")
        folder = self._folders.get(track) or self._folder_of(track)
        index = self.next_index.get(track, 0) + sum(s.track == track for s in self._stored)
        path = folder / f"{index:06d}.age"
        self._disk.create(path, sealed)
        fields |= {"index": index, "sha256": sha256_hex(sealed), "size": len(sealed)}
        self._stored.append(_Stored(track, path, may_list, gaps, fields))

    def list_stored(self) -> int:
        """List what is stored, with one write, each only if it may be; how many were.

        Whether it may is asked when the files are safe, the last thing before they are listed.
        """
        if not self._stored:
            return 0
        made: list[_Made] = []
        listed = 0
        try:
            for folder in {stored.path.parent for stored in self._stored}:
                self._disk.sync_folder(folder)
            refused: set[str] = set()
            for stored in self._stored:
                # after one that may not be listed, indices would leave a hole
                if stored.track in refused or not stored.may_list():
                    refused.add(stored.track)
                    self._disk.remove(stored.path)
                    continue
                for start_ms, end_ms, reason in stored.gaps:
                    gap = {"start_ms": start_ms, "end_ms": end_ms, "reason": reason}
                    made.append(self._made(made, Gap, {"track": stored.track, **gap}))
                made.append(self._made(made, Sealed, {"track": stored.track, **stored.fields}))
                listed += 1
            if made:
                self._write(made)
        except (OSError, Conflict):
            self._unstore()
            raise
        self._stored.clear()
        return listed

    def _made(self, before: list[_Made], kind: type[E], fields: dict[str, Any]) -> _Made:
        """The entry that follows those; raises Conflict after the end."""
        if self.ended:
            raise Conflict("The manifest has its end.")
        if before:
            number, prev = before[-1].entry.n + 1, before[-1].digest
        elif self.last is None:
            number, prev = 0, GENESIS
        else:
            number, prev = self.last.n + 1, self._digest or entry_digest(self.last)
        if number >= MAX_ENTRIES:
            raise Conflict("The manifest is full.")
        entry = kind(recording=self.recording, n=number, prev=prev, at_ms=self._now_ms(), **fields)
        return _Made(entry, *sign_line(entry, self._key))

    def _write(self, made: list[_Made]) -> None:
        lines = b"".join(b"%s\n" % each.line for each in made)
        self._disk.append(self._folder / MANIFEST, lines)
        for each in made:
            self._take(each.entry, each.line.decode())
        self._digest = made[-1].digest

    def _unstore(self) -> None:
        stored, self._stored = self._stored, []
        for each in stored:
            with contextlib.suppress(OSError):  # unlisted, it goes at the next start
                self._disk.remove(each.path)

    def accept(self, number: int) -> None:
        """The domain has this entry, and its segment if it names one: the copy here goes."""
        line = self.lines.pop(number, None)
        if line is not None:
            entry = decode_line(line).entry
            if isinstance(entry, Sealed):
                self._forget(entry.track, entry.index)

    def refuse(self, number: int, reason: str) -> int | None:
        """The domain refused this entry's segment: delete it and say so; the new entry's number.

        After the end nothing can be said any more, and None is returned.
        """
        line = self.lines.get(number)
        entry = decode_line(line).entry if line is not None else None
        if not isinstance(entry, Sealed):
            return None
        self._forget(entry.track, entry.index)
        self._disk.sync_folder(self._path(entry.track, entry.index).parent)
        self.lines.pop(number)
        if self.ended:
            return None
        return self.append(Dropped, track=entry.track, index=entry.index, reason=reason)

    def known(self, count: int) -> None:
        """The domain has the first ``count`` entries; forget them here."""
        for number in [n for n in self.lines if n < count]:
            self.accept(number)

    def _path(self, track: str, index: int) -> Path:
        return self._folder / _safe(track) / f"{index:06d}.age"

    def _folder_of(self, track: str) -> Path:
        folder = self._folder / _safe(track)
        self._disk.folder(folder)
        self._folders[track] = folder
        return folder

    def _forget(self, track: str, index: int) -> None:
        self._live.discard((track, index))
        self._disk.remove(self._path(track, index))

    def _take(self, entry: AnyEntry, line: str) -> None:
        self.last = entry
        self.lines[entry.n] = line
        if isinstance(entry, Attach):
            self.generation = max(self.generation, entry.generation)
            self.attached, self.detached = entry.generation, ""
        elif isinstance(entry, Sealed):
            self.next_index[entry.track] = entry.index + 1
            self.end_ms[entry.track] = max(entry.end_ms, self.end_ms.get(entry.track, 0))
            self._live.add((entry.track, entry.index))
            if not entry.clusters:
                self._headers[entry.track] = entry.index
        elif isinstance(entry, Gap) and entry.reason == LEG_LOST:
            self.lost_until_ms[entry.track] = entry.end_ms
        elif isinstance(entry, Dropped):
            self._live.discard((entry.track, entry.index))
            if self._headers.get(entry.track) == entry.index:
                del self._headers[entry.track]
        elif isinstance(entry, Detach | End):
            self.attached = None
            self.detached = entry.reason if isinstance(entry, Detach) else self.detached

    def _load(self) -> None:
        """Read what is there: cut a torn last line, delete what no line lists."""
        path = self._folder / MANIFEST
        if path.exists():
            whole = 0
            with path.open("rb") as file:
                while (line := file.readline(MAX_LINE + 2)).endswith(b"\n"):
                    decoded: Line = decode_line(line[:-1])
                    check_next(decoded, self.last, self._key.public_key())
                    if decoded.entry.n >= MAX_ENTRIES:
                        raise ManifestBroken("The manifest is too long.")
                    self._take(decoded.entry, line[:-1].decode())
                    whole += len(line)
            if len(line) > MAX_LINE:
                raise ManifestBroken("A manifest entry is too long.")
            if line:
                self._disk.truncate(path, whole)
        for track in self._folder.iterdir():
            if not track.is_dir():
                continue
            for file_path in track.iterdir():
                name = file_path.name
                listed = _SEGMENT.fullmatch(name) and (track.name, int(name[:-4])) in self._live
                if not listed:
                    self._disk.remove(file_path)
            self._disk.sync_folder(track)
