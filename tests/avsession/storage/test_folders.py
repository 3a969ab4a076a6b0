"""Objects and keys in folders, behind their Protocols."""

import asyncio
import hashlib
import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from avsession import ports
from avsession.errors import Conflict, Invalid, NotFound, RecordingTruncated, Unavailable
from avsession.recording import MAX_SEGMENT
from avsession.storage.folders import MANIFEST, FolderKeys, FolderObjects, segment_name

REC, OTHER = "rec_" + "a" * 26, "rec_" + "b" * 26
TRK = "trk_" + "c" * 26
DATA = b"age-encryption.org/v1\n" + bytes(range(256))
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path / "objects", tmp_path / "spool")


@pytest.fixture
def keys(tmp_path: Path) -> FolderKeys:
    return FolderKeys(tmp_path / "keys")


def conforms(objects: FolderObjects, keys: FolderKeys) -> tuple[ports.ObjectStore, ports.KeyStore]:
    """mypy says so."""
    return objects, keys


def spool(tmp_path: Path, index: int, data: bytes = DATA, worker: str = "") -> Path:
    path = tmp_path / "spool" / worker / REC / TRK / f"{index:06d}.age"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def everything(tmp_path: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(tmp_path)): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }


# --- objects


@pytest.mark.parametrize("worker", ["", "worker-1", "wrk_" + "w" * 26])
async def test_a_segment_moves_from_the_spool(
    objects: FolderObjects, tmp_path: Path, worker: str
) -> None:
    spooled = spool(tmp_path, 3, worker=worker)
    for _ in range(2):  # the second time: asked again after a crash
        await objects.adopt(REC, TRK, 3, SHA, len(DATA))
    assert not spooled.exists()
    assert await objects.get(segment_name(REC, TRK, 3)) == DATA
    assert everything(tmp_path) == {f"objects/{REC}/{TRK}/000003.age": DATA}


async def test_a_wrong_copy_in_one_spool_does_not_hide_the_right_one(
    objects: FolderObjects, tmp_path: Path
) -> None:
    spool(tmp_path, 0, b"other", worker="wrk_a")
    spool(tmp_path, 0, worker="wrk_b")
    await objects.adopt(REC, TRK, 0, SHA, len(DATA))
    assert await objects.get(segment_name(REC, TRK, 0)) == DATA


async def test_a_crash_between_the_two_places_loses_nothing(
    objects: FolderObjects, tmp_path: Path
) -> None:
    spool(tmp_path, 0)
    await objects.adopt(REC, TRK, 0, SHA, len(DATA))
    spooled = spool(tmp_path, 0)  # written, but not yet deleted there
    await objects.adopt(REC, TRK, 0, SHA, len(DATA))
    assert not spooled.exists()


@pytest.mark.parametrize(
    "data",
    [None, b"", DATA[:-1], DATA[:-1] + b"!", DATA + b"!", bytes(MAX_SEGMENT + 1)],
    ids=["missing", "empty", "cut", "changed", "longer", "huge"],
)
async def test_anything_but_the_named_bytes_is_refused(
    objects: FolderObjects, tmp_path: Path, data: bytes | None
) -> None:
    if data is not None:
        spool(tmp_path, 0, data)
    with pytest.raises(RecordingTruncated):
        await objects.adopt(REC, TRK, 0, SHA, len(DATA))
    with pytest.raises(NotFound):
        await objects.get(segment_name(REC, TRK, 0))


async def test_a_kept_segment_is_never_rewritten(objects: FolderObjects, tmp_path: Path) -> None:
    spool(tmp_path, 0)
    await objects.adopt(REC, TRK, 0, SHA, len(DATA))
    spool(tmp_path, 0, b"other")
    with pytest.raises(RecordingTruncated):
        await objects.adopt(REC, TRK, 0, hashlib.sha256(b"other").hexdigest(), 5)
    assert await objects.get(segment_name(REC, TRK, 0)) == DATA


