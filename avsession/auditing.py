"""``avsession audit``: verifying the log, and taking it as it is after a restore."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TextIO

from avsession import custody, keys
from avsession.audit.checkpoint import MAX_NOTE, VerifierKey
from avsession.audit.findings import MOST, STEPS
from avsession.audit.verify import Kept, Report
from avsession.config import Settings
from avsession.errors import AnchorInvalid, SettingsInvalid
from avsession.serve import Files, close_store, database_url, open_services
from avsession.storage.anchor import FileAnchor
from avsession.storage.engine import sqlite_file
from avsession.storage.sql import SqlStore
from avsession.usecases import evidence
from signaling.hub import Hub

EVERY_S = 0.2
"""How often the progress is drawn anew."""
WIDTH = 30
SINCE = 5
"""The step that needs a checkpoint from elsewhere."""


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    command: Callable[..., argparse.ArgumentParser],
) -> None:
    """``avsession audit …``; ``command`` makes one command of a group."""
    group = commands.add_parser("audit", help="the audit log").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    one = command(
        group,
        "verify",
        "verify the whole log, and what it commits to; changes nothing",
        "avsession audit verify --since checkpoint.txt",
    )
    one.add_argument(
        "--since",
        type=Path,
        metavar="FILE",
        help="a checkpoint that was kept: show that today's log extends it",
    )
    one = command(
        group,
        "adopt",
        "take the log as it is, after a restore or a lost anchor; it is written into the log",
        "avsession audit adopt --reason 'restored the backup of 1 May'",
    )
    one.add_argument("--reason", required=True, help="why the anchor and the log differ")


class Bar:
    """A bar on a terminal; elsewhere a line every tenth of the way."""

    def __init__(self, out: TextIO, what: str = "leaves") -> None:
        self._out, self._live, self._what = out, out.isatty(), what
        self._drawn = 0.0
        self._tenth = 0

    def __call__(self, done: int, total: int) -> None:
        """Draw how far it is, if it is time to."""
        part = done / total if total else 1.0
        if self._live and (time.monotonic() - self._drawn >= EVERY_S or done >= total):
            self._drawn = time.monotonic()
            full = round(part * WIDTH)
            bar = "#" * full + "." * (WIDTH - full)
            end = "\n" if done >= total else ""
            self._out.write(f"\r[{bar}] {done:,} of {total:,} {self._what}{end}")
            self._out.flush()
        elif not self._live and int(part * 10) > self._tenth:
            self._tenth = int(part * 10)
            self._out.write(f"{done:,} of {total:,} {self._what}\n")


async def verify(settings: Settings, since: Path | None) -> tuple[Report, VerifierKey]:
    """Verify the log of these settings; changes nothing. Progress goes to standard error.

    Raises SettingsInvalid when there is no log, or the file for ``since`` is none; Unavailable
    when the database cannot be read, or was made by another version.
    """
    async with opened(settings) as (files, store, public):
        kept = None if since is None else Kept(str(since), _read(since))
        anchors = (FileAnchor(files.root / "anchor"), *await custody.seen(settings, public))
        bar = Bar(sys.stderr)
        return await evidence.verify(store, public, anchors, since=kept, progress=bar), public


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Files, SqlStore, VerifierKey]]:
    """The log of these settings, to read: its folder, its database and its public key.

    Raises SettingsInvalid when there is none; Unavailable when the database cannot be read, or
    was made by another version.
    """
    files = there(settings)
    store = SqlStore(database_url(settings, files))
    try:
        await store.open(migrate=False)
        try:
            origin = await evidence.origin(settings, store, (FileAnchor(files.root / "anchor"),))
        except AnchorInvalid:  # a finding of its own: `avsession audit verify` reports it
            origin = await evidence.origin(settings, store)
        key = keys.FileSigner(files.root / "keys" / "log.key").public_key
        yield files, store, VerifierKey(origin, key)
    finally:
        await store.close()


def there(settings: Settings) -> Files:
    """The data folder, if there is a log in it; makes nothing. Raises SettingsInvalid."""
    files = Files.of(settings)
    file = sqlite_file(database_url(settings, files))
    made = (files.root / "keys" / "log.key", *([] if file is None else [file]))
    if not all(path.exists() for path in made):
        raise files.lack("log")
    return files


async def key_of(settings: Settings) -> VerifierKey:
    """The log's public key, which whoever checks a receipt needs. Raises as :func:`opened`."""
    async with opened(settings) as (_, _, key):
        return key


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_NOTE + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{path} cannot be read: {error}") from error


def as_json(report: Report, key: VerifierKey) -> str:
    """The report for a script."""
    steps = [
        {"step": step, "what": what, "wrong": report.counts[step]} for step, what in STEPS.items()
    ]
    said: dict[str, Any] = {
        "ok": report.ok,
        "origin": key.name,
        "key": key.text,
        "size": report.size,
        "root": report.root,
        "checkpoints": report.checkpoints,
        "steps": steps,
        "findings": [{"step": f.step, "row": f.where, "what": f.what} for f in report.findings],
    }
    return json.dumps(said)


def as_text(report: Report, key: VerifierKey, *, since: bool = True) -> str:
    """The report for a person: each step with its result, and every finding under it.

    ``since``: whether a checkpoint was given to hold the log against.
    """
    lines = [
        f"{key.name}: {report.size} leaves, {report.checkpoints} checkpoints",
        f"root {report.root}",
        f"key {key.text}",
    ]
    for step, what in STEPS.items():
        count = report.counts[step]
        fine = "ok" if since or step != SINCE else "none was given"
        lines.append(f"{step}. {what}: {f'{count} wrong' if count else fine}")
        lines += [f"   {finding}" for finding in report.findings if finding.step == step]
        if count > MOST:
            lines.append(f"   and {count - MOST} more")
    lines.append("The log verifies." if report.ok else "The log does NOT verify.")
    return "\n".join(lines)


async def adopt(settings: Settings, reason: str) -> dict[str, str]:
    """Take the log as it is now into the anchors, though they said otherwise.

    Raises SettingsInvalid when there is none, Unavailable while a server runs, and what is under
    LogBroken when the log does not even agree with the checkpoints in its own database.
    """
    files = there(settings)
    lock = files.lock()
    try:
        app = await open_services(settings, files, Hub(), check=False)
        try:
            head = await evidence.adopt(app, reason)
        finally:
            await close_store(app)
    finally:
        os.close(lock)
    return {"origin": head.origin, "size": str(head.size), "root": head.root.hex()}
