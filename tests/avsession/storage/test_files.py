"""Durable files: whole or not at all, private, never through a link."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from avsession.storage import files


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    with files.root(tmp_path / "root") as folder:
        yield folder


def listing(folder: int) -> list[str]:
    return sorted(os.listdir(folder))


def test_what_is_written_is_private(tmp_path: Path) -> None:
    old = os.umask(0)  # the mode must not depend on it
    try:
        with (
            files.root(tmp_path / "root") as top,
            files.inside(top, "a", "b", create=True) as below,
        ):
            files.write(below, "f", b"x")
    finally:
        os.umask(old)
    for path in (tmp_path / "root").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)
    assert (tmp_path / "root").stat().st_mode & 0o777 == 0o700


def test_a_taken_name_is_not_written(folder: int) -> None:
    files.write(folder, "f", b"first")
    with pytest.raises(FileExistsError):
        files.write(folder, "f", b"second")
    assert files.read(folder, "f") == b"first"
    files.write(folder, "f", b"third", replace=True)
    assert files.read(folder, "f") == b"third"
    assert listing(folder) == ["f"]


def test_a_failing_disk_leaves_the_old_file(folder: int, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write(folder, "f", b"old")

    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            files.write(folder, "f", b"new", replace=True)
    assert files.read(folder, "f") == b"old"
    assert listing(folder) == ["f"]


def test_everything_is_synced_before_it_counts(
    folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes before the name, the name before the return."""
    calls: list[str] = []

    def noting(name: str) -> None:
        real = getattr(os, name)

        def call(*args: object, **kwargs: object) -> object:
            is_folder = name == "fsync" and args[0] == folder
            calls.append("fsync folder" if is_folder else name)
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, call)

    for name in ("fsync", "rename", "link", "unlink"):
        noting(name)
    files.write(folder, "f", b"x")
    kept = [call for call in calls if call != "unlink"]
    assert kept == ["fsync", "link", "fsync folder"]
    calls.clear()
    files.write(folder, "f", b"y", replace=True)
    assert [call for call in calls if call != "unlink"] == ["fsync", "rename", "fsync folder"]
    calls.clear()
    assert files.shred(folder, "f")
    assert calls == ["fsync", "unlink", "fsync folder"]


def test_what_a_crash_left_does_not_stand_in_the_way(folder: int) -> None:
    # killed between the link and the unlink: two names of one file
    files.write(folder, "f", b"secret")
    os.link("f", ".tmp-f", src_dir_fd=folder, dst_dir_fd=folder)
    assert files.shred(folder, "f")
    assert listing(folder) == []
    files.write(folder, ".tmp-f", b"half")
    files.write(folder, "f", b"whole")
    assert files.read(folder, "f") == b"whole"


def test_shredding_overwrites_the_very_bytes(folder: int) -> None:
    files.write(folder, "f", b"secret" * 100)
    held = os.open("f", os.O_RDONLY, dir_fd=folder)
    try:
        assert files.shred(folder, "f")
        assert os.read(held, 1000) == bytes(600)
    finally:
        os.close(held)
    assert not files.shred(folder, "f")


def test_links_are_not_followed(folder: int, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_bytes(b"theirs")
    os.symlink(outside / "f", "f", dir_fd=folder)
    os.symlink(outside, "d", dir_fd=folder)
    with pytest.raises(ValueError, match="link"):
        files.read(folder, "f")
    with pytest.raises(OSError, match="link"):
        files.shred(folder, "f")
    with pytest.raises(OSError, match="directory"), files.inside(folder, "d"):
        pass
    with pytest.raises(FileExistsError):
        files.write(folder, "f", b"x")
    with pytest.raises(OSError, match="directory"):
        files.clear(folder, "d")
    assert (outside / "f").read_bytes() == b"theirs"
    (tmp_path / "link").symlink_to(outside)
    with pytest.raises(OSError, match="directory"), files.root(tmp_path / "link"):
        pass


def test_only_plain_files_of_a_sane_size_are_read(folder: int) -> None:
    os.mkfifo("pipe", dir_fd=folder)
    with pytest.raises(ValueError, match="plain"):
        files.read(folder, "pipe")
    files.write(folder, "f", b"12345")
    with pytest.raises(ValueError, match="larger"):
        files.read(folder, "f", 4)
    assert files.read(folder, "f", 5) == b"12345"


def test_clearing_counts_what_was_listed(folder: int) -> None:
    with files.inside(folder, "d", "e", create=True) as below:
        files.write(below, "f", b"")
        files.write(below, ".tmp-g", b"")
    assert files.clear(folder, "d") == 1
    assert files.clear(folder, "d") == 0
    assert listing(folder) == []


def test_dropping_says_whether_the_folder_went(folder: int) -> None:
    with files.inside(folder, "d", create=True):
        pass
    assert files.drop(folder, "d"), "an empty one, too"
    assert not files.drop(folder, "d")


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with files.root(tmp_path / "r") as top:
        with files.inside(top, "a", "b", "c", create=True) as below:
            files.write(below, "f", b"")
        with pytest.raises(FileNotFoundError), files.inside(top, "a", "missing"):
            pass
    assert len(os.listdir("/proc/self/fd")) == before
