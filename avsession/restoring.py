"""``avsession backup restore``: a backup into an empty folder, and what was erased since, again.

With PostgreSQL all of that is done in an SQLite file first, which then moves there as a whole: who
was erased since never gets into its tables, and what failed leaves it empty.

Its log ends where the backup was made: the anchor's later head will never fit, and ``audit adopt``
is done with it, for the log to say so. See ``usecases.journal`` for what is erased again.
"""

from __future__ import annotations

import asyncio
import os
import tarfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from avsession import auditing, keys, moving
from avsession.audit.checkpoint import parse
from avsession.backup import (
    DATABASE,
    KEY_FILE,
    MAX_KEY,
    SUFFIX,
    Backup,
    checked,
    copied,
    digest,
    opened,
    summary,
    write,
)
from avsession.config import Settings
from avsession.errors import AvsessionError, Conflict, SettingsInvalid
from avsession.proving import Progress
from avsession.serve import Files, close_store, database_url, open_services
from avsession.storage.anchor import FileAnchor
from avsession.storage.engine import sqlite_file
from avsession.storage.files import root as folder_of
from avsession.storage.files import shred
from avsession.storage.journal import LINES, UPTO, FileJournal
from avsession.storage.sql import SqlStore
from avsession.usecases import evidence, journal, repeating
from avsession.usecases.journal import Replayed
from signaling.hub import Hub

SQLITE = "avsession.sqlite3"
"""The database in the data folder."""


class RestoreRefused(Conflict):
    """A restore would bring back what must not come back, or the backup is damaged."""

    code = "restore.refused"
    sentence = "This backup is not restored."


async def restore(
    settings: Settings,
    backup: Path,
    key_file: Path | None,
    *,
    erasures: Path | None,
    without: str | None,
    progress: Progress,
) -> dict[str, Any]:
    """Put the backup into the empty data folder, and erase again what was erased since.

    Raises SettingsInvalid for a folder that is not empty, RestoreRefused when the backup is
    damaged, or it is not known what was erased since it was made; with PostgreSQL Conflict when
    the database is not empty, Unavailable when a server runs on it or it does not answer.
    """
    files = Files.of(settings)
    file = sqlite_file(database_url(settings, files))
    if file not in (None, files.root / SQLITE):
        raise SettingsInvalid(
            "A backup is restored into the data folder, or into PostgreSQL: leave `database` unset,"
            " or let it name that."
        )
    if files.root.exists() and any(files.root.iterdir()):
        raise SettingsInvalid(f"{files.root} is not empty. Name a new folder with --data.")
    made, problems = await asyncio.to_thread(checked, backup, progress)
    if problems:
        raise RestoreRefused("The backup is damaged: " + "; ".join(problems[:5]))
    entries, unknown = await _erased_since(erasures, made)
    if unknown and not without:
        raise RestoreRefused(
            f"{unknown} Who was erased since would come back. Give --erasures, the anchor folder "
            "of the lost service or the newest copy of it; or, knowing that, --without-erasures "
            "REASON."
        )
    async with AsyncExitStack() as stack:
        target = None
        if file is None:
            url = database_url(settings, files)
            target = await stack.enter_async_context(moving.emptied(url))
        lock = files.lock()
        stack.callback(os.close, lock)
        await asyncio.to_thread(_place, backup, made, files, key_file)
        here = replace(settings, database=None)
        replayed = await _make_good(here, files, made, entries, without)
        report: list[str] = []
        if target is not None and replayed.failed:
            report.append(
                f"Nothing was put into PostgreSQL; all of it is in {files.root / SQLITE}."
            )
        elif target is not None:
            await _moved(here, files, target)
            here = settings
        report += await _report(here)
    return {
        "ok": report == [] and not replayed.failed,
        "data": str(files.root),
        **summary(made),
        "erased_again": {"recordings": replayed.recordings, "persons": replayed.persons},
        "taken_back_again": {
            "revoked": replayed.revoked,
            "withdrawn": replayed.withdrawn,
            "restricted": replayed.restricted,
        },
        "sign_ins_ended": replayed.sign_ins,
        "holds_released": replayed.holds,
        "calls_ended": replayed.ended,
        "unknown": unknown,
        "by_hand": replayed.by_hand,
        "failed": replayed.failed,
        "problems": report,
        # last, to be read by a person: it is done, and yet it is not all
        "left_to_do": _left(len(replayed.by_hand)),
    }


