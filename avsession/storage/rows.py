"""Records read and written by their type, inside a transaction of :mod:`avsession.storage.sql`.

Raises what that module says. A field or record type that there is no column or table for is a
TypeError: a mistake of ours.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Delete,
    Insert,
    Integer,
    Row,
    Select,
    Table,
    Update,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy import exc as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from avsession.errors import Conflict, DatabaseUnavailable, Invalid, Unavailable
from avsession.ports import Unreadable
from avsession.storage import postgresql
from avsession.storage.engine import text_or_bytes
from avsession.storage.tables import APPEND_ONLY, TABLES

R = TypeVar("R")

GONE = "The database is not available right now."
MOST_KEYS = 400
"""Keys asked for in one statement; SQLite takes a thousand parameters in any build of it."""
STATEMENTS = 1000
"""Statements of each kind that are kept made: to make one anew costs as much as to carry it out.
There are as many as the product has questions, a few hundred."""


@contextmanager
def named() -> Iterator[None]:
    """Whatever the database says, by the names that the product knows; mistakes keep theirs."""
    try:
        yield
    except sa.IntegrityError as error:
        raise Conflict(f"The store refused it: {error.orig}") from error
    except sa.DBAPIError as error:
        if postgresql.unstorable(error):
            raise Invalid("A text has a character that cannot be stored.") from error
        if postgresql.is_mistake(error):
            raise
        raise DatabaseUnavailable(GONE) from error
    except (sa.TimeoutError, sa.PendingRollbackError, sa.ResourceClosedError, OSError) as error:
        # the two in the middle: the connection broke before, in a question that had no answer
        raise DatabaseUnavailable(GONE) from error


def _table(kind: type) -> Table:
    try:
        return TABLES[kind]
    except KeyError:
        raise TypeError(f"{kind.__name__} is not a record of the store") from None


def _plain(value: object) -> object:
    return value.value if isinstance(value, enum.Enum) else value


Names = tuple[tuple[str, bool], ...]
"""Fields that a statement asks about, and of each whether it is to be null."""


def _names(kind: type, where: dict[str, Any]) -> Names:
    if unknown := where.keys() - _table(kind).c.keys():
        raise TypeError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    return tuple((name, value is None) for name, value in where.items())


def _given(where: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a statement with these fields."""
    return {f"is__{name}": _plain(value) for name, value in where.items() if value is not None}


def _where(table: Table, names: Names) -> ColumnElement[bool]:
    asked: list[ColumnElement[bool]] = []
    for name, null in names:
        column = table.c[name]
        asked.append(column.is_(None) if null else column == _later(f"is__{name}", column))
    return and_(True, *asked)


def _later(name: str, column: ColumnElement[Any]) -> BindParameter[Any]:
    """A value that comes with the execution. ``name`` must be no column's."""
    return bindparam(name, type_=column.type)


@functools.lru_cache(STATEMENTS)
def _find(table: Table, names: Names, order: str, *, below: bool, above: bool) -> Select[Any]:
    query = (
        select(table).where(_where(table, names)).limit(bindparam("most__rows", type_=Integer()))
    )
    if order:
        column = table.c[order.removeprefix("-")]
        query = query.order_by(column.desc() if order.startswith("-") else column.asc())
        if below:
            query = query.where(column < _later("all__below", column))
        if above:
            query = query.where(column > _later("all__above", column))
    return query.order_by(*table.primary_key)


@functools.lru_cache(STATEMENTS)
def _get_all(table: Table) -> Select[Any]:
    keys: BindParameter[Any] = bindparam("all__keys", expanding=True)
    return select(table).where(tuple_(*table.primary_key).in_(keys))


@functools.lru_cache(STATEMENTS)
def _count(table: Table, names: Names) -> Select[Any]:
    return select(func.count()).select_from(table).where(_where(table, names))


@functools.lru_cache(STATEMENTS)
def _add(table: Table) -> Insert:
    return insert(table)


@functools.lru_cache(STATEMENTS)
def _put(table: Table, names: Names) -> Update:
    values = {column: _later(f"to__{column.key}", column) for column in table.c}
    return update(table).where(_where(table, names)).values(values)


