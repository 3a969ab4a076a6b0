"""`avsession turn config`: printed without the secret, written with it and for one reader."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from avsession.__main__ import run

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "secret").write_text(SECRET)
    monkeypatch.setenv("AVSESSION_TURN__URLS", '["turn:turn.example?transport=udp"]')
    monkeypatch.setenv("AVSESSION_TURN__SECRET_FILE", str(tmp_path / "secret"))
    return tmp_path


def test_it_is_printed_without_the_secret(
    environment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["turn", "config"]) == 0
    plain = capsys.readouterr().out
    assert "\nrealm=localhost\n" in plain
    assert SECRET not in plain
    assert run(["turn", "config", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["config"].rstrip() == plain.rstrip()


def test_it_is_written_with_the_secret_for_one_reader(
    environment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = environment / "turnserver.conf"
    file.write_text("what was there")
    file.chmod(0o644)
    assert run(["turn", "config", "--to", str(file)]) == 0
    assert SECRET not in capsys.readouterr().out
    assert f"\nstatic-auth-secret={SECRET}\n" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in environment.iterdir()].count("turnserver.conf") == 1


def test_without_a_server_there_is_nothing_to_configure(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["turn", "config"]) == 2
    assert "turn.urls" in capsys.readouterr().err
    assert run(["turn", "config", "--to", str(tmp_path / "x")]) == 2
    assert list(tmp_path.iterdir()) == []
