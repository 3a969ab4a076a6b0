"""Files of a backup: copied whole, never over another, never through a link."""

import io
import sqlite3
from pathlib import Path, PurePosixPath

import msgspec
import pytest

from avsession.backup import (
    DATABASE,
    MANIFEST,
    Backup,
    File,
    checked,
    copy,
    digest,
    new_file,
    opened,
    write,
)
from avsession.errors import SettingsInvalid
from avsession.proving import Progress


def test_a_copy_is_whole_and_new(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000
    (tmp_path / "a").write_bytes(data)
    made = copy(tmp_path / "a", tmp_path / "below" / "b")
    assert made == digest(tmp_path / "below" / "b") == digest(tmp_path / "a")
    assert made.size == len(data)
    with pytest.raises(FileExistsError):
        copy(tmp_path / "a", tmp_path / "below" / "b")
    with pytest.raises(FileExistsError):
        write(tmp_path / "a", b"")
    assert isinstance(made, File)


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match=r"symbolic link|Too many"):
        copy(tmp_path / "link", tmp_path / "b")
    with pytest.raises(FileExistsError):
        new_file(tmp_path / "link")


@pytest.mark.parametrize("name", ["objects", "objects/rec", "objects/rec/trk", "whole", "odd"])
def test_a_backup_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    """No part of the way to a file is a link, and no file has a name that a backup never gives."""
    letters = "a" * 26
    inside = f"objects/rec_{letters}/trk_{letters}/00000001.age"
    if name == "odd":
        inside = "objects/../backup/notes"
    backup = tmp_path / "backup"
    (backup / inside).parent.mkdir(parents=True)
    (backup / inside).write_bytes(b"sealed")
    sqlite3.connect(backup / DATABASE).execute("create table t(x)").connection.close()
    files = {one: digest(backup / one) for one in (DATABASE, inside)}
    manifest = Backup(
        made_ms=0, version="1", leaves=0, sessions=0, recordings=0, segments=1, bytes=1,
        keys=None, files=files,
    )  # fmt: skip
    write(backup / MANIFEST, msgspec.json.encode(manifest))
    if name == "odd":
        assert checked(backup, Progress(io.StringIO()))[1] == [
            f"{inside} is no name of a file of a backup"
        ]
        return
    assert checked(backup, Progress(io.StringIO()))[1] == []
    parts = PurePosixPath(inside).parts
    there = backup if name == "whole" else backup.joinpath(*parts[: name.count("/") + 1])
    there.rename(tmp_path / "elsewhere")
    there.symlink_to(tmp_path / "elsewhere")
    if name == "whole":  # the command resolves what it is given; nobody else may pass a link
        with pytest.raises(SettingsInvalid):
            checked(backup, Progress(io.StringIO()))
        return
    assert checked(backup, Progress(io.StringIO()))[1] == [f"{inside} is missing"]
    with pytest.raises(OSError, match=r"directory|link"), opened(backup, inside):
        pass
