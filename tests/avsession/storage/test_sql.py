"""The store: what a use case may rely on, and that it breaks loudly where it must."""

import asyncio
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avsession import ports, records
from avsession.errors import Conflict, Unavailable
from avsession.session import Party, Session
from avsession.storage.engine import sqlite_url
from avsession.storage.sql import SqlStore
from avsession.storage.tables import TABLES
from tests.avsession.storage.samples import (
    ACCOUNT,
    LEAF,
    PARTY,
    SAMPLES,
    SESSION,
    leaf,
    notice,
)
from tests.support.tamper import database


async def add(store: SqlStore, *rows: Any) -> None:
    async with store.write() as writer:
        for row in rows:
            await writer.add(row)


def conforms(store: SqlStore) -> ports.Store:
    """mypy says so."""
    return store


# --- records come back as they went


async def test_every_record_comes_back_as_it_went(store: SqlStore) -> None:
    # deferred keys: any order inside a transaction, the worst one here
    await add(store, *reversed(SAMPLES))
    async with store.read() as reader:
        for sample in SAMPLES:
            assert await reader.find(type(sample)) == [sample]
        assert await reader.get(records.SegmentRecord, "trk_1", 0) is not None
        assert await reader.get(records.SegmentRecord, "trk_1", 1) is None
        assert await reader.one(Party, presence=PARTY.presence, data_hash=None) == PARTY


BROKEN = {
    "a word that is none": "UPDATE party SET role = 'boss'",
    "JSON that is none": "UPDATE recording_request SET purposes = '[1,'",
    "JSON of another shape": "UPDATE recording_request SET notices = '[]'",
    "text that is none": "UPDATE account SET name = CAST(x'ff' AS TEXT)",
    "a word for a number": "UPDATE recording SET created_ms = 'now'",
    "text for bytes": "UPDATE leaf SET data = 'text'",
}


@pytest.mark.parametrize("how", BROKEN)
async def test_a_row_of_another_shape_is_named_and_costs_no_other(
    store: SqlStore, tmp_path: Path, how: str
) -> None:
    await add(store, *SAMPLES)
    with database(tmp_path) as db:
        db.execute(BROKEN[how])
    table = BROKEN[how].split()[1]
    told: dict[str, str] = {}
    async with store.read(told.__setitem__) as reader:
        for sample in SAMPLES:
            found = await reader.find(type(sample))
            assert found == ([] if TABLES[type(sample)].name == table else [sample])
    (row,) = told
    assert row.split(" ")[0] == table
    kind = next(kind for kind, one in TABLES.items() if one.name == table)
    async with store.read() as reader:
        with pytest.raises(Unavailable):
            await reader.find(kind)
        assert await reader.find(records.Notice) == [
            one for one in SAMPLES if isinstance(one, records.Notice)
        ], "a connection that read it tolerantly is as it was"


async def test_a_short_answer_means_the_end_though_rows_cannot_be_read(
    store: SqlStore, tmp_path: Path
) -> None:
    await add(store, *(leaf(n) for n in range(30)))
    with database(tmp_path) as db:
        db.execute("UPDATE leaf SET data = 'text' WHERE number BETWEEN 3 AND 20")
    told: list[str] = []
    async with store.read(lambda row, what: told.append(row)) as reader:
        found = await reader.find(records.Leaf, order="index", limit=5, above=0, below=29)
        assert [one.index for one in found] == [1, 2, 21, 22, 23]
        found = await reader.find(records.Leaf, order="index", limit=5, above=23, below=29)
        assert [one.index for one in found] == [24, 25, 26, 27, 28]
        assert await reader.get(records.Leaf, 4) is None
        assert await reader.get_all(records.Leaf, [(4,), (1,)]) == [None, leaf(1)]
    assert set(told) == {f"leaf {n}" for n in range(3, 21)}


async def test_a_field_may_be_called_kind(store: SqlStore) -> None:
    await add(store, leaf(0))
    async with store.read() as reader:
        assert await reader.find(records.Leaf, kind="party.joined") == [leaf(0)]
        assert await reader.one(records.Leaf, kind="log.started") is None
        assert await reader.count(records.Leaf, kind="party.joined") == 1


async def test_put_inserts_then_replaces(store: SqlStore) -> None:
    async with store.write() as writer:
        await writer.put(notice("a", at_ms=1))
        await writer.put(notice("a", at_ms=2))
        assert await writer.find(records.Notice) == [notice("a", at_ms=2)]


async def test_remove_takes_what_matches(store: SqlStore) -> None:
    await add(store, notice("a"), notice("b"), notice("c", language="de"))
    async with store.write() as writer:
        assert await writer.remove(records.Notice, language="en") == 2
        assert await writer.count(records.Notice) == 1
        assert await writer.remove(records.Notice, language="en") == 0


@pytest.fixture(scope="module")
def module_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "avsession.db"

    async def make() -> None:
        store = SqlStore(sqlite_url(path))
        await store.open()
        await store.close()

    asyncio.run(make())
    return path


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(st.tuples(st.integers(0, 5), st.sampled_from("ab")), max_size=12),
    descending=st.booleans(),
    below=st.none() | st.integers(-1, 7),
    limit=st.integers(1, 13),
    where=st.sampled_from([{}, {"language": "a"}, {"language": "a", "at_ms": 2}]),
)
def test_find_is_what_a_list_would_answer(
    module_store: Path,
    rows: list[tuple[int, str]],
    descending: bool,
    below: int | None,
    limit: int,
    where: dict[str, Any],
) -> None:
    notices = [notice(f"{n}", at_ms=at, language=lang) for n, (at, lang) in enumerate(rows)]
    expected = sorted(notices, key=lambda row: row.sha256)
    expected.sort(key=lambda row: row.at_ms, reverse=descending)
    expected = [
        row
        for row in expected
        if (below is None or row.at_ms < below)
        and all(getattr(row, name) == value for name, value in where.items())
    ]

    async def ask() -> None:
        store = SqlStore(sqlite_url(module_store))
        try:
            async with store.write() as writer:
                for old in await writer.find(records.Notice):
                    await writer.remove(records.Notice, sha256=old.sha256)
                for row in notices:
                    await writer.add(row)
                order = "-at_ms" if descending else "at_ms"
                found = await writer.find(
                    records.Notice, order=order, below=below, limit=limit, **where
                )
                assert found == expected[:limit]
                if below is None:
                    assert await writer.count(records.Notice, **where) == len(expected)
        finally:
            await store.close()

    asyncio.run(ask())


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
    other = SqlStore(sqlite_url(tmp_path / "avsession.db"))

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


# --- mistakes of ours


async def test_mistakes_are_told_apart_from_the_world(store: SqlStore) -> None:
    class Stranger:
        pass

    async with store.write() as writer:
        for wrong in (
            writer.find(Stranger),
            writer.find(records.Leaf, colour="red"),
            writer.find(records.Leaf, order="colour"),
            writer.find(records.Leaf, below=3),
            writer.get(records.SegmentRecord, "trk_1"),
            writer.remove(records.Notice),
            writer.put(LEAF),
            writer.remove(records.Leaf, index=0),
        ):
            with pytest.raises(TypeError):
                await wrong


# --- the log cannot be rewritten from beside the code either


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
