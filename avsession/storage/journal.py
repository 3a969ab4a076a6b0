"""The journal of what was erased, in the anchor's folder: apart from the database, to be copied.

``erasures.jsonl`` is appended to, a line an entry; ``erasures.upto`` says how many leaves of the
log were gone through, and how many bytes the first had then, so that a copy of both shows when it
was made while they changed. The first is written before the second: an entry may be there twice.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from avsession.canonical import canonical
from avsession.errors import SettingsInvalid, Unavailable
from avsession.storage import files
from avsession.usecases.journal import Entry

LINES, UPTO = "erasures.jsonl", "erasures.upto"
MAX_JOURNAL = 1 << 30
"""Bytes of a journal that is read."""


class FileJournal:
    """``usecases.journal.Journal`` in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()  # one who was told to stop waiting may still be writing

    async def upto(self) -> int:
        """As ``Journal.upto``."""
        return await asyncio.to_thread(self._upto)

    async def add(self, entries: Sequence[Entry], upto: int) -> None:
        """As ``Journal.add``."""
        try:
            await asyncio.to_thread(self._add, entries, upto)
        except OSError as error:
            raise Unavailable("The journal of erasures cannot be written.") from error

    async def read(self) -> list[Entry]:
        """As ``Journal.read``. Raises SettingsInvalid for what is no journal."""
        return await asyncio.to_thread(self._read)

    async def lacks(self) -> int:
        """Bytes of its lines that are not there though its count says so: it was copied while it
        was written, or cut. Raises Unavailable."""
        return await asyncio.to_thread(self._lacks)

    def _upto(self) -> int:
        return self._said()[0]

    def _lacks(self) -> int:
        said = self._said()[1]  # first: the lines only grow
        with files.root(self._folder) as folder:
            return max(0, said - self._size(folder))

    def _said(self) -> tuple[int, int]:
        """Leaves that were gone through, and bytes that the lines had then; an older version did
        not say the second."""
        try:
            with files.root(self._folder) as folder:
                leaves, _, size = files.read(folder, UPTO, 64).partition(b" ")
            return int(leaves), int(size or 0)
        except FileNotFoundError:
            return 0, 0
        except (OSError, ValueError) as error:
            raise Unavailable("The journal of erasures cannot be read.") from error

    def _add(self, entries: Sequence[Entry], upto: int) -> None:
        with self._lock, files.root(self._folder) as folder:
            if entries:
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
                file = os.open(LINES, flags, 0o600, dir_fd=folder)
                with os.fdopen(file, "ab") as stream:
                    stream.write(b"".join(canonical(entry) + b"\n" for entry in entries))
                    stream.flush()
                    os.fsync(file)
            size = self._size(folder)
            files.write(folder, UPTO, b"%d %d\n" % (upto, size), replace=True)

    @staticmethod
    def _size(folder: int) -> int:
        try:
            return os.stat(LINES, dir_fd=folder, follow_symlinks=False).st_size
        except FileNotFoundError:
            return 0

    def _read(self) -> list[Entry]:
        try:
            with files.root(self._folder) as folder:
                data = files.read(folder, LINES, MAX_JOURNAL)
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise SettingsInvalid(f"{LINES} cannot be read: {error}") from error
        lines = data.split(b"\n")
        try:
            # a line that was being written when the machine died has no end, and is there again
            return [msgspec.json.decode(line, type=Entry) for line in lines[:-1]]
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SettingsInvalid(f"{LINES} is no journal of erasures.") from error
