"""Custody: wrapped keys are bound to their track, and stock age opens them."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pyrage
import pytest

from avsession import ports
from avsession.canonical import canonical
from avsession.errors import Conflict, Invalid, NotFound, SettingsInvalid, Unavailable
from avsession.sealing.custody import FORMAT, LocalCustody, create_custodian, read_custodian
from avsession.sealing.seal import Sealer

REC, TRK = "rec_" + "a" * 26, "trk_" + "b" * 26


class Drawer:
    """A key store that is a dict."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def put(self, track: str, wrapped: bytes) -> None:
        if track in self.kept:
            raise Conflict
        self.kept[track] = wrapped

    async def get(self, track: str) -> bytes:
        try:
            return self.kept[track]
        except KeyError:
            raise NotFound from None

    async def destroy(self, track: str) -> bool:
        return self.kept.pop(track, None) is not None


@pytest.fixture
def drawer() -> Drawer:
    return Drawer()


@pytest.fixture
def custodian(tmp_path: Path) -> Path:
    create_custodian(tmp_path / "custodian.key")
    return tmp_path / "custodian.key"


@pytest.fixture
def custody(drawer: Drawer, custodian: Path) -> LocalCustody:
    return LocalCustody(drawer, custodian)


def conforms(custody: LocalCustody) -> ports.Custody:
    """mypy says so."""
    return custody


async def test_what_is_sealed_to_a_track_opens_with_its_key(custody: LocalCustody) -> None:
    recipient = await custody.create(REC, TRK)
    sealed = Sealer(recipient).seal(b"cluster")
    identity = pyrage.x25519.Identity.from_str(await custody.unwrap(REC, TRK))
    assert pyrage.decrypt(sealed, [identity]) == b"cluster"
    assert str(identity.to_public()) == recipient


async def test_the_store_never_sees_a_private_key(custody: LocalCustody, drawer: Drawer) -> None:
    await custody.create(REC, TRK)
    identity = await custody.unwrap(REC, TRK)
    assert identity.startswith("AGE-SECRET-KEY-1")
    assert identity.encode() not in drawer.kept[TRK]
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(drawer.kept[TRK], [pyrage.x25519.Identity.from_str(identity)])


async def test_stock_age_opens_a_wrapped_key_and_a_segment(
    custody: LocalCustody, drawer: Drawer, custodian: Path, tmp_path: Path
) -> None:
    recipient = await custody.create(REC, TRK)
    (tmp_path / "wrapped.age").write_bytes(drawer.kept[TRK])
    (tmp_path / "000001.age").write_bytes(Sealer(recipient).seal(b"cluster"))

    def age(identity: Path, file: str) -> bytes:
        arguments = ["age", "--decrypt", "-i", str(identity), str(tmp_path / file)]
        return subprocess.run(arguments, check=True, capture_output=True, timeout=30).stdout

    plain = age(custodian, "wrapped.age")
    key = json.loads(plain)
    assert plain == canonical(key)
    assert (key["format"], key["recording"], key["track"]) == (FORMAT, REC, TRK)
    assert key["identity"] == await custody.unwrap(REC, TRK)
    (tmp_path / "track.key").write_text(key["identity"])
    assert age(tmp_path / "track.key", "000001.age") == b"cluster"


async def test_stock_age_keygen_makes_a_custodian(drawer: Drawer, tmp_path: Path) -> None:
    path = tmp_path / "stock.key"
    subprocess.run(["age-keygen", "-o", str(path)], check=True, capture_output=True)  # noqa: ASYNC221
    custody = LocalCustody(drawer, path)
    assert f"# public key: {custody.recipient}\n" in path.read_text()
    await custody.create(REC, TRK)
    await custody.unwrap(REC, TRK)


async def test_a_track_has_one_key(custody: LocalCustody, drawer: Drawer) -> None:
    await custody.create(REC, TRK)
    kept = dict(drawer.kept)
    with pytest.raises(Conflict):
        await custody.create(REC, TRK)
    assert drawer.kept == kept


