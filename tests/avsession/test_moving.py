"""`avsession db`: from SQLite to PostgreSQL, whole; what is in the way says so."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url

from avsession import moving
from avsession.__main__ import run
from avsession.audit import receipt as receipt_files
from avsession.config import Settings
from avsession.errors import Conflict, LogBroken, SettingsInvalid, Unavailable
from avsession.records import ConsentEvent, Leaf
from avsession.serve import Files, close_store, open_services
from avsession.storage.engine import sqlite_url
from avsession.storage.sql import SqlStore
from avsession.storage.tables import metadata
from avsession.usecases import evidence, receipts
from signaling.hub import Hub
from tests.avsession.usecases.world import opened
from tests.support import postgres, tamper

NAME = "avsession.sqlite3"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A data folder with a real log in it, and a receipt that a customer took along."""
    here = tmp_path_factory.mktemp("story")
    there = tmp_path_factory.mktemp("made")

    async def tell() -> bytes:
        async with opened(there) as world:
            await world.sealed()
            (given,) = await world.find(ConsentEvent, kind="given", party=world.customer.id)
            kept = await receipts.of_event(world.app, world.customer.id, given.id)
            await evidence.checkpoint(world.app)
        return receipt_files.render(kept).encode()

    kept = asyncio.run(tell())
    shutil.copy(there / "avsession.db", here / NAME)
    for name in ("anchor", "custody", "keys"):
        (here / name).mkdir(mode=0o700)
    shutil.copy(there / "log.key", here / "keys" / "log.key")
    shutil.copytree(there / "anchor", here / "anchor", dirs_exist_ok=True)
    return here, kept


@pytest.fixture
def data(story: tuple[Path, bytes], tmp_path: Path) -> Path:
    shutil.copytree(story[0], tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def empty() -> Iterator[str]:
    """An empty database's URL."""
    databases, name = postgres.databases(), postgres.databases().take()
    yield postgres.cluster().url(name)
    databases.give(name)


def count(url: str) -> int:
    async def of(connection: asyncpg.Connection) -> int:
        rows = 0
        for table in metadata.tables:
            rows += len(await connection.fetch(f"TABLE {table}"))
        return rows

    return postgres.cluster().run(of, str(make_url(url).database))


def move(data: Path, to: str) -> dict[str, Any]:
    given = argparse.Namespace(action="move", to=to)
    well, said = asyncio.run(moving.run(Settings(data=str(data)), given))
    assert well
    return said


def test_log_proofs_and_everything_else_arrive(
    data: Path, story: tuple[Path, bytes], empty: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (data / NAME).read_bytes()
    said = move(data, empty)
    assert said["rows"] == count(empty) > 60
    assert "100" in capsys.readouterr().err or said["leaves"] > 0
    assert (data / NAME).read_bytes() == before, "the source is as it was"
    settings = Settings(data=str(data), database=empty)

    async def start() -> None:
        """As the server does, which refuses a log that is not the one that was signed."""
        app = await open_services(settings, Files.of(settings), Hub(), claim=True)
        try:
            async with app.store.read() as tx:
                assert len(await tx.find(Leaf)) == said["leaves"]
            report = await evidence.verify(app.store, app.notary.key, app.notary.anchors)
            assert (report.ok, report.root) == (True, said["root"])
            assert receipt_files.verify(story[1], app.notary.key).holds
            await evidence.checkpoint(app)
        finally:
            await close_store(app)

    asyncio.run(start())


def test_what_is_in_the_way(data: Path, empty: str) -> None:
    lock = Files(data).lock()
    with pytest.raises(Unavailable, match="Another server"):
        move(data, empty)
    os.close(lock)

    async def taken() -> None:
        store = SqlStore(empty)
        assert await store.claim()
        with pytest.raises(Unavailable, match="Another server"):
            await moving.run(Settings(data=str(data)), argparse.Namespace(action="move", to=empty))
        await store.close()

    asyncio.run(taken())
    with pytest.raises(SettingsInvalid, match="already"):
        asyncio.run(moving.run(
            Settings(data=str(data), database=empty), argparse.Namespace(action="move", to=empty)
        ))  # fmt: skip
    with pytest.raises(SettingsInvalid, match="PostgreSQL"):
        move(data, sqlite_url(data / "other.db"))
    assert count(empty) == 0
    move(data, empty)
    with pytest.raises(Conflict, match="not empty"):
        move(data, empty)


def test_what_breaks_on_the_way_leaves_nothing_and_can_be_said_again(
    data: Path, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cut(Exception):
        pass

    def cut(table: str, rows: int) -> None:
        if table == "leaf":
            raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(moving, "_say", cut)
        with pytest.raises(Cut):
            move(data, empty)
    assert count(empty) == 0
    # a database that keeps something else than it was told
    forge = """CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN NEW.name = ''Mallory''; RETURN NEW; END';
        CREATE TRIGGER forge BEFORE INSERT ON account FOR EACH ROW EXECUTE FUNCTION forge()"""
    name = str(make_url(empty).database)
    postgres.cluster().run(lambda connection: connection.execute(forge), name)
    with pytest.raises(LogBroken, match="account did not come out"):
        move(data, empty)
    undo = "DROP TRIGGER forge ON account; DROP FUNCTION forge"
    postgres.cluster().run(lambda connection: connection.execute(undo), name)
    assert count(empty) == 0
    assert move(data, empty)["leaves"] > 10


def test_a_log_that_does_not_verify_is_not_moved(data: Path, empty: str) -> None:
    with tamper.database(data, NAME) as db:
        db.execute("UPDATE leaf SET data = x'7b7d' WHERE number = 3")
    with pytest.raises(LogBroken, match="nothing was moved"):
        move(data, empty)
    assert count(empty) == 0


def test_the_command(
    data: Path, empty: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["db", "check", "--data", str(data), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["file"] == "ok"
    assert run(["db", "check", "--data", str(data / "none")]) == 2
    assert run(["db", "move", "--data", str(data), "--to", empty]) == 0
    assert "next set database" in capsys.readouterr().out
    monkeypatch.setenv("AVSESSION_DATABASE", empty)
    assert run(["db", "upgrade", "--data", str(data)]) == 0
    assert run(["audit", "verify", "--data", str(data)]) == 0
    assert run(["db", "check", "--data", str(data)]) == 1, "the tests' server waits for no disk"
    assert "fsync off (WRONG: a power cut loses consents)" in capsys.readouterr().out
