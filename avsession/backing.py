"""``avsession backup``: a copy of everything while the server runs, and its way back.

A backup is a folder: ``backup.json`` (what is in it, each file with its SHA-256; written last, so a
folder without it is no backup), ``database.sqlite3``, ``objects/`` (sealed segments), ``keys/``
(signing keys), ``anchor/``. The key store is a file of its own beside it, for it must be deleted
earlier: after ``retention.key_backup_days``, which the notices tell people. With 0 none is made.

The same from PostgreSQL, whose tables are copied into the SQLite file: a backup of one is restored
into the other as well.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import itertools
import json
import shutil
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from avsession import __version__, auditing, keys
from avsession.audit.checkpoint import VerifierKey
from avsession.backup import (
    DATABASE,
    DAY_MS,
    KEY_FILE,
    MANIFEST,
    MAX_SEGMENTS,
    NAME,
    SUFFIX,
    Backup,
    File,
    KeyFile,
    checked,
    copy,
    digest,
    new_file,
    summary,
    sync,
    write,
)
from avsession.clock import SystemClock
from avsession.config import Settings
from avsession.errors import Invalid, SettingsInvalid
from avsession.proving import Progress
from avsession.records import Leaf, Recording, SegmentRecord
from avsession.restoring import restore
from avsession.serve import Files, database_url
from avsession.session import Session
from avsession.storage import snapshot
from avsession.storage.anchor import FileAnchor
from avsession.storage.copying import into_file
from avsession.storage.engine import sqlite_file, sqlite_url
from avsession.storage.folders import segment_name
from avsession.storage.sql import SqlStore
from avsession.storage.tables import TABLES
from avsession.usecases import evidence
from avsession.usecases.readiness import LastBackup


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    command: Callable[..., argparse.ArgumentParser],
) -> None:
    """``avsession backup …``; ``command`` makes one command of a group."""
    group = commands.add_parser("backup", help="copies of everything").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    for action, what, example in (
        ("create", "copy everything, beside a running server", "create --to /backup/monday"),
        ("check", "whether a backup is whole and its log verifies", "check /backup/monday"),
        (
            "restore",
            "put a backup into an empty data folder and database, and erase what was erased since",
            "restore /backup/monday --data ./new --erasures ./data/anchor",
        ),
    ):
        add_arguments(command(group, action, what, f"avsession backup {example}"), action)


def add_arguments(one: argparse.ArgumentParser, action: str) -> None:
    """What each of the commands takes."""
    if action == "create":
        one.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="a new folder")
        return
    one.add_argument("backup", type=Path, metavar="FOLDER", help="the backup")
    one.add_argument("--keys", type=Path, metavar="FILE", help="its copy of the key store")
    if action == "restore":
        one.add_argument(
            "--erasures",
            type=Path,
            metavar="FOLDER",
            help="the anchor folder of the service that was lost, or the newest copy of it: what "
            "was erased since the backup is erased again",
        )
        one.add_argument(
            "--without-erasures",
            metavar="REASON",
            help="restore though it is not known what was erased since; written into the log",
        )


async def run(settings: Settings, given: argparse.Namespace) -> dict[str, Any]:
    """Carry out the command; what is said of it, with ``ok``. Progress goes to standard error."""
    progress = Progress(sys.stderr)
    try:
        if given.action == "create":
            return await create(settings, given.to.resolve(), progress)
        if given.action == "check":
            return await check(settings, given.backup.resolve(), given.keys, progress)
        return await restore(
            settings,
            given.backup.resolve(),
            given.keys,
            erasures=given.erasures,
            without=given.without_erasures,
            progress=progress,
        )
    finally:
        progress.close()


# --- making one


async def create(settings: Settings, to: Path, progress: Progress) -> dict[str, Any]:
    """Copy everything into the new folder ``to``, beside a running server or without one.

    Raises SettingsInvalid when there is no service, or the folder is there; Unavailable when
    something cannot be read. Nothing is left of a backup that failed.
    """
    files = auditing.there(settings)
    if to.is_relative_to(files.root):
        raise SettingsInvalid("The data folder is no place for its own backup.")
    key_file = _fresh(to)
    with ExitStack() as failed:
        failed.callback(shutil.rmtree, to)
        failed.callback(key_file.unlink, missing_ok=True)
        made = await _create(settings, files, to, key_file, progress)
        failed.pop_all()
    snapshot.note(files.root, LastBackup(to=to.name, **summary(made)))
    return {
        "ok": True,
        "backup": str(to),
        **summary(made),
        "key_store": _said_of_keys(settings, made),
    }


async def _create(
    settings: Settings, files: Files, to: Path, key_file: Path, progress: Progress
) -> Backup:
    made_ms = SystemClock().now_ms()
    found: dict[str, File] = {}
    # the anchor first: its head is then one that the copied log extends
    for name in ("anchor", "keys"):
        for path in sorted((files.root / name).iterdir()):
            known = NAME.fullmatch(f"{name}/{path.name}")
            if known and path.is_file() and not path.is_symlink():
                found[f"{name}/{path.name}"] = copy(path, to / name / path.name)
    await _database(settings, files, to / DATABASE, progress)
    store = SqlStore(sqlite_url(to / DATABASE))
    try:
        await store.open(migrate=False)
        figures, segments = await _listed(store)
    finally:
        await store.close()
    for n, (name, sha256) in enumerate(segments.items(), 1):
        copied = await asyncio.to_thread(_segment, files.root / "objects", name, sha256, to)
        if copied is not None:
            found[f"objects/{name}"] = copied
        progress("segments", n, len(segments))
    for path in sorted((files.root / "objects").glob("rec_*/manifest.jsonl")):
        name = f"objects/{path.parent.name}/{path.name}"
        if any(one.startswith(f"objects/{path.parent.name}/") for one in found):
            found[name] = copy(path, to / name)
    found[DATABASE] = digest(to / DATABASE)
    kept = _keep_keys(settings, files, key_file, made_ms)
    made = Backup(
        made_ms=made_ms,
        version=__version__,
        **figures,
        segments=sum(name.endswith(".age") for name in found),
        bytes=sum(one.size for one in found.values()),
        keys=kept,
        files=found,
    )
    write(to / MANIFEST, msgspec.json.encode(made))
    sync(to)
    return made


async def _database(settings: Settings, files: Files, to: Path, progress: Progress) -> None:
    """All of it as of one moment, in an SQLite file, whatever the database is."""
    url = database_url(settings, files)
    if (file := sqlite_file(url)) is not None:
        await asyncio.to_thread(snapshot.take, file, to)
        return
    names = itertools.count(1)
    store = SqlStore(url)
    try:
        await into_file(store, to, lambda *_: progress("tables", next(names), len(TABLES)))
    finally:
        await store.close()


def _fresh(to: Path) -> Path:
    """Make the folder, which must not be there, nor the copy of the key store: where that goes."""
    key_file = to.with_name(to.name + SUFFIX)
    if to.exists() or key_file.exists():
        raise SettingsInvalid(f"{to} (or its {SUFFIX}) is there already; nothing is overwritten.")
    to.mkdir(mode=0o700, parents=True)
    return key_file


async def _listed(store: SqlStore) -> tuple[dict[str, int], dict[str, str]]:
    """How much there is, and every segment that the database keeps: name -> SHA-256."""
    async with store.read() as tx:
        recordings = await tx.find(Recording, limit=1_000_000)
        last = await tx.find(Leaf, order="-index", limit=1)
        figures = {
            "leaves": last[0].index + 1 if last else 0,
            "sessions": await tx.count(Session),
            "recordings": len(recordings),
        }
        segments = {
            segment_name(row.recording, row.track, row.index): row.sha256
            for recording in recordings
            for row in await tx.find(SegmentRecord, recording=recording.id, limit=MAX_SEGMENTS)
        }
    return figures, segments


def _segment(objects: Path, name: str, sha256: str, to: Path) -> File | None:
    """Copy a segment; None when it was erased meanwhile. Raises Invalid when it is damaged."""
    try:
        copied = copy(objects / name, to / "objects" / name)
    except FileNotFoundError:
        return None
    if copied.sha256 != sha256:
        raise Invalid(f"{name} is not what was recorded: see avsession recording verify.")
    return copied


def _keep_keys(settings: Settings, files: Files, to: Path, made_ms: int) -> KeyFile | None:
    """The key store as one file, if the notices say that there is such a copy, and how long."""
    days = settings.retention.key_backup_days
    if not days or settings.custody.socket is not None:
        return None
    folder = files.root / "custody"
    with open(new_file(to), "wb") as out, tarfile.open(fileobj=out, mode="w") as archive:
        count = 0
        for path in (folder / "custodian.key", *sorted((folder / "tracks").glob("*.age"))):
            name = path.relative_to(folder).as_posix()
            if not KEY_FILE.fullmatch(name):
                continue
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue  # destroyed this moment
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(data), 0o600, made_ms // 1000
            archive.addfile(info, io.BytesIO(data))
            count += name.startswith("tracks/")
    sync(to)
    return KeyFile(
        name=to.name,
        sha256=digest(to).sha256,
        keys=count,
        delete_by_ms=made_ms + days * DAY_MS,
    )


def _said_of_keys(settings: Settings, made: Backup) -> str:
    if made.keys is not None:
        return f"{made.keys.name}: delete it within {settings.retention.key_backup_days} days"
    if settings.custody.socket is not None:
        return "not in it: the custody process keeps its own folder"
    return "not in it: retention.key_backup_days is 0, and the notices say so"


# --- looking at one


async def check(
    settings: Settings, backup: Path, key_file: Path | None, progress: Progress
) -> dict[str, Any]:
    """Whether every file is as it was written, the database is sound and its log verifies."""
    made, problems = await asyncio.to_thread(checked, backup, progress)
    found = key_file or backup.with_name(backup.name + SUFFIX)
    if made.keys is not None:
        if not found.exists():
            problems.append(f"{found.name} is not there: no recording can be opened without it")
        elif digest(found).sha256 != made.keys.sha256:
            problems.append(f"{found.name} is not what was written")
        if found.exists() and SystemClock().now_ms() > made.keys.delete_by_ms:
            problems.append(f"{found.name} must be deleted: people were told that it would be")
    elif key_file is not None:
        problems.append(f"{key_file.name} is not of this backup, which has no copy of the keys")
    if not problems:
        problems += await _verified(settings, backup)
    _note_checked(Files.of(settings).root, made, whole=not problems)
    return {"ok": not problems, "backup": str(backup), **summary(made), "problems": problems}


def _note_checked(root: Path, made: Backup, *, whole: bool) -> None:
    """Leave word for the admin's page, if it is the newest backup of the folder that is set."""
    last = snapshot.last_backup(root)
    if last is not None and last.made_ms == made.made_ms:
        now = SystemClock().now_ms()
        snapshot.note(root, msgspec.structs.replace(last, checked_ms=now, whole=whole))


async def _verified(settings: Settings, backup: Path) -> list[str]:
    """What ``audit verify`` finds in the backup's own log."""
    store = SqlStore(sqlite_url(backup / DATABASE))
    try:
        await store.open(migrate=False)
        anchors = (FileAnchor(backup / "anchor"),)
        origin = await evidence.origin(settings, store, anchors)
        signer = keys.FileSigner(backup / "keys" / "log.key")
        public = VerifierKey(origin, signer.public_key)
        report = await evidence.verify(store, public, anchors)
    finally:
        await store.close()
    return [f"the log: {one}" for one in report.findings]


def as_text(said: dict[str, Any]) -> str:
    """What was done or found, for a person."""
    return "\n".join(_lines(said))


def _lines(said: dict[str, Any]) -> Iterator[str]:
    for name, value in said.items():
        if isinstance(value, list):
            yield f"{name}: {len(value)}"
            yield from (f"  {one if isinstance(one, str) else json.dumps(one)}" for one in value)
        elif value not in (None, ""):
            yield f"{name} {json.dumps(value) if isinstance(value, dict | bool) else value}"
