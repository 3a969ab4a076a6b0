"""A recorder worker is a process of its own, and there is always one."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from avsession import supervisor
from avsession.supervisor import Supervisor
from avsession.tasks import Tasks

WORKER = """
import os, pathlib, sys
folder = pathlib.Path(sys.argv[-1])
with (folder / "started").open("a") as file:
    file.write(f"{os.getpid()}\\n")
os.read(0, 1)
"""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    """A supervisor whose worker writes down its process id and waits for its standard input."""
    script = tmp_path / "recorder.py"
    script.write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(supervisor, "BACKOFF_S", (0.0, 0.01))
    # `-P`-less `-m` puts the current folder first: it must be the one with our small worker
    monkeypatch.chdir(tmp_path)
    return Supervisor([str(tmp_path)])


async def started(folder: Path, count: int) -> list[int]:
    async with asyncio.timeout(20):
        while True:
            path = folder / "started"
            lines = path.read_text().split() if path.exists() else []
            if len(lines) >= count:
                return [int(line) for line in lines]
            await asyncio.sleep(0.02)


async def test_a_killed_worker_is_started_again(small: Supervisor, tmp_path: Path) -> None:
    tasks = Tasks()
    running = tasks.spawn(small.run(), name="supervisor")
    (first,) = await started(tmp_path, 1)
    os.kill(first, signal.SIGKILL)
    pids = await started(tmp_path, 2)
    assert pids[1] != first
    assert small.pid == pids[1]
    await small.stop()
    await running
    with pytest.raises(ProcessLookupError):
        os.kill(pids[1], 0)


async def test_a_worker_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """Its standard input closes when we die, however that happens."""
    (tmp_path / "recorder.py").write_text(WORKER)
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import asyncio; from avsession.supervisor import Supervisor; "
        f"asyncio.run(Supervisor([{str(tmp_path)!r}]).run())",
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"},
    )
    (worker,) = await started(tmp_path, 1)
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(20):
        while Path(f"/proc/{worker}").exists():
            state = Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[0]
            if state == "Z":
                break
            await asyncio.sleep(0.02)
