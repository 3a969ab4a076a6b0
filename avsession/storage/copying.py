"""Every row of one database into another, in a transaction of each, and the proof that it is so."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Table, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from avsession.errors import Conflict, LogBroken
from avsession.storage.rows import SqlReader, SqlWriter, named
from avsession.storage.tables import metadata

PAGE = 500
"""Rows that are held at once."""

Copied = Callable[[str, int], None]
"""Told of each table that is copied, and how many rows it has."""


async def copy(
    source: SqlReader, target: SqlWriter, copied: Copied = lambda table, rows: None
) -> int:
    """Copy every table; how many rows there are.

    Raises Conflict when the target is not empty, LogBroken when a table came out different, by its
    count or by the SHA-256 over its rows. Nothing is kept then: the transaction must not commit.
    """
    for table in metadata.sorted_tables:
        query = select(func.count()).select_from(table)
        if (await target.connection.execute(query)).scalar_one():
            raise Conflict(f"The target is not empty: the table {table.name} has rows.")
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
