"""Files of a backup: copied whole, never over another, never through a link."""

from pathlib import Path

import pytest

from avsession.backup import File, copy, digest, new_file, write


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
