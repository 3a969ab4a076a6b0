"""A consistent copy of an SQLite database while its server runs, and whether a file is one."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import msgspec

from avsession.errors import Unavailable
from avsession.storage import files
from avsession.usecases.readiness import LastBackup

BUSY_S = 30.0
"""How long to wait for another's lock."""


def take(database: Path, to: Path) -> None:
    """Copy the database to the new file ``to``, as of one moment. Blocking.

    Nobody waits for it: a reader sees one state of the database, whatever is written meanwhile.
    What was removed is not in the copy, not even in free pages. Raises FileExistsError,
    Unavailable.
    """
    new_file(to)
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=BUSY_S)) as one:
            one.execute("VACUUM INTO ?", (str(to),))
    except sqlite3.Error as error:
        to.unlink(missing_ok=True)
        raise Unavailable(f"The database cannot be copied: {error}") from error
    settle(to)


def new_file(to: Path) -> None:
    """An empty file of ours alone, so that nobody else can open it at any moment.

    Raises FileExistsError.
    """
    os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))


def settle(to: Path) -> None:
    """Make a copy last. Blocking."""
    descriptor = os.open(to, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


LAST = "last-backup.json"
"""In the data folder: what the newest backup was, for the admin's page."""
MAX_LAST = 64 * 1024


def last_backup(data: Path) -> LastBackup | None:
    """What was left of the newest backup of this data folder; None when nothing is legible."""
    if not data.is_dir():  # which would be made
        return None
    try:
        with files.root(data) as folder:
            said = files.read(folder, LAST, MAX_LAST)
        return msgspec.json.decode(said, type=LastBackup)
    except (OSError, ValueError):
        return None


def note(data: Path, last: LastBackup) -> None:
    """Keep what :func:`last_backup` says, in place of what it said. A data folder that cannot be
    written to loses only that."""
    with suppress(OSError), files.root(data) as folder:
        files.write(folder, LAST, msgspec.json.encode(last), replace=True)


def sound(database: Path) -> str:
    """What SQLite finds wrong with the file; empty when nothing is. Blocking."""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=BUSY_S)) as one:
            rows = one.execute("PRAGMA integrity_check(1)").fetchall()
            broken = one.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as error:
        return str(error)
    if rows != [("ok",)]:
        return str(rows[0][0])
    return "" if broken is None else f"a row of {broken[0]} names one that is not there"