async def test_a_link_in_the_spool_is_not_followed(objects: FolderObjects, tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(DATA)
    path = spool(tmp_path, 0)
    path.unlink()
    path.symlink_to(tmp_path / "theirs")
    with pytest.raises(RecordingTruncated):
        await objects.adopt(REC, TRK, 0, SHA, len(DATA))
    (tmp_path / "away").mkdir()
    path.unlink()
    path.parent.rename(tmp_path / "away" / TRK)
    path.parent.symlink_to(tmp_path / "away" / TRK)
    (tmp_path / "away" / TRK / "000000.age").write_bytes(DATA)
    with pytest.raises(RecordingTruncated):
        await objects.adopt(REC, TRK, 0, SHA, len(DATA))


async def test_many_adoptions_at_once(objects: FolderObjects, tmp_path: Path) -> None:
    for index in range(20):
        spool(tmp_path, index)
    jobs = [objects.adopt(REC, TRK, n % 20, SHA, len(DATA)) for n in range(40)]
    await asyncio.gather(*jobs)
    assert len(everything(tmp_path)) == 20


async def test_a_refused_segment_is_discarded(objects: FolderObjects, tmp_path: Path) -> None:
    spool(tmp_path, 0)
    await objects.discard(REC, TRK, 0)
    await objects.discard(REC, TRK, 0)
    assert everything(tmp_path) == {}


async def test_what_was_adopted_is_discarded_only_if_that_is_said(
    objects: FolderObjects, tmp_path: Path
) -> None:
    spool(tmp_path, 0)
    await objects.adopt(REC, TRK, 0, SHA, len(DATA))
    await objects.discard(REC, TRK, 0)
    assert len(everything(tmp_path)) == 1
    for _ in range(2):
        await objects.discard(REC, TRK, 0, adopted=True)
        assert everything(tmp_path) == {}


async def test_a_manifest_is_replaced(objects: FolderObjects) -> None:
    await objects.put(f"{REC}/{MANIFEST}", b"one")
    await objects.put(f"{REC}/{MANIFEST}", b"two")
    assert await objects.get(f"{REC}/{MANIFEST}") == b"two"


async def test_removing_takes_a_track_or_all(objects: FolderObjects, tmp_path: Path) -> None:
    second = "trk_" + "d" * 26
    for name in (
        f"{REC}/{MANIFEST}",
        segment_name(REC, TRK, 0),
        segment_name(REC, TRK, 1),
        segment_name(REC, second, 0),
        segment_name(OTHER, TRK, 0),
    ):
        await objects.put(name, DATA)
    assert await objects.remove(f"{REC}/{TRK}") == 2
    assert await objects.remove(f"{REC}/{TRK}") == 0
    assert await objects.remove(REC) == 2
    assert await objects.remove(REC) == 0
    assert everything(tmp_path) == {f"objects/{OTHER}/{TRK}/000000.age": DATA}


NAMES = [
    "",
    "/",
    "..",
    f"../{REC}/{MANIFEST}",
    f"{REC}/../{OTHER}/{MANIFEST}",
    f"/{REC}/{MANIFEST}",
    f"{REC}/{TRK}/{MANIFEST}",
    f"{REC}/{TRK}/1.age\n",
    f"{REC}\n/{MANIFEST}",
    f"{REC}/{TRK}/-1.age",
    f"{REC}/{TRK}/٣.age",
    f"{REC}/{TRK}/123456789.age",
    f"{REC}/{TRK}/000000.age\0",
    f"{REC.upper()}/{MANIFEST}",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=st.text() | st.sampled_from(NAMES))
@example(name=f"{REC}/{TRK}")
def test_no_other_name_reaches_the_disk(objects: FolderObjects, tmp_path: Path, name: str) -> None:
    async def ask() -> None:
        with pytest.raises(Invalid):
            await objects.get(name)
        with pytest.raises(Invalid):
            await objects.put(name, b"x")
        if name != f"{REC}/{TRK}":
            with pytest.raises(Invalid):
                await objects.remove(name)

    asyncio.run(ask())
    assert list(tmp_path.iterdir()) == []


async def test_of_two_processes_that_clear_a_spool_one_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have seen the recording there before either removes anything of it."""
    spool(tmp_path, 0, worker="worker-1")
    both, scandir = threading.Barrier(2, timeout=20), os.scandir

    def meeting(folder: int) -> list[os.DirEntry[str]]:
        found = list(scandir(folder))
        if any(entry.name == TRK for entry in found):
            both.wait()
        return found

    processes = [FolderObjects(tmp_path / "objects", tmp_path / "spool") for _ in range(2)]
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", meeting)
        said = await asyncio.gather(*(one.unspool(REC) for one in processes))
    assert sorted(said) == [False, True]
    assert everything(tmp_path) == {}
    assert not await processes[0].unspool(REC)


@pytest.mark.parametrize(
    ("recording", "track", "index"),
    [("..", TRK, 0), (REC, "../x", 0), (REC, TRK + "\n", 0), (REC, TRK, -1), (REC, TRK, 10**8)],
)
async def test_no_other_segment_is_looked_for(
    objects: FolderObjects, recording: str, track: str, index: int
) -> None:
    with pytest.raises(Invalid):
        await objects.adopt(recording, track, index, SHA, len(DATA))
    with pytest.raises(Invalid):
        await objects.discard(recording, track, index)
    with pytest.raises(Invalid):
        segment_name(recording, track, index)


async def test_a_folder_that_cannot_be_used_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    objects = FolderObjects(tmp_path / "file" / "objects", tmp_path / "spool")
    with pytest.raises(Unavailable):
        await objects.put(f"{REC}/{MANIFEST}", b"")
    with pytest.raises(Unavailable):
        await FolderKeys(tmp_path / "file").put(TRK, b"")


# --- keys


async def test_a_key_is_put_once_and_gone_for_good(keys: FolderKeys, tmp_path: Path) -> None:
    await keys.put(TRK, b"wrapped")
    with pytest.raises(Conflict):
        await keys.put(TRK, b"another")
    assert await keys.get(TRK) == b"wrapped"
    (file,) = (tmp_path / "keys").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert await keys.destroy(TRK) is True
    assert await keys.destroy(TRK) is False
    assert list((tmp_path / "keys").iterdir()) == []
    with pytest.raises(NotFound):
        await keys.get(TRK)


async def test_of_two_keys_for_a_track_one_wins(keys: FolderKeys) -> None:
    results = await asyncio.gather(
        *(keys.put(TRK, b"%d" % n) for n in range(8)), return_exceptions=True
    )
    assert sum(isinstance(result, Conflict) for result in results) == 7
    assert await keys.get(TRK) == b"%d" % results.index(None)


@pytest.mark.parametrize("track", ["", "..", "a/b", TRK + "\n", TRK + "/x"])
async def test_a_key_has_an_identifier(keys: FolderKeys, track: str) -> None:
    for job in (keys.put(track, b""), keys.get(track), keys.destroy(track)):
        with pytest.raises(Invalid):
            await job


async def test_what_lies_under_a_recording_is_listed_whatever_it_is_called(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path / "objects", tmp_path / "spool")
    recording, track = "rec_" + "a" * 26, "trk_" + "b" * 26
    assert await objects.segments(recording) == {}
    await objects.put(f"{recording}/manifest.jsonl", b"x")
    await objects.put(f"{recording}/{track}/0.age", b"12345")
    folder = tmp_path / "objects" / recording
    (folder / track / "1.age").write_bytes(b"not as we call it")
    (folder / "stray").write_bytes(b"x")
    assert await objects.segments(recording) == {(track, 0): 5, (track, -1): 17, ("stray", -1): 0}
