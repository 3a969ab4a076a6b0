"""The journal of erasures in a folder: appended to, read whole, its torn end passed over."""

from pathlib import Path

import pytest

from avsession.errors import SettingsInvalid, Unavailable
from avsession.storage.journal import LINES, UPTO, FileJournal
from avsession.usecases.journal import Entry

ONE = Entry(leaf=3, kind="subject.erased", session="psn_a", subject="psn_b", refs={"party": "p"})


async def test_what_is_added_is_there(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "anchor")
    assert (await journal.upto(), await journal.read()) == (0, [])
    await journal.add([ONE], 5)
    await journal.add([], 9)
    again = FileJournal(tmp_path / "anchor")
    assert (await again.upto(), await again.read()) == (9, [ONE])
    assert (tmp_path / "anchor" / LINES).stat().st_mode & 0o777 == 0o600


async def test_a_torn_line_is_none_and_another_file_is_no_journal(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path)
    await journal.add([ONE], 5)
    with (tmp_path / LINES).open("ab") as torn:
        torn.write(b'{"leaf":4,"ki')
    assert await journal.read() == [ONE]
    (tmp_path / LINES).write_text("nonsense\n")
    with pytest.raises(SettingsInvalid):
        await journal.read()
    (tmp_path / UPTO).write_text("many")
    with pytest.raises(Unavailable):
        await journal.upto()


async def test_a_copy_that_was_made_while_it_was_written_shows_it(tmp_path: Path) -> None:
    journal, copy = FileJournal(tmp_path / "anchor"), tmp_path / "copy"
    copy.mkdir()
    assert await FileJournal(copy).lacks() == 0, "there is none"
    await journal.add([ONE], 5)
    assert await journal.lacks() == 0
    (copy / LINES).write_bytes((tmp_path / "anchor" / LINES).read_bytes())
    await journal.add([ONE], 9)
    (copy / UPTO).write_bytes((tmp_path / "anchor" / UPTO).read_bytes())
    copied = FileJournal(copy)
    assert (await copied.upto(), await copied.lacks()) == (9, (copy / LINES).stat().st_size)
    (copy / UPTO).write_text("9\n")  # as an older version wrote it
    assert (await copied.upto(), await copied.lacks()) == (9, 0)
