"""What a backup is made of: its manifest, and files copied whole and privately."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from avsession.errors import SettingsInvalid
from avsession.proving import Progress
from avsession.storage import files, snapshot

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
DAY_MS = 86_400_000
MANIFEST, DATABASE = "backup.json", "database.sqlite3"
SUFFIX = ".keys.tar"
MAX_KEY = 64 * 1024
"""Bytes of one file of the key store."""
MAX_SEGMENTS = 1_000_000
PIECE = 1 << 20
NAME = re.compile(
    r"database\.sqlite3|(anchor|keys)/[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"
    r"|objects/rec_[a-z2-7]{26}/(manifest\.jsonl|trk_[a-z2-7]{26}/[0-9]{1,20}\.age)"
)
"""What a backup can hold, by its name in it."""
KEY_FILE = re.compile(r"custodian\.key|tracks/trk_[a-z2-7]{26}\.age")


class File(msgspec.Struct, frozen=True):
    """A file of the backup."""

    size: int
    sha256: str


class KeyFile(msgspec.Struct, frozen=True, kw_only=True):
    """The copy of the key store."""

    name: str
    sha256: str
    keys: int
    delete_by_ms: int


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """``backup.json``. Times in milliseconds since the epoch; ``leaves``: the log's size."""

    v: int = 1
    made_ms: int
    version: str
    leaves: int
    sessions: int
    recordings: int
    segments: int
    bytes: int
    keys: KeyFile | None
    files: dict[str, File]


def summary(made: Backup) -> dict[str, Any]:
    """What a backup holds, in figures."""
    return {
        "made_ms": made.made_ms,
        "leaves": made.leaves,
        "sessions": made.sessions,
        "recordings": made.recordings,
        "segments": made.segments,
        "bytes": made.bytes,
        "keys": made.keys.keys if made.keys else None,
        "keys_delete_by_ms": made.keys.delete_by_ms if made.keys else None,
    }


def checked(backup: Path, progress: Progress) -> tuple[Backup, list[str]]:
    """The manifest, and what is wrong with the files it names. Raises SettingsInvalid."""
    try:
        with opened(backup, MANIFEST) as reading:
            made = msgspec.json.decode(reading.read(), type=Backup)
    except (OSError, msgspec.DecodeError) as error:
        raise SettingsInvalid(f"{backup} is no whole backup: {MANIFEST}: {error}") from error
    problems = []
    for n, (name, file) in enumerate(made.files.items(), 1):
        if not NAME.fullmatch(name):
            problems.append(f"{name} is no name of a file of a backup")
            continue
        try:
            with opened(backup, name) as reading:
                same = _digest(reading) == file
        except OSError:  # a link on the way to it, too
            problems.append(f"{name} is missing")
        else:
            problems += [] if same else [f"{name} is not what was written"]
        progress("files", n, len(made.files))
    if not problems and (wrong := snapshot.sound(backup / DATABASE)):
        problems.append(f"{DATABASE}: {wrong}")
    return made, problems


@contextmanager
def opened(backup: Path, name: str) -> Iterator[BufferedReader]:
    """A plain file of the backup, for reading. Raises OSError for anything else, and when any part
    of the way below ``backup`` is a link: what it leads to is not the backup's."""
    *folders, last = PurePosixPath(name).parts
    here = os.open(backup, FOLDER)
    try:
        with files.inside(here, *folders) as folder:
            file = os.open(last, files.READ, dir_fd=folder)
    finally:
        os.close(here)
    with os.fdopen(file, "rb") as reading:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise FileNotFoundError(name)
        yield reading


def copy(path: Path, to: Path) -> File:
    """Copy to a new private file, durably; its size and digest."""
    source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(source, "rb") as reading:
        return copied(reading, to)


def copied(reading: BufferedReader, to: Path) -> File:
    """As :func:`copy`, of what is open."""
    sums, size = hashlib.sha256(), 0
    # one by one: `parents` would make those in between for everybody
    for folder in (*reversed(to.parent.parents), to.parent):
        if not folder.exists():
            folder.mkdir(mode=0o700)
    with open(new_file(to), "wb") as writing:
        while piece := reading.read(PIECE):
            sums.update(piece)
            size += len(piece)
            writing.write(piece)
        writing.flush()
        os.fsync(writing.fileno())
    return File(size, sums.hexdigest())


def new_file(path: Path) -> int:
    """A new file of ours; raises FileExistsError."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def write(path: Path, data: bytes) -> None:
    """Write a new private file, durably; raises FileExistsError."""
    with open(new_file(path), "wb") as writing:
        writing.write(data)
        writing.flush()
        os.fsync(writing.fileno())


def digest(path: Path) -> File:
    """A file's size and SHA-256."""
    with path.open("rb") as reading:
        return _digest(reading)


def _digest(reading: BufferedReader) -> File:
    found = hashlib.file_digest(reading, "sha256").hexdigest()
    return File(os.fstat(reading.fileno()).st_size, found)


def sync(path: Path) -> None:
    """Make a folder or a file, and its name, last."""
    for one in (path, path.parent):
        descriptor = os.open(one, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
