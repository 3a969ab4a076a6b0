"""One running server a database."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from avsession import claiming
from avsession.config import Settings
from avsession.errors import DatabaseUnavailable, ServerStopping, Unavailable
from avsession.records import Serving
from avsession.serve import Files, close_store, open_services, serve
from avsession.storage.postgresql import LEASE_S
from avsession.storage.sql import SqlStore
from avsession.tasks import Tasks
from avsession.usecases import evidence
from avsession.usecases.gate import Lease
from signaling.hub import Hub
from tests.support import engines, postgres
from tests.support.engines import engine, given_back, postgresql_only

__all__ = ["engine", "given_back"]

pytestmark = [
    postgresql_only("SQLite's folder has a lock of its own: test_serve"),
    pytest.mark.usefixtures("engine", "given_back"),
]


async def test_a_second_server_says_so_and_changes_nothing(tmp_path: Path) -> None:
    settings = Settings(database=engines.database(tmp_path))
    files = Files(tmp_path / "one")
    app = await open_services(settings, files, Hub(), claim=True)
    try:
        with pytest.raises(Unavailable, match="Another server uses this database"):
            await open_services(settings, Files(tmp_path / "two"), Hub(), claim=True)
        command = await open_services(settings, files, Hub())  # such as `avsession admin create`
        await close_store(command)
    finally:
        await close_store(app)
    app = await open_services(settings, files, Hub(), claim=True)
    await close_store(app)


async def test_who_lost_it_to_another_stops(tmp_path: Path) -> None:
    url = engines.database(tmp_path)
    first = await claiming.opened(url, migrate=True, claim=True)
    second = SqlStore(url)
    stop: asyncio.Queue[signal.Signals] = asyncio.Queue()

    async def cut(connection: asyncpg.Connection) -> None:
        """As a restart of the database server does, or a broken network."""
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        )
        while await connection.fetchval(  # noqa: ASYNC110 - another process knows
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        ):
            await asyncio.sleep(0.01)

    try:
        postgres.cluster().run(cut, engines.name(tmp_path))
        assert await first.claim(), "taken anew"
        postgres.cluster().run(cut, engines.name(tmp_path))
        assert await second.claim()
        await second.begin("two", 2)  # as every server does that has it
        await asyncio.wait_for(claiming.keep(first, stop, every_s=0), 10)
        assert stop.get_nowait() is signal.SIGTERM
    finally:
        await first.close()
        await second.close()


async def test_it_is_told_who_stands_by_and_stops_at_a_refused_write(tmp_path: Path) -> None:
    url = engines.database(tmp_path)
    first = await claiming.opened(url, migrate=True, claim=True, folder=tmp_path)
    second = SqlStore(url)
    stop: asyncio.Queue[signal.Signals] = asyncio.Queue()
    seen: asyncio.Queue[int] = asyncio.Queue()
    tasks = Tasks()
    try:
        assert not await second.claim(wait=True)
        kept = tasks.spawn(claiming.keep(first, stop, 0.01, seen.put_nowait), name="claim")
        assert await asyncio.wait_for(seen.get(), 10) == 1
        await second.close()
        while await asyncio.wait_for(seen.get(), 10):
            pass
        kept.cancel()
        await asyncio.gather(kept, return_exceptions=True)
        # its lock is lost, another takes over, and a write is what finds it out
        tasks.spawn(claiming.keep(first, stop, 600), name="claim")
        await first._claim.release()
        third = await claiming.opened(url, migrate=True, claim=True, folder=tmp_path)
        assert not claiming.outrun(first)
        with pytest.raises(ServerStopping):
            async with first.write():
                pass
        assert await asyncio.wait_for(stop.get(), 10) is signal.SIGTERM
        assert claiming.outrun(first)
        assert not claiming.outrun(third)
        await third.close()
    finally:
        await tasks.close()
        await first.close()
        await second.close()


async def test_cut_off_it_learns_from_the_folder_that_another_has_begun(tmp_path: Path) -> None:
    folder, times = tmp_path / "data", [0.0]
    url = engines.database(tmp_path)
    first = await claiming.opened(url, migrate=True, claim=True, folder=folder)
    stop: asyncio.Queue[signal.Signals] = asyncio.Queue()
    lease, tasks = Lease(lambda: times[0]), Tasks()
    lease.extend(LEASE_S)
    looked: asyncio.Queue[bool] = asyncio.Queue()

    async def said(found: bool) -> None:
        while looked.qsize():
            looked.get_nowait()
        assert await asyncio.wait_for(looked.get(), 10) is found

    def look(where: Path, mine: Serving) -> bool:
        found = followed(where, mine)
        looked.put_nowait(found)
        return found

    followed = claiming.followed
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(claiming, "followed", look)
            tasks.spawn(claiming.heed(first, stop, folder, lease, 0.01), name="successor")
            times[0] = LEASE_S
            await said(found=False)  # the database is gone for everyone
            times[0] = 0.0
            await first._claim.release()
            second = await claiming.opened(url, migrate=True, claim=True, folder=folder)
            await asyncio.sleep(0)
            assert stop.empty(), "while it is confirmed, the database says it"
            times[0] = LEASE_S
            assert await asyncio.wait_for(stop.get(), 10) is signal.SIGTERM
        assert claiming.outrun(first)
        assert not followed(folder, second.mine or pytest.fail("it began"))
        (folder / claiming.MARK).write_bytes(b"")
        assert not followed(folder, second.mine or pytest.fail("it began")), "it says nothing"
        await second.close()
    finally:
        await tasks.close()
        await first.close()


async def test_it_goes_on_whatever_goes_wrong_and_the_lease_runs_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await claiming.opened(engines.database(tmp_path), migrate=True, claim=True)
    stop: asyncio.Queue[signal.Signals] = asyncio.Queue()
    seen: asyncio.Queue[int] = asyncio.Queue()
    lease, tasks, times = Lease(lambda: times[0]), Tasks(), [0.0]
    failed: asyncio.Queue[bool] = asyncio.Queue()
    wrong: list[Exception] = [RuntimeError("a mistake"), DatabaseUnavailable("gone")]
    real = store.claim

    async def claim(**how: Any) -> bool:
        if wrong:
            times[0] += LEASE_S / 2
            failed.put_nowait(lease.held)
            raise wrong.pop(0)
        return await real(**how)

    monkeypatch.setattr(store, "claim", claim)
    try:
        kept = tasks.spawn(claiming.keep(store, stop, 0, seen.put_nowait, lease), name="claim")
        assert await asyncio.wait_for(failed.get(), 10)
        assert not await asyncio.wait_for(failed.get(), 10)
        await asyncio.wait_for(seen.get(), 10)
        assert lease.held
        assert not kept.done()
        assert stop.empty()
        # and whatever ends it ends the server
        monkeypatch.setattr(store, "standbys", None)
        monkeypatch.setattr(claiming, "log", None)
        with pytest.raises(AttributeError):
            await asyncio.wait_for(kept, 10)
        assert stop.get_nowait() is signal.SIGTERM
    finally:
        await tasks.close()
        await store.close()


async def test_it_is_kept_before_anything_that_may_take_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before migrations, and the look at the log: a database gives up a claim in 15 s."""
    order: list[str] = []
    began = asyncio.Event()
    migrate = SqlStore.open

    async def keep(*_: Any, **__: Any) -> None:
        began.set()
        await asyncio.Event().wait()  # until the server ends

    async def prepared(store: SqlStore, **how: Any) -> None:
        await asyncio.wait_for(began.wait(), 10)
        order.append("migrated")
        await migrate(store, **how)

    async def looked(_: Any) -> None:
        order.append("looked")
        raise Unavailable("far enough")

    monkeypatch.setattr(claiming, "keep", keep)
    monkeypatch.setattr(SqlStore, "open", prepared)
    monkeypatch.setattr(evidence, "opened", looked)
    settings = Settings(database=engines.database(tmp_path), data=str(tmp_path / "data"))
    with pytest.raises(Unavailable, match="far enough"):
        await serve(settings)
    assert order == ["migrated", "looked"]