async def test_a_destroyed_key_is_gone(custody: LocalCustody) -> None:
    await custody.create(REC, TRK)
    assert await custody.destroy(TRK) is True
    assert await custody.destroy(TRK) is False
    with pytest.raises(NotFound):
        await custody.unwrap(REC, TRK)


async def test_a_swapped_key_is_found_out(custody: LocalCustody, drawer: Drawer) -> None:
    other = "trk_" + "c" * 26
    await custody.create(REC, TRK)
    await custody.create(REC, other)
    drawer.kept[TRK] = drawer.kept[other]
    with pytest.raises(Invalid, match="another track"):
        await custody.unwrap(REC, TRK)
    with pytest.raises(Invalid, match="another track"):
        await custody.unwrap("rec_" + "z" * 26, other)


@pytest.mark.parametrize(
    "change",
    [
        lambda key: {**key, "format": "avsession.track-key.v2"},
        lambda key: {**key, "more": 1},
        lambda key: {name: key[name] for name in key if name != "track"},
        lambda key: [key],
    ],
    ids=["format", "more", "less", "list"],
)
async def test_a_wrapped_key_of_another_shape_is_refused(
    custody: LocalCustody, drawer: Drawer, change: Any
) -> None:
    # anyone who knows the custodian's recipient can wrap something
    key = {"format": FORMAT, "identity": "AGE-SECRET-KEY-1", "recording": REC, "track": TRK}
    to = pyrage.x25519.Recipient.from_str(custody.recipient)
    drawer.kept[TRK] = pyrage.encrypt(canonical(change(key)), [to])
    with pytest.raises(Unavailable):
        await custody.unwrap(REC, TRK)


async def test_damage_and_another_custodian_are_unavailable(
    custody: LocalCustody, drawer: Drawer, tmp_path: Path
) -> None:
    await custody.create(REC, TRK)
    create_custodian(tmp_path / "other.key")
    with pytest.raises(Unavailable):
        await LocalCustody(drawer, tmp_path / "other.key").unwrap(REC, TRK)
    whole = drawer.kept[TRK]
    for damaged in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), b"", b"nonsense"):
        drawer.kept[TRK] = damaged
        with pytest.raises(Unavailable):
            await custody.unwrap(REC, TRK)


async def test_a_custodian_taken_away_stops_reading_not_recording(
    custody: LocalCustody, custodian: Path
) -> None:
    await custody.create(REC, TRK)
    custodian.rename(custodian.with_name("away"))
    await custody.create(REC, "trk_" + "c" * 26)
    with pytest.raises(Unavailable):
        await custody.unwrap(REC, TRK)
    custodian.with_name("away").rename(custodian)
    await custody.unwrap(REC, TRK)


# --- the custodian's file


def test_a_new_custodian_is_private_and_never_replaces_one(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        recipient = create_custodian(tmp_path / "a.key")
    finally:
        os.umask(old)
    assert (tmp_path / "a.key").stat().st_mode & 0o777 == 0o600
    assert str(read_custodian(tmp_path / "a.key").to_public()) == recipient
    with pytest.raises(Conflict):
        create_custodian(tmp_path / "a.key")
    assert str(read_custodian(tmp_path / "a.key").to_public()) == recipient


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_open_to_others_is_refused(custodian: Path, mode: int) -> None:
    custodian.chmod(mode)
    with pytest.raises(SettingsInvalid, match="others"):
        read_custodian(custodian)


def test_only_a_plain_file_with_one_identity_will_do(custodian: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.key"
    link.symlink_to(custodian)
    pipe = tmp_path / "pipe.key"
    os.mkfifo(pipe, 0o600)
    secret = custodian.read_text().splitlines()[1]
    wrong = {"empty": "", "two": f"{secret}\n{secret}\n", "half": secret[:-1], "not": "näin"}
    for name, text in wrong.items():
        path = tmp_path / f"{name}.key"
        path.write_text(text)
        path.chmod(0o600)
    for path in (link, pipe, tmp_path / "missing.key", *(tmp_path / f"{n}.key" for n in wrong)):
        with pytest.raises(SettingsInvalid) as caught:
            read_custodian(path)
        assert "AGE-SECRET" not in str(caught.value)
