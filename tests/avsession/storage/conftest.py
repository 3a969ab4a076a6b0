"""A store on a database of its own, on each engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from avsession.storage.sql import SqlStore
from tests.support.engines import database, engine, given_back

__all__ = ["engine", "given_back", "store"]


@pytest.fixture
async def store(tmp_path: Path, engine: str, given_back: None) -> AsyncIterator[SqlStore]:
    store = SqlStore(database(tmp_path))
    await store.open()
    yield store
    await store.close()
