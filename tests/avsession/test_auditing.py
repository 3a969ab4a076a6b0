"""``avsession audit``: exit status, words for people and scripts, and a start that is refused."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
from pathlib import Path

import pytest

from avsession.__main__ import run
from avsession.audit import log
from avsession.auditing import Bar
from avsession.config import Settings
from avsession.serve import Files, close_store, open_services
from avsession.usecases import evidence
from signaling.hub import Hub
from tests.support.tamper import database

NAME = "avsession.sqlite3"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings from the developer's environment, and nobody's logging is set up anew."""
    monkeypatch.delenv("AVSESSION_CONFIG", raising=False)
    monkeypatch.setattr("avsession.logs.configure", lambda level, as_json: None)


async def signed(data: Path, more: int = 0) -> str:
    """A server's start and end, with a head signed; the head's note."""
    app = await open_services(Settings(), Files(data), Hub())
    try:
        async with app.store.write() as tx:
            for _ in range(more):
                await log.append(tx, app.clock, app.entropy, "audit.read", actor="a")
        return (await evidence.checkpoint(app)).note
    finally:
        await close_store(app)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (tmp_path / "kept.txt").write_text(asyncio.run(signed(folder)))
    return folder


def add_account(data: Path, monkeypatch: pytest.MonkeyPatch, login: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery staple\n"))
    return run(["admin", "create", "--login", login, "--name", "A", "--password-stdin",
                "--data", str(data)])  # fmt: skip


def test_a_log_verifies_step_by_step(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["audit", "verify", "--data", str(data)]) == 0
    alone = capsys.readouterr().out
    assert alone.count(": ok\n") == 6
    assert "5. the log extends the checkpoint that was given: none was given\n" in alone
    since = ["--since", str(tmp_path / "kept.txt")]
    assert run(["audit", "verify", "--data", str(data), *since]) == 0
    printed = capsys.readouterr()
    assert "localhost/avsession: 1 leaves, 1 checkpoints" in printed.out
    for step in range(1, 8):
        assert f"\n{step}. " in printed.out
    assert printed.out.count(": ok\n") == 7
    assert printed.out.endswith("The log verifies.\n")
    assert printed.err == "1 of 1 leaves\n"


def test_it_extends_what_somebody_kept(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(signed(data, more=3))
    command = ["audit", "verify", "--json", "--data", str(data), "--since"]
    capsys.readouterr()
    assert run([*command, str(tmp_path / "kept.txt")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"]
    assert said["size"] > 1
    assert said["findings"] == []
    assert [step["wrong"] for step in said["steps"]] == [0] * 7
    assert said["key"].startswith("localhost/avsession+")
    assert run([*command, str(tmp_path / "none.txt")]) == 2
    (tmp_path / "odd.txt").write_text("no checkpoint")
    assert run([*command, str(tmp_path / "odd.txt")]) == 1


def test_what_was_changed_is_found_and_named(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with database(data, NAME) as db:
        db.execute("UPDATE leaf SET at_ms = 1 WHERE number = 0")
    assert run(["audit", "verify", "--data", str(data)]) == 1
    said = capsys.readouterr().out
    assert "1. leaves are dense and canonical: 1 wrong\n   leaf 0: its time is not" in said
    assert said.endswith("The log does NOT verify.\n")
    assert run(["audit", "verify", "--json", "--data", str(data)]) == 1
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [(one["step"], one["row"]) for one in found] == [(1, "leaf 0")]


def test_where_there_is_no_log_none_is_made(tmp_path: Path) -> None:
    assert run(["audit", "verify", "--data", str(tmp_path / "none")]) == 2
    assert not (tmp_path / "none").exists()


def test_verifying_changes_nothing_not_even_an_older_database(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with database(data, NAME) as db:
        db.execute("UPDATE alembic_version SET version_num = '0001'")
        before = list(db.iterdump())
    assert run(["audit", "verify", "--data", str(data)]) == 1
    assert "another version" in capsys.readouterr().err
    with database(data, NAME) as db:
        assert list(db.iterdump()) == before


def test_a_start_on_yesterdays_copy_is_refused_until_somebody_answers_for_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(data, tmp_path / "backup")
    asyncio.run(signed(data, more=3))
    for rest in ("", "-wal", "-shm"):
        (data / f"{NAME}{rest}").unlink(missing_ok=True)
        if (tmp_path / "backup" / f"{NAME}{rest}").exists():
            shutil.copy(tmp_path / "backup" / f"{NAME}{rest}", data)
    capsys.readouterr()
    assert run(["serve", "--data", str(data), "--port", "0"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("log.shrunk: The audit log has 1 leaves, but ")
    assert "REFERENCE.md" in said
    assert add_account(data, monkeypatch, "bob") == 1, "nothing is written, either"
    adopt = ["audit", "adopt", "--reason", "restored the backup", "--data", str(data)]
    status = run(adopt)
    assert status == 0, capsys.readouterr().err
    assert add_account(data, monkeypatch, "bob") == 0
    assert run(["audit", "verify", "--data", str(data)]) == 0


def test_a_missing_anchor_has_a_reason_of_its_own(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "anchor" / "checkpoint").unlink()
    assert add_account(data, monkeypatch, "ann") == 1
    assert capsys.readouterr().err.startswith("log.anchor_missing: ")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_fills_and_ends() -> None:
    out = Terminal()
    bar = Bar(out)
    for done in (0, 50, 100):
        bar(done, 100)
    assert out.getvalue().startswith("\r[")
    assert out.getvalue().endswith("] 100 of 100 leaves\n")


def test_elsewhere_ten_lines_are_enough() -> None:
    out = io.StringIO()
    bar = Bar(out)
    for done in range(1001):
        bar(done, 1000)
    assert len(out.getvalue().splitlines()) == 10