@functools.lru_cache(STATEMENTS)
def _remove(table: Table, names: Names) -> Delete:
    return delete(table).where(_where(table, names))


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

    @property
    def connection(self) -> AsyncConnection:
        """The transaction's own, for what this package does with whole tables."""
        return self._connection

    async def get(self, kind: type[R], /, *key: Any) -> R | None:
        """As ``ports.Reader.get``."""
        return await self.one(kind, **_key(kind, key))

    async def one(self, kind: type[R], /, **where: Any) -> R | None:
        """As ``ports.Reader.one``."""
        found = await self.find(kind, limit=1, **where)
        return found[0] if found else None

    async def get_all(self, kind: type[R], /, keys: Sequence[tuple[Any, ...]]) -> list[R | None]:
        """As ``ports.Reader.get_all``."""
        names = [column.key for column in _table(kind).primary_key]
        found: dict[tuple[Any, ...], R] = {}
        for start in range(0, len(keys), MOST_KEYS):
            some = {"all__keys": keys[start : start + MOST_KEYS]}
            for record in (await self._records(kind, _get_all(_table(kind)), some))[0]:
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
        names, given = _names(kind, where), {**_given(where), "most__rows": limit}
        given |= {} if below is None else {"all__below": _plain(below)}
        given |= {} if above is None else {"all__above": _plain(above)}
        if order and order.removeprefix("-") not in table.c:
            raise TypeError(f"{kind.__name__} has no {order.removeprefix('-')}")
        if not order and (below is not None or above is not None):
            raise TypeError("below and above need an order")
        query = _find(table, names, order, below=below is not None, above=above is not None)
        found, rows = await self._records(kind, query, given)
        if len(rows) == limit > len(found) and order and not order.startswith("-"):
            # a short answer means that there is no more: what cannot be read is made up for
            last = rows[-1][table.c.keys().index(order)]
            found += await self.find(
                kind, order=order, limit=limit - len(found), below=below, above=last, **where
            )
        return found

    async def _records(
        self, kind: type[R], query: Select[Any], given: dict[str, Any]
    ) -> tuple[list[R], Sequence[Row[Any]]]:
        """Rows as records, and as they came.

        Where nobody wants to be told of one that is of another shape, that raises Unavailable,
        which names it.
        """
        with named():
            rows = await self._rows(query, given)
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

    async def _rows(self, query: Select[Any], given: dict[str, Any]) -> Sequence[Row[Any]]:
        """The rows as the database gives them."""
        rows: Sequence[Row[Any]]
        try:
            rows = (await self._connection.execute(query, given)).all()
        except sa.OperationalError:
            raw = (await self._connection.get_raw_connection()).driver_connection
            if self._unreadable is None or self._connection.dialect.name != "sqlite" or raw is None:
                raise
            # text that is none: as bytes it spoils its own row, and not every other with it
            raw.text_factory = text_or_bytes
            try:
                rows = (await self._connection.execute(query, given)).all()
            finally:
                raw.text_factory = str
        return rows

    async def count(self, kind: type[Any], /, **where: Any) -> int:
        """As ``ports.Reader.count``."""
        query = _count(_table(kind), _names(kind, where))
        with named():
            return int((await self._connection.execute(query, _given(where))).scalar_one())


class SqlWriter(SqlReader):
    """``ports.Writer`` over one transaction. After a Conflict nothing of it can be committed."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection)
        self.failed = False

    async def add(self, record: Any) -> None:
        """As ``ports.Writer.add``."""
        await self._run(_add(_table(type(record))), _values(record))

    async def add_all(self, records: Sequence[Any]) -> None:
        """As ``ports.Writer.add_all``."""
        if not records:
            return
        await self._run(_add(_table(type(records[0]))), [_values(record) for record in records])

    async def put(self, record: Any) -> None:
        """As ``ports.Writer.put``; refuses (TypeError) what is append-only."""
        kind = type(record)
        self._refuse(kind)
        values = _values(record)
        key = {column.key: values[column.key] for column in _table(kind).primary_key}
        given = {**_given(key), **{f"to__{name}": value for name, value in values.items()}}
        # writes are serialised, so nothing comes between these two, on any database
        if not await self._run(_put(_table(kind), _names(kind, key)), given):
            await self.add(record)

    async def remove(self, kind: type[Any], /, **where: Any) -> int:
        """As ``ports.Writer.remove``; refuses (TypeError) what is append-only."""
        self._refuse(kind)
        if not where:
            raise TypeError("remove needs to be told what")
        return await self._run(_remove(_table(kind), _names(kind, where)), _given(where))

    @staticmethod
    def _refuse(kind: type) -> None:
        if kind in APPEND_ONLY:
            raise TypeError(f"{kind.__name__} is append-only")

    async def _run(self, statement: Any, given: dict[str, Any] | list[dict[str, Any]]) -> int:
        """Execute; how many rows it touched."""
        try:
            with named():
                return int((await self._connection.execute(statement, given)).rowcount)
        except BaseException:
            self.failed = True
            raise
