"""``avsession recording export``, on a data folder as a server leaves it."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import shutil
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pyrage
import pytest

from avsession.__main__ import run
from avsession.usecases import accounts, evidence
from tests.avsession.usecases.test_exports import PLAIN, plain_media
from tests.avsession.usecases.world import opened
from tests.support.world import Clock

PASSWORD = "correct horse battery staple"
WHO = pyrage.x25519.Identity.generate()


@dataclass
class Data:
    """A server's folder with a recording in it."""

    folder: Path
    recording: str

    def export(self, to: Path, *more: str, purpose: str = "quality", login: str = "adam") -> int:
        return run(
            ["recording", "export", self.recording, "--login", login, "--purpose", purpose,
             "--reason", "training", "--to", str(to), "--data", str(self.folder), *more]
        )  # fmt: skip


async def _made(folder: Path) -> str:
    clock = Clock()
    clock.ms = time.time_ns() // 1_000_000 - 60_000  # the command goes by the computer's clock
    async with opened(folder, clock=clock) as world:
        await accounts.create_account(world.app, "ann", "Ann", "admin", PASSWORD)
        recording = await world.sealed("quality", seconds=3)
        await evidence.checkpoint(world.app)
        return recording


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Data:
    """As the world leaves it, put where a server would have it."""
    monkeypatch.delenv("AVSESSION_CONFIG", raising=False)
    monkeypatch.setattr("avsession.logs.configure", lambda level, as_json: None)
    there, here = tmp_path / "world", tmp_path / "data"
    there.mkdir()
    recording = asyncio.run(_made(there))
    for folder in ("keys", "custody"):
        (here / folder).mkdir(parents=True, mode=0o700)
    shutil.copy(there / "log.key", here / "keys" / "log.key")
    shutil.copy(there / "custodian.txt", here / "custody" / "custodian.key")
    shutil.copytree(there / "keys", here / "custody" / "tracks")
    shutil.copy(there / "avsession.db", here / "avsession.sqlite3")
    shutil.copytree(there / "objects", here / "objects")
    (here / "anchor").mkdir(mode=0o700)
    shutil.copy(there / "anchor" / "checkpoint", here / "anchor" / "checkpoint")
    here.chmod(0o700)
    return Data(here, recording)


def test_to_a_folder(data: Data, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = tmp_path / "out"
    assert data.export(to, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    written = {one["file"]: one["sha256"] for one in said["files"]}
    assert {path.name for path in to.iterdir()} == written.keys()
    for name, digest in written.items():
        path = to / name
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
        assert path.stat().st_mode & 0o777 == 0o600
    assert to.stat().st_mode & 0o777 == 0o700
    media = [path.read_bytes() for path in to.glob("*.webm")]
    assert len(media) == 2
    assert all(word in one for word in PLAIN for one in media)
    assert plain_media(data.folder) == []
    assert data.export(to) == 1, "nothing is written over"
    assert "refused" in capsys.readouterr().err
    assert run(["audit", "verify", "--data", str(data.folder)]) == 0


def test_for_an_age_key(data: Data, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data.export(tmp_path / "out", "--age", str(WHO.to_public())) == 0
    (path,) = (tmp_path / "out").iterdir()
    assert hashlib.sha256(path.read_bytes()).hexdigest() in capsys.readouterr().out
    with zipfile.ZipFile(io.BytesIO(pyrage.decrypt(path.read_bytes(), [WHO]))) as found:
        assert found.testzip() is None
        assert sum(name.endswith(".webm") for name in found.namelist()) == 2
    assert plain_media(tmp_path / "out") == []


def test_who_has_a_password_is_asked_for_it(
    data: Data,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = []

    def typed(prompt: str) -> str:
        asked.append(prompt)
        return "guessed it"

    monkeypatch.setattr("getpass.getpass", typed)
    assert data.export(tmp_path / "out", login="ann") == 1
    assert asked == ["Password of ann: "]
    assert "not the password" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert data.export(tmp_path / "out", "--password-stdin", login="ann") == 0
    assert len(asked) == 1
    assert run(["audit", "verify", "--data", str(data.folder)]) == 0


def test_what_is_refused(data: Data, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert data.export(data.folder / "out") == 2
    assert data.export(out, "--age", "age1x") == 1
    assert data.export(out, purpose="evidence") == 1
    assert "to these: quality" in capsys.readouterr().err
    assert data.export(out, login="eve") == 1
    assert not list(out.iterdir()) if out.exists() else True
    assert plain_media(data.folder) == []


def test_what_went_wrong_is_said_even_when_the_file_is_gone(
    data: Data,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Somebody clears the folder away while it is sealed; the disk's own complaint is told."""
    out = tmp_path / "out"

    async def swept(*_: object) -> None:
        for path in out.iterdir():
            path.unlink()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("avsession.exporting.seal_to", swept)
    assert data.export(out, "--age", str(WHO.to_public())) == 1
    assert "No space left" in capsys.readouterr().err
