"""The product as its users run it: a process, started by its command, on a port of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tests.support.ports import free_port

if TYPE_CHECKING:
    from playwright.async_api import StorageState

T = TypeVar("T")

START_S = 30.0
STOP_S = 25.0


async def until(
    what: str, look: Callable[[], T | None], seconds: float = 20.0, every: float = 0.05
) -> T:
    """What ``look`` gives once it gives something; for things that no event announces to us."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        await asyncio.sleep(every)
    raise AssertionError(f"waited {seconds} s in vain for: {what}")


class Product:
    """``avsession serve`` on a data folder; may be stopped, killed and started again."""

    def __init__(self, root: Path, **settings: str) -> None:
        self.data = root / "data"
        self.temporary = root / "tmp"
        self.log = root / "log"
        self.temporary.mkdir(parents=True, exist_ok=True)
        self._settings = {f"AVSESSION_{key.upper()}": value for key, value in settings.items()}
        self._process: asyncio.subprocess.Process | None = None
        self.port = 0
        """0: one is chosen at the first start. It stays the same from start to start."""
        self.links: dict[str, str] = {}
        self.signed_in: dict[str, StorageState] = {}
        """Staff who have used their link: what their browser kept."""
        self.inside: tuple[str, ...] = ()
        """What runs it, such as ``ip netns exec NAME``; it must keep the process's id."""

    async def start(self) -> None:
        """Start, and wait for the three lines."""
        await self.launch()
        await self.ready()

    async def launch(self) -> None:
        """Start, and do not wait."""
        self.port = self.port or free_port()
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.inside,
                sys.executable,
                *("-m", "avsession", "serve"),
                *("--port", str(self.port), "--data", str(self.data)),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self.environ(),
            )
        self.links = {}
        self.signed_in = {}

    def environ(self) -> dict[str, str]:
        """The variables that its processes have."""
        environ = {k: v for k, v in os.environ.items() if not k.startswith("AVSESSION_")}
        return environ | self._settings | {"TMPDIR": str(self.temporary)}

    async def ready(self) -> None:
        """Wait for the three lines."""
        assert self._process is not None
        stdout = self._process.stdout
        assert stdout is not None
        async with asyncio.timeout(START_S):
            while not {"ready", "agent", "admin"} <= self.links.keys():
                line = (await stdout.readline()).decode()
                assert line, f"serve ended at once:\n{self.log.read_text()}"
                role, _, link = line.strip().partition(" ")
                self.links[role] = link

    @property
    def url(self) -> str:
        """The public address, without a slash at its end."""
        return self.links["ready"].rstrip("/")

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._process is not None
        return self._process.pid

    async def stop(self, number: int = signal.SIGINT) -> int:
        """Ctrl-C (or another signal); the exit status."""
        process = self._process
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        async with asyncio.timeout(STOP_S):
            status = await process.wait()
        self._process = None
        return status

    def signal(self, number: int) -> None:
        """Send a signal, and do not wait."""
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait until it ends by itself; the exit status."""
        assert self._process is not None
        async with asyncio.timeout(STOP_S):
            status = await self._process.wait()
        self._process = None
        return status

    async def proven(self) -> str:
        """What ``avsession recording verify --all`` says of this folder; it must hold.

        It does once the last end of a recording is under a signed checkpoint.
        """
        ends = "('recording.sealed', 'recording.interrupted', 'recording.erased')"
        last = self.rows(f"select max(number) as n from leaf where kind in {ends}")[0]["n"]  # noqa: S608
        query = "select size from checkpoint where size > ?"
        await until("a checkpoint over it", lambda: self.rows(query, last))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "avsession", "recording", "verify", "--all", "--data", str(self.data)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={k: v for k, v in os.environ.items() if not k.startswith("AVSESSION_")},
        )
        said = (await process.communicate())[0].decode()
        assert process.returncode == 0, said
        return said

    def worker_pids(self) -> list[int]:
        """The recorder workers: the server's children."""
        found = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(pid) for pid in found]

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Rows of the database, read without disturbing the server."""
        address = f"file:{self.data / 'avsession.sqlite3'}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=10)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(query, values)]

    def files(self, *folders: str) -> list[Path]:
        """Every file below folders of the data folder."""
        return [p for f in folders for p in (self.data / f).rglob("*") if p.is_file()]

    def segments(self) -> list[Path]:
        """Sealed segments, accepted or spooled."""
        return [p for p in self.files("objects", "spool") if p.suffix == ".age"]
