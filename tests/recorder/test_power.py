"""The power goes, at any step of the spool's writing; what is left opens to a whole recording."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avsession.recording import Detach, Sealed, decode_line
from recorder.disk import Disk
from recorder.spool import Spool
from tests.recorder.test_spool import RECORDING, TRACK, begin, now, store
from tests.support import memory

Step = tuple[str, Path, bytes]
"""What is done, to which path, with which bytes (``publish``: the new name)."""


class Lasting(Disk):
    """Notes each step: what it writes, and which folder's names it makes last."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []

    def folder(self, path: Path) -> None:
        self.steps.append(("folder", path, b""))
        super().folder(path)

    def create(self, path: Path, data: bytes) -> None:
        self.steps.append(("create", path, data))
        super().create(path, data)

    def publish(self, temporary: Path, final: Path) -> None:
        self.steps.append(("publish", temporary, final.name.encode()))
        super().publish(temporary, final)

    def append(self, path: Path, data: bytes) -> None:
        self.steps.append(("append", path, data))
        super().append(path, data)

    def remove(self, path: Path) -> None:
        self.steps.append(("remove", path, b""))
        super().remove(path)

    def sync_folder(self, path: Path) -> None:
        self.steps.append(("sync", path, b""))
        super().sync_folder(path)


def recorded(folder: Path) -> list[Step]:
    """Each step of a short recording of two tracks, its paths relative to ``folder``."""
    disk = Lasting()
    spool = Spool(folder, disk)
    chain = spool.open(RECORDING, now)
    begin(chain)
    for n in range(3):
        store(chain, f"{TRACK} {n}".encode())
        store(chain, f"trk_y {n}".encode(), track="trk_y")
        chain.list_stored()
    chain.append(Detach, generation=1, reason="x")
    spool.close()
    return [(kind, path.relative_to(folder), data) for kind, path, data in disk.steps]


def power_cut(steps: list[Step], root: Path, torn: float, goes: Callable[[Path], bool]) -> None:
    """In ``root`` what is left when the last of these steps was under way: so much of its bytes,
    and of the names that no sync made last those that do not ``goes``."""
    disk = Disk()
    root.mkdir(mode=0o700)
    fleeting: set[Path] = set()
    for number, (kind, path, whole) in enumerate(steps, 1):
        there = root / path
        content = whole[: int(torn * len(whole))] if number == len(steps) else whole
        match kind:
            case "folder":
                disk.folder(there)
            case "create":
                disk.create(there, content)
                fleeting.add(there)
            case "publish":
                disk.publish(there, there.with_name(whole.decode()))
                fleeting.discard(there)
            case "append":
                if not there.exists():
                    fleeting.add(there)
                disk.append(there, content)
            case "sync":
                fleeting = {file for file in fleeting if file.parent != there}
            case _:
                disk.remove(there)
                fleeting.discard(there)
    for file in sorted(fleeting):
        if goes(file):
            file.unlink()


def opens_consistently(root: Path) -> int:
    """Every listed segment is whole, and there is no other; how many there are."""
    again = Spool(root)
    try:
        chain = again.open(RECORDING, now)
        listed = [decode_line(line).entry for line in chain.lines.values()]
        for entry in listed:
            if isinstance(entry, Sealed):
                path = again.root / RECORDING / entry.track / f"{entry.index:06d}.age"
                assert path.read_bytes() == f"{entry.track} {entry.index}".encode()
        files = list((again.root / RECORDING).glob("*/*"))
        assert len(files) == sum(isinstance(entry, Sealed) for entry in listed)
        return len(files)
    finally:
        again.close()


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_every_prefix_of_writes_opens_to_a_consistent_recording(
    tmp_path: Path, data: st.DataObject
) -> None:
    """A power cut after any step: names that no sync made last may be gone, or may not."""
    shutil.rmtree(tmp_path / "a", ignore_errors=True)
    shutil.rmtree(tmp_path / "b", ignore_errors=True)
    steps = recorded(tmp_path / "a")
    cut = data.draw(st.integers(1, len(steps)))
    torn = data.draw(st.floats(0, 1))
    power_cut(steps[:cut], tmp_path / "b", torn, lambda _: data.draw(st.booleans()))
    opens_consistently(tmp_path / "b")


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("torn", [0.0, 0.5, 0.999, 1.0])
def test_each_prefix_in_turn(torn: float, gone: bool) -> None:
    """None is left to chance; and what was listed stays listed, whatever is cut off after it."""
    with memory.folder() as name:
        folder = Path(name)
        steps = recorded(folder / "a")
        counts = []
        for cut in range(1, len(steps) + 1):
            power_cut(steps[:cut], folder / str(cut), torn, lambda _: gone)
            counts.append(opens_consistently(folder / str(cut)))
        assert counts == sorted(counts)
        assert counts[-1] == 6
