"""The command line: help with an example, exit status, accounts, and what a real address needs."""

from __future__ import annotations

import io
import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from avsession import keys
from avsession.__main__ import parser, run
from avsession.audit.checkpoint import parse_key


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings from the developer's environment, and nobody's logging is set up anew."""
    monkeypatch.delenv("AVSESSION_CONFIG", raising=False)
    monkeypatch.setattr("avsession.logs.configure", lambda level, as_json: None)


@pytest.mark.parametrize(
    "command",
    [
        ["serve"],
        ["admin", "create"],
        ["agent", "create"],
        ["keys", "show"],
        ["custody", "rotate"],
        ["audit", "verify"],
        ["audit", "adopt"],
        ["recording", "verify"],
        ["retention", "run"],
        ["turn", "config"],
        ["admin", "disable"],
        ["agent", "disable"],
    ],
)
def test_every_command_has_help_with_an_example(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([*command, "--help"])
    assert ended.value.code == 0
    assert f"example: avsession {' '.join(command)}" in " ".join(capsys.readouterr().out.split())


def test_an_unknown_command_is_used_wrong() -> None:
    with pytest.raises(SystemExit) as ended:
        run(["dance"])
    assert ended.value.code == 2


def test_an_admin_is_made_and_the_password_is_nowhere_in_plain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery staple\n"))
    data = tmp_path / "data"
    command = ["admin", "create", "--login", "ann", "--name", "Ann Lee", "--password-stdin"]
    assert run([*command, "--data", str(data), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["login"], answer["role"]) == ("ann", "admin")
    with closing(sqlite3.connect(data / "avsession.sqlite3")) as database:
        (stored,) = database.execute("select password from account").fetchone()
    assert stored.startswith("$argon2id$")
    for path in data.rglob("*"):
        if path.is_file():
            assert b"correct horse" not in path.read_bytes()
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery staple\n"))
    assert run([*command, "--data", str(data)]) == 1, "the login is taken"


def test_a_short_password_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    command = ["agent", "create", "--login", "bob", "--name", "Bob", "--password-stdin"]
    assert run([*command, "--data", str(tmp_path / "d")]) == 1
    assert "12" in capsys.readouterr().err


def test_a_real_address_demands_real_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AVSESSION_PUBLIC_URL", "https://support.example")
    assert run(["serve", "--data", str(tmp_path / "d")]) == 2
    said = capsys.readouterr().err
    for missing in ("certificate", "controller.name", "controller.contact", "controller.dpo"):
        assert missing in said
    assert not (tmp_path / "d").exists(), "nothing was made"


def test_keys_show_the_public_halves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = str(tmp_path / "d")
    assert run(["keys", "show", "--data", data]) == 2, "there are none yet"
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery staple\n"))
    run(["admin", "create", "--login", "a", "--name", "A", "--password-stdin", "--data", data])
    capsys.readouterr()
    assert run(["keys", "show", "--data", data, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["custodian"].startswith("age1")
    assert len(bytes.fromhex(shown["grant"])) == 32
    log = parse_key(shown["log"])
    assert run(["custody", "rotate", "--data", data, "--json"]) == 0
    out = capsys.readouterr()
    rotated = json.loads(out.out)
    assert (rotated["former"], rotated["tracks"]) == (shown["custodian"], "0")
    assert out.err == "0 of 0 keys\n"
    run(["keys", "show", "--data", data, "--json"])
    again = json.loads(capsys.readouterr().out)
    assert again == {**shown, "custodian": rotated["custodian"]} != shown
    assert log.name == "localhost/avsession"
    assert log.public == keys.FileSigner(tmp_path / "d" / "keys" / "log.key").public_key


def test_a_password_that_is_not_typed_is_no_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(_prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("getpass.getpass", gone)
    assert run(["admin", "create", "--login", "a", "--name", "A", "--data", str(tmp_path)]) == 2
    assert "Nothing was changed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ["keys", "show"],
        ["audit", "verify"],
        ["audit", "adopt", "--reason", "r"],
        ["recording", "verify", "--all"],
    ],
)
def test_what_asks_in_the_wrong_folder_says_where_to_look_and_makes_none(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    none = tmp_path / "none"
    assert run([*command, "--data", str(none)]) == 2
    said = capsys.readouterr().err
    assert f"in {none}" in said
    assert "--data" in said
    assert "--config" in said
    assert not none.exists()


def test_who_makes_an_account_in_a_new_place_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before a service's first start that is right; in the wrong folder it would go unnoticed."""
    said = []
    for login in ("ann", "bob"):
        monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery staple\n"))
        command = ["admin", "create", "--login", login, "--name", "A", "--password-stdin"]
        assert run([*command, "--data", str(tmp_path / "d")]) == 0
        said.append(capsys.readouterr().err)
    assert f"{tmp_path / 'd'} is made, for a new service" in said[0]
    assert "is made" not in said[1]
