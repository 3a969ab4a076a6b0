"""The store over SQL: transactions, and records read and written by their type.

A read is one snapshot. A write holds a lock of this process, then the database's own write
lock, so that writes come one after another from however many processes. On SQLite (WAL,
synchronous=FULL) reads never wait for writes, and a commit that returned survives a power cut.

Raises Conflict when a constraint does not hold, Unavailable when the database does not answer.
A field or record type that there is no column or table for is a TypeError: a mistake of ours.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Table,
    and_,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy import exc as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from avsession.errors import Conflict, Unavailable
from avsession.ports import Unreadable
from avsession.storage.engine import (
    BUSY_MS,
    SCRUB_MS,
    WRITES,
    current,
    make_engine,
    prepare,
    text_or_bytes,
    upgrade,
)
from avsession.storage.tables import APPEND_ONLY, TABLES

R = TypeVar("R")

MOST_KEYS = 400
"""Keys asked for in one statement; SQLite takes a thousand parameters in any build of it."""


@contextmanager
def _named() -> Iterator[None]:
    """Whatever the database says, by the names that the product knows."""
    try:
        yield
    except sa.IntegrityError as error:
        raise Conflict(f"The store refused it: {error.orig}") from error
    except (sa.ProgrammingError, sa.NotSupportedError, sa.DataError, sa.InterfaceError):
        raise  # a mistake of ours
    except (sa.DBAPIError, sa.TimeoutError, OSError) as error:
        raise Unavailable("The database is not available right now.") from error


def _table(kind: type) -> Table:
    try:
        return TABLES[kind]
    except KeyError:
        raise TypeError(f"{kind.__name__} is not a record of the store") from None


def _plain(value: object) -> object:
    return value.value if isinstance(value, enum.Enum) else value


def _where(kind: type, where: dict[str, Any]) -> ColumnElement[bool]:
    columns = _table(kind).c
    if unknown := where.keys() - columns.keys():
        raise TypeError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    # `== None` becomes IS NULL
    return and_(True, *(columns[name] == _plain(value) for name, value in where.items()))


def _key(kind: type, key: tuple[Any, ...]) -> dict[str, Any]:
    names = [column.key for column in _table(kind).primary_key]
    if len(names) != len(key):
        raise TypeError(f"the key of {kind.__name__} is {', '.join(names)}")
    return dict(zip(names, key, strict=True))


def _values(record: Any) -> dict[str, Any]:
    """The record as column values: enums as text, bytes as they are."""
    values: dict[str, Any] = msgspec.to_builtins(record, builtin_types=(bytes,))
    return values


class SqlReader:
    """``ports.Reader`` over one transaction."""

    def __init__(self, connection: AsyncConnection, unreadable: Unreadable | None = None) -> None:
        self._connection, self._unreadable = connection, unreadable

    async def get(self, kind: type[R], /, *key: Any) -> R | None:
        """As ``ports.Reader.get``."""
        return await self.one(kind, **_key(kind, key))

    async def one(self, kind: type[R], /, **where: Any) -> R | None:
        """As ``ports.Reader.one``."""
        found = await self.find(kind, limit=1, **where)
        return found[0] if found else None

    async def get_all(self, kind: type[R], /, keys: Sequence[tuple[Any, ...]]) -> list[R | None]:
        """As ``ports.Reader.get_all``."""
        table = _table(kind)
        names = [column.key for column in table.primary_key]
        found: dict[tuple[Any, ...], R] = {}
        for start in range(0, len(keys), MOST_KEYS):
            some = keys[start : start + MOST_KEYS]
            query = select(table).where(tuple_(*table.primary_key).in_(some))
            for record in (await self._records(kind, query))[0]:
                found[tuple(getattr(record, name) for name in names)] = record
        return [found.get(tuple(key)) for key in keys]

    async def find(
        self,
        kind: type[R],
        /,
        *,
        order: str = "",
        limit: int = 10_000,
        below: Any = None,
        above: Any = None,
        **where: Any,
    ) -> list[R]:
        """As ``ports.Reader.find``; equals, and everything without ``order``, by primary key."""
        table = _table(kind)
        query = select(table).where(_where(kind, where)).limit(limit)
        if order:
            name = order.removeprefix("-")
            if name not in table.c:
                raise TypeError(f"{kind.__name__} has no {name}")
            column = table.c[name]
            query = query.order_by(column.desc() if order.startswith("-") else column.asc())
            if below is not None:
                query = query.where(column < _plain(below))
            if above is not None:
                query = query.where(column > _plain(above))
        elif below is not None or above is not None:
            raise TypeError("below and above need an order")
        found, rows = await self._records(kind, query.order_by(*table.primary_key))
        if len(rows) == limit > len(found) and order and not order.startswith("-"):
            # a short answer means that there is no more: what cannot be read is made up for
            last = rows[-1][table.c.keys().index(order)]
            found += await self.find(
                kind, order=order, limit=limit - len(found), below=below, above=last, **where
            )
        return found

    async def _records(
        self, kind: type[R], query: Select[Any]
    ) -> tuple[list[R], Sequence[Row[Any]]]:
        """Rows as records, and as they came.

        Where nobody wants to be told of one that is of another shape, that raises Unavailable,
        which names it.
        """
        with _named():
            rows = await self._rows(query)
        table = _table(kind)
        fields = table.c.keys()
        found = []
        for row in rows:
            values = dict(zip(fields, row, strict=True))
            try:
                found.append(msgspec.convert(values, kind, builtin_types=(bytes,), strict=True))
            except (msgspec.ValidationError, UnicodeEncodeError) as error:
                name = "/".join(str(values[column.key]) for column in table.primary_key)
                if self._unreadable is None:
                    text = f"The row {table.name} {name} cannot be read: {error}"
                    raise Unavailable(text) from error
                self._unreadable(f"{table.name} {name}", str(error))
        return found, rows

    async def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        """The rows as the database gives them."""
        rows: Sequence[Row[Any]]
        try:
            rows = (await self._connection.execute(query)).all()
        except sa.OperationalError:
            raw = (await self._connection.get_raw_connection()).driver_connection
            if self._unreadable is None or self._connection.dialect.name != "sqlite" or raw is None:
                raise
            # text that is none: as bytes it spoils its own row, and not every other with it
            raw.text_factory = text_or_bytes
            try:
                rows = (await self._connection.execute(query)).all()
            finally:
                raw.text_factory = str
        return rows

    async def count(self, kind: type[Any], /, **where: Any) -> int:
        """As ``ports.Reader.count``."""
        query = select(func.count()).select_from(_table(kind)).where(_where(kind, where))
        with _named():
            return int((await self._connection.execute(query)).scalar_one())


class SqlWriter(SqlReader):
    """``ports.Writer`` over one transaction. After a Conflict nothing of it can be committed."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection)
        self.failed = False

    async def add(self, record: Any) -> None:
        """As ``ports.Writer.add``."""
        await self._run(insert(_table(type(record))).values(_values(record)))

    async def add_all(self, records: Sequence[Any]) -> None:
        """As ``ports.Writer.add_all``."""
        if not records:
            return
        table = _table(type(records[0]))
        await self._run(insert(table), [_values(record) for record in records])

    async def put(self, record: Any) -> None:
        """As ``ports.Writer.put``; refuses (TypeError) what is append-only."""
        kind = type(record)
        self._refuse(kind)
        values = _values(record)
        key = {column.key: values[column.key] for column in _table(kind).primary_key}
        # writes are serialised, so nothing comes between these two, on any database
        if not await self._run(update(_table(kind)).where(_where(kind, key)).values(values)):
            await self.add(record)

    async def remove(self, kind: type[Any], /, **where: Any) -> int:
        """As ``ports.Writer.remove``; refuses (TypeError) what is append-only."""
        self._refuse(kind)
        if not where:
            raise TypeError("remove needs to be told what")
        return await self._run(delete(_table(kind)).where(_where(kind, where)))

    @staticmethod
    def _refuse(kind: type) -> None:
        if kind in APPEND_ONLY:
            raise TypeError(f"{kind.__name__} is append-only")

    async def _run(self, statement: Any, many: list[dict[str, Any]] | None = None) -> int:
        """Execute; how many rows it touched."""
        try:
            with _named():
                return int((await self._connection.execute(statement, many)).rowcount)
        except BaseException:
            self.failed = True
            raise


