"""Logging: to standard error, a line an event; JSON by setting. No personal data, no secrets.

Callers log stable sentences and opaque identifiers only; what somebody typed is never logged.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

FIELDS = ("session", "recording", "track", "leaf", "worker", "party", "reason", "code")
"""Extra fields that a record may carry: identifiers and codes."""

SESSION: ContextVar[str | None] = ContextVar("session", default=None)
"""The session that this task works for: it stands in each of its lines, so that one identifier
leads through everything that server, signaling and recorder say of a call. It is the session's own
identifier: no secret of a link, and nothing of a person."""


@contextmanager
def about(session: str) -> Iterator[None]:
    """What is done inside is done for this session; custody is told which, for its own log."""
    before = SESSION.set(session)
    try:
        yield
    finally:
        SESSION.reset(before)


QUIET = (
    "aiohttp", "aioice", "aiortc", "aiosqlite", "alembic", "asyncio", "asyncpg", "sqlalchemy",
    "websockets",
)  # fmt: skip
"""Libraries that would tell addresses, names or secrets at the lower levels."""


def one_line(text: str) -> str:
    """``text`` without anything that ends a line or moves a cursor: it may quote a stranger."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Strangers(logging.Filter):
    """What aiohttp says of a connection: not whose it was, nor what came that was no request."""

    def filter(self, record: logging.LogRecord) -> bool:
        """The record, with what it may say."""
        error = record.exc_info[1] if record.exc_info else None
        record.msg, record.args = "a connection could not be served", ()
        if error is not None:
            record.msg += f": {type(error).__name__}"
            if isinstance(error, ConnectionError) or hasattr(error, "headers"):
                # theirs: they left, or what they sent has no place in a log (an HTTP error)
                record.exc_info, record.levelno, record.levelname = None, logging.INFO, "INFO"
        return True


_STRANGERS = Strangers()


def fields(record: logging.LogRecord) -> dict[str, str]:
    """The extra fields that a record carries; the session also by its task's context."""
    found = {key: str(getattr(record, key)) for key in FIELDS if hasattr(record, key)}
    if "session" not in found and (session := SESSION.get()) is not None:
        found["session"] = session
    return found


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record with its known extra fields."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= fields(record)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class TextFormatter(logging.Formatter):
    """For a person at a terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """The record with its known extra fields at the end."""
        extra = [one_line(f"{key}={value}") for key, value in fields(record).items()]
        return " ".join([super().format(record), *extra])

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line without the traceback that may follow it."""
        record.message = one_line(record.message)
        return super().formatMessage(record)


def configure(level: str, *, as_json: bool) -> None:
    """Set up the root logger. Third parties speak only when something is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("aiohttp.server").addFilter(_STRANGERS)
