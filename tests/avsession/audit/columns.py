"""Every column of a table that the log commits to, changed; `tried` says what nobody found.

Each column is changed in a row of the story, to another value of its kind and to one of no kind,
and put back again; the verification names the row and ends, whatever stands there. A row that is
taken away or put in is named, too.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from avsession.audit import NOT_EVIDENCE
from avsession.storage.engine import sqlite_url
from avsession.storage.sql import SqlStore
from avsession.usecases import evidence
from tests.avsession.audit.tampering import Copy, copied
from tests.support import memory
from tests.support.tamper import database

HOUR_MS = 3_600_000
NO_TEXT = b"\xff\xfe"
NO_KIND: dict[str, tuple[Any, ...]] = {
    "BIGINT": (2**62, "many"),
    "TEXT": (NO_TEXT,),
    "VARCHAR(64)": (NO_TEXT,),
    "JSON": ('{"a":[', "[7]", '{"a":7}'),
    "BLOB": ("text",),
    "BOOLEAN": (),  # whatever stands there reads as yes or no
}
"""Too large for canonical JSON, a word for a number, bytes that are no UTF-8, no JSON, another."""


def columns(db: sqlite3.Connection, table: str) -> tuple[list[str], list[str], set[str]]:
    """The names of a table's columns, of its key's, and those that may be null."""
    found = db.execute(f"PRAGMA table_info({table})").fetchall()
    key = [one[1] for one in sorted(found, key=lambda one: one[5]) if one[5]]
    return [one[1] for one in found], key, {one[1] for one in found if not one[3]}


def another(value: Any, kind: str) -> Any:
    """Another value of the same kind, as somebody would put it there who knows the product."""
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    if kind == "BOOLEAN":
        return 1 - value
    if isinstance(value, int):
        return value + HOUR_MS
    if value is None:
        return 5 if kind == "BIGINT" else "other"
    if value.startswith(("{", "[")):
        return value.replace("1", "2") if "1" in value else value.replace("a", "b")
    return value[:-1] + ("a" if value[-1] != "a" else "b") if value else "other"


class Changing:
    """One column after the other, each put back."""

    def __init__(self, copy: Copy, store: SqlStore) -> None:
        self._copy, self._store = copy, store
        self.silent: list[str] = []
        self.count = 0

    async def found(self) -> list[str]:
        report = await evidence.verify(self._store, self._copy.notary.key, self._copy.anchors)
        return [f"{one.where}: {one.what}" for one in report.findings]

    async def table(self, db: sqlite3.Connection, table: str) -> None:
        names, key, nullable = columns(db, table)
        kinds = {one[1]: one[2] for one in db.execute(f"PRAGMA table_info({table})")}
        rows = db.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall()  # noqa: S608
        assert rows, table
        for name in names:
            place = names.index(name)
            # a row in which it stands, and the last one without: both ways of telling a lie
            chosen = [next((row for row in rows if row[place] is not None), rows[0])]
            chosen += [row for row in rows[-1:] if row[place] is None]
            for n, row in enumerate(chosen):
                where = dict(zip(names, row, strict=True))
                values = [another(row[place], kinds[name]), *(() if n else NO_KIND[kinds[name]])]
                if name in nullable and row[place] is not None:
                    values.append(None)
                for value in values:
                    await self.one(db, table, name, where, {one: where[one] for one in key}, value)

    async def rows(self, db: sqlite3.Connection, table: str) -> None:
        """The first row and the last one taken away; one put in beside the first."""
        names, key, _ = columns(db, table)
        rows = db.execute(f"SELECT rowid, * FROM {table} ORDER BY {', '.join(key)}").fetchall()  # noqa: S608
        columns_ = f"rowid, {', '.join(names)}"
        marks = ", ".join("?" for _ in range(len(names) + 1))
        insert = f"INSERT INTO {table} ({columns_}) VALUES ({marks})"  # noqa: S608
        for row in {rows[0], rows[-1]}:
            db.execute(f"DELETE FROM {table} WHERE rowid = ?", (row[0],))  # noqa: S608
            await self.judge(db, table, "deleted", [row[1 + names.index(one)] for one in key])
            db.execute(insert, row)
            db.commit()
        forged = [2**40, *rows[0][1:]]
        unique = ["party", "recipient"] if table == "track" else []
        for one in [*key[-1:], *unique]:
            place = 1 + names.index(one)
            forged[place] = another(forged[place], "")
        db.execute(insert, forged)
        await self.judge(db, table, "inserted", [forged[1 + names.index(one)] for one in key])
        db.execute(f"DELETE FROM {table} WHERE rowid = ?", (2**40,))  # noqa: S608
        db.commit()

    async def judge(self, db: sqlite3.Connection, table: str, what: str, key: list[Any]) -> None:
        db.commit()
        self.count += 1
        found = await self.found()
        if not any(table in one and str(key[0]) in one for one in found):
            self.silent.append(f"{table} {key} {what}: {found}")

    async def one(
        self, db: sqlite3.Connection, table: str, name: str, row: dict[str, Any],
        key: dict[str, Any], value: Any,
    ) -> None:  # fmt: skip
        if value == row[name]:
            return
        self.count += 1
        at = " AND ".join(f"{one} = ?" for one in key)
        query = f"SELECT rowid FROM {table} WHERE {at}"  # noqa: S608
        (rowid,) = db.execute(query, tuple(key.values())).fetchone()
        given = "CAST(? AS TEXT)" if value is NO_TEXT else "?"
        db.execute(
            f"UPDATE {table} SET {name} = {given} WHERE {at}",  # noqa: S608
            (value, *key.values()),
        )
        db.commit()
        found = await self.found()
        at = "rowid = ?"
        db.execute(f"UPDATE {table} SET {name} = ? WHERE {at}", (row[name], rowid))  # noqa: S608
        db.commit()
        named = [one for one in found if table in one and any(str(k) in one for k in key.values())]
        if not named and f"{table}.{name}" not in NOT_EVIDENCE:
            self.silent.append(f"{table}.{name}: {row[name]!r:.80} -> {value!r:.80}: {found}")
        assert not any("cannot be checked to the end" in one for one in found), (name, value, found)


def tried(story: Path, table: str) -> tuple[int, list[str]]:
    """Everything about one table, in a copy of the story: how often it was changed, and what
    was changed in silence. For a process of its own."""
    with memory.folder() as name:
        return asyncio.run(_tried(copied(story, Path(name)), table))


async def _tried(copy: Copy, table: str) -> tuple[int, list[str]]:
    store = SqlStore(sqlite_url(copy.folder / "avsession.db"))
    await store.open()
    try:
        with database(copy.folder):
            pass  # the triggers that would refuse are gone
        with closing(sqlite3.connect(copy.folder / "avsession.db")) as db:
            changing = Changing(copy, store)
            await changing.table(db, table)
            await changing.rows(db, table)
            assert await changing.found() == [], "all of it was put back"
    finally:
        await store.close()
    return changing.count, changing.silent
