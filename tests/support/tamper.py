"""Changing the database behind the product's back, as its owner could."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol, cast

from tests.support import engines, postgres


class Database(Protocol):
    """What SQLite's connection has, on either engine; statements are in SQLite's dialect."""

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Any:
        """Run one statement; its rows can be iterated over."""


class _PostgreSQL:
    """The database of a folder; every statement is committed by itself."""

    def __init__(self, folder: Path, *, refused: bool) -> None:
        self._name, self._refused = engines.name(folder), refused

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> list[tuple[Any, ...]]:
        async def work(connection: Any) -> list[tuple[Any, ...]]:
            if not self._refused:
                # no trigger fires and no key is checked
                await connection.execute("SET session_replication_role = replica")
            return [tuple(row) for row in await connection.fetch(_translated(statement), *values)]

        return postgres.cluster().run(work, self._name)


def _translated(statement: str) -> str:
    """SQLite's words for bytes in those of PostgreSQL, and its parameters."""
    for ours, theirs in (
        (r"cast\((\w+) as text\)", r"convert_from(\1, 'UTF8')"),
        (r"cast\((.*) as blob\)", r"convert_to(\1, 'UTF8')"),
        (r"\bx'([0-9a-f]*)'", r"'\\x\1'::bytea"),
        (r"(random|zero)blob\(32\)", r"sha256('\1')"),
    ):
        statement = re.sub(ours, theirs, statement, flags=re.IGNORECASE)
    parts = statement.split("?")
    return parts[0] + "".join(f"${n}{part}" for n, part in enumerate(parts[1:], 1))


@contextmanager
def database(folder: Path, name: str = "avsession.db") -> Iterator[sqlite3.Connection]:
    """The database itself, without the triggers that refuse; commits at the end."""
    if engines.chosen() == "postgresql":
        yield cast("sqlite3.Connection", _PostgreSQL(folder, refused=False))
        return
    with closing(sqlite3.connect(folder / name)) as db:
        triggers = db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (trigger,) in triggers:
            db.execute(f"DROP TRIGGER {trigger}")
        yield db
        db.commit()


@contextmanager
def beside(folder: Path) -> Iterator[Database]:
    """The database as another program sees it that opens it too, with everything that refuses.

    Each statement is committed by itself.
    """
    if engines.chosen() == "postgresql":
        yield _PostgreSQL(folder, refused=True)
        return
    with closing(sqlite3.connect(folder / "avsession.db", isolation_level=None)) as db:
        yield db
