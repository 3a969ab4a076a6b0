"""A disk that is full, fails or does not answer: recording stops, everyone is told why.

The process is real, and so is the failure where a system can be made to fail; see bad_disk.py for
the others.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from avsession.config import Settings
from avsession.serve import Files
from recorder.__main__ import parser
from tests.browser.product import Product
from tests.faults.calls import Call, calling, now_ms
from tests.faults.recorded import Recorded

STOP_MS = 2_000


def may_not_grow(pid: int, *, limited: bool = True) -> None:
    """No file that this process writes may grow any more; or it may again."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1 if limited else hard, hard))


@asynccontextmanager
async def running(folder: Path, **settings: str) -> AsyncIterator[Product]:
    """A product of its own settings."""
    product = Product(folder, **({"recorder_min_free_mb": "1"} | settings))
    await product.start()
    try:
        yield product
    finally:
        await product.stop()


async def stops(call: Call, failed_ms: float, reason: str, folder: Path) -> None:
    """Recording stops in time and says why, what was sealed is good, and the call goes on."""
    joins = [party.joins for party in call.parties]
    await call.reason(reason)
    assert max(party.told(reason) for party in call.parties) - failed_ms <= STOP_MS
    row = call.recording()
    assert row is not None
    await call.until("closed", lambda: (call.recording() or {})["state"] != "on")
    recorded = Recorded(call.product, row["id"], whole=False)
    for track in recorded.tracks():
        assert recorded.last_before(track, failed_ms) > failed_ms - STOP_MS
    await recorded.check(folder)
    assert [party.joins for party in call.parties] == joins
    assert all(party.connected for party in call.parties)


def on_a_small_disk(folder: Path) -> bool:
    """A file system of its own here, if we may; whether we might."""
    folder.mkdir(parents=True, mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "none", str(folder)]
    if os.geteuid() != 0:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


async def test_a_full_disk(tmp_path: Path) -> None:
    spool = tmp_path / "data" / "spool"
    (tmp_path / "data").mkdir(mode=0o700)
    mounted = on_a_small_disk(spool)
    try:
        async with running(tmp_path) as product, calling(product) as call:
            await call.record()
            await call.grown(6)
            failed_ms = now_ms()
            if mounted:
                with (spool / "filler").open("wb", buffering=0) as file:
                    while True:
                        try:
                            file.write(bytes(4096))
                        except OSError:
                            break
            else:
                # where nothing can be mounted: no file of this process may grow any more
                may_not_grow(product.worker_pids()[0])
            await stops(call, failed_ms, "storage_failed", tmp_path)
    finally:
        if mounted:
            await asyncio.to_thread(subprocess.run, ["umount", "-l", str(spool)], check=True)


async def test_below_the_floor_nothing_begins(tmp_path: Path) -> None:
    async with (
        running(tmp_path, recorder_min_free_mb="10000000") as product,
        calling(product) as call,
    ):
        await call.record()
        await call.reason("storage_full")
        assert product.segments() == []
        assert all(party.offers == [] for party in call.parties)
        assert all(party.connected for party in call.parties)


@asynccontextmanager
async def bad_disk(product: Product) -> AsyncIterator[Path]:
    """A recorder of the test's own beside a server that starts none; the file that it obeys."""
    files = Files(product.data)
    control = product.temporary / "control"
    control.write_text("")
    worker = "wrk_" + "a" * 26
    arguments = {
        "--url": f"wss://localhost:{product.port}/recorder",
        "--worker": worker,
        "--credential": str(files.keys / "recorder.credential"),
        "--grant-key": grant_key(product),
        "--spool": str(files.spool / worker),
        "--min-free-mb": "1",
        "--ca-file": str(files.keys / "ca.pem"),
    }
    line = [f"{name}={value}" for name, value in arguments.items()]
    parser().parse_args(line)
    with product.log.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.bad_disk", str(control), *line, stderr=log
        )
    try:
        yield control
    finally:
        control.write_text("")
        process.terminate()
        await process.wait()


def grant_key(product: Product) -> str:
    """The public half of the key that grants are signed with."""
    from avsession import keys
    from avsession.canonical import b64

    private = keys.signing_key(Files.of(Settings(data=str(product.data))).keys / "grant.key")
    return b64(private.public_key().public_bytes_raw())


@pytest.mark.parametrize("how", ["eio", "slow"])
async def test_a_disk_that_fails_or_does_not_answer(tmp_path: Path, how: str) -> None:
    async with (
        running(tmp_path, recorders="0") as product,
        bad_disk(product) as control,
        calling(product) as call,
    ):
        await call.record()
        await call.grown(6)
        control.write_text(how)
        since = control.with_suffix(".since")
        await call.until("a write", lambda: since.exists() and since.read_text())
        await stops(call, float(since.read_text()), "storage_failed", tmp_path)
        # the disk comes back, and with it what was on its way; the recording says what it is
        control.write_text("")
        await call.until("over", lambda: (call.recording() or {})["state"] == "interrupted")
        recorded = Recorded(product, (call.recording() or {})["id"])
        await recorded.check(tmp_path)


async def test_a_server_that_cannot_store(tmp_path: Path) -> None:
    async with running(tmp_path) as product, calling(product) as call:
        await call.record()
        await call.grown(6)
        failed_ms = now_ms()
        may_not_grow(product.pid)
        await call.reason("storage_failed")
        told_ms = now_ms()
        assert told_ms - failed_ms <= STOP_MS
        may_not_grow(product.pid, limited=False)
        await call.until(
            "over", lambda: (call.recording() or {})["state"] in ("sealed", "interrupted")
        )
        recorded = Recorded(product, (call.recording() or {})["id"])
        await recorded.check(tmp_path)
        # and it can be asked for again
        await call.record()
        await call.grown(4)
        assert (call.recording() or {})["id"] != recorded.recording
