"""Another key for the custodian: everything still opens, the former key opens nothing."""

from pathlib import Path

import pyrage
import pytest

from avsession.errors import NotFound, Unavailable
from avsession.sealing import rotation
from avsession.sealing.custody import LocalCustody, create_custodian, next_key, read_custodian
from avsession.sealing.rotation import rotate
from avsession.storage.folders import FolderKeys

REC = "rec_" + "a" * 26
TRACKS = ["trk_" + letter * 26 for letter in "abcd"]


class Crash(Exception):
    """The process ends here."""


class Place:
    """A custodian, its folder, and what opened before."""

    def __init__(self, folder: Path) -> None:
        (folder / "tracks").mkdir()
        self.key = folder / "custodian.key"
        create_custodian(self.key)
        self.folder = folder / "tracks"
        self.former = read_custodian(self.key)
        self.opened: dict[str, str] = {}

    @property
    def keys(self) -> FolderKeys:
        return FolderKeys(self.folder)

    @property
    def custody(self) -> LocalCustody:
        return LocalCustody(self.keys, self.key)

    async def fill(self) -> None:
        for track in TRACKS:
            await self.custody.create(REC, track)
            self.opened[track] = await self.custody.unwrap(REC, track)

    async def all_open(self) -> bool:
        now = {track: await self.custody.unwrap(REC, track) for track in self.opened}
        return now == self.opened

    def opens_with(self, identity: pyrage.x25519.Identity) -> list[str]:
        found = []
        for track in TRACKS:
            try:
                pyrage.decrypt((self.folder / f"{track}.age").read_bytes(), [identity])
                found.append(track)
            except pyrage.DecryptError:
                pass
        return found


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    await made.fill()
    return made


async def test_the_former_key_opens_nothing_and_is_gone(place: Place) -> None:
    secret, seen = str(place.former), []
    before = {track: (place.folder / f"{track}.age").open("rb") for track in TRACKS}
    old = place.key.open("rb")
    done = await rotate(place.keys, place.key, lambda at, of: seen.append((at, of)))
    assert (done.former, done.tracks) == (str(place.former.to_public()), len(TRACKS))
    assert done.recipient == place.custody.recipient != done.former
    assert await place.all_open()
    assert place.opens_with(place.former) == []
    assert seen == [(n, len(TRACKS)) for n in range(len(TRACKS) + 1)]
    assert not next_key(place.key).exists()
    assert place.key.stat().st_mode & 0o777 == 0o600
    # whoever had the files open, or reads the disk's blocks, finds them overwritten
    with old:
        assert secret.encode() not in old.read()
    for file in before.values():
        with file:
            assert set(file.read()) == {0}


@pytest.mark.parametrize("after", range(len(TRACKS) + 2))
async def test_what_was_interrupted_opens_and_goes_on(
    place: Place, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def progress(done: int, of: int) -> None:
        if done == after:
            raise Crash

    if after > len(TRACKS):

        def crash(coming: Path, custodian: Path) -> None:
            raise Crash

        monkeypatch.setattr(rotation, "_put_in_place", crash)
    with pytest.raises(Crash):
        await rotate(place.keys, place.key, progress)
    assert await place.all_open(), "with either key"
    assert len(place.opens_with(place.former)) == max(0, len(TRACKS) - after)
    # the server may run for a while, and make keys
    extra = "trk_" + "e" * 26
    await place.custody.create(REC, extra)
    place.opened[extra] = await place.custody.unwrap(REC, extra)
    monkeypatch.undo()
    coming = read_custodian(next_key(place.key))
    done = await rotate(place.keys, place.key)
    assert done.recipient == str(coming.to_public()), "not yet another one"
    assert await place.all_open()
    assert place.opens_with(place.former) == []


async def test_a_key_that_nobody_opens_stops_it_and_loses_nothing(place: Place) -> None:
    stranger = pyrage.x25519.Identity.generate()
    damaged = place.folder / f"{TRACKS[2]}.age"
    damaged.write_bytes(pyrage.encrypt(b"x", [stranger.to_public()]))
    with pytest.raises(Unavailable, match=TRACKS[2]):
        await rotate(place.keys, place.key)
    del place.opened[TRACKS[2]]
    assert await place.all_open()
    damaged.unlink()
    await rotate(place.keys, place.key)
    assert await place.all_open()


async def test_what_is_destroyed_meanwhile_stays_destroyed(place: Place) -> None:
    def progress(done: int, of: int) -> None:
        if done == 1:
            (place.folder / f"{TRACKS[1]}.age").unlink()

    await rotate(place.keys, place.key, progress)
    with pytest.raises(NotFound):
        await place.custody.unwrap(REC, TRACKS[1])
    assert not await place.keys.replace(TRACKS[1], b"x")
    assert await place.keys.names() == [TRACKS[0], *TRACKS[2:]]
