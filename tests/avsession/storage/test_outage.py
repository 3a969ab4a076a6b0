"""The store when the database goes away, and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from avsession import records
from avsession.errors import DatabaseUnavailable
from avsession.storage.sql import SqlStore
from tests.avsession.storage.samples import SAMPLES, notice
from tests.support.postgres import Cluster


async def add(store: SqlStore, *rows: Any) -> None:
    async with store.write() as writer:
        for row in rows:
            await writer.add(row)


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[tuple[Cluster, SqlStore]]:
    """A server of the test's own, to stop."""
    made = Cluster()
    try:
        made.start(fsync="on")
        store = SqlStore(made.url("postgres"))
        await store.open()
        yield made, store
        await store.close()
    finally:
        made.remove()


async def test_gone_and_back(own: tuple[Cluster, SqlStore]) -> None:
    server, store = own
    await add(store, *SAMPLES)

    async def read() -> int:
        async with store.read() as reader:
            return await reader.count(records.Leaf)

    assert set(await asyncio.gather(*(read() for _ in range(8)))) == {1}
    assert await store.claim()
    in_it = store.write()
    writer = await in_it.__aenter__()
    await writer.add(notice("lost"))
    server.stop()
    with pytest.raises(DatabaseUnavailable) as lost:
        await in_it.__aexit__(None, None, None)
    assert lost.value.code == "database.unavailable"
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            await read()
        with pytest.raises(DatabaseUnavailable):
            await add(store, notice("a"))
    with pytest.raises(DatabaseUnavailable):
        await store.claim()
    server.start(fsync="on")
    # at once, and with every connection that was open before
    assert set(await asyncio.gather(*(read() for _ in range(16)))) == {1}
    server.stop()
    server.start(fsync="on")
    await add(store, notice("a"))
    assert await store.claim()
    async with store.read() as reader:
        kept = await reader.find(records.Notice)
    assert notice("lost") not in kept
    assert notice("a") in kept
