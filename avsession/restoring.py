"""``avsession backup restore``: a backup into an empty folder, and what was erased since, again.

Its log ends where the backup was made: the anchor's later head will never fit, and ``audit adopt``
is done with it, for the log to say so. See ``usecases.journal`` for what is erased again.
"""

from __future__ import annotations

import asyncio
import tarfile
from pathlib import Path
from typing import Any

from avsession import auditing, keys
from avsession.audit.checkpoint import parse
from avsession.backup import (
    DATABASE,
    KEY_FILE,
    MAX_KEY,
    SUFFIX,
    Backup,
    checked,
    copy,
    digest,
    summary,
    write,
)
from avsession.config import Settings
from avsession.errors import AvsessionError, Conflict, SettingsInvalid
from avsession.proving import Progress
from avsession.serve import Files, close_store, database_url, open_services
from avsession.storage.anchor import FileAnchor
from avsession.storage.engine import sqlite_file
from avsession.storage.journal import LINES, UPTO, FileJournal
from avsession.usecases import evidence, journal
from avsession.usecases.journal import Replayed
from signaling.hub import Hub


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
    damaged, or it is not known what was erased since it was made.
    """
    files = Files.of(settings)
    if sqlite_file(database_url(settings, files)) != files.root / "avsession.sqlite3":
        raise SettingsInvalid("A backup is restored into the data folder: leave `database` unset.")
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
    await asyncio.to_thread(_place, backup, made, files, key_file)
    replayed = await _make_good(settings, files, made, entries, without)
    report = await _report(settings, files)
    by_hand = replayed.by_hand
    return {
        "ok": report == [] and not replayed.failed,
        "data": str(files.root),
        **summary(made),
        "erased_again": {"recordings": replayed.recordings, "persons": replayed.persons},
        "holds_released": replayed.holds,
        "calls_ended": replayed.ended,
        "unknown": unknown,
        "by_hand": by_hand,
        "failed": replayed.failed,
        "problems": report,
    }


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
    for name in made.files:
        to = files.root / ("avsession.sqlite3" if name == DATABASE else name)
        copy(backup / name, to)
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
    """Take the log as it is, end what went on, and erase again."""
    app = await open_services(settings, files, Hub(), check=False)
    try:
        reason = f"restored a backup of {made.leaves} leaves"
        if without:
            reason += f", erasures since not known: {without}"
        await evidence.adopt(app, reason)
        ended = await journal.end_all(app)
        replayed = await journal.replay(app, entries, made.leaves)
        replayed.ended = ended
        # the next restore must know of what this one was told, too
        kept = FileJournal(files.anchor)
        await kept.add(entries, 0)
        await journal.catch_up(app, kept)
        await evidence.checkpoint(app)
    finally:
        await close_store(app)
    return replayed


async def _report(settings: Settings, files: Files) -> list[str]:
    try:
        report, _ = await auditing.verify(settings, None)
    except AvsessionError as error:
        return [str(error)]
    return [str(one) for one in report.findings]
