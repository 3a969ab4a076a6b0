"""``avsession recording verify``, on a data folder as a server leaves it: nothing but files."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from avsession import proving
from avsession.__main__ import run
from avsession.usecases import evidence
from tests.avsession.usecases.world import opened
from tests.support.tamper import database

DATABASE = "avsession.sqlite3"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AVSESSION_CONFIG", raising=False)
    monkeypatch.setattr("avsession.logs.configure", lambda level, as_json: None)


@dataclass
class Data:
    """A server's folder with two recordings in it; one is of the first call."""

    folder: Path
    first: str
    second: str

    def objects(self, recording: str) -> list[Path]:
        return sorted((self.folder / "objects" / recording).rglob("*.age"))

    def verify(self, *what: str) -> int:
        return run(["recording", "verify", *what, "--data", str(self.folder)])


async def _made(folder: Path) -> tuple[str, str]:
    async with opened(folder) as world:
        first = await world.sealed()
        world.agent, world.customer = await world.new_call(world.staff)
        second = await world.sealed()
        await evidence.checkpoint(world.app)
        return first, second


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """As the world leaves it, put where a server would have it. The keys for media stay behind."""
    there, here = tmp_path_factory.mktemp("world"), tmp_path_factory.mktemp("data")
    first, second = asyncio.run(_made(there))
    (here / "keys").mkdir()
    shutil.copy(there / "log.key", here / "keys" / "log.key")
    shutil.copy(there / "avsession.db", here / DATABASE)
    shutil.copytree(there / "objects", here / "objects")
    shutil.copytree(there / "anchor", here / "anchor")
    return Data(here, first, second)


@pytest.fixture
def data(made: Data, tmp_path: Path) -> Data:
    shutil.copytree(made.folder, tmp_path / "data")
    return Data(tmp_path / "data", made.first, made.second)


def test_an_honest_recording_is_proven_step_by_step(
    data: Data, capsys: pytest.CaptureFixture[str]
) -> None:
    assert data.verify(data.first) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line[:2] for line in said[2:-1]] == [f"{n}." for n in range(1, 8)]
    assert all(line.endswith(": ok") for line in [said[0], *said[2:-1]])
    assert said[-1] == proving.PROVEN


