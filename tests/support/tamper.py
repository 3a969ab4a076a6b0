"""Changing the database behind the product's back, as its owner could."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def database(folder: Path, name: str = "avsession.db") -> Iterator[sqlite3.Connection]:
    """The database itself, without the triggers that refuse; commits at the end."""
    with closing(sqlite3.connect(folder / name)) as db:
        triggers = db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (trigger,) in triggers:
            db.execute(f"DROP TRIGGER {trigger}")
        yield db
        db.commit()
