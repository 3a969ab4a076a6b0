"""A ZIP archive as arithmetic: stock tools read it, and any range is the range of the whole."""

import io
import shutil
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsession.errors import Invalid
from avsession.privacy.archive import MOST_MEMBERS, Archive, Member

AT_MS = 1_750_000_000_000
FILES = {
    "manifest.json": b"{}\n",
    "recordings/rec_a/customer.webm": bytes(range(256)) * 40,
    "leer.txt": b"",
    "Übersicht.html": "ä".encode() * 100,
}


def archive(files: dict[str, bytes]) -> Archive:
    members = [Member(name, len(data), zlib.crc32(data)) for name, data in files.items()]
    return Archive(members, AT_MS)


def read(made: Archive, contents: list[bytes], start: int, end: int) -> bytes:
    return b"".join(
        piece.data if piece.member < 0 else contents[piece.member][piece.start : piece.end]
        for piece in made.pieces(start, end)
    )


def whole(files: dict[str, bytes]) -> bytes:
    made = archive(files)
    data = read(made, list(files.values()), 0, made.size)
    assert len(data) == made.size
    return data


def test_the_standard_library_reads_it() -> None:
    with zipfile.ZipFile(io.BytesIO(whole(FILES))) as found:
        assert found.testzip() is None
        assert {name: found.read(name) for name in found.namelist()} == FILES
        info = found.infolist()[0]
        assert info.date_time[:3] == (2025, 6, 15)
        assert info.external_attr >> 16 == 0o100600


@pytest.mark.skipif(shutil.which("unzip") is None, reason="needs unzip")
def test_unzip_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(whole(FILES))
    subprocess.run(["unzip", "-tq", str(path)], check=True, capture_output=True)


@given(st.data())
def test_any_range_is_that_of_the_whole(data: st.DataObject) -> None:
    made, everything = archive(FILES), whole(FILES)
    start = data.draw(st.integers(0, made.size))
    end = data.draw(st.integers(start, made.size))
    assert read(made, list(FILES.values()), start, end) == everything[start:end]


def test_an_empty_one_and_ranges_outside() -> None:
    assert zipfile.ZipFile(io.BytesIO(whole({}))).namelist() == []
    made = archive(FILES)
    for start, end in ((-1, 0), (2, 1), (0, made.size + 1)):
        with pytest.raises(ValueError, match="outside"):
            list(made.pieces(start, end))


class Sparse(io.RawIOBase):
    """A huge archive, of which only what is no member's is there; members are zeros."""

    def __init__(self, made: Archive) -> None:
        self._made, self._at = made, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at = (0, self._at, self._made.size)[whence] + offset
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        end = self._made.size if size < 0 else min(self._made.size, self._at + size)
        found = b"".join(
            piece.data if piece.member < 0 else bytes(piece.end - piece.start)
            for piece in self._made.pieces(min(self._at, end), end)
        )
        self._at += len(found)
        return found


def test_what_does_not_fit_into_32_bits() -> None:
    big = 5 * 2**30
    made = Archive(
        [Member("a", big, 1), Member("b", 3, zlib.crc32(bytes(3))), Member("c", big, 1)], 0
    )
    assert made.size > 2 * big
    with zipfile.ZipFile(Sparse(made)) as found:
        assert [info.file_size for info in found.infolist()] == [big, 3, big]
        assert found.infolist()[1].header_offset > 2**32
        assert found.read("b") == bytes(3)


@pytest.mark.parametrize("name", ["", "/a", "a//b", "../a", "a/..", "./a", "a" * 201])
def test_names_that_are_not_plain(name: str) -> None:
    with pytest.raises(Invalid):
        archive({name: b""})


def test_the_same_name_twice_and_too_many() -> None:
    with pytest.raises(Invalid):
        Archive([Member("a", 0, 0), Member("a", 0, 0)], AT_MS)
    with pytest.raises(Invalid):
        Archive([Member(str(n), 0, 0) for n in range(MOST_MEMBERS + 1)], AT_MS)
