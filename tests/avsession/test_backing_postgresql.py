"""Backups of PostgreSQL, and into it: of one moment, whole, and without those erased since."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from avsession import moving
from avsession.__main__ import run
from avsession.audit import log as audit_log
from avsession.config import Settings
from avsession.errors import DatabaseUnavailable, LogBroken
from avsession.proving import Progress
from avsession.records import Leaf
from avsession.serve import Files, close_store, open_services
from avsession.storage.engine import sqlite_url
from avsession.storage.journal import FileJournal
from avsession.storage.sql import SqlStore
from avsession.storage.tables import TABLES
from avsession.usecases import evidence, forgetting, journal, replaying
from signaling.hub import Hub
from tests.avsession.test_restoring import (
    LEFT,
    TAKEN_BACK,
    command,
    holding,
    is_taken_back,
    played,
    take_back,
)
from tests.avsession.usecases.test_exports import PLAIN
from tests.avsession.usecases.world import CUSTOMER_NAME
from tests.browser.product import Product
from tests.support import postgres
from tests.support.data import Data, made

pytestmark = pytest.mark.timeout(120)
NAME = CUSTOMER_NAME.encode()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[Data, Path]:
    """A server's folder with SQLite in it, and its backup with keys."""
    here = tmp_path_factory.mktemp("story")
    data = asyncio.run(made(here))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AVSESSION_RETENTION__KEY_BACKUP_DAYS", "7")
        patched.setattr("avsession.logs.configure", lambda level, as_json: None)
        to = ["--to", str(here / "first"), "--data", str(data.folder)]
        assert run(["backup", "create", *to]) == 0
    return data, here / "first"


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AVSESSION_CONFIG", raising=False)
    monkeypatch.setenv("AVSESSION_RETENTION__KEY_BACKUP_DAYS", "7")
    monkeypatch.setattr("avsession.logs.configure", lambda level, as_json: None)


@pytest.fixture
def databases() -> Iterator[list[str]]:
    """URLs of two empty databases."""
    pool = postgres.databases()
    names = [pool.take(), pool.take()]
    yield [postgres.cluster().url(name) for name in names]
    for name in names:
        pool.give(name)


class Place:
    """A data folder, and the database that its settings name."""

    def __init__(self, folder: Path, database: str | None) -> None:
        self.folder, self.database = folder, database
        self.settings = Settings(data=str(folder), database=database)
        self.anchor = folder / "anchor"

    def run(self, *words: str) -> int:
        with pytest.MonkeyPatch.context() as patched:
            if self.database is not None:
                patched.setenv("AVSESSION_DATABASE", self.database)
            return run([*words, "--data", str(self.folder), "--json"])

    def rows(self) -> bytes:
        """All that its database holds."""
        return postgres.rows(str(make_url(str(self.database)).database))

    def pages(self) -> bytes:
        """What it held and still has somewhere, too."""
        return postgres.pages(str(make_url(str(self.database)).database))

    def restore(self, backup: Path, *more: str) -> int:
        return self.run("backup", "restore", str(backup), *more)

    async def erase(self, party: str) -> None:
        """As their page would have it; and the running server notes it."""
        app = await open_services(self.settings, Files(self.folder), Hub())
        try:
            await forgetting.forget(app, party)
            await journal.catch_up(app, FileJournal(self.anchor))
        finally:
            await close_store(app)


KNOWN = ("--without-erasures", "nothing was erased")


@pytest.fixture
def there(story: tuple[Data, Path], tmp_path: Path, databases: list[str]) -> Place:
    """A server on PostgreSQL, which an SQLite backup was restored into."""
    place = Place(tmp_path / "there", databases[0])
    assert place.restore(story[1], *KNOWN) == 0
    return place


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