class SqlStore:
    """``ports.Store`` over an SQLAlchemy URL. Call :meth:`open` first and :meth:`close` last."""

    def __init__(self, url: str) -> None:
        """``url``: see ``engine.sqlite_url``. Raises SettingsInvalid when it cannot be used."""
        self._engine = make_engine(url)
        self._lock = asyncio.Lock()
        self._writing: asyncio.Task[Any] | None = None

    async def open(self, *, migrate: bool = True) -> None:
        """Make the database if there is none, and bring its tables up to date.

        Without ``migrate`` nothing is changed: raises Unavailable when they are not.
        """
        if not migrate:
            async with self._transaction() as connection:
                with _named():
                    await connection.run_sync(current)
            return
        with _named():
            await asyncio.to_thread(prepare, self._engine.url)
        async with self._transaction(**WRITES) as connection:
            with _named():
                await connection.run_sync(upgrade)

    async def close(self) -> None:
        """Let go of the database. Nothing may be using it any more."""
        await self._engine.dispose()

    @asynccontextmanager
    async def read(self, unreadable: Unreadable | None = None) -> AsyncIterator[SqlReader]:
        """As ``ports.Store.read``. RuntimeError inside a write: it would not see that write."""
        if self._in_write():
            raise RuntimeError("a read inside a write of the same task: use the writer")
        async with self._transaction() as connection:
            yield SqlReader(connection, unreadable)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[SqlWriter]:
        """As ``ports.Store.write``. RuntimeError inside another write of the same task."""
        if self._in_write():
            raise RuntimeError("a write inside a write of the same task would wait for ever")
        async with self._lock:
            self._writing = asyncio.current_task()
            try:
                async with self._transaction(**WRITES) as connection:
                    writer = SqlWriter(connection)
                    yield writer
                    if writer.failed:
                        raise RuntimeError("a write that failed was swallowed; nothing is kept")
            finally:
                self._writing = None

    def _in_write(self) -> bool:
        return self._writing is not None and self._writing is asyncio.current_task()

    @asynccontextmanager
    async def _transaction(self, **options: object) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction: commits when the block ends, else rolls back."""
        async with AsyncExitStack() as stack:
            with _named():
                connection = await stack.enter_async_context(self._engine.connect())
                if options:
                    await connection.execution_options(**options)
                transaction = await connection.begin()
            # what goes wrong in the block is the block's own, and keeps its name
            yield connection
            with _named():
                try:
                    await transaction.commit()
                except BaseException:
                    # after a COMMIT that failed SQLite is still inside the transaction, and
                    # SQLAlchemy thinks that it is not: nobody may get this connection again
                    await connection.invalidate()
                    raise

    async def scrub(self) -> bool:
        """As ``ports.Store.scrub``; only SQLite's files are ours.

        ``secure_delete`` overwrites what was removed in the database, but the write-ahead log
        keeps older pages until it is cut. Unavailable too while another process writes.
        """
        if self._engine.dialect.name != "sqlite":
            return False
        if self._in_write():
            raise RuntimeError("a scrub inside a write of the same task would wait for ever")
        # our own writers are waited for here, where they are not counted as in the way
        async with self._lock:
            await self._cut()
        return True

    async def _cut(self) -> None:
        with _named():
            async with self._engine.connect() as connection:
                raw = (await connection.get_raw_connection()).driver_connection
                if raw is None:
                    raise Unavailable
                # outside a transaction, where SQLAlchemy never is; and briefly, because other
                # writes wait meanwhile
                await raw.execute(f"PRAGMA busy_timeout = {SCRUB_MS}")
                try:
                    rows = await raw.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
                finally:
                    await raw.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        if [row[0] for row in rows] != [0]:
            raise Unavailable("The database is being read; nothing was scrubbed yet.")
