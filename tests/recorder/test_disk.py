import errno
import os
import stat
from pathlib import Path

import pytest

from recorder.disk import Disk


def test_creates_only_what_is_not_there(tmp_path: Path) -> None:
    disk = Disk()
    path = tmp_path / "a"
    disk.create(path, b"one")
    assert path.read_bytes() == b"one"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        disk.create(path, b"two")
    assert path.read_bytes() == b"one"


def test_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    disk = Disk()
    with pytest.raises(OSError):  # noqa: PT011  which errno depends on the call
        disk.create(tmp_path / "link", b"x")
    with pytest.raises(OSError):  # noqa: PT011
        disk.append(tmp_path / "link", b"x")
    assert (tmp_path / "target").read_bytes() == b"precious"


def test_a_failed_append_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk()
    path = tmp_path / "log"
    disk.append(path, b"one\n")
    real = os.write

    def half(descriptor: int, data: bytes) -> int:
        if len(data) == 1:
            raise OSError(errno.ENOSPC, "full")
        return real(descriptor, data[: len(data) - 1])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="full"):
        disk.append(path, b"two\n")
    monkeypatch.undo()
    assert path.read_bytes() == b"one\n"
    disk.append(path, b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_failed_create_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(descriptor: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="broken"):
        Disk().create(tmp_path / "a", b"x")
    assert not (tmp_path / "a").exists()


def test_small_things(tmp_path: Path) -> None:
    disk = Disk()
    disk.folder(tmp_path / "f")
    disk.folder(tmp_path / "f")
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o700
    disk.create(tmp_path / "f" / "t", b"12345")
    disk.publish(tmp_path / "f" / "t", tmp_path / "f" / "u")
    disk.truncate(tmp_path / "f" / "u", 2)
    assert (tmp_path / "f" / "u").read_bytes() == b"12"
    disk.remove(tmp_path / "f" / "u")
    disk.remove(tmp_path / "f" / "u")
    assert disk.free_bytes(tmp_path) > 0
