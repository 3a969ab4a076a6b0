"""Withdrawals that wait, a file each: whole or not there, private, bounded, for two servers."""

import stat
from pathlib import Path

import pytest

from avsession.errors import Invalid, StorageFull, Unavailable
from avsession.messages import WithdrawConsent
from avsession.ports import TakenBack
from avsession.signed import Enrolment, Signed
from avsession.storage import unwritten
from avsession.storage.unwritten import FolderUnwritten, file_name

REQUEST = "req_" + "a" * 26
KEY = Enrolment(public_key="p", challenge="c", proof="q")


def party(letter: str) -> str:
    return "pty_" + letter * 26


def said(letter: str = "a", n: int = 0, signature: str = "s") -> TakenBack:
    signed = Signed(key="k", time="t", signature=signature)
    message = WithdrawConsent(request=REQUEST, key=f"key-{n:016}", signed=signed)
    return TakenBack(party=party(letter), message=message, enrolment=KEY, at_ms=1000 - n)


async def test_what_is_kept_is_found_by_the_next_server_once(tmp_path: Path) -> None:
    first = FolderUnwritten(tmp_path / "w")
    assert await first.find() == []
    for one in (said(), said(n=1), said()):
        await first.keep(one)
    assert await first.find() == []
    second = FolderUnwritten(tmp_path / "w")
    assert await second.find() == [said(n=1), said()]
    assert await second.find() == []
    for path in (tmp_path / "w", *(tmp_path / "w").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    for one in (said(), said(n=1), said()):
        await second.drop(one.party, one.message)
    assert list((tmp_path / "w").iterdir()) == []
    # and what comes late from the first is found, too
    await first.drop(said().party, said().message)
    await first.keep(said())
    assert await second.find() == [said()]


async def test_what_cannot_be_read_is_what_its_name_says(tmp_path: Path) -> None:
    name = file_name(party("a"), said().message)
    (tmp_path / name).write_bytes(b"\x00")
    other = FolderUnwritten(tmp_path / "other")
    await other.keep(said("b"))
    (kept,) = (tmp_path / "other").iterdir()
    kept.rename(tmp_path / file_name(party("c"), said().message))
    (tmp_path / "notes.txt").write_text("somebody's own")
    (tmp_path / f".tmp-{name}").write_bytes(b"{")
    folder = FolderUnwritten(tmp_path)
    found = await folder.find()
    assert [(one.party, one.message.request, one.message.signed) for one in found] == [
        (party("a"), REQUEST, None), (party("c"), REQUEST, None),
    ]  # fmt: skip
    for one in found:
        await folder.drop(one.party, one.message)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        f".tmp-{name}", "notes.txt",
    ]  # fmt: skip
    await folder.forget(party("a"))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["notes.txt"]


async def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unwritten, "MOST_OF_ONE", 2)
    monkeypatch.setattr(unwritten, "MOST", 3)
    folder = FolderUnwritten(tmp_path)
    for n in range(2):
        await folder.keep(said(n=n))
    with pytest.raises(StorageFull):
        await folder.keep(said(n=2))
    await folder.keep(said("b"))
    with pytest.raises(StorageFull):
        await folder.keep(said("c"))
    await folder.keep(said())
    await folder.forget(party("a"))
    long = said("c", signature="s" * unwritten.MAX_FILE)
    await folder.keep(long)
    found = {one.party: one for one in await FolderUnwritten(tmp_path).find()}
    bare = found[party("c")]
    assert (bare.message.key, bare.message.signed, bare.enrolment) == (long.message.key, None, None)
    assert all(path.stat().st_size <= unwritten.MAX_FILE for path in tmp_path.iterdir())


async def test_no_other_names(tmp_path: Path) -> None:
    folder = FolderUnwritten(tmp_path / "w")
    for bad in ("../" + party("a"), "", "agent"):
        with pytest.raises(Invalid):
            await folder.keep(TakenBack(party=bad, message=said().message, at_ms=1))
    assert not (tmp_path / "w").exists()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable):
        await FolderUnwritten(tmp_path / "file").keep(said())
    with pytest.raises(Unavailable):
        await FolderUnwritten(tmp_path / "file").find()
