"""How a database is reached: engine, settings of every connection, migrations.

The product's own choices for SQLite, each with its reason, stand in ``_PRAGMAS``; those for
PostgreSQL in ``postgresql``.
"""

from __future__ import annotations

import functools
import json
import os
import stat
from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
import alembic.util
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy import exc as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from avsession.errors import SettingsInvalid, Unavailable
from avsession.storage import postgresql

WRITES: dict[str, object] = {"avsession_writes": True}
"""Execution options of a connection whose transaction will write."""
OUTSIDE: dict[str, object] = {"avsession_outside": True, "isolation_level": "AUTOCOMMIT"}
"""Execution options of a connection to PostgreSQL whose statements are in no transaction."""

BUSY_MS = 5000
"""How long to wait for another process's write."""
SCRUB_MS = 250
"""How long a scrub may wait for readers, and so keep writers waiting."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}

_PRAGMAS = (
    f"busy_timeout = {BUSY_MS}",  # first: the next one may have to wait
    "journal_mode = WAL",  # readers do not wait for writers
    "synchronous = FULL",  # a commit that returned survives a power cut
    "foreign_keys = ON",  # off by default, for the sake of 2009
    "secure_delete = ON",  # what is erased is overwritten, not only unlinked
    "temp_store = MEMORY",  # no personal data in temporary files
    "trusted_schema = OFF",  # a tampered schema calls no function with side effects
)


def sqlite_url(path: Path) -> str:
    """The URL of an SQLite database in this file."""
    return URL.create("sqlite+aiosqlite", database=str(path)).render_as_string(hide_password=False)


def make_engine(text: str) -> AsyncEngine:
    """An engine for the URL; nothing is connected yet.

    Raises SettingsInvalid for anything but a file of SQLite or PostgreSQL.
    """
    try:
        url = make_url(text)
    except sa.ArgumentError as error:
        raise SettingsInvalid("database is not an SQLAlchemy URL.") from error
    backend = url.get_backend_name()
    if backend not in _DRIVERS:
        raise SettingsInvalid("database must be SQLite or PostgreSQL.")
    if backend == "sqlite" and (not url.database or url.database == ":memory:" or url.query):
        raise SettingsInvalid("database must name a file, without options.")
    url = url.set(drivername=_DRIVERS[backend])
    arguments: dict[str, Any] = {}
    pool = {"pool_size": 8, "max_overflow": 24}
    if backend == "postgresql":
        url, arguments = postgresql.arguments(url, BUSY_MS)
        pool = postgresql.POOL
    engine = create_async_engine(
        url,
        connect_args=arguments,
        pool_timeout=BUSY_MS / 1000,
        # a consent's fields must not end up in a log
        hide_parameters=True,
        json_deserializer=_json_or_text,
        **pool,
    )
    if backend == "sqlite":
        event.listen(engine.sync_engine, "connect", _set_up_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    else:
        event.listen(engine.sync_engine, "begin", _begin_postgresql)
    return engine


def _json_or_text(text: str | bytes) -> Any:
    """A column's JSON; the bytes when it is none, which no record takes: the row is then named."""
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return repr(text).encode()


def text_or_bytes(data: bytes) -> str | bytes:
    """A text as SQLite has it; the bytes when it is none."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # the driver's own transactions begin too late and too weakly; _begin_sqlite makes ours
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE: what was read inside a write stays true until it commits
    writes = connection.get_execution_options().get("avsession_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("avsession_outside"):
        return
    if options.get("avsession_writes"):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({postgresql.WRITE_LOCK})")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def prepare(url: URL) -> None:
    """See that the database's file is there and that only its owner can open it (SQLite).

    Blocking. Raises OSError. The write-ahead log takes the file's mode over.
    """
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    path = Path(url.database)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(path, flags, 0o600)
    try:
        if stat.S_IMODE(os.fstat(file).st_mode) != 0o600:
            os.fchmod(file, 0o600)
    finally:
        os.close(file)


def sqlite_file(text: str) -> Path | None:
    """The file of an SQLite URL; None for another database. Raises SettingsInvalid."""
    url = make_engine(text).url
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


@functools.cache
def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> alembic.config.Config:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


class NoTables(Unavailable):
    """Nothing of ours was ever stored in this database."""

    sentence = (
        "The database has no tables yet; start the server once, or run `avsession db upgrade`."
    )


def revisions(connection: Connection) -> tuple[str | None, str | None]:
    """The revision of the tables that are there (None: there are none), and this version's."""
    there = MigrationContext.configure(connection).get_current_revision()
    return there, _script().get_current_head()


def current(connection: Connection) -> None:
    """Raise Unavailable unless the database has exactly the tables of this version: NoTables when
    it has none of this program's."""
    there, head = revisions(connection)
    if there is None:
        raise NoTables
    if there != head:
        raise Unavailable(
            "The database is of another version; start this one's server once, or run "
            "`avsession db upgrade`."
        )


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run the migrations that are missing up to ``revision``, in the connection's transaction.

    Raises Unavailable when the database was made by a newer version of this program.
    """
    there, head = revisions(connection)
    if revision == "head" and there == head:
        return
    if connection.dialect.name == "postgresql":
        # for this transaction: a long table may take a while
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    config = _config()
    config.attributes["connection"] = connection
    try:
        alembic.command.upgrade(config, revision)
    except alembic.util.CommandError as error:
        raise Unavailable(f"The database cannot be brought up to date: {error}") from error