async def test_a_running_servers_backup_plays_again_wherever_it_is_restored(
    story: tuple[Data, Path], there: Place, databases: list[str], tmp_path: Path
) -> None:
    data = story[0]
    assert not list(there.folder.glob("*sqlite3*")), "it is in PostgreSQL, and nowhere else"
    product = Product(
        tmp_path, database=databases[0], recorders="0", retention__key_backup_days="7"
    )
    product.data = there.folder
    backup = tmp_path / "monday"
    await product.start()
    try:
        environ = {"AVSESSION_DATABASE": databases[0]}
        made = json.loads(
            await command("backup", "create", "--to", str(backup), data=there.folder, more=environ)
        )
        assert (made["recordings"], made["segments"], made["keys"]) == (1, 6, 2)
        media = await played(product, data.recording)
    finally:
        await product.stop()
    # what was written in its last moment is in the journal, or the restore would refuse it
    assert await FileJournal(there.anchor).upto() == await size(there.database)
    assert all(word in one for one in media for word in PLAIN)
    anchor = tmp_path / "anchor"  # what is copied often, to another machine
    shutil.copytree(there.anchor, anchor)
    for new in (Place(tmp_path / "b", databases[1]), Place(tmp_path / "c", None)):
        await asyncio.to_thread(_plays, new, backup, anchor, data.recording)


def _plays(new: Place, backup: Path, anchor: Path, recording: str) -> None:
    """Everything of it is there, proven, and opens."""
    assert new.restore(backup, "--erasures", str(anchor)) == 0
    assert new.run("audit", "verify") == 0
    assert new.run("recording", "verify", "--all") == 0
    to = new.folder.with_suffix(".out")
    why = ("--login", "adam", "--purpose", "quality", "--reason", "after the restore")
    assert new.run("recording", "export", recording, *why, "--to", str(to)) == 0
    media = [path.read_bytes() for path in to.glob("*.webm")]
    assert len(media) == 2
    assert all(word in one for one in media for word in PLAIN)


