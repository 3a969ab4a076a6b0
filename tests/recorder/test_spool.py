import errno
import itertools
from pathlib import Path

import pytest

from avsession.errors import Conflict, ManifestBroken, Unavailable
from avsession.recording import (
    Attach,
    Begin,
    Cluster,
    Detach,
    Dropped,
    End,
    Manifest,
    Sealed,
    decode_line,
    verify,
)
from recorder.disk import Disk
from recorder.spool import Chain, Spool

RECORDING, TRACK = "rec_x", "trk_x"
ticks = itertools.count(1_700_000_000_000)


def now() -> int:
    return next(ticks)


def begin(chain: Chain, generation: int = 1) -> None:
    if not chain.begun:
        chain.append(Begin, epoch_ms=1, recorder_key="k", tracks=())
    chain.append(
        Attach, generation=generation, grant="g", clock_offset_ms=0.0, clock_uncertainty_ms=0.0
    )


def seal(chain: Chain, data: bytes = b"sealed", *, listed: bool = True, media: bool = True) -> int:
    """One segment, stored and listed; its entry's number, or -1."""
    store(chain, data, listed=listed, media=media)
    return chain.count - 1 if chain.list_stored() else -1


def store(
    chain: Chain, data: bytes = b"sealed", *, track: str = TRACK, listed: bool = True,
    media: bool = True, gaps: tuple[tuple[int, int, str], ...] = (),
) -> None:  # fmt: skip
    end = chain.end_ms.get(track, 0) + 10
    chain.store(
        track, data, lambda: listed, gaps=gaps, generation=1, start_ms=end - 5, end_ms=end,
        captured_ms=end, uncertainty_ms=1.0, plain_size=len(data),
        clusters=(Cluster(offset=0, start_ms=end - 5, keyframe=True),) if media else (),
    )  # fmt: skip


def read(root: Path, spool: Spool) -> Manifest:
    lines = (root / RECORDING / "manifest.jsonl").read_bytes().splitlines()
    return verify([decode_line(line) for line in lines], spool.key.public_key())


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def test_what_is_written_verifies_and_is_private(spool: Spool) -> None:
    chain = spool.open(RECORDING, now)
    begin(chain)
    assert chain.needs_header(TRACK)
    assert seal(chain, media=False) == 2
    assert not chain.needs_header(TRACK)
    assert seal(chain) == 3
    chain.append(Detach, generation=1, reason="x")
    chain.append(End, state="sealed", duration_ms=chain.duration_ms)
    assert chain.ended
    with pytest.raises(Conflict):
        begin(chain)
    manifest = read(spool.root, spool)
    assert manifest.complete
    assert [s.index for s in manifest.segments(TRACK)] == [0, 1]
    assert sorted(p.name for p in (spool.root / RECORDING / TRACK).iterdir()) == [
        "000000.age", "000001.age",
    ]  # fmt: skip
    for path in spool.root.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def test_one_process_at_a_time(spool: Spool) -> None:
    with pytest.raises(Unavailable):
        Spool(spool.root)
    key = spool.public_key
    spool.close()
    again = Spool(spool.root)
    assert again.public_key == key
    again.close()


def test_a_segment_that_may_not_be_listed_leaves_nothing(spool: Spool) -> None:
    chain = spool.open(RECORDING, now)
    begin(chain)
    assert seal(chain, listed=False) == -1
    assert list((spool.root / RECORDING / TRACK).iterdir()) == []
    assert seal(chain) == 2
    assert read(spool.root, spool).segments(TRACK)[0].index == 0


def test_accepted_goes_refused_goes_and_is_said(spool: Spool) -> None:
    chain = spool.open(RECORDING, now)
    begin(chain)
    seal(chain, media=False)
    seal(chain)
    chain.accept(3)
    assert chain.refuse(2, "late") == 4
    assert chain.needs_header(TRACK)
    assert sorted(chain.lines) == [0, 1, 4]
    assert list((spool.root / RECORDING / TRACK).iterdir()) == []
    assert isinstance(chain.last, Dropped)
    assert chain.refuse(0, "no segment") is None
    chain.known(5)
    assert chain.lines == {}


def test_a_refusal_after_the_end_deletes_all_the_same(spool: Spool) -> None:
    chain = spool.open(RECORDING, now)
    begin(chain)
    seal(chain)
    chain.append(End, state="sealed", duration_ms=0)
    assert chain.refuse(2, "late") is None
    assert list((spool.root / RECORDING / TRACK).iterdir()) == []
    assert 2 not in chain.lines


