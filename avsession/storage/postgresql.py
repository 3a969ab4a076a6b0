"""How PostgreSQL is reached: its URL, TLS, what each connection is told, what its errors mean.

The write lock is one advisory lock a database, taken in the transaction itself, before its first
question: whoever holds it sees every commit before its own, and the log cannot fork. The server's
lock is another, held by a connection of its own for as long as a server runs.
"""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path
from typing import Any

from sqlalchemy import URL
from sqlalchemy import exc as sa

from avsession.errors import SettingsInvalid

WRITE_LOCK = 0x61767365
""""avse": the advisory lock that serialises writes."""
SERVER_LOCK = 0x61767376
""""avsv": the advisory lock that one running server holds."""

STANDBY_LOCK = 0x61767377
""""avsw": the advisory lock that servers share which wait for the other one."""

POOL = {"pool_size": 8, "max_overflow": 8}
"""Connections of one process: 8 are kept, 16 opened at most. A server takes up to three more: one
holds its lock, two check the log."""
CONNECT_S = 5.0
"""How long connecting may take."""
STATEMENT_MS = 30_000
"""How long one question may take at the server."""
SILENT_S = 40.0
"""How long an answer is waited for when the server, or the way to it, says nothing at all."""
IDLE_MS = 60_000
"""A transaction that says nothing for so long is ended: its process hangs, and others wait."""
GONE_MS = 10_000
"""A computer that acknowledges nothing for so long is gone; its locks are free."""
HUNG_MS = 15_000
"""A server that does not make sure of its lock for so long hangs; its lock is free (version 14)."""
SURE_S = 3.0
"""How long a server waits for the answer when it makes sure of its lock."""
LEASE_S = 8.0
"""For so long after a server asked, and was told that the lock is its own, it may act on that.

Counted from before the question, so at PostgreSQL the lock is free GONE_MS = 10 s after its last
sign of life at the earliest: 2 s after this server has stopped acting on it. Asked every 2 s, with
SURE_S = 3 s for the answer and 2 s at most to let a dead connection go, there is time for a second
question before it ends. Must stay below GONE_MS and HUNG_MS."""

MAX_PASSWORD = 1024
"""Characters of a password."""

_LOST = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03"})
"""The server ended this connection: it stops, it starts, or the transaction was idle."""

# What is ours although the answer comes from the server, by the class of its SQLSTATE.
_MISTAKES = frozenset({"22", "42", "0A", "26"})
_REFUSED = "42501"

# After the migrations: text is compared and ordered by its bytes, as on SQLite, whatever language
# the database was made for; and an index survives a new C library under the server.
BYTEWISE = """
DO $$ DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT relation.relname AS name, string_agg(
            format('ALTER COLUMN %I TYPE %s COLLATE "C"', attribute.attname,
                format_type(attribute.atttypid, attribute.atttypmod)), ', ') AS changes
        FROM pg_attribute attribute
        JOIN pg_class relation ON relation.oid = attribute.attrelid
        WHERE relation.relnamespace = current_schema()::regnamespace AND relation.relkind = 'r'
            AND relation.relname IN ({tables})
            AND attribute.attnum > 0 AND NOT attribute.attisdropped
            AND attribute.attcollation NOT IN (0, '"C"'::regcollation::oid)
        GROUP BY relation.relname
    LOOP
        EXECUTE format('ALTER TABLE %I %s', found.name, found.changes);
    END LOOP;
END $$"""


