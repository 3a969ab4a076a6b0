"""Logging: to standard error, a line an event; JSON by setting. No personal data, no secrets.

Callers log stable sentences and opaque identifiers only; what somebody typed is never logged.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

FIELDS = ("session", "recording", "worker", "party", "reason", "code")
"""Extra fields that a record may carry: identifiers and codes."""


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
        line |= {key: str(getattr(record, key)) for key in FIELDS if hasattr(record, key)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class TextFormatter(logging.Formatter):
    """For a person at a terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """The record with its known extra fields at the end."""
        extra = [f"{key}={getattr(record, key)}" for key in FIELDS if hasattr(record, key)]
        return " ".join([super().format(record), *extra])


def configure(level: str, *, as_json: bool) -> None:
    """Set up the root logger. Third parties speak only when something is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ("aiohttp", "aioice", "aiortc", "alembic", "asyncio", "sqlalchemy", "websockets"):
        logging.getLogger(name).setLevel(logging.WARNING)
