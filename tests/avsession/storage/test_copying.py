"""Copying a database: every table, every value, in either direction."""

from __future__ import annotations

from pathlib import Path

import pytest

from avsession.errors import Conflict
from avsession.storage.copying import copy
from avsession.storage.engine import sqlite_url
from avsession.storage.sql import SqlStore
from avsession.storage.tables import metadata
from tests.avsession.storage.samples import SAMPLES


async def test_every_record_comes_out_as_it_went_in(store: SqlStore, tmp_path: Path) -> None:
    """To the engine of this run, from SQLite."""
    source = SqlStore(sqlite_url(tmp_path / "source.db"))
    await source.open()
    try:
        async with source.write() as writer:
            for sample in SAMPLES:
                await writer.add(sample)
        told: dict[str, int] = {}
        async with source.read() as reading, store.write() as writing:
            total = await copy(reading, writing, told.__setitem__)
        assert told.keys() == metadata.tables.keys()
        assert total == sum(told.values()) == len(SAMPLES)
        async with store.read() as reader:
            for sample in SAMPLES:
                assert sample in await reader.find(type(sample))
        with pytest.raises(Conflict, match="not empty"):
            async with source.read() as reading, store.write() as writing:
                await copy(reading, writing)
    finally:
        await source.close()
