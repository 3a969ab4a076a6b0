"""One running server a database: taking it at the start, and seeing to it that it stays taken.

Who is connected is known to one process only, so a second server would take everyone for absent
and end what the first one records. On SQLite the data folder's lock keeps it out; on PostgreSQL,
which a server on another computer may use as well, this does.
"""

from __future__ import annotations

import asyncio
import logging
import signal

from avsession.errors import Unavailable
from avsession.ports import Store
from avsession.storage.sql import SqlStore

log = logging.getLogger("avsession.claiming")

EVERY_S = 5.0
"""How often a server makes sure. A claim that was lost with its connection is taken anew."""
TAKEN = "Another server uses this database. One runs on it at a time."


async def opened(url: str, *, migrate: bool, claim: bool) -> SqlStore:
    """The store, open; with ``claim`` it is this process's alone to serve from, before anything is
    changed in it. Raises Unavailable when another server has it."""
    store = SqlStore(url)
    try:
        if claim and not await store.claim():
            raise Unavailable(TAKEN)
        await store.open(migrate=migrate)
    except BaseException:
        await store.close()
        raise
    return store


async def keep(store: Store, stop: asyncio.Queue[signal.Signals], every_s: float = EVERY_S) -> None:
    """Keep the claim for as long as this runs; ask the server to stop when another one has it.

    That can be only after this one's connection was lost. The log cannot fork meanwhile: both
    write one after the other, as every process does.
    """
    while isinstance(store, SqlStore):
        await asyncio.sleep(every_s)
        try:
            mine = await store.claim()
        except Unavailable:
            continue  # nobody can have it while it is gone
        if not mine:
            log.error("another server has taken the database: this one stops")
            stop.put_nowait(signal.SIGTERM)
            return
