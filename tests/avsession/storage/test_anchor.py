"""The file that holds the last checkpoint: private, replaced whole, and never half read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from avsession.audit.checkpoint import MAX_NOTE
from avsession.errors import AnchorInvalid, Unavailable
from avsession.storage.anchor import FILE, FileAnchor


async def test_what_was_kept_last_is_there(tmp_path: Path) -> None:
    anchor = FileAnchor(tmp_path / "anchor")
    assert await anchor.get() is None
    for note in ("first\n", "sécond\n"):
        await anchor.put(note)
        assert await FileAnchor(tmp_path / "anchor").get() == note
    path = tmp_path / "anchor" / FILE
    assert anchor.name == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == [FILE]


async def test_it_is_on_the_disk_before_put_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchor = FileAnchor(tmp_path / "anchor")
    done: list[str] = []
    sync, rename = os.fsync, os.rename

    def synced(file: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(file).st_mode) else "file")
        sync(file)

    def renamed(*args: Any, **places: Any) -> None:
        done.append("rename")
        rename(*args, **places)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    await anchor.put("note\n")
    assert done == ["file", "rename", "folder"]


@pytest.mark.parametrize("what", ["link", "folder", "large", "not text"])
async def test_what_is_not_ours_is_not_read(tmp_path: Path, what: str) -> None:
    path = tmp_path / FILE
    match what:
        case "link":
            (tmp_path / "elsewhere").write_text("note\n")
            path.symlink_to(tmp_path / "elsewhere")
        case "folder":
            path.mkdir()
        case "large":
            path.write_bytes(b"x" * (MAX_NOTE + 1))
        case _:
            path.write_bytes(b"\xff\xfe")
    with pytest.raises(AnchorInvalid, match="cannot be read"):
        await FileAnchor(tmp_path).get()


async def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be written"):
        await FileAnchor(tmp_path / "file").put("note\n")
