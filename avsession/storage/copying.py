"""Every row of one database into another, in a transaction of each, and the proof that it is so."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Table, insert, inspect, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from avsession.errors import Conflict, LogBroken
from avsession.storage import snapshot
from avsession.storage.engine import sqlite_url
from avsession.storage.rows import SqlReader, SqlWriter, named
from avsession.storage.sql import SqlStore
from avsession.storage.tables import metadata

PAGE = 500
"""Rows that are held at once."""
PATIENCE_MS = 3_600_000
"""How long PostgreSQL lets a copy's transaction say nothing: meanwhile the other side is read."""

Copied = Callable[[str, int], None]
"""Told of each table that is copied, and how many rows it has."""


async def copy(
    source: SqlReader, target: SqlWriter, copied: Copied = lambda table, rows: None
) -> int:
    """Copy every table; how many rows there are.

    Raises Conflict when the target is not empty, LogBroken when a table came out different, by its
    count or by the SHA-256 over its rows. Nothing is kept then: the transaction must not commit.
    """
    await refuse_rows(target)
    for side in (source, target):
        if side.connection.dialect.name == "postgresql":
            with named():
                await side.connection.exec_driver_sql(
                    f"SET LOCAL idle_in_transaction_session_timeout = {PATIENCE_MS}"
                )
    total = 0
    for table in metadata.sorted_tables:
        sent = _Sum()
        async for rows in _pages(source.connection, table):
            sent.add(rows)
            names = table.c.keys()
            with named():
                await target.connection.execute(
                    insert(table), [dict(zip(names, row, strict=True)) for row in rows]
                )
        came = _Sum()
        async for rows in _pages(target.connection, table):
            came.add(rows)
        if (sent.rows, sent.digest) != (came.rows, came.digest):
            target.failed = True
            raise LogBroken(f"The table {table.name} did not come out as it went in.")
        copied(table.name, sent.rows)
        total += sent.rows
    return total


async def refuse_rows(tx: SqlReader) -> None:
    """Raise Conflict when a table has rows, though it be of another version; none is empty, too."""
    with named():
        there = await tx.connection.run_sync(lambda one: set(inspect(one).get_table_names()))
        for table in metadata.sorted_tables:
            query = select(literal(1)).select_from(table).limit(1)
            if table.name in there and (await tx.connection.execute(query)).first() is not None:
                raise Conflict(f"The target is not empty: the table {table.name} has rows.")


async def into_file(source: SqlStore, to: Path, copied: Copied = lambda table, rows: None) -> None:
    """Copy the whole database to the new SQLite file ``to``, as of one moment, a page at a time.

    The way of ``snapshot.take`` for a database that is no file. Whoever writes meanwhile waits for
    nothing; the server keeps the rows of that moment until it is over. Raises FileExistsError,
    Unavailable (the source is of another version, or does not answer), LogBroken.
    """
    snapshot.new_file(to)
    target = SqlStore(sqlite_url(to))
    try:
        await source.open(migrate=False)
        await target.open()
        async with source.read() as reading, target.write() as writing:
            await copy(reading, writing, copied)
    finally:
        await target.close()
    snapshot.settle(to)


class _Sum:
    """How many rows, and a digest over them all."""

    def __init__(self) -> None:
        self.rows = 0
        self._digest = hashlib.sha256()

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        self.rows += len(rows)
        for row in rows:
            self._digest.update(msgspec.json.encode(list(row), order="sorted") + b"\n")

    @property
    def digest(self) -> bytes:
        return self._digest.digest()


async def _pages(connection: AsyncConnection, table: Table) -> AsyncIterator[list[tuple[Any, ...]]]:
    """The rows in the order of their key, some at a time."""
    with named():
        result = await connection.stream(select(table).order_by(*table.primary_key))
        async for rows in result.partitions(PAGE):
            yield [tuple(row) for row in rows]
