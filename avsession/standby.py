"""A server that waits until it can take over: the other one has ended, died, or hangs.

It stands in line at the database, sees to it that it has the other's data folder, and answers on
its own port that it takes no calls. Taking over is a start like any other, after it has the lock.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

from aiohttp import web as aiohttp_web

from avsession.certificates import Certificate
from avsession.claiming import FOREIGN, marked
from avsession.config import Settings
from avsession.errors import SettingsInvalid, Unavailable
from avsession.forwarded import Proxies
from avsession.storage.engine import sqlite_file
from avsession.storage.sql import SqlStore
from avsession.tasks import Tasks
from signaling.front import Front
from web.protocol import connections
from web.waiting import Standby, create_waiting_app

log = logging.getLogger("avsession.standby")

POLL_S = 0.5
"""How often it asks whether the database is free."""
FOREIGN_S = 10.0
"""How long the folders may differ: the other server may be starting, and a volume lag behind."""
KEEP_ALIVE_S = 5

Stops = asyncio.Queue[signal.Signals]
"""By which signals the process was asked to end."""


class Lock(Protocol):
    """Takes the data folder, or raises Unavailable: the descriptor."""

    def __call__(self, *, shared: bool = False) -> int: ...


class Door:
    """What answers on the port while there is nothing to serve yet."""

    def __init__(self, settings: Settings, certificate: Callable[[], Certificate | None]) -> None:
        """``certificate``: made only when the door opens; None where TLS is a proxy's."""
        self._settings, self._certificate = settings, certificate
        self._runner: aiohttp_web.AppRunner | None = None
        self._front: Front | None = None
        self._tasks = Tasks(limit=1)
        self.state = Standby()

    async def open(self, renewed: asyncio.Event) -> None:
        """Answer from now on; harmless when it does. Raises OSError, SettingsInvalid."""
        if self._front is not None:
            return
        settings, certificate = self._settings, self._certificate()
        self._runner = aiohttp_web.AppRunner(create_waiting_app(settings, self.state))
        await self._runner.setup()
        if self._runner.server is None:
            raise RuntimeError("the web application did not start")
        self._front = Front(
            {},
            connections(self._runner.server, settings, keep_alive_s=KEEP_ALIVE_S),
            None if certificate is None else certificate.first(),
            proxies=Proxies(settings.proxy.trusted, settings.proxy.header),
        )
        await self._front.start(settings.listen, settings.port)
        if certificate is not None:
            self._tasks.spawn(certificate.follow(self._front.use, renewed), name="certificate")

    async def close(self) -> None:
        """Answer no more; harmless when it does not."""
        await self._tasks.close()
        if self._front is not None:
            await self._front.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self._front = self._runner = None


@dataclasses.dataclass
class Turn:
    """It is this server's turn to serve."""

    store: SqlStore | None
    """Claimed, where it stood in line."""
    lock: int
    """The descriptor that holds the data folder."""
    door: Door | None = None

    async def close_door(self) -> None:
        """Let the port go, for what serves from now on."""
        if self.door is not None:
            await self.door.close()

    async def end(self) -> None:
        """It is over: the folder is free."""
        await self.close_door()
        os.close(self.lock)


async def turn(
    settings: Settings, folder: Path, url: str, lock: Lock,
    certificate: Callable[[], Certificate | None], stop: Stops, renewed: asyncio.Event,
) -> Turn | None:  # fmt: skip
    """Wait until it is this server's turn, if it is set to stand by; None: it was asked to stop.

    Raises Unavailable when another server has the folder and this one is not set to wait;
    SettingsInvalid when the folder is not the running server's, or the database cannot be shared,
    or the certificate cannot be used; OSError when the port cannot be had.
    """
    if not settings.standby:
        return Turn(None, lock())
    if sqlite_file(url) is not None:
        raise SettingsInvalid("standby needs a database that servers can share: PostgreSQL.")
    store, door = SqlStore(url), Door(settings, certificate)
    async with AsyncExitStack() as failed:
        failed.push_async_callback(store.close)
        failed.push_async_callback(door.close)
        try:
            await _claimed(store, folder, door, stop, renewed)
            ours = Turn(store, await _locked(lock, stop), door)
        except _Stopped:
            return None
        failed.pop_all()
    return ours


class _Stopped(Exception):
    """The process was asked to end."""


async def _pause(stop: Stops) -> None:
    """A moment; raises _Stopped when it was asked to stop in it."""
    try:
        async with asyncio.timeout(POLL_S):
            number = await stop.get()
    except TimeoutError:
        return
    log.info("stopping on %s", number.name)
    raise _Stopped


async def _claimed(
    store: SqlStore, folder: Path, door: Door, stop: Stops, renewed: asyncio.Event
) -> None:
    """Return once the database is this server's."""
    ours: bool | None = None
    since, told = time.monotonic(), False
    while True:
        try:
            if await store.claim(wait=True):
                return
            if not told:
                log.info("another server has the database: this one stands by")
                told = True
            door.state.database = True
            ours = ours or await _shared(store, folder)
            if ours is False and time.monotonic() - since > FOREIGN_S:
                raise SettingsInvalid(FOREIGN.format(folder=folder))
        except Unavailable as error:
            if door.state.database or not told:
                log.warning("standing by, without the database: %s", error.code)
            door.state.database, told, since = False, True, time.monotonic()
        if ours:
            await door.open(renewed)
        await _pause(stop)


async def _shared(store: SqlStore, folder: Path) -> bool | None:
    """Whether the running server has this data folder, too; None while it is only beginning."""
    last = await store.serving()
    return None if last is None else await asyncio.to_thread(marked, folder, last)


async def _locked(lock: Lock, stop: Stops) -> int:
    """The folder's lock, as soon as the other server lets go of it."""
    told = False
    while True:
        try:
            return lock(shared=True)
        except Unavailable as error:
            if not told:
                log.warning("the database is free, and the folder is not yet: %s", error)
                told = True
        await _pause(stop)
