"""Which database a test runs on: SQLite, and PostgreSQL as well where a conftest asks for both.

A test that asks for ``engine`` and ``given_back`` (imported by its conftest) runs once on each. One
about SQLite's own file says ``@sqlite_only("why")``.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from avsession.storage import engine as sql_engine
from avsession.storage import sql
from avsession.storage.engine import sqlite_url
from avsession.storage.sql import SqlStore
from tests.support import postgres

ENGINES = ("sqlite", "postgresql")

_chosen = ["sqlite"]
_lent: dict[Path, str] = {}
"""Folder -> the PostgreSQL database that stands for the file in it."""


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of the engine, for as long as the tests on it run."""
    _chosen.append(request.param)
    yield request.param
    _chosen.pop()


@pytest.fixture
def given_back() -> Iterator[None]:
    """What a test did not give back itself."""
    before = set(_lent)
    yield
    for folder in set(_lent) - before:
        release(folder)


def sqlite_only(reason: str) -> pytest.MarkDecorator:
    """The test is about SQLite itself; ``reason`` tells what of it."""
    assert reason
    return pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def postgresql_only(reason: str) -> pytest.MarkDecorator:
    """The test is about PostgreSQL itself; ``reason`` tells what of it."""
    assert reason
    return pytest.mark.parametrize("engine", ["postgresql"], indirect=True)


def chosen() -> str:
    """The engine that tests run on now."""
    return _chosen[-1]


@functools.cache
def _empty() -> bytes:
    """An SQLite database with every table and nothing in it."""

    async def make(path: Path) -> None:
        store = SqlStore(sqlite_url(path))
        await store.open()
        await store.close()

    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(1) as thread:
        path = Path(name) / "empty.db"
        thread.submit(asyncio.run, make(path)).result()
        return path.read_bytes()


def database(folder: Path) -> str:
    """The URL of the database in ``folder``; a new one is a copy, which saves its migrations."""
    if chosen() == "postgresql":
        return postgres.cluster().url(name(folder))
    path = folder / "avsession.db"
    with contextlib.suppress(FileExistsError):
        path.touch(0o600, exist_ok=False)
        path.write_bytes(_empty())
    return sqlite_url(path)


def name(folder: Path) -> str:
    """The name of the PostgreSQL database that is ``folder``'s until it is released."""
    if folder not in _lent:
        _lent[folder] = postgres.databases().take()
    return _lent[folder]


def release(folder: Path) -> None:
    """The folder's database is needed no more."""
    if (lent := _lent.pop(folder, None)) is not None:
        postgres.databases().give(lent)


def stored(folder: Path) -> dict[str, bytes]:
    """What the database in ``folder`` holds: its files, or on PostgreSQL all its rows, as bytes."""
    if chosen() == "sqlite":
        return {path.name: path.read_bytes() for path in folder.glob("avsession.db*")}
    return {"rows": postgres.rows(name(folder))}


def _make_engine(text: str) -> AsyncEngine:
    """The product's engine, which compiles no statement that another engine here has compiled."""
    made = sql_engine.make_engine(text)
    inner = made.sync_engine
    first = _first.setdefault(inner.dialect.name, inner)
    inner.dialect = first.dialect
    inner._compiled_cache = first._compiled_cache
    return made


_first: dict[str, Engine] = {}
setattr(sql, "make_engine", _make_engine)  # noqa: B010 - the module does not give it out