def _left(count: int) -> str:
    things = "1 thing is" if count == 1 else f"{count} things are"
    return f"{things} left to do by hand: see by_hand" if count else ""


async def _erased_since(erasures: Path | None, made: Backup) -> tuple[list[journal.Entry], str]:
    """The journal, and what is not known of the time since the backup; empty: nothing."""
    if erasures is None:
        return [], "Nothing says what was erased since this backup was made."
    if not (erasures / UPTO).is_file():
        raise SettingsInvalid(f"{erasures} holds no journal of erasures ({UPTO}).")
    kept = FileJournal(erasures)
    upto, entries = await kept.upto(), await kept.read()
    if upto < made.leaves:
        return entries, (
            f"The journal ends at leaf {upto}, before the backup, which has {made.leaves} leaves."
        )
    head = await _head(erasures)
    if head > upto:
        return entries, f"The journal ends at leaf {upto}, but the log had {head} leaves."
    return entries, ""


async def _head(folder: Path) -> int:
    """The size of the checkpoint that was kept beside the journal; 0: none was."""
    note = await FileAnchor(folder).get()
    return parse(note).size if note else 0


def _place(backup: Path, made: Backup, files: Files, key_file: Path | None) -> None:
    keys.private_folder(files.root)
    for name, file in made.files.items():
        with opened(backup, name) as reading:
            if copied(reading, files.root / (SQLITE if name == DATABASE else name)) != file:
                raise RestoreRefused(f"{name} has changed since it was read.")
    for name in (LINES, UPTO):  # of a log that was longer: the journal begins anew
        (files.root / "anchor" / name).unlink(missing_ok=True)
    found = key_file or backup.with_name(backup.name + SUFFIX)
    if made.keys is not None and found.exists():
        if digest(found).sha256 != made.keys.sha256:
            raise RestoreRefused(f"{found.name} is not what was written.")
        _unpack(found, keys.private_folder(files.root / "custody"))
    elif key_file is not None:
        raise RestoreRefused(f"{key_file.name} is not of this backup.")


def _unpack(archive: Path, to: Path) -> None:
    """The key store's files, by names that are ours and nothing else."""
    keys.private_folder(to / "tracks")
    with tarfile.open(archive, "r:") as inside:
        for member in inside:
            stream = inside.extractfile(member) if member.isreg() else None
            if stream is None or not KEY_FILE.fullmatch(member.name) or member.size > MAX_KEY:
                raise RestoreRefused(f"{archive.name} holds something that is no key.")
            write(to / member.name, stream.read())


async def _make_good(
    settings: Settings,
    files: Files,
    made: Backup,
    entries: list[journal.Entry],
    without: str | None,
) -> Replayed:
    """Take the log as it is, end what went on, sign out, and take back and erase again."""
    app = await open_services(settings, files, Hub(), check=False)
    try:
        reason = f"restored a backup of {made.leaves} leaves"
        if without:
            reason += f", erasures since not known: {without}"
        await evidence.adopt(app, reason)
        ended = await journal.end_all(app)
        signed_in = await repeating.sign_out(app)
        replayed = await journal.replay(app, entries, made.leaves)
        replayed.ended, replayed.sign_ins = ended, signed_in
        if entries and not journal.is_whole(entries):
            replayed.by_hand.append(journal.older(made.leaves))
        # the next restore must know of what this one was told, too
        kept = FileJournal(files.anchor)
        await kept.add(entries, 0)
        await journal.make_whole(app, kept)
        await journal.catch_up(app, kept)
        await evidence.checkpoint(app)
    finally:
        await close_store(app)
    return replayed


async def _report(settings: Settings) -> list[str]:
    try:
        report, _ = await auditing.verify(settings, None)
    except AvsessionError as error:
        return [str(error)]
    return [str(one) for one in report.findings]


async def _moved(settings: Settings, files: Files, target: SqlStore) -> None:
    """Everything of the restored SQLite database into PostgreSQL. Raises LogBroken, and leaves the
    first as it is, when the second does not come out right."""
    await moving.fill(settings, target)
    with folder_of(files.root) as folder:
        for end in ("", "-wal", "-shm"):
            shred(folder, SQLITE + end)
