"""The server's lock on a PostgreSQL database: held, seen, lost and taken anew."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from avsession.errors import DatabaseUnavailable, ServerStopping
from avsession.storage import postgresql
from avsession.storage.sql import SqlStore
from tests.avsession.storage.samples import notice
from tests.support import postgres, stalled
from tests.support.engines import database, postgresql_only

pytestmark = postgresql_only("SQLite's folder has a lock of its own: tests/avsession/test_serve.py")


async def test_a_line_of_three(store: SqlStore, tmp_path: Path) -> None:
    second, third = (SqlStore(database(tmp_path)) for _ in range(2))
    try:
        assert await store.claim()
        assert await store.claim(), "made sure of"
        assert not await second.claim(wait=True)
        assert not await second.claim(wait=True)
        assert not await third.claim()
        assert await store.standbys() == 1
        assert not await third.claim(wait=True)
        assert await third.standbys() == 2
        await store.close()
        assert await second.claim(wait=True)
        assert await third.standbys() == 1
        await third.close()
        assert await second.standbys() == 0
    finally:
        await second.close()
        await third.close()


async def test_who_was_outrun_writes_nothing(store: SqlStore, tmp_path: Path) -> None:
    """Though its connections stand, and though the other one has ended by now."""
    command = SqlStore(database(tmp_path))  # such as `avsession admin create`: it serves nothing
    second = SqlStore(database(tmp_path))
    try:
        assert await store.claim()
        first = await store.begin("one", 1)
        async with store.write() as tx:
            await tx.add(notice("a"))
        await store._claim.release()  # as when its connection breaks
        assert await store.claim(), "nobody had it meanwhile"
        await store._claim.release()
        assert await second.claim()
        assert (await second.begin("two", 2)).number == first.number + 1
        with pytest.raises(ServerStopping):
            async with store.write() as tx:
                await tx.add(notice("b"))
        assert store.outrun.is_set()
        await second.close()
        assert not await store.claim()
        async with command.write() as tx:
            await tx.add(notice("c"))
            assert await tx.find(type(notice("c")), order="sha256") == sorted(
                [notice("a"), notice("c")], key=lambda one: one.sha256
            )
    finally:
        await second.close()
        await command.close()


async def test_it_finds_out_when_it_makes_sure(store: SqlStore, tmp_path: Path) -> None:
    second = SqlStore(database(tmp_path))
    try:
        assert await store.claim()
        await store.begin("one", 1)
        await store._claim.release()
        assert await second.claim()
        await second.begin("two", 2)
        await second.close()  # it came and went: everyone talked to it meanwhile
        assert not await store.claim()
        assert store.outrun.is_set()
    finally:
        await second.close()


async def test_a_dead_connection_of_ones_own_is_not_another_server(
    store: SqlStore, tmp_path: Path
) -> None:
    """PostgreSQL notices late that it died, and keeps its lock; nobody else has begun meanwhile."""
    dead = SqlStore(database(tmp_path))
    try:
        assert await store.claim()
        await store.begin("one", 1)
        await store._claim.release()
        assert await taken(dead)
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable):
                await store.claim()
        assert not store.outrun.is_set()
        await dead.close()
        assert await taken(store)
    finally:
        await dead.close()


async def taken(store: SqlStore) -> bool:
    """Whether it has the claim once PostgreSQL has noticed which connections are gone, of which
    it tells nobody."""
    for _ in range(200):
        with contextlib.suppress(DatabaseUnavailable):
            if await store.claim():
                return True
        await asyncio.sleep(0.05)
    return False


async def test_a_question_without_an_answer_is_asked_again_on_another_connection(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way to PostgreSQL swallows everything for a while; nobody took over meanwhile."""
    # what a server acts on ends before the lock is free, and not before it could ask twice
    assert 4 + postgresql.SURE_S < postgresql.LEASE_S
    assert min(postgresql.GONE_MS, postgresql.HUNG_MS) > 1000 * postgresql.LEASE_S + 1000
    monkeypatch.setattr(postgresql, "SURE_S", 0.5)
    monkeypatch.setattr(postgresql, "CONNECT_S", 0.5)
    cluster = postgres.cluster()
    async with stalled.way(tmp_path / "way", cluster) as way:
        one = SqlStore(way.url(database(tmp_path)))
        try:
            assert await one.claim()
            await one.begin("one", 1)
            assert await one.claim()
            way.free.clear()
            for _ in range(2):
                with pytest.raises(DatabaseUnavailable):
                    await one.claim()
            way.free.set()
            assert await taken(one)
            assert not await store.claim()
            # and when the other one did, it is found out
            way.free.clear()
            with pytest.raises(DatabaseUnavailable):
                await one.claim()
            way.free.set()
            assert await taken(store)
            await store.begin("two", 2)
            assert not await one.claim()
        finally:
            await one.close()
