"""``avsession backup create`` and ``check``: whole, private, the keys only as long as told."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import stat
import tarfile
from pathlib import Path

import msgspec
import pytest

from avsession.__main__ import run
from avsession.backup import digest
from avsession.clock import SystemClock
from avsession.storage.snapshot import LAST, last_backup
from tests.support.data import Data, made


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Data:
    monkeypatch.delenv("AVSESSION_CONFIG", raising=False)
    monkeypatch.setattr("avsession.logs.configure", lambda level, as_json: None)
    return asyncio.run(made(tmp_path))


def create(data: Data, to: Path) -> int:
    return run(["backup", "create", "--to", str(to), "--data", str(data.folder), "--json"])


def test_all_of_it_is_there_and_for_its_owner_only(
    data: Data, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVSESSION_RETENTION__KEY_BACKUP_DAYS", "7")
    to = tmp_path / "deep" / "monday"
    assert create(data, to) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["recordings"], said["segments"], said["keys"]) == (1, 6, 2)
    assert said["keys_delete_by_ms"] - said["made_ms"] == 7 * 86_400_000
    archive = to.with_name("monday.keys.tar")
    for path in (to, archive, *to.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    with tarfile.open(archive) as inside:
        names = inside.getnames()
    assert names[0] == "custodian.key"
    assert len(names) == 3
    # the keys are nowhere else: they can be deleted by themselves
    secret = (data.folder / "custody" / "custodian.key").read_bytes().split(b"\n")[1]
    assert [p for p in to.rglob("*") if p.is_file() and secret in p.read_bytes()] == []
    # and the server can say when it was
    last = json.loads((data.folder / LAST).read_text())
    assert msgspec.to_builtins(last_backup(data.folder)) == last
    assert (last["to"], last["made_ms"]) == ("monday", said["made_ms"])
    assert (last["checked_ms"], last["whole"]) == (None, None)
    assert run(["backup", "check", str(to), "--data", str(data.folder)]) == 0
    checked = last_backup(data.folder)
    assert checked is not None
    assert checked.checked_ms is not None
    assert (checked.made_ms, checked.whole) == (last["made_ms"], True)


def test_what_a_check_found_is_kept_of_the_newest_backup_only(data: Data, tmp_path: Path) -> None:
    first, second = tmp_path / "monday", tmp_path / "tuesday"
    assert create(data, first) == create(data, second) == 0
    next(iter(first.rglob("*.age"))).unlink()
    assert run(["backup", "check", str(first), "--data", str(data.folder)]) == 1
    last = last_backup(data.folder)
    assert last is not None
    assert (last.to, last.whole) == ("tuesday", None)
    next(iter(second.rglob("*.age"))).unlink()
    assert run(["backup", "check", str(second), "--data", str(data.folder)]) == 1
    last = last_backup(data.folder)
    assert last is not None
    assert (last.to, last.whole) == ("tuesday", False)
    # elsewhere nothing is made for it
    assert run(["backup", "check", str(second), "--data", str(tmp_path / "none")]) == 1
    assert not (tmp_path / "none").exists()


def test_no_copy_of_the_keys_when_people_were_told_of_none(
    data: Data, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert create(data, tmp_path / "monday") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["keys"] is None
    assert "key_backup_days is 0" in said["key_store"]
    assert not (tmp_path / "monday.keys.tar").exists()
    assert run(["backup", "check", str(tmp_path / "monday"), "--data", str(data.folder)]) == 0


def test_nothing_is_overwritten(data: Data, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    assert create(data, tmp_path / "there") == 2
    (tmp_path / "other.keys.tar").touch()
    assert create(data, tmp_path / "other") == 2
    assert not (tmp_path / "other").exists()
    assert create(data, data.folder / "inside") == 2


def test_keys_that_should_be_gone_are_found(
    data: Data,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AVSESSION_RETENTION__KEY_BACKUP_DAYS", "7")
    to = tmp_path / "monday"
    assert create(data, to) == 0
    now = SystemClock().now_ms()
    monkeypatch.setattr(SystemClock, "now_ms", lambda _: now + 8 * 86_400_000)
    capsys.readouterr()
    check = ["backup", "check", str(to), "--data", str(data.folder), "--json"]
    assert run(check) == 1
    assert json.loads(capsys.readouterr().out)["problems"] == [
        "monday.keys.tar must be deleted: people were told that it would be"
    ]
    to.with_name("monday.keys.tar").unlink()
    assert run(check) == 1
    assert "no recording can be opened" in capsys.readouterr().out


def test_a_copy_while_somebody_writes_is_of_one_moment(data: Data, tmp_path: Path) -> None:
    with sqlite3.connect(data.folder / "avsession.sqlite3", isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM detail")
        assert create(data, tmp_path / "monday") == 0
        writer.execute("ROLLBACK")
    assert run(["backup", "check", str(tmp_path / "monday"), "--data", str(data.folder)]) == 0


def test_a_folder_that_is_no_backup(data: Data, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run(["backup", "check", str(tmp_path / "empty"), "--data", str(data.folder)]) == 2
    assert create(Data(tmp_path / "none", "", "", ""), tmp_path / "monday") == 2
    assert not os.path.lexists(tmp_path / "monday")


def test_another_logs_backup_does_not_verify(data: Data, tmp_path: Path) -> None:
    to = tmp_path / "monday"
    assert create(data, to) == 0
    with sqlite3.connect(to / "database.sqlite3") as changed:
        triggers = changed.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            changed.execute(f"DROP TRIGGER {name}")
        changed.execute("UPDATE leaf SET kind = 'session.ended' WHERE kind = 'session.created'")
    file = to / "backup.json"  # as somebody who covers it up
    said = json.loads(file.read_text())
    new = digest(to / "database.sqlite3")
    said["files"]["database.sqlite3"] = {"size": new.size, "sha256": new.sha256}
    file.write_text(json.dumps(said))
    assert run(["backup", "check", str(to), "--data", str(data.folder)]) == 1
