import errno
import itertools
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
    end = chain.end_ms.get(TRACK, 0) + 10
    return chain.seal(
        TRACK, data, lambda: listed, generation=1, start_ms=end - 5, end_ms=end, captured_ms=end,
        uncertainty_ms=1.0, plain_size=len(data),
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
    (track / ".tmp-000002.age").write_bytes(b"half")
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
        chain.seal(name, b"x", lambda: True)


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

    def publish(self, temporary: Path, final: Path) -> None:
        self._count()
        super().publish(temporary, final)

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


class Recorded(Disk):
    """Notes each durable step as what a power loss right after it would leave."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[str, Path, bytes, Path | None]] = []

    def folder(self, path: Path) -> None:
        self.steps.append(("folder", path, b"", None))
        super().folder(path)

    def create(self, path: Path, data: bytes) -> None:
        self.steps.append(("create", path, data, None))
        super().create(path, data)

    def publish(self, temporary: Path, final: Path) -> None:
        self.steps.append(("publish", temporary, b"", final))
        super().publish(temporary, final)

    def append(self, path: Path, data: bytes) -> None:
        self.steps.append(("append", path, data, None))
        super().append(path, data)

    def remove(self, path: Path) -> None:
        self.steps.append(("remove", path, b"", None))
        super().remove(path)


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_every_prefix_of_writes_opens_to_a_consistent_recording(
    tmp_path: Path, data: st.DataObject
) -> None:
    shutil.rmtree(tmp_path / "a", ignore_errors=True)
    shutil.rmtree(tmp_path / "b", ignore_errors=True)
    disk = Recorded()
    spool = Spool(tmp_path / "a", disk)
    chain = spool.open(RECORDING, now)
    begin(chain)
    for n in range(4):
        seal(chain, f"segment {n}".encode())
    chain.append(Detach, generation=1, reason="x")
    spool.close()

    cut = data.draw(st.integers(2, len(disk.steps)))
    torn = data.draw(st.floats(0, 1))
    replayed = Disk()
    (tmp_path / "b").mkdir(mode=0o700)
    for number, (kind, path, whole, final) in enumerate(disk.steps[:cut]):
        there = tmp_path / "b" / path.relative_to(tmp_path / "a")
        content = whole[: int(torn * len(whole))] if number == cut - 1 else whole
        match kind:
            case "folder":
                replayed.folder(there)
            case "create":
                replayed.create(there, content)
            case "publish":
                assert final is not None
                replayed.publish(there, tmp_path / "b" / final.relative_to(tmp_path / "a"))
            case "append":
                replayed.append(there, content)
            case _:
                replayed.remove(there)
    key = tmp_path / "b" / "manifest.key"
    if not key.exists() or len(key.read_bytes()) != 32:
        return
    again = Spool(tmp_path / "b")
    try:
        chain = again.open(RECORDING, now)
        listed = [decode_line(line).entry for line in chain.lines.values()]
        for entry in listed:
            if isinstance(entry, Sealed):
                path = again.root / RECORDING / TRACK / f"{entry.index:06d}.age"
                assert path.read_bytes() == f"segment {entry.index}".encode()
        files = list((again.root / RECORDING).glob("*/*"))
        assert len(files) == sum(isinstance(entry, Sealed) for entry in listed)
    finally:
        again.close()
