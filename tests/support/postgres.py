"""A real PostgreSQL for the tests: one cluster a run, started when the first test asks for it.

It lives in a folder in memory, on a Unix socket (and one loopback port of its own, for TLS), does
not wait for a disk, and ends with the process that started it, however that ends.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import ctypes
import datetime
import functools
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from avsession import keys
from avsession.storage.sql import SqlStore
from avsession.storage.tables import metadata
from tests.support import memory
from tests.support.ports import free_port

T = TypeVar("T")

USER = "avsession"
START_S = 60
VACUUM_EVERY = 20
LOCALE = "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
"""Of the test databases: one that orders text otherwise than by its bytes."""
ACCESS = """
local all guarded scram-sha-256
local all all trust
hostssl all all 127.0.0.1/32 scram-sha-256
"""
"""Who may come in how: only TLS on the port, a password for some."""
_END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_EMPTY = ";".join(f"DELETE FROM {table}" for table in metadata.tables)  # noqa: S608
PR_SET_PDEATHSIG = 1

SETTINGS = {
    # nothing here outlives the run
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "ssl": "on",
    "deadlock_timeout": "100ms",
    "log_min_messages": "fatal",
}


@functools.cache
def programs() -> Path:
    """The folder of initdb and postgres; Debian keeps them out of PATH."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    assert installed, "no PostgreSQL here; on Debian: apt-get install postgresql"
    return installed[-1].parent


def _version(path: Path) -> int:
    return int(path.parts[-3]) if path.parts[-3].isdigit() else 0


def _owner() -> dict[str, Any]:
    """Who PostgreSQL runs as: it refuses to be root."""
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise AssertionError("there is no user that PostgreSQL could run as")


_LIBC = ctypes.CDLL(None)


def _ends_with_us() -> None:
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


class Cluster:
    """A server with its data. Made by :func:`cluster`; a test that stops one makes its own."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="avsession-pg-", dir=memory.place()))
        self.owner = _owner()
        if self.owner:
            os.chown(self.folder, self.owner["user"], self.owner["group"])
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        certificate, key, self.authority = keys.local_certificate(
            keys.private_folder(self.folder / "tls"), datetime.datetime.now(datetime.UTC)
        )
        subprocess.run(
            [
                programs() / "initdb", "--pgdata", self.folder / "data", "--username", USER,
                "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync",
                "--no-instructions",
            ],
            check=True, stdout=subprocess.DEVNULL, cwd="/", **self.owner,
        )  # fmt: skip
        for source, name in ((certificate, "server.crt"), (key, "server.key")):
            self._put(name, source.read_text())
        self._put("pg_hba.conf", ACCESS)

    def _put(self, name: str, text: str) -> None:
        path = self.folder / "data" / name
        path.write_text(text)
        path.chmod(0o600)
        if self.owner:
            os.chown(path, self.owner["user"], self.owner["group"])

    def start(self, **settings: str) -> None:
        """Start it, and return once it answers."""
        options = {
            **SETTINGS,
            "unix_socket_directories": str(self.folder),
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            **settings,
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [programs() / "postgres", "-D", self.folder / "data", *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                preexec_fn=_ends_with_us,  # noqa: PLW1509 - one system call, of a library that is loaded
                **self.owner,
            )  # fmt: skip
        self._wait()

    def _wait(self) -> None:
        assert self.process is not None
        pid_file = self.folder / "data" / "postmaster.pid"
        pause = threading.Event()
        for _ in range(START_S * 50):
            with contextlib.suppress(OSError, IndexError):
                if pid_file.read_text().splitlines()[7].strip() == "ready":
                    return
            if self.process.poll() is not None:
                break
            pause.wait(0.02)
        raise AssertionError((self.folder / "log").read_text())

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT ends every connection, SIGQUIT is a crash."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None

    def remove(self) -> None:
        """End it, with everything that it kept."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str, user: str = USER) -> str:
        """The URL of a database, over the socket."""
        return f"postgresql://{user}@:{self.port}/{database}?host={self.folder}"

    def run(self, work: Callable[[asyncpg.Connection], Awaitable[T]], database: str) -> T:
        """Do something in a database, beside the product and whatever loop is running here."""
        return apart(self._with(work, database))

    async def _with(self, work: Callable[[asyncpg.Connection], Awaitable[T]], database: str) -> T:
        connection = await self.connect(database)
        try:
            return await work(connection)
        finally:
            await connection.close()

    async def connect(self, database: str, user: str = USER) -> asyncpg.Connection:
        """A plain connection beside the product."""
        return await asyncpg.connect(
            host=str(self.folder), port=self.port, user=user, database=database
        )


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="postgres", daemon=True).start()
    return loop


def apart(work: Coroutine[Any, Any, T]) -> T:
    """Run it on a loop of its own, beside whatever loop is running here."""
    return asyncio.run_coroutine_threadsafe(work, _loop()).result(120)


@functools.cache
def cluster() -> Cluster:
    """The cluster of this run, running."""
    made = Cluster()
    atexit.register(made.remove)
    made.start()
    return made


class Databases:
    """Empty databases with every table, lent to one test after the other.

    Emptying one is a few deletes; making one is a copy of all its files.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._free: list[str] = []
        self._connections: dict[str, asyncpg.Connection] = {}
        self._names = (f"test_{n}" for n in itertools.count())
        self._given: dict[str, int] = {}
        apart(self._template())

    async def _template(self) -> None:
        await self._administer(f"CREATE DATABASE empty TEMPLATE template0 {LOCALE}")
        store = SqlStore(self._cluster.url("empty"))
        await store.open()
        await store.close()

    async def _administer(self, statement: str) -> None:
        connection = await self._cluster.connect("postgres")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def take(self) -> str:
        """The name of an empty database, which nobody else has."""
        if self._free:
            return self._free.pop()
        name = next(self._names)
        apart(self._make(name))
        return name

    async def _make(self, name: str) -> None:
        await self._administer(f"CREATE DATABASE {name} TEMPLATE empty STRATEGY file_copy")
        self._connections[name] = await self._cluster.connect(name)
        # no trigger fires and no key is checked: for us, who empty it
        await self._connections[name].execute("SET session_replication_role = replica")

    def give(self, name: str) -> None:
        """Take it back, empty again."""
        apart(self._empty(name))
        self._free.append(name)

    async def _empty(self, name: str) -> None:
        self._given[name] = self._given.get(name, 0) + 1
        await self._connections[name].execute(f"{_END_OTHERS}; {_EMPTY}")
        if self._given[name] % VACUUM_EVERY == 0:
            await self._connections[name].execute("VACUUM")


@functools.cache
def databases() -> Databases:
    """The databases of this run's cluster."""
    return Databases(cluster())


def rows(database: str) -> bytes:
    """Every value of every row in a database, one after the other, as bytes."""

    async def read(connection: asyncpg.Connection) -> bytes:
        found = []
        for table in metadata.tables:
            for row in await connection.fetch(f"TABLE {table}"):
                found += [v if isinstance(v, bytes) else str(v).encode() for v in row]
        return b"\n".join(found)

    return cluster().run(read, database)


def pages(database: str) -> bytes:
    """The files of a database's tables and indexes, with what was removed and is still in them."""

    async def place(connection: asyncpg.Connection) -> int:
        await connection.execute("CHECKPOINT")
        found: int = await connection.fetchval(
            "SELECT oid FROM pg_database WHERE datname = current_database()"
        )
        return found

    folder = cluster().folder / "data" / "base" / str(cluster().run(place, database))
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())
