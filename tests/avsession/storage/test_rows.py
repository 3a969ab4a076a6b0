"""Records in the store: they come back as they went, and what is broken is named."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avsession import records
from avsession.errors import Unavailable
from avsession.session import Party
from avsession.storage import rows as statements
from avsession.storage.sql import SqlStore
from avsession.storage.tables import TABLES
from tests.avsession.storage.samples import LEAF, PARTY, SAMPLES, leaf, notice
from tests.support import tamper
from tests.support.engines import database, postgresql_only, release, sqlite_only


async def add(store: SqlStore, *rows: Any) -> None:
    async with store.write() as writer:
        for row in rows:
            await writer.add(row)


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


async def test_a_question_is_made_once_whatever_it_is_asked_about(store: SqlStore) -> None:
    """To make a statement costs as much as to carry it out. Null is another question."""
    await add(store, *SAMPLES)
    statements._find.cache_clear()
    async with store.read() as reader:
        found = [
            await reader.find(Party, data_hash=data_hash)
            for data_hash in (b"n" * 32, None, b"o" * 32, None)
        ]
    assert found == [[], [PARTY], [], [PARTY]]
    assert statements._find.cache_info().misses == 2


BROKEN = {
    "a word that is none": "UPDATE party SET role = 'boss'",
    "JSON that is none": "UPDATE recording_request SET purposes = '[1,'",
    "JSON of another shape": "UPDATE recording_request SET notices = '[]'",
    "text that is none": "UPDATE account SET name = CAST(x'ff' AS TEXT)",
    "a word for a number": "UPDATE recording SET created_ms = 'now'",
    "text for bytes": "UPDATE leaf SET data = 'text'",
}


ONLY_SQLITE = "PostgreSQL's columns take nothing else"


@pytest.mark.parametrize("how", ["a word that is none", "JSON of another shape"])
@postgresql_only("what else is in BROKEN its columns do not take")
async def test_a_row_of_another_shape_on_postgresql(
    store: SqlStore, tmp_path: Path, how: str
) -> None:
    await named_alone(store, tmp_path, how)


@pytest.mark.parametrize("how", BROKEN)
@sqlite_only(ONLY_SQLITE)
async def test_a_row_of_another_shape_is_named_and_costs_no_other(
    store: SqlStore, tmp_path: Path, how: str
) -> None:
    await named_alone(store, tmp_path, how)


async def named_alone(store: SqlStore, tmp_path: Path, how: str) -> None:
    await add(store, *SAMPLES)
    with tamper.database(tmp_path) as db:
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


@sqlite_only(ONLY_SQLITE)
async def test_a_short_answer_means_the_end_though_rows_cannot_be_read(
    store: SqlStore, tmp_path: Path
) -> None:
    await add(store, *(leaf(n) for n in range(30)))
    with tamper.database(tmp_path) as db:
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
def module_store(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("model")
    yield database(folder)
    release(folder)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(st.tuples(st.integers(0, 5), st.sampled_from("ab")), max_size=12),
    descending=st.booleans(),
    below=st.none() | st.integers(-1, 7),
    limit=st.integers(1, 13),
    where=st.sampled_from([{}, {"language": "a"}, {"language": "a", "at_ms": 2}]),
)
def test_find_is_what_a_list_would_answer(
    module_store: str,
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
        store = SqlStore(module_store)
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
