"""The store over SQL: transactions. Records are read and written in them by ``rows``.

A read is one snapshot. A write holds a lock of this process, then the database's own write
lock, so that writes come one after another from however many processes: none is ever in another's
way, so that there is no deadlock and nothing to serialise again. Reads never wait for writes, and
a commit that returned survives a power cut.

A connection that is found dead is replaced when a transaction begins (the server was restarted);
a transaction that loses its connection later is lost with it, and whoever asked asks again.

Raises Conflict when a constraint does not hold, DatabaseUnavailable when the database does not
answer, ServerStopping for a write after another server has taken over, Invalid when it cannot
store a text as it is (PostgreSQL: one with a NUL character). A
field or record type that there is no column or table for is a TypeError: a mistake of ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from sqlalchemy import exc as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncTransaction

from avsession.errors import DatabaseUnavailable, ServerStopping, Unavailable
from avsession.ports import Unreadable
from avsession.records import Serving
from avsession.storage import postgresql
from avsession.storage.claim import Claim
from avsession.storage.engine import (
    BUSY_MS,
    OUTSIDE,
    SCRUB_MS,
    WRITES,
    current,
    make_engine,
    prepare,
    upgrade,
)
from avsession.storage.rows import GONE, SqlReader, SqlWriter, named
from avsession.storage.tables import APPEND_ONLY, TABLES

__all__ = ["SqlReader", "SqlStore", "SqlWriter"]

BEGINNINGS = 2
"""How often a transaction is begun before the database counts as gone: the first finds out that the
connections are dead, the second makes a new one."""
OUTRUN = "Another server has taken over the database: this one stops, and writes nothing more."


class SqlStore:
    """``ports.Store`` over an SQLAlchemy URL. Call :meth:`open` first and :meth:`close` last."""

    def __init__(self, url: str) -> None:
        """``url``: see ``engine.sqlite_url``. Raises SettingsInvalid when it cannot be used."""
        self._engine = make_engine(url)
        self._lock = asyncio.Lock()
        self._writing: asyncio.Task[Any] | None = None
        self._claim = Claim(self._engine)
        self._mine: Serving | None = None
        self.outrun = asyncio.Event()
        """Set once another server has begun after this one: nothing is written here any more."""

    @property
    def is_server(self) -> bool:
        """Whether the database is PostgreSQL, which other computers may use as well."""
        return self._engine.dialect.name == "postgresql"

    @property
    def mine(self) -> Serving | None:
        """What this store began with as the one that a server writes to; None: it has not."""
        return self._mine

    async def open(self, *, migrate: bool = True) -> None:
        """Make the database if there is none, and bring its tables up to date.

        Without ``migrate`` nothing is changed: raises Unavailable when they are not.
        """
        if not migrate:
            async with self._transaction() as connection:
                with named():
                    await connection.run_sync(current)
            return
        with named():
            await asyncio.to_thread(prepare, self._engine.url)
        async with self._transaction(**WRITES) as connection:
            with named():
                await connection.run_sync(upgrade)

    async def close(self) -> None:
        """Let go of the database. Nothing may be using it any more."""
        await self._claim.release()
        await self._engine.dispose()

    async def claim(self, *, wait: bool = False) -> bool:
        """Take the database for the one server that may run on it, until :meth:`close`.

        False when another server has it, or has begun since :meth:`begin`. A claim is lost with
        its connection: a server asks again every few seconds, which takes it anew. With ``wait``
        this one stands in line. Raises DatabaseUnavailable, also when after :meth:`begin` somebody
        has the lock and nobody else has begun: it may be our own connection that died, which
        PostgreSQL has not noticed yet. Always True on SQLite, whose folder has a lock of its own.
        """
        if not self.is_server:
            return True
        if self.outrun.is_set():
            return False
        taken = await self._claim.take(wait=wait)
        if self._mine is None:
            return taken
        if await self._last() != self._mine:
            self.outrun.set()
            await self._claim.release()
            return False
        if not taken:
            raise DatabaseUnavailable(GONE)
        return True

    async def _last(self) -> Serving | None:
        """As :meth:`serving`, and not for longer than one makes sure of a claim."""
        with named():
            async with asyncio.timeout(postgresql.SURE_S):
                return await self.serving()

    async def begin(self, token: str, now_ms: int) -> Serving:
        """From now on this store alone writes as a server: what another one that began before it
        tries to write is refused, in the very transaction. Commands may go on beside it.

        The database must be claimed, and open. Raises DatabaseUnavailable; ServerStopping when the
        claim was lost to another one meanwhile.
        """
        if self.outrun.is_set():
            raise ServerStopping(OUTRUN)
        async with self.write() as tx:
            last = await tx.get(Serving, 1)
            number = last.number + 1 if last else 1
            mine = Serving(number=number, token=token, since_ms=now_ms)
            await tx.put(mine)
        self._mine = mine
        return mine

    async def serving(self) -> Serving | None:
        """Who began last; None: nobody, or there are no tables yet. Raises Unavailable."""
        async with self.read() as tx:
            ask = "SELECT to_regclass('serving')"
            with named():
                if (await tx.connection.exec_driver_sql(ask)).scalar() is None:
                    return None
            return await tx.get(Serving, 1)

    async def standbys(self) -> int:
        """How many servers wait to take this database over. Raises DatabaseUnavailable."""
        return await self._claim.standbys() if self.is_server else 0

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
                    await self._still_mine(writer)
                    yield writer
                    if writer.failed:
                        raise RuntimeError("a write that failed was swallowed; nothing is kept")
            finally:
                self._writing = None

    async def _still_mine(self, tx: SqlReader) -> None:
        """Under the write lock: whoever begins later waits until this transaction is over."""
        if self._mine is not None and await tx.get(Serving, 1) != self._mine:
            self.outrun.set()
            raise ServerStopping(OUTRUN)

    def _in_write(self) -> bool:
        return self._writing is not None and self._writing is asyncio.current_task()

    @asynccontextmanager
    async def _transaction(self, **options: object) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction: commits when the block ends, else rolls back."""
        async with AsyncExitStack() as stack:
            with named():
                connection, transaction = await self._begun(stack, options)
            # what goes wrong in the block is the block's own, and keeps its name
            yield connection
            with named():
                try:
                    await transaction.commit()
                except BaseException:
                    # after a COMMIT that failed SQLite is still inside the transaction, and
                    # SQLAlchemy thinks that it is not: nobody may get this connection again
                    await connection.invalidate()
                    raise

    async def _begun(
        self, stack: AsyncExitStack, options: dict[str, object]
    ) -> tuple[AsyncConnection, AsyncTransaction]:
        """A transaction that has begun, at the server too; ``stack`` gives its connection back."""
        for left in reversed(range(BEGINNINGS)):
            async with AsyncExitStack() as this:
                connection = await this.enter_async_context(self._engine.connect())
                if options:
                    await connection.execution_options(**options)
                try:
                    transaction = await connection.begin()
                except sa.DBAPIError as error:
                    if not left or not postgresql.is_lost(error):
                        raise
                    await connection.invalidate()
                    continue
                stack.push_async_exit(this.pop_all())
                return connection, transaction
        raise DatabaseUnavailable(GONE)

    async def scrub(self) -> bool:
        """As ``ports.Store.scrub``; only SQLite's files are ours.

        ``secure_delete`` overwrites what was removed in the database, but the write-ahead log
        keeps older pages until it is cut. Unavailable too while another process writes.

        PostgreSQL is told to take out of tables and indexes what no view of the data needs any
        more. What its pages, its write-ahead log and its backups keep of it is its own affair.
        """
        if self._in_write():
            raise RuntimeError("a scrub inside a write of the same task would wait for ever")
        if self.is_server:
            await self._vacuum()
            return False
        # our own writers are waited for here, where they are not counted as in the way
        async with self._lock:
            await self._cut()
        return True

    async def _vacuum(self) -> None:
        tables = ", ".join(
            f'"{table.name}"' for kind, table in TABLES.items() if kind not in APPEND_ONLY
        )
        with named():
            async with self._engine.connect() as connection:
                outside = await connection.execution_options(**OUTSIDE)
                await outside.exec_driver_sql(f"VACUUM (INDEX_CLEANUP on) {tables}")

    async def _cut(self) -> None:
        with named():
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
