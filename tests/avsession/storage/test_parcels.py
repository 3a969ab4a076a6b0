"""Prepared exports in a folder: whole, private, no path of a caller's."""

import os
from pathlib import Path

import pytest

from avsession.errors import Invalid, NotFound, Unavailable
from avsession.storage.parcels import FolderParcels

NAME, OTHER = "exp_" + "a" * 26, "dis_" + "b" * 26


@pytest.fixture
def parcels(tmp_path: Path) -> FolderParcels:
    return FolderParcels(tmp_path / "exports")


async def test_kept_read_in_parts_replaced_and_removed(
    parcels: FolderParcels, tmp_path: Path
) -> None:
    await parcels.put(NAME, b"0123456789")
    assert await parcels.get(NAME) == b"0123456789"
    assert await parcels.read(NAME, 3, 5) == b"34"
    assert await parcels.read(NAME, 8, 99) == b"89"
    await parcels.put(NAME, b"new")
    assert await parcels.names() == [NAME]
    file = tmp_path / "exports" / NAME
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert await parcels.remove(NAME)
    assert not await parcels.remove(NAME)
    for reading in (parcels.get(NAME), parcels.read(NAME, 0, 1)):
        with pytest.raises(NotFound):
            await reading


async def test_what_is_written_bit_by_bit_is_there_once_it_is_whole(
    parcels: FolderParcels,
) -> None:
    async with parcels.new(NAME) as stream:
        stream.write(b"one ")
        assert await parcels.names() == []
        stream.write(b"two")
    assert await parcels.get(NAME) == b"one two"

    async def fails() -> None:
        async with parcels.new(OTHER) as stream:
            stream.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    assert await parcels.names() == [NAME]


async def test_a_writer_that_died_leaves_nothing_for_long(
    parcels: FolderParcels, tmp_path: Path
) -> None:
    await parcels.put(NAME, b"x")
    (tmp_path / "exports" / f".new-{OTHER}").write_bytes(b"half")
    await parcels.tidy()
    assert os.listdir(tmp_path / "exports") == [NAME]
    (tmp_path / "exports" / f".new-{OTHER}").write_bytes(b"half")
    async with parcels.new(OTHER) as stream:
        stream.write(b"whole")
    assert await parcels.get(OTHER) == b"whole"


async def test_links_are_not_followed(parcels: FolderParcels, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (tmp_path / "exports").mkdir(mode=0o700)
    (tmp_path / "exports" / NAME).symlink_to(secret)
    for reading in (parcels.get(NAME), parcels.read(NAME, 0, 6)):
        with pytest.raises(Unavailable):
            await reading
    async with parcels.new(NAME) as stream:
        stream.write(b"mine")
    assert secret.read_bytes() == b"secret"
    assert await parcels.get(NAME) == b"mine"


@pytest.mark.parametrize("name", ["", "exp", "../" + NAME, NAME + "/x", NAME.upper(), NAME + "\n"])
async def test_no_other_names(parcels: FolderParcels, name: str) -> None:
    for attempt in (parcels.put(name, b""), parcels.get(name), parcels.remove(name)):
        with pytest.raises(Invalid):
            await attempt
    with pytest.raises(Invalid):
        async with parcels.new(name):
            pass
