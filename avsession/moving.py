"""``avsession db``: bringing tables up to date, looking at them, moving to PostgreSQL."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from avsession import auditing
from avsession.audit import verify as whole
from avsession.audit.findings import Findings
from avsession.audit.verify import Report
from avsession.claiming import TAKEN
from avsession.config import Settings
from avsession.errors import LogBroken, SettingsInvalid, Unavailable
from avsession.serve import Files, database_url
from avsession.storage.anchor import FileAnchor
from avsession.storage.checking import Fact, facts
from avsession.storage.copying import copy, refuse_rows
from avsession.storage.engine import sqlite_file
from avsession.storage.sql import SqlStore
from avsession.usecases import evidence

Done = tuple[bool, dict[str, Any]]
"""Whether all is well, and what to say, name by name."""


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    command: Callable[..., argparse.ArgumentParser],
) -> None:
    """``avsession db …``; ``command`` makes one with the arguments that all have."""
    group: Any = commands.add_parser("db", help="the database").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    what = "make its tables, or bring them up to date, while no server runs"
    command(group, "upgrade", what, "avsession db upgrade --config avsession.toml")
    what = "whether it keeps what avsession promises; changes nothing"
    command(group, "check", what, "avsession db check --json")
    one = command(
        group,
        "move",
        "copy everything from SQLite to an empty PostgreSQL database, and verify the log there",
        "avsession db move --to 'postgresql://avsession@db.example/avsession?password_file=…'",
    )
    one.add_argument("--to", required=True, metavar="URL", help="the PostgreSQL database")


async def run(settings: Settings, given: argparse.Namespace) -> Done:
    """Carry the command out. Raises SettingsInvalid, Unavailable, Conflict, LogBroken."""
    files = Files.of(settings)
    if given.action == "check":
        return await _check(database_url(settings, files))
    lock = files.lock()
    try:
        if given.action == "upgrade":
            return await _upgrade(database_url(settings, files))
        return await _move(settings, files, given.to)
    finally:
        os.close(lock)


def as_text(done: dict[str, Any]) -> str:
    """For a person: a line each."""
    return "\n".join(f"{name} {value}" for name, value in done.items())


def as_json(done: dict[str, Any]) -> str:
    """For a script."""
    return json.dumps(done)


async def _upgrade(url: str) -> Done:
    store = SqlStore(url)
    try:
        if not await store.claim():
            raise Unavailable(TAKEN)
        await store.open()
        async with store.read() as tx:
            found = {fact.what: fact for fact in await facts(tx)}
    finally:
        await store.close()
    return True, {"tables": found["tables"].value}


async def _check(url: str) -> Done:
    file = sqlite_file(url)
    if file is not None and not file.exists():
        raise SettingsInvalid(f"There is no database at {file} yet; the first start makes it.")
    store = SqlStore(url)
    try:
        async with store.read() as tx:
            found = await facts(tx)
    finally:
        await store.close()
    said = {fact.what: _line(fact) for fact in found}
    return not any(fact.wrong for fact in found), said


def _line(fact: Fact) -> str:
    return f"{fact.value} (WRONG: {fact.wrong})" if fact.wrong else fact.value


async def _move(settings: Settings, files: Files, to: str) -> Done:
    if sqlite_file(database_url(settings, files)) is None:
        raise SettingsInvalid("These settings already name a database server; nothing to move.")
    async with emptied(to) as target:
        rows, report = await fill(settings, target)
    file = sqlite_file(database_url(settings, files))
    return True, {
        "rows": rows, "leaves": report.size, "root": report.root,
        "next": f"set database to the new URL, start the server, then delete {file}*",
    }  # fmt: skip


@asynccontextmanager
async def emptied(url: str) -> AsyncIterator[SqlStore]:
    """The PostgreSQL database, ours alone meanwhile, with every table and nothing in them.

    Raises SettingsInvalid when it is none, Unavailable when a server runs on it or it does not
    answer, Conflict when there is something in it: then nothing of it was changed.
    """
    target = SqlStore(url)
    if not target.is_server:
        raise SettingsInvalid("--to must name a PostgreSQL database.")
    try:
        if not await target.claim():
            raise Unavailable(TAKEN)
        async with target.read() as tx:
            await refuse_rows(tx)
        await target.open()
        yield target
    finally:
        await target.close()


async def fill(settings: Settings, target: SqlStore) -> tuple[int, Report]:
    """Everything of the SQLite database of these settings, in one transaction at the target.

    How many rows there are, and what the verification of the log there found. All of it is there,
    verified, or nothing is. Raises LogBroken.
    """
    async with auditing.opened(settings) as (files, source, public):
        anchors = await evidence.kept((FileAnchor(files.root / "anchor"),))
        async with source.read() as reading, target.write() as writing:
            rows = await copy(reading, writing, _say)
            bar = auditing.Bar(sys.stderr)
            report = await whole.verify(writing, public, Findings(), anchors=anchors, progress=bar)
            if not report.ok:
                writing.failed = True
                raise LogBroken("The log does not verify: nothing was moved.")
    return rows, report


def _say(table: str, rows: int) -> None:
    sys.stderr.write(f"{table}: {rows:,} rows\n")
