"""Waiting in line: whose folder it is, what answers meanwhile, and when it is over.

Two whole servers, one killed and one that hangs: tests/faults/test_standby.py.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import aiohttp
import pytest

from avsession import claiming, doctor, standby
from avsession.config import Proxy, Settings
from avsession.errors import SettingsInvalid, Unavailable
from avsession.serve import Files
from avsession.standby import Stops, Turn
from avsession.tasks import Tasks
from tests.browser.product import until
from tests.support import engines, postgres
from tests.support.engines import engine, given_back, postgresql_only
from tests.support.ports import free_port

__all__ = ["engine", "given_back"]

pytestmark = [
    postgresql_only("SQLite is for one server"),
    pytest.mark.usefixtures("engine", "given_back"),
]


_TASKS = Tasks()


def waiting(
    tmp_path: Path, stop: Stops, *, name: str = "data", port: int = 0
) -> asyncio.Task[Turn | None]:
    """A server that stands by, on this folder."""
    files = Files(tmp_path / name)
    settings = Settings(
        standby=True, port=port, proxy=Proxy(plain=True, trusted=("127.0.0.1",)), listen="127.0.0.1"
    )
    made = standby.turn(
        settings, files.root, engines.database(tmp_path), files.lock, lambda: None, stop,
        asyncio.Event(),
    )  # fmt: skip
    return _TASKS.spawn(made, name="standby")


async def test_it_answers_and_then_it_is_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby, "POLL_S", 0.02)
    url, folder = engines.database(tmp_path), tmp_path / "data"
    first = await claiming.opened(url, migrate=True, claim=True, folder=folder)
    lock = Files(folder).lock()
    stop: Stops = asyncio.Queue()
    port = free_port()
    turn = waiting(tmp_path, stop, port=port)
    async with aiohttp.ClientSession() as web:
        while True:
            try:
                async with web.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    assert answer.status == 503
                    assert (await answer.json())["problems"] == ["standby"]
                    break
            except aiohttp.ClientConnectionError:
                assert not turn.done()
                await asyncio.sleep(0.02)
    assert await first.standbys() == 1
    found = await doctor.CHECKS["database"](Settings(database=url), Files(folder))
    assert (found.result, found.found.rpartition(", ")[2]) == ("ok", "1 standby")
    # it ends, and first gives the database back, then the folder
    await first.close()
    locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    await until(
        "the database is the other's",
        lambda: postgres.cluster().run(lambda it: it.fetchval(locks), engines.name(tmp_path)),
    )
    assert not turn.done()
    os.close(lock)
    mine = await asyncio.wait_for(turn, 10)
    assert mine is not None
    assert mine.store is not None
    with pytest.raises(Unavailable):
        Files(folder).lock()
    os.close(Files(folder).lock(shared=True))
    store = await claiming.opened(url, migrate=True, claim=True, folder=folder, line=mine.store)
    begun = await store.serving()
    assert begun is not None
    assert begun.number == 2
    assert await store.standbys() == 0
    await store.close()
    await mine.end()


async def test_it_stops_when_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby, "POLL_S", 0.02)
    url = engines.database(tmp_path)
    first = await claiming.opened(url, migrate=True, claim=True, folder=tmp_path / "data")
    stop: Stops = asyncio.Queue()
    turn = waiting(tmp_path, stop, port=free_port())
    stop.put_nowait(signal.SIGTERM)
    assert await asyncio.wait_for(turn, 10) is None
    await first.close()


async def test_another_folder_is_refused_while_it_waits_and_when_it_takes_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby, "POLL_S", 0.02)
    monkeypatch.setattr(standby, "FOREIGN_S", 0.1)
    url = engines.database(tmp_path)
    first = await claiming.opened(url, migrate=True, claim=True, folder=tmp_path / "data")
    with pytest.raises(SettingsInvalid, match="is not the data folder of the server that ran"):
        await asyncio.wait_for(waiting(tmp_path, asyncio.Queue(), name="other"), 10)
    await first.close()
    mine = await asyncio.wait_for(waiting(tmp_path, asyncio.Queue(), name="other"), 10)
    assert mine is not None
    with pytest.raises(SettingsInvalid, match="is not the data folder of the server that ran"):
        await claiming.opened(
            url, migrate=True, claim=True, folder=tmp_path / "other", line=mine.store
        )
    await mine.end()
    # a copy of the folder as it was is none either: the next server leaves another token
    older = (tmp_path / "data" / claiming.MARK).read_text()
    last = None
    for _ in range(2):
        store = await claiming.opened(url, migrate=True, claim=True, folder=tmp_path / "data")
        last = await store.serving()
        await store.close()
    (tmp_path / "data" / claiming.MARK).write_text(older)
    assert last is not None
    assert not claiming.marked(tmp_path / "data", last)


async def test_sqlite_is_for_one(tmp_path: Path) -> None:
    settings = Settings(standby=True)
    with pytest.raises(SettingsInvalid, match="PostgreSQL"):
        await standby.turn(
            settings, tmp_path, f"sqlite:///{tmp_path}/a.db", Files(tmp_path).lock, lambda: None,
            asyncio.Queue(), asyncio.Event(),
        )  # fmt: skip
