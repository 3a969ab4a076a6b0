"""A recorder on a disk that fails on command: ``python -m tests.faults.bad_disk FILE ARGUMENTS``.

While FILE says ``eio`` every write fails; while it says ``slow`` none returns. ``FILE.since`` is
when that was met first (server time, ms).
"""

from __future__ import annotations

import errno
import sys
import threading
import time
from pathlib import Path

from recorder.__main__ import run
from recorder.disk import Disk


class BadDisk(Disk):
    """A disk that does what the file says."""

    def __init__(self, control: Path) -> None:
        super().__init__()
        self._control = control
        self._since = control.with_suffix(".since")

    def create(self, path: Path, data: bytes) -> None:
        """As a good disk does, or not."""
        self._obey()
        super().create(path, data)

    def append(self, path: Path, data: bytes) -> None:
        """As a good disk does, or not."""
        self._obey()
        super().append(path, data)

    def _obey(self) -> None:
        if self._control.read_text() and not self._since.exists():
            self._since.write_text(str(time.time() * 1000))
        while (said := self._control.read_text()) == "slow":
            threading.Event().wait(0.02)
        if said == "eio":
            raise OSError(errno.EIO, "input/output error")


if __name__ == "__main__":
    sys.exit(run(sys.argv[2:], BadDisk(Path(sys.argv[1]))))
