"""Several recorders: work is shared out, refused beyond what they carry, seen from outside."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from avsession.recording import Gap
from tests.browser.product import Product
from tests.faults.calls import Call, calling, now_ms
from tests.faults.recorded import Recorded

LOST_MS = 2_000
FIGURE = re.compile(r'avsession_recorder_(\w+)\{worker="(\w+)"\} (\S+)')


@pytest.fixture
async def product(tmp_path: Path) -> AsyncIterator[Product]:
    made = Product(tmp_path, recorder_min_free_mb="1", recorders="2", recorder_capacity="1")
    await made.start()
    yield made
    await made.stop()


async def figures(call: Call) -> dict[str, dict[str, float]]:
    """What ``/metrics`` says of each worker."""
    network = call.parties[0].person.outside
    _, body, _ = await network.request("GET", "/metrics")
    found: dict[str, dict[str, float]] = {}
    for name, worker, value in FIGURE.findall(body.decode()):
        found.setdefault(worker, {})[name] = float(value)
    return found


def worker_of(product: Product, worker: str) -> int:
    """The process of a worker."""
    for pid in product.worker_pids():
        if f"--worker={worker}" in Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
            return pid
    raise AssertionError(worker)


async def test_shared_out_refused_and_handed_over(product: Product, tmp_path: Path) -> None:
    async with (
        calling(product) as one,
        calling(product, one.agent) as two,
        calling(product, one.agent) as three,
    ):
        for call in (one, two):
            await call.record()
            await call.grown(4)
        rows = [call.recording() or {} for call in (one, two)]
        assert rows[0]["worker"] != rows[1]["worker"]
        spools = {path.name for path in (product.data / "spool").iterdir()}
        assert spools == {row["worker"] for row in rows}

        # beyond what both can carry: everyone is told, the call goes on, nobody is asked again
        await three.record()
        await three.reason("recorder_unavailable")
        assert three.recording() is None
        assert all(party.connected for party in three.parties)

        # figures come with a heartbeat, every second: two seconds of segments later they are new
        for call in (one, two):
            await call.grown(4)
        said = await figures(one)
        for row in rows:
            mine = said[row["worker"]]
            assert (mine["recordings"], mine["publishers"], mine["taking"]) == (1, 2, 0)
            assert mine["packets_total"] > mine["frames_total"] > 0
            assert mine["fsync_seconds_total"] > 0
            assert mine["spool_free_bytes"] > 0

        # one is drained: its recording goes on, the other's has noticed nothing
        drained_ms = now_ms()
        os.kill(worker_of(product, rows[0]["worker"]), signal.SIGTERM)
        await one.until(
            "another leg", lambda: all(p.offers[-1] > drained_ms for p in one.parties), 5.0
        )
        await one.grown(4)
        assert all(len(party.offers) == 1 for party in two.parties)

        # a recording ends: the one that waited begins, with the consents that it has
        await two.stop()
        await three.until("room", three.recording)
        await three.grown(4)
        assert (three.recording() or {})["worker"] == rows[1]["worker"]

        await one.stop()
        over = ("sealed", "interrupted")
        await one.until("the end", lambda: (one.recording() or {})["state"] in over)
        recorded = Recorded(product, rows[0]["id"])
        for gap in recorded.entries(Gap):
            assert gap.end_ms - gap.start_ms <= LOST_MS
        await recorded.check(tmp_path)
