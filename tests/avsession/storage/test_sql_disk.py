"""The store and the disk under it: a crash, a full disk, what is left of what was removed."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from avsession import records
from avsession.errors import Unavailable
from avsession.storage.sql import SqlStore
from tests.avsession.storage.samples import notice
from tests.support.engines import database, sqlite_only


async def add(store: SqlStore, *rows: Any) -> None:
    async with store.write() as writer:
        for row in rows:
            await writer.add(row)


KILLED = """
import asyncio, os, signal, sys
from avsession.storage.sql import SqlStore
from tests.avsession.storage.samples import notice
from tests.support.engines import database, sqlite_only

async def main():
    store = SqlStore(sys.argv[1])
    await store.open()
    async with store.write() as writer:
        await writer.add(notice("committed"))
    async with store.write() as writer:
        await writer.add(notice("not committed"))
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.usefixtures("engine", "given_back")
async def test_a_killed_process_keeps_what_it_committed_and_nothing_else(tmp_path: Path) -> None:
    url = database(tmp_path)
    root = Path(__file__).parents[3]
    killed = subprocess.run(  # noqa: ASYNC221
        [sys.executable, "-c", KILLED, url],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    store = SqlStore(url)
    await store.open()
    async with store.read() as reader:
        assert await reader.find(records.Notice) == [notice("committed")]
    await store.close()


@sqlite_only("PostgreSQL's disk is not this process's")
async def test_a_full_disk_is_unavailable_and_passes(store: SqlStore, tmp_path: Path) -> None:
    await add(store, notice("before"))
    largest = max(file.stat().st_size for file in tmp_path.iterdir())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 4096, limits[1]))
    try:
        with pytest.raises(Unavailable):
            await add(store, notice("during", text=bytes(1 << 20)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    await add(store, notice("after"))
    async with store.read() as reader:
        assert await reader.count(records.Notice) == 2


@sqlite_only("PostgreSQL's files are not ours: test_postgresql has what is done about them")
async def test_what_was_removed_is_in_no_file_after_a_scrub(
    store: SqlStore, tmp_path: Path
) -> None:
    def found() -> list[str]:
        return [f.name for f in tmp_path.iterdir() if b"Rumpelstilzchen" in f.read_bytes()]

    await add(store, *(notice(f"{n}", text=b"Rumpelstilzchen" * 999) for n in range(9)))
    assert found()
    async with store.write() as writer:
        await writer.remove(records.Notice, language="en")
    assert found(), "then scrub would have nothing to do"
    await store.scrub()
    assert found() == []


@sqlite_only("no reader is in the way of PostgreSQL's")
async def test_a_scrub_that_a_reader_prevents_says_so(store: SqlStore) -> None:
    await add(store, notice("a"))
    async with store.read() as reader:
        await reader.count(records.Notice)
        await add(store, notice("b"))
        with pytest.raises(Unavailable, match="scrubbed"):
            await store.scrub()
    await store.scrub()
