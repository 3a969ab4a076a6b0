"""The store: what a use case may rely on, and that it breaks loudly where it must."""

import asyncio
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pytest

from avsession import ports, records
from avsession.errors import Conflict
from avsession.session import Session
from avsession.storage.sql import SqlStore
from tests.avsession.storage.samples import (
    ACCOUNT,
    PARTY,
    SESSION,
    leaf,
    notice,
)
from tests.support.engines import database, sqlite_only


async def add(store: SqlStore, *rows: Any) -> None:
    async with store.write() as writer:
        for row in rows:
            await writer.add(row)


def conforms(store: SqlStore) -> ports.Store:
    """mypy says so."""
    return store


# --- transactions


async def test_what_raises_is_rolled_back_and_keeps_its_name(store: SqlStore) -> None:
    async def fail() -> None:
        async with store.write() as writer:
            await writer.add(notice("a"))
            raise OSError("mine")

    with pytest.raises(OSError, match="mine"):
        await fail()
    async with store.read() as reader:
        assert await reader.count(records.Notice) == 0


async def test_a_taken_key_is_a_conflict(store: SqlStore) -> None:
    await add(store, ACCOUNT)
    for again in (
        ACCOUNT,
        records.Account(
            id="acc_2", login="alex", name="", role="agent", password=None, created_ms=1
        ),
    ):
        with pytest.raises(Conflict):
            await add(store, again)


async def test_a_row_that_refers_to_nothing_is_a_conflict_at_the_end(store: SqlStore) -> None:
    with pytest.raises(Conflict):
        await add(store, PARTY)
    await add(store, ACCOUNT, SESSION, PARTY)
    with pytest.raises(Conflict):
        async with store.write() as writer:
            await writer.remove(Session, id="ses_1")
    async with store.read() as reader:
        assert await reader.count(Session) == 1


async def test_a_swallowed_conflict_commits_nothing(store: SqlStore) -> None:
    await add(store, notice("a"))

    async def swallow() -> None:
        async with store.write() as writer:
            await writer.add(notice("b"))
            with suppress(Conflict):
                await writer.add(notice("a"))

    with pytest.raises(RuntimeError, match="swallowed"):
        await swallow()
    async with store.read() as reader:
        assert await reader.count(records.Notice) == 1


async def test_a_write_in_a_write_fails_at_once(store: SqlStore) -> None:
    async with store.write() as writer:
        await writer.add(notice("a"))
        with pytest.raises(RuntimeError, match="write inside a write"):
            async with store.write():
                pass
        with pytest.raises(RuntimeError, match="read inside a write"):
            async with store.read():
                pass
    await add(store, notice("b"))


async def test_writes_of_many_tasks_lose_nothing(store: SqlStore, tmp_path: Path) -> None:
    # a second store stands for a second process: only the database's own lock is between them
    other = SqlStore(database(tmp_path))

    async def append(through: SqlStore) -> None:
        async with through.write() as writer:
            await writer.add(leaf(await writer.count(records.Leaf)))

    try:
        await asyncio.gather(*(append((store, other)[n % 2]) for n in range(40)))
    finally:
        await other.close()
    async with store.read() as reader:
        assert [row.index for row in await reader.find(records.Leaf)] == list(range(40))


async def test_a_write_waits_its_turn_in_the_process_not_in_the_database(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database gives up after BUSY_MS and is not fair; our own queue does neither."""
    order: list[str] = []
    waiting = asyncio.Event()
    acquire = store._lock.acquire

    async def noticed() -> Literal[True]:
        waiting.set()
        return await acquire()

    async def write(name: str) -> None:
        async with store.write():
            order.append(name)

    async with asyncio.TaskGroup() as group, store.write():
        monkeypatch.setattr(store._lock, "acquire", noticed)
        group.create_task(write("second"))
        await asyncio.wait_for(waiting.wait(), 5)
        order.append("first")
    assert order == ["first", "second"]


async def test_a_read_neither_waits_for_a_write_nor_sees_half_of_it(store: SqlStore) -> None:
    await add(store, notice("a"))
    written, seen = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        async with store.write() as writer:
            await writer.add(notice("b"))
            written.set()
            await seen.wait()

    async def read() -> None:
        await written.wait()
        async with store.read() as reader:
            assert await reader.count(records.Notice) == 1
            seen.set()
            # the write commits while this view is open, and does not enter it
            async with store.write():
                pass
            assert await reader.count(records.Notice) == 1
        async with store.read() as reader:
            assert await reader.count(records.Notice) == 2

    await asyncio.wait_for(asyncio.gather(write(), read()), 10)


async def test_a_cancelled_write_lets_the_next_one_in(store: SqlStore) -> None:
    inside = asyncio.Event()

    async def write() -> None:
        async with store.write() as writer:
            await writer.add(notice("a"))
            inside.set()
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(write())
        await inside.wait()
        task.cancel()
    await add(store, notice("b"))
    async with store.read() as reader:
        assert await reader.find(records.Notice) == [notice("b")]


# --- the log cannot be rewritten from beside the code either


@sqlite_only("in its own words; test_postgresql has those of the other")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE leaf SET data = x'00'",
        "DELETE FROM leaf",
        "DELETE FROM leaf WHERE number = 1",
        "REPLACE INTO leaf VALUES (1, 'k', NULL, 0, x'00')",
        "INSERT INTO leaf VALUES (3, 'k', NULL, 0, x'00')",
        "INSERT INTO leaf VALUES (-1, 'k', NULL, 0, x'00')",
        "INSERT OR IGNORE INTO leaf VALUES (0, 'k', NULL, 0, x'00')",
    ],
)
async def test_the_database_refuses_to_rewrite_a_leaf(
    store: SqlStore, tmp_path: Path, statement: str
) -> None:
    await add(store, leaf(0), leaf(1))
    beside = sqlite3.connect(tmp_path / "avsession.db", isolation_level=None)
    try:
        with pytest.raises(sqlite3.IntegrityError, match="leaf"):
            beside.execute(statement)
    finally:
        beside.close()
    async with store.read() as reader:
        assert await reader.find(records.Leaf) == [leaf(0), leaf(1)]


async def test_a_gap_in_the_log_is_a_conflict(store: SqlStore) -> None:
    with pytest.raises(Conflict, match="dense"):
        await add(store, leaf(1))
