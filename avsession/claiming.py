"""One running server a database: taking it at the start, and seeing to it that it stays taken.

Who is connected is known to one process only, so a second server would take everyone for absent
and end what the first one records. On SQLite the data folder's lock keeps it out; on PostgreSQL,
which a server on another computer may use as well, this does.

Each server that begins leaves a random token in the database and, before that, in its data folder:
a server that stands by knows by it whether it has that very folder, and not another or a copy; and
one that is cut off from the database, that another has begun.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from avsession.clock import SystemClock
from avsession.errors import SettingsInvalid, Unavailable
from avsession.ports import Store
from avsession.records import Serving
from avsession.storage import files
from avsession.storage.postgresql import LEASE_S
from avsession.storage.sql import OUTRUN, SqlStore
from avsession.tasks import Tasks
from avsession.usecases.gate import Gate, Lease
from avsession.usecases.readiness import Readiness

log = logging.getLogger("avsession.claiming")

EVERY_S = 2.0
"""How often a server makes sure. A claim that was lost with its connection is taken anew."""
HEED_S = 1.0
"""How often a server whose claim is not confirmed looks who began last in its data folder."""
TAKEN = (
    "Another server uses this database. One runs on it at a time; with --standby this one waits "
    "until it can take over."
)
FOREIGN = (
    "{folder} is not the data folder of the server that ran on this database last. A standby needs "
    "that very folder, on a volume that both have. If it was restored or moved on purpose, start "
    "once without --standby."
)
MARK = "serving"
"""In the data folder: the token of whoever began last here, and the one before."""
MAX_MARK = 256


async def opened(
    url: str,
    *,
    migrate: bool,
    claim: bool,
    folder: Path | None = None,
    line: SqlStore | None = None,
    claimed: Callable[[SqlStore], None] = lambda store: None,
) -> SqlStore:
    """The store, open; with ``claim`` it is this process's alone to serve from, before anything is
    changed in it, and ``folder`` is marked. Raises Unavailable when another server has it.

    ``line``: a store that stood in line for it and has it now; closed when this fails. Raises
    SettingsInvalid when ``folder`` is not the one of whoever ran last. ``claimed`` is called as
    soon as the claim is there, before all that may take long: from then on it is to be kept.
    """
    store = line or SqlStore(url)
    async with AsyncExitStack() as failed:
        failed.push_async_callback(store.close)
        if claim and not await store.claim():
            raise Unavailable(TAKEN)
        if claim:
            claimed(store)
        await store.open(migrate=migrate)
        if claim and store.is_server:
            await _begin(store, folder, standby=line is not None)
        failed.pop_all()
    return store


async def _begin(store: SqlStore, folder: Path | None, *, standby: bool) -> None:
    token = secrets.token_urlsafe(24)
    if folder is not None:
        last = await store.serving()
        if standby and last is not None and not marked(folder, last):
            raise SettingsInvalid(FOREIGN.format(folder=folder))
        # first here: a crash between the two leaves the mark that the database still has
        await asyncio.to_thread(_mark, folder, token, last)
    begun = await store.begin(token, SystemClock().now_ms())
    log.info("this server has the database: number %d", begun.number)


def marked(folder: Path, who: Serving) -> bool:
    """Whether this folder is the one that this server began with. Blocking."""
    try:
        with files.root(folder) as here:
            return who.token.encode() in files.read(here, MARK, MAX_MARK).split()
    except (OSError, ValueError):
        return False


def followed(folder: Path, mine: Serving) -> bool:
    """Whether somebody else began last with this folder; not when that cannot be read. Blocking."""
    try:
        with files.root(folder) as here:
            return files.read(here, MARK, MAX_MARK).split()[0] != mine.token.encode()
    except (OSError, ValueError, IndexError):
        return False


def _mark(folder: Path, token: str, last: Serving | None) -> None:
    former = [last.token] if last is not None else []
    with files.root(folder) as here:
        files.write(
            here, MARK, "".join(f"{one}\n" for one in (token, *former)).encode(), replace=True
        )


def outrun(store: Store) -> bool:
    """Whether another server has taken over from this one."""
    return isinstance(store, SqlStore) and store.outrun.is_set()


def keeper(
    tasks: Tasks, stop: asyncio.Queue[signal.Signals], folder: Path
) -> Callable[[SqlStore, Gate, Readiness], None]:
    """What starts :func:`keep` and :func:`heed` among these tasks, for a server in this data folder
    with such gates and readiness."""

    def begin(store: SqlStore, gate: Gate, ready: Readiness) -> None:
        tasks.spawn(keep(store, stop, seen=ready.stand_by, lease=gate.lease), name="claim")
        if store.is_server:
            tasks.spawn(heed(store, stop, folder, gate.lease), name="successor")

    return begin


async def keep(
    store: Store,
    stop: asyncio.Queue[signal.Signals],
    every_s: float = EVERY_S,
    seen: Callable[[int], None] = lambda standbys: None,
    lease: Lease | None = None,
) -> None:
    """Keep the claim for as long as this runs; ask the server to stop when another one has it, or
    when this ends for any reason but being cancelled.

    Another can have it only after this one's connection was lost, or it hung. The log cannot fork
    meanwhile: this one's next write is refused. ``lease`` runs out when the database has not
    confirmed the claim for ``LEASE_S``: it may be that only this server cannot reach it. ``seen``
    is told how many servers stand by.
    """
    if not isinstance(store, SqlStore) or not store.is_server:
        return
    lease = lease or Lease()
    lease.extend(lease.now() + LEASE_S)  # it was claimed just now
    try:
        while await _kept(store, every_s, seen, lease):
            pass
        log.error("%s", OUTRUN)
        store.outrun.set()
    finally:
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            stop.put_nowait(signal.SIGTERM)


async def heed(
    store: SqlStore, stop: asyncio.Queue[signal.Signals], folder: Path, lease: Lease,
    every_s: float = HEED_S,
) -> None:  # fmt: skip
    """Ask the server to stop when the folder says that another has begun, and the database cannot:
    the lease has run out, and it may never answer this one again.

    Whoever is connected here would stay with a server that can do nothing for them; they are better
    off with the other one.
    """
    while not store.outrun.is_set():
        await asyncio.sleep(every_s)
        if lease.held or store.mine is None:
            continue
        if await asyncio.to_thread(followed, folder, store.mine):
            log.error("the data folder says that another server has begun")
            store.outrun.set()
            stop.put_nowait(signal.SIGTERM)


async def _kept(store: SqlStore, every_s: float, seen: Callable[[int], None], lease: Lease) -> bool:
    """Wait, and make sure once; False when another server has it."""
    try:
        async with asyncio.timeout(every_s):
            await store.outrun.wait()
    except TimeoutError:
        pass
    asked = lease.now()  # before the question: what PostgreSQL counts from is later
    try:
        if not await store.claim():
            return False
        lease.extend(asked + LEASE_S)
        seen(await store.standbys())
    except Unavailable as error:
        # gone for everyone, or for this server alone: the lease runs on
        log.warning("the claim is not confirmed: %s", error.code)
    except Exception:
        # whatever it was: it is told, the lease runs on, and the next turn asks on a new connection
        log.exception("the claim is not confirmed")
    return True