def arguments(url: URL, busy_ms: int) -> tuple[URL, dict[str, Any]]:
    """The URL without its options, and what the driver is told.

    Options: ``host`` (a folder with a Unix socket), ``sslmode`` (``verify-full``, or ``disable``;
    the default is the first, for a socket or a loopback address the second), ``sslrootcert``
    (who signs the server's certificate; the default is the system's list), ``password_file`` (its
    first line, in place of a password in the URL). Anything between the
    two modes would encrypt to whoever answers, and is refused. Raises SettingsInvalid.
    """
    if unknown := url.query.keys() - {"host", "sslmode", "sslrootcert", "password_file"}:
        raise SettingsInvalid(f"database has no option {', '.join(sorted(unknown))}.")
    given = {name: _single(name, value) for name, value in url.query.items()}
    if not url.database:
        raise SettingsInvalid("database must name the database, after the last slash.")
    socket = given.get("host")
    if socket is not None and (url.host or not socket.startswith("/")):
        raise SettingsInvalid("database: the option host is a socket's folder, instead of a host.")
    if socket is None and not url.host:
        raise SettingsInvalid("database must name a host, or a socket's folder as ?host=/folder.")
    mode = given.get("sslmode", "disable" if socket or _is_loopback(url.host) else "verify-full")
    if mode not in ("verify-full", "disable"):
        raise SettingsInvalid("database: sslmode is verify-full or disable.")
    if "password_file" in given:
        url = url.set(password=_password(url, Path(given["password_file"])))
    secure = mode == "verify-full"
    if socket and secure:
        raise SettingsInvalid("database: there is no TLS on a socket.")
    options = {"host": socket} if socket else {}
    return url.set(query=options), {
        "ssl": _tls(given.get("sslrootcert")) if secure else False,
        "timeout": CONNECT_S,
        "command_timeout": SILENT_S,
        # a statement is prepared once a connection; the product has some two hundred
        "prepared_statement_cache_size": 256,
        "server_settings": {
            "application_name": "avsession",
            "timezone": "UTC",
            # a commit that returned survives a power cut, whatever the role's default is
            "synchronous_commit": "on",
            # each statement sees what was committed before it: with the write lock, everything
            "default_transaction_isolation": "read committed",
            "statement_timeout": str(STATEMENT_MS),
            "lock_timeout": str(busy_ms),
            "idle_in_transaction_session_timeout": str(IDLE_MS),
            "jit": "off",  # for long questions; ours are short
            # a process whose computer is gone gives its locks back within GONE_MS
            "tcp_keepalives_idle": "4",
            "tcp_keepalives_interval": "2",
            "tcp_keepalives_count": "3",
            "tcp_user_timeout": str(GONE_MS),
        },
    }


def _single(name: str, value: str | tuple[str, ...]) -> str:
    if not isinstance(value, str):
        raise SettingsInvalid(f"database: the option {name} is there twice.")
    return value


def _password(url: URL, path: Path) -> str:
    if url.password is not None:
        raise SettingsInvalid("database: a password is in the URL, and in password_file.")
    try:
        with path.open(encoding="utf-8") as file:
            password = file.readline(MAX_PASSWORD + 1).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"database: password_file cannot be read: {error}") from error
    if not 0 < len(password) <= MAX_PASSWORD:
        raise SettingsInvalid(f"database: password_file has no password of 1 to {MAX_PASSWORD}.")
    return password


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _tls(authority: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError) as error:
        raise SettingsInvalid(f"database: sslrootcert cannot be read: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def state_of(error: sa.DBAPIError) -> str:
    """The SQLSTATE that the server answered with; empty when the error is not the server's."""
    return getattr(error.orig, "sqlstate", None) or ""


def is_lost(error: sa.DBAPIError) -> bool:
    """Whether the connection is gone, so that nothing was done if it was only beginning."""
    state = state_of(error)
    return error.connection_invalidated or state in _LOST or state.startswith("08")


def is_mistake(error: sa.DBAPIError) -> bool:
    """Whether the error is ours: no other answer will come, however often one asks."""
    if is_lost(error):
        return False
    if state := state_of(error):
        return state[:2] in _MISTAKES and state != _REFUSED
    return isinstance(
        error, sa.ProgrammingError | sa.NotSupportedError | sa.DataError | sa.InterfaceError
    )


def unstorable(error: sa.DBAPIError) -> bool:
    """Whether a text holds a character that PostgreSQL cannot store (NUL)."""
    return state_of(error) in ("22021", "22P05")
