"""``avsession backup restore``: a backup into an empty folder, and what was erased since, again.

All of that is done in an SQLite file that no server opens. When everything is as it must be, the
file gets its name, or moves into PostgreSQL as a whole: what was interrupted or failed brings
nobody back.

Its log ends where the backup was made: the anchor's later head will never fit, and ``audit adopt``
is done with it, for the log to say so. See ``usecases.replaying`` for what is done again.
"""

from __future__ import annotations

import asyncio
import os
import tarfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec.structs import replace

from avsession import auditing, keys, moving
from avsession.audit.checkpoint import VerifierKey, parse, verify
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
    sync,
    write,
)
from avsession.config import Settings
from avsession.errors import AvsessionError, CheckpointInvalid, Conflict, SettingsInvalid
from avsession.proving import Progress
from avsession.serve import Files, close_store, database_url, open_services
from avsession.storage.anchor import FileAnchor
from avsession.storage.engine import sqlite_file, sqlite_url
from avsession.storage.files import root as folder_of
from avsession.storage.files import shred
from avsession.storage.journal import LINES, UPTO, FileJournal
from avsession.storage.sql import SqlStore
from avsession.usecases import evidence, journal, repeating, replaying
from avsession.usecases.replaying import Replayed
from signaling.hub import Hub

SQLITE = "avsession.sqlite3"
"""The database in the data folder."""
COMING = "restoring.sqlite3"
"""What it is called until it may be served; a server that starts beside it refuses, for the anchor
is of a longer log than the empty one that it finds."""
ENDS = ("-wal", "-shm", "")


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
    entries, unknown = await _erased_since(erasures, backup, made)
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
        here = replace(settings, database=sqlite_url(files.root / COMING))
        replayed = await _make_good(here, files, made, entries, without)
        # what moves into PostgreSQL is verified there, before it stays
        moves = target is not None and not replayed.failed
        report = [] if moves else await _report(here)
        whole = not report and not replayed.failed
        if not whole:
            report.append(f"{_nothing(target)}; all of it is in {files.root / COMING}.")
        elif target is not None:
            await _moved(here, files, target)
            report = await _report(settings)
        else:
            _named(files.root)
    return {
        "ok": whole and not report,
        "data": str(files.root),
        **summary(made),
        "erased_again": {"recordings": replayed.recordings, "persons": replayed.persons},
        "taken_back_again": {
            "revoked": replayed.revoked,
            "withdrawn": replayed.withdrawn,
            "restricted": replayed.restricted,
        },
        "erasures_to_go_on": replayed.children,
        "sign_ins_ended": replayed.sign_ins,
        "holds_released": replayed.holds,
        "holds_placed": replayed.placed,
        "calls_ended": replayed.ended,
        "unknown": unknown,
        "by_hand": replayed.by_hand,
        "failed": replayed.failed,
        "problems": report,
        # last, to be read by a person: it is done, and yet it is not all
        "left_to_do": _left(len(replayed.by_hand)),
    }


def _nothing(target: SqlStore | None) -> str:
    return "Nothing of it is served" if target is None else "Nothing was put into PostgreSQL"


def _left(count: int) -> str:
    things = "1 thing is" if count == 1 else f"{count} things are"
    return f"{things} left to do by hand: see by_hand" if count else ""


async def _erased_since(
    erasures: Path | None, backup: Path, made: Backup
) -> tuple[list[journal.Entry], str]:
    """The journal, and what is not known of the time since the backup; empty: nothing."""
    if erasures is None:
        return [], "Nothing says what was erased since this backup was made."
    if not (erasures / UPTO).is_file():
        raise SettingsInvalid(f"{erasures} holds no journal of erasures ({UPTO}).")
    kept = FileJournal(erasures)
    upto, missing, entries = await kept.upto(), await kept.lacks(), await kept.read()
    if await asyncio.to_thread(lambda: erasures.resolve().is_relative_to(backup)):
        return entries, "That anchor is the backup's own, which knows nothing of what came after."
    if upto < made.leaves:
        return entries, (
            f"The journal ends at leaf {upto}, before the backup, which has {made.leaves} leaves."
        )
    if missing:
        return entries, (
            f"{LINES} lacks {missing} bytes that {UPTO} counts: it was copied while it was written."
        )
    head = await _head(erasures, backup)
    if head > upto:
        return entries, f"The journal ends at leaf {upto}, but the log had {head} leaves."
    return entries, ""


async def _head(folder: Path, backup: Path) -> int:
    """The size of the checkpoint that was kept beside the journal; 0: none was. Raises
    SettingsInvalid when it is not of the backup's log."""
    note, ours = await FileAnchor(folder).get(), await FileAnchor(backup / "anchor").get()
    if note is None:
        return 0
    try:
        return (parse(note) if ours is None else verify(note, _log_key(backup, ours))).size
    except CheckpointInvalid as error:
        raise SettingsInvalid(f"{folder} is not of this backup's log: {error}") from error


def _log_key(backup: Path, note: str) -> VerifierKey:
    """The key of the backup's log. Whoever copied the backup may have let others read it."""
    with opened(backup, "keys/log.key") as reading:
        key = load_pem_private_key(reading.read(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsInvalid("keys/log.key is not an Ed25519 key.")
    return VerifierKey(parse(note).origin, key.public_key().public_bytes_raw())


def _place(backup: Path, made: Backup, files: Files, key_file: Path | None) -> None:
    keys.private_folder(files.root)
    for name, file in made.files.items():
        with opened(backup, name) as reading:
            if copied(reading, files.root / (COMING if name == DATABASE else name)) != file:
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
        ended = await replaying.end_all(app)
        signed_in = await repeating.sign_out(app)
        replayed = await replaying.replay(app, entries, made.leaves)
        replayed.ended, replayed.sign_ins = ended, signed_in
        if entries and not journal.is_whole(entries):
            replayed.by_hand.append(replaying.older(made.leaves))
        # the next restore must know of what this one was told, too
        kept = FileJournal(files.anchor)
        async with app.store.read() as tx:
            mark = await journal.restored(tx, made.leaves)
        await kept.add([*entries, mark], 0)
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
        for end in ENDS:
            shred(folder, COMING + end)


def _named(root: Path) -> None:
    """Give the database the name under which a server opens it, what belongs to it first."""
    for end in ENDS:
        if (path := root / (COMING + end)).exists():
            path.rename(root / (SQLITE + end))
    sync(root / SQLITE)
