"""A store on a file of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from avsession.storage.engine import sqlite_url
from avsession.storage.sql import SqlStore


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    store = SqlStore(sqlite_url(tmp_path / "avsession.db"))
    await store.open()
    yield store
    await store.close()