def test_a_restart_goes_on_where_it_was(spool: Spool) -> None:
    chain = spool.open(RECORDING, now)
    begin(chain, 3)
    seal(chain)
    seal(chain)
    track = spool.root / RECORDING / TRACK
    (track / "000003.age").write_bytes(b"half")
    (track / "000002.age").write_bytes(b"whole, but not listed")
    with (spool.root / RECORDING / "manifest.jsonl").open("ab") as file:
        file.write(b'{"entry":{"kind":"sealed"')
    spool.close()

    again = Spool(spool.root)
    assert again.recordings() == [RECORDING]
    chain = again.open(RECORDING, now)
    assert (chain.generation, chain.attached, chain.count) == (3, 3, 4)
    assert sorted(chain.lines) == [0, 1, 2, 3]
    assert sorted(p.name for p in track.iterdir()) == ["000000.age", "000001.age"]
    seal(chain)
    assert [s.index for s in read(again.root, again).segments(TRACK)] == [0, 1, 2]
    again.close()


def test_why_the_last_generation_ended_is_known_after_a_restart(spool: Spool) -> None:
    chain = spool.open("rec_x", now)
    assert chain.detached == ""
    begin(chain)
    assert chain.detached == ""
    chain.append(Detach, generation=1, reason="paused")
    assert chain.detached == "paused"
    assert spool.open("rec_x", now).detached == "paused"
    chain.append(
        Attach, generation=2, grant="0" * 64, clock_offset_ms=0.0, clock_uncertainty_ms=0.0
    )
    assert spool.open("rec_x", now).detached == ""


def test_a_changed_manifest_is_not_continued(spool: Spool) -> None:
    chain = spool.open(RECORDING, now)
    begin(chain)
    seal(chain)
    path = spool.root / RECORDING / "manifest.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    for broken in (
        lines[1:],
        [lines[0], lines[2]],
        [*lines, lines[-1]],
        [lines[0].replace(b'"epoch_ms":1', b'"epoch_ms":2'), *lines[1:]],
        [*lines, b"x" * 70_000],
        [*lines, b"junk\n"],
    ):
        path.write_bytes(b"".join(broken))
        with pytest.raises(ManifestBroken):
            spool.open(RECORDING, now)


@pytest.mark.parametrize("name", ["..", ".", "a/b", "", "a" * 65, "/etc"])
def test_names_stay_inside(spool: Spool, name: str) -> None:
    with pytest.raises(ValueError, match="identifier"):
        spool.open(name, now)
    with pytest.raises(ValueError, match="identifier"):
        spool.delete(name)
    chain = spool.open(RECORDING, now)
    with pytest.raises(ValueError, match="identifier"):
        chain.store(name, b"x", lambda: True)


def test_delete_removes_everything(spool: Spool) -> None:
    chain = spool.open(RECORDING, now)
    begin(chain)
    seal(chain)
    spool.delete(RECORDING)
    spool.delete(RECORDING)
    assert spool.recordings() == []


class Failing(Disk):
    """Fails at the nth operation from now."""

    def __init__(self) -> None:
        super().__init__()
        self.left = -1

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise OSError(errno.ENOSPC, "full")

    def create(self, path: Path, data: bytes) -> None:
        self._count()
        super().create(path, data)

    def sync_folder(self, path: Path) -> None:
        self._count()
        super().sync_folder(path)

    def append(self, path: Path, data: bytes) -> None:
        self._count()
        super().append(path, data)


@pytest.mark.parametrize("operation", [1, 2, 3])
def test_a_full_disk_leaves_a_chain_that_goes_on(tmp_path: Path, operation: int) -> None:
    disk = Failing()
    spool = Spool(tmp_path / "spool", disk)
    chain = spool.open(RECORDING, now)
    begin(chain)
    seal(chain)
    disk.left = operation
    with pytest.raises(OSError, match="full"):
        seal(chain)
    assert len(read(spool.root, spool).entries) == 3
    assert seal(chain) == 3
    assert [s.index for s in read(spool.root, spool).segments(TRACK)] == [0, 1]
    spool.close()


def test_several_are_listed_with_one_write_each_if_it_may_be(spool: Spool) -> None:
    chain = spool.open(RECORDING, now)
    begin(chain)
    seal(chain, media=False)
    syncs = spool.disk.syncs
    store(chain, b"a", gaps=((1, 5, "leg.lost"),))
    store(chain, b"b", track="trk_y", media=False)
    store(chain, b"c", track="trk_z", listed=False)
    store(chain, b"d", track="trk_z")
    assert chain.holds("trk_y")
    before = chain.count
    assert chain.list_stored() == 2
    assert not chain.holds("trk_y")
    # four files, three folders, one manifest; the names of two folders
    assert spool.disk.syncs - syncs == 4 + 3 + 1 + 2
    kinds = [type(entry).__name__ for entry in read(spool.root, spool).entries[before:]]
    assert kinds == ["Gap", "Sealed", "Sealed"]
    assert list((spool.root / RECORDING / "trk_z").iterdir()) == []
    store(chain, b"d", track="trk_z")
    chain.append(Detach, generation=1, reason="x")
    assert isinstance(read(spool.root, spool).entries[-2], Sealed)  # listed before what follows
    assert read(spool.root, spool).segments("trk_z")[0].index == 0
