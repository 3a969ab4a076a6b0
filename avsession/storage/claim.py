"""A server's hold on a PostgreSQL database: an advisory lock, on a connection of its own.

The lock lasts as long as the connection: PostgreSQL frees it when the server's process ends, when
its computer answers no more (``GONE_MS``), and when the server hangs (``HUNG_MS``). What a server
may still write that does not know it yet, the row :class:`avsession.records.Serving` decides.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from sqlalchemy import exc as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from avsession.storage import postgresql
from avsession.storage.engine import OUTSIDE
from avsession.storage.rows import named

_SURE = (
    f"SELECT set_config('idle_session_timeout', '{postgresql.HUNG_MS}', false) "
    "WHERE current_setting('idle_session_timeout', true) IS NOT NULL"
)
_COUNT = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 0 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND objid = "
)


class Claim:
    """The lock of the one server that runs on a database. One task at a time may use it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None
        self._held = False
        self._in_line = False

    async def take(self, *, wait: bool = False) -> bool:
        """Take the lock, or make sure that it is still held; False when another server has it.

        With ``wait`` this server is then seen to stand in line, until :meth:`release`. Once it was
        made sure of, that must be done again within ``HUNG_MS``. Raises DatabaseUnavailable, also
        when an answer takes longer than ``SURE_S``; whatever it raises, the next call asks on a new
        connection.
        """
        with named():
            try:
                return await self._taken(wait)
            except sa.DBAPIError as error:
                if not postgresql.is_lost(error):
                    raise
            # the connection is gone, and the lock with it: once more, on a new one
            return await self._taken(wait)

    async def _taken(self, wait: bool) -> bool:
        """As :meth:`_take`; a connection on which a question failed is never asked again."""
        async with AsyncExitStack() as failed:
            failed.push_async_callback(self.release)
            taken = await self._take(wait)
            failed.pop_all()
        return taken

    async def _take(self, wait: bool) -> bool:
        if self._held:
            await self._ask(_SURE)
            return True
        if await self._ask(f"SELECT pg_try_advisory_lock({postgresql.SERVER_LOCK})"):
            self._held = True
            if self._in_line:
                await self._ask(f"SELECT pg_advisory_unlock_shared({postgresql.STANDBY_LOCK})")
                self._in_line = False
        elif not wait:
            await self.release()
        elif not self._in_line:
            await self._ask(f"SELECT pg_advisory_lock_shared({postgresql.STANDBY_LOCK})")
            self._in_line = True
        return self._held

    async def standbys(self) -> int:
        """How many servers stand in line. Raises DatabaseUnavailable."""
        with named():
            async with self._engine.connect() as connection:
                outside = await connection.execution_options(**OUTSIDE)
                query = f"{_COUNT}{postgresql.STANDBY_LOCK}"
                async with asyncio.timeout(postgresql.SURE_S):
                    return int((await outside.exec_driver_sql(query)).scalar_one())

    async def release(self) -> None:
        """Give it back, and leave the line."""
        connection, self._connection = self._connection, None
        self._held = self._in_line = False
        if connection is not None:
            # not back to the pool: the locks are the connection's
            await connection.invalidate()
            await connection.close()

    async def _ask(self, statement: str) -> Any:
        """The first value of the answer."""
        if self._connection is None:
            connection = await self._engine.connect()
            self._connection = await connection.execution_options(**OUTSIDE)
        async with asyncio.timeout(postgresql.SURE_S):
            return (await self._connection.exec_driver_sql(statement)).scalar()