def test_all_of_them(data: Data, capsys: pytest.CaptureFixture[str]) -> None:
    assert data.verify("--all", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"]
    assert said["log"]["leaves"] == said["log"]["signed"] > 30
    assert [one["recording"] for one in said["recordings"]] == [data.first, data.second]
    assert all(s["result"] == "ok" for one in said["recordings"] for s in one["steps"])


def test_it_changes_nothing(data: Data) -> None:
    def bytes_of() -> dict[str, bytes]:
        return {
            str(path): path.read_bytes()
            for path in data.folder.rglob("*")
            if path.is_file() and not path.name.endswith(("-wal", "-shm"))
        }

    before = bytes_of()
    data.verify("--all")
    assert bytes_of() == before


def test_segments_swapped_between_recordings(
    data: Data, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, theirs = data.objects(data.first)[1], data.objects(data.second)[1]
    one, other = mine.read_bytes(), theirs.read_bytes()
    mine.write_bytes(other)
    theirs.write_bytes(one)
    assert data.verify("--all") == 1
    said = capsys.readouterr().out
    assert f"{mine.parent.name}/{mine.stem}: is not the file that entry" in said
    assert f"{theirs.parent.name}/{theirs.stem}: is not the file that entry" in said
    assert "0 of 2 recordings proven." in said


@pytest.mark.parametrize("how", ["truncated", "gone", "replayed", "one byte"])
def test_a_damaged_file(data: Data, how: str, capsys: pytest.CaptureFixture[str]) -> None:
    file, before = data.objects(data.first)[1], data.objects(data.first)[0]
    held = file.read_bytes()
    match how:
        case "truncated":
            file.write_bytes(held[:-1])
        case "gone":
            file.unlink()
        case "replayed":
            shutil.copy(before, file)
        case "one byte":
            file.write_bytes(held[:-1] + bytes([held[-1] ^ 1]))
    assert data.verify(data.first) == 1
    assert "NOT proven. First: step 7" in capsys.readouterr().out
    assert data.verify(data.second) == 0


def test_a_foreign_file(data: Data, capsys: pytest.CaptureFixture[str]) -> None:
    folder = data.objects(data.first)[0].parent
    (folder / "000099.age").write_bytes(b"age-encryption.org/v1\n")
    (folder / "notes.txt").write_bytes(b"x")
    assert data.verify(data.first) == 1
    said = capsys.readouterr().out
    assert said.count("is there, though no entry lists it as kept\n") == 3, (
        said
    )  # two, and the verdict


def test_a_manifest_entry_dropped(data: Data, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = data.folder / "objects" / data.first / "manifest.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join(lines[:3] + lines[4:]))
    assert data.verify(data.first) == 1
    assert "NOT proven. First: step 1, entry 3" in capsys.readouterr().out
    manifest.unlink()
    assert data.verify(data.first) == 1
    assert "NOT proven. First: step 1, manifest: is gone" in capsys.readouterr().out


def test_a_leaf_taken_out_of_the_story(data: Data, capsys: pytest.CaptureFixture[str]) -> None:
    """A row's column moves a leaf to another session, so that it would not be read."""
    with database(data.folder, DATABASE) as db:
        db.execute("update leaf set session = null where kind = 'consent.given'")
    assert data.verify(data.first) == 1
    said = capsys.readouterr().out
    assert "is not what its columns say" in said
    assert "NOTHING is proven" in said


@pytest.mark.parametrize("how", ["yesterday's", "its anchor gone", "its anchor nonsense"])
def test_a_log_that_is_not_the_one_that_was_kept_outside(
    data: Data, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole database as it once was is sound by itself: only the anchor tells."""
    anchor = data.folder / "anchor" / "checkpoint"
    if how == "its anchor gone":
        anchor.unlink()
    elif how == "its anchor nonsense":
        anchor.write_text("nonsense")
    else:
        with database(data.folder, DATABASE) as db:
            (size,) = db.execute("select min(size) from checkpoint").fetchone()
            db.execute("delete from checkpoint where size > ?", (size,))
            db.execute("delete from leaf where number >= ?", (size,))
    assert data.verify("--all", "--json") == 1
    said = json.loads(capsys.readouterr().out)
    assert not said["ok"]
    (wrong,) = said["log"]["wrong"]
    assert wrong.startswith(f"the checkpoint kept in {anchor}: ")


def test_an_end_that_nobody_signed(data: Data, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever has the database can still write another one in its place."""
    with database(data.folder, DATABASE) as db:
        query = "select number from leaf where kind = 'recording.sealed' order by number"
        last = db.execute(query).fetchall()[-1][0]
        (note,) = db.execute("select note from checkpoint where size <= ? order by size desc",
                             (last,)).fetchone()  # fmt: skip
        db.execute("delete from checkpoint where size > ?", (last,))
    (data.folder / "anchor" / "checkpoint").write_text(note)
    assert data.verify("--all") == 1
    said = capsys.readouterr().out
    assert f"2. it begins and ends where the log says: wrong\n   leaf {last}: is under no" in said
    assert "1 of 2 recordings proven." in said


def test_a_leaf_changed_under_the_checkpoint(
    data: Data, capsys: pytest.CaptureFixture[str]
) -> None:
    with database(data.folder, DATABASE) as db:
        db.execute(
            "update leaf set data = cast(replace(cast(data as text), 'agent', 'agenT') as blob)"
        )
    assert data.verify(data.first) == 1
    assert "are not those that were signed" in capsys.readouterr().out


def test_what_is_not_there_is_used_wrong(
    data: Data, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert data.verify("rec_nothing") == 2
    assert capsys.readouterr().err == "There is no recording rec_nothing.\n"
    assert run(["recording", "verify", "--all", "--data", str(tmp_path / "empty")]) == 2
    assert "There is no log" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        run(["recording", "verify"])
    assert ended.value.code == 2