def test_a_backup_while_others_write_is_of_one_moment(
    there: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its tables are copied the log grows, and is signed: none of that is in the copy."""
    app = postgres.apart(open_services(there.settings, Files(there.folder), Hub()))
    copied: list[int] = []

    async def write() -> None:
        async with app.store.write() as tx:
            await audit_log.append(tx, app.clock, app.entropy, "log.started", actor="server")
        await evidence.checkpoint(app)

    def grow(_: object, what: str, done: int, total: int) -> None:
        if what == "tables":
            copied.append(total)
            postgres.apart(write())

    monkeypatch.setattr(Progress, "__call__", grow)
    to = tmp_path / "monday"
    try:
        before = asyncio.run(size(there.database))
        assert there.run("backup", "create", "--to", str(to)) == 0
        assert copied == [len(TABLES)] * len(TABLES)
        assert asyncio.run(size(there.database)) == before + len(TABLES)
    finally:
        postgres.apart(close_store(app))
    assert asyncio.run(size(sqlite_url(to / "database.sqlite3"))) == before
    assert there.run("backup", "check", str(to)) == 0
    assert there.run("audit", "verify") == 0


async def size(url: str | None) -> int:
    assert url is not None
    store = SqlStore(url)
    try:
        async with store.read() as tx:
            return await tx.count(Leaf)
    finally:
        await store.close()


def test_who_was_erased_since_never_gets_into_the_new_database(
    story: tuple[Data, Path], there: Place, databases: list[str], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    backup = tmp_path / "monday"
    assert there.run("backup", "create", "--to", str(backup)) == 0
    assert NAME in there.rows()
    assert holding(backup, NAME)
    asyncio.run(there.erase(story[0].customer))
    assert NAME not in there.rows()
    capsys.readouterr()
    new = Place(tmp_path / "b", databases[1])
    before = new.pages().count(NAME)  # of another test
    assert new.restore(backup, "--erasures", str(there.anchor)) == 0
    done = said(capsys)
    assert done["erased_again"] == {"recordings": 1, "persons": 1}
    assert (done["ok"], done["failed"], done["problems"]) == (True, [], [])
    assert NAME not in new.rows()
    assert not holding(new.folder, NAME)
    assert not list((new.folder / "custody" / "tracks").iterdir())
    assert not list(new.folder.glob("*sqlite3*"))
    assert new.run("audit", "verify") == 0
    assert new.pages().count(NAME) <= before, "it was never written there, to be deleted again"


def test_what_was_taken_back_since_stays_so(
    story: tuple[Data, Path], there: Place, databases: list[str], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    backup = tmp_path / "monday"
    assert there.run("backup", "create", "--to", str(backup)) == 0
    asyncio.run(take_back(there.settings, story[0], there.folder))
    new = Place(tmp_path / "b", databases[1])
    capsys.readouterr()
    assert new.restore(backup, "--erasures", str(there.anchor)) == 0
    done = said(capsys)
    assert (done["ok"], done["taken_back_again"], done["problems"]) == (True, TAKEN_BACK, [])
    assert done["left_to_do"] == LEFT
    asyncio.run(is_taken_back(new.settings, story[0], new.folder))
    assert new.run("recording", "verify", "--all") == 0


@pytest.mark.parametrize("damage", ["segment", "database", "manifest"])
def test_a_cut_backup_gets_nowhere(
    story: tuple[Data, Path], databases: list[str], tmp_path: Path, damage: str
) -> None:
    backup = tmp_path / "cut"
    shutil.copytree(story[1], backup)
    shutil.copy(story[1].with_name("first.keys.tar"), backup.with_name("cut.keys.tar"))
    path = {
        "segment": next(iter(backup.rglob("*.age"))),
        "database": backup / "database.sqlite3",
        "manifest": backup / "backup.json",
    }[damage]
    path.write_bytes(path.read_bytes()[:-100])
    new = Place(tmp_path / "new", databases[0])
    assert new.restore(backup, *KNOWN) in (1, 2)
    assert new.rows() == b""
    assert not new.folder.exists()


def test_a_database_that_is_in_use_is_left_alone(
    story: tuple[Data, Path], there: Place, databases: list[str], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    before = there.rows()
    again = Place(tmp_path / "again", databases[0])
    assert again.restore(story[1], *KNOWN) == 1
    assert "not empty" in capsys.readouterr().err
    assert there.rows() == before

    async def claimed() -> int:
        store = SqlStore(databases[1])
        try:
            assert await store.claim()
            return await asyncio.to_thread(
                Place(tmp_path / "again", databases[1]).restore, story[1], *KNOWN
            )
        finally:
            await store.close()

    assert asyncio.run(claimed()) == 1
    assert "Another server" in capsys.readouterr().err
    assert not again.folder.exists()


def test_what_cannot_be_made_good_is_not_put_into_the_database(
    story: tuple[Data, Path], databases: list[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    async def failing(*_: object) -> replaying.Replayed:
        return replaying.Replayed(failed=[{"kind": "subject.erased", "leaf": 3, "session": None}])

    new = Place(tmp_path / "new", databases[0])
    with monkeypatch.context() as patched:
        patched.setattr(replaying, "replay", failing)
        assert new.restore(story[1], *KNOWN) == 1
    assert "Nothing was put into PostgreSQL" in said(capsys)["problems"][0]
    assert new.rows() == b""

    async def broken(*_: object) -> None:
        raise LogBroken("as if it came out otherwise")

    shutil.rmtree(new.folder)
    monkeypatch.setattr(moving, "copy", broken)
    assert new.restore(story[1], *KNOWN) == 1
    assert new.rows() == b""
    assert (new.folder / "restoring.sqlite3").exists(), "it is not lost either"
    assert not (new.folder / "avsession.sqlite3").exists(), "nor does a server find it"


def test_nothing_is_left_of_a_backup_that_failed(
    there: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: object, what: str, done: int, total: int) -> None:
        if done == 3:
            raise DatabaseUnavailable

    monkeypatch.setattr(Progress, "__call__", gone)
    before = sorted(path.name for path in tmp_path.iterdir())
    assert there.run("backup", "create", "--to", str(tmp_path / "monday")) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before
