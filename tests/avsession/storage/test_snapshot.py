"""A copy of a database: of one moment, private, and without what was removed."""

import sqlite3
import stat
from pathlib import Path

import pytest

from avsession.errors import Unavailable
from avsession.storage.snapshot import sound, take


def test_a_copy_holds_what_was_committed_and_nothing_removed(tmp_path: Path) -> None:
    database = tmp_path / "one"
    with sqlite3.connect(database, isolation_level=None) as one:
        one.execute("PRAGMA journal_mode = WAL")
        one.execute("CREATE TABLE t (a TEXT)")
        one.execute("INSERT INTO t VALUES ('kept'), ('removed-word')")
        one.execute("DELETE FROM t WHERE a = 'removed-word'")
        one.execute("BEGIN IMMEDIATE")
        one.execute("INSERT INTO t VALUES ('not yet')")
        take(database, tmp_path / "copy")
        one.execute("COMMIT")
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    assert sqlite3.connect(tmp_path / "copy").execute("SELECT a FROM t").fetchall() == [("kept",)]
    assert b"removed-word" not in (tmp_path / "copy").read_bytes()
    assert sound(tmp_path / "copy") == ""
    with pytest.raises(FileExistsError):
        take(database, tmp_path / "copy")


def test_what_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("x" * 5000)
    with pytest.raises(Unavailable):
        take(tmp_path / "text", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    assert "not a database" in sound(tmp_path / "text")
