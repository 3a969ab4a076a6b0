"""SIGKILL at any moment, of recorder, server or both: what is lost, and what goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from avsession.recording import Attach, Detach, End, Gap
from tests.browser.product import Product
from tests.faults.calls import Call, calling, now_ms
from tests.faults.recorded import Recorded

LOST_MS, AGAIN_MS = 2_000, 3_000


@pytest.fixture
async def product(tmp_path: Path) -> AsyncIterator[Product]:
    made = Product(tmp_path, recorder_min_free_mb="1")
    await made.start()
    yield made
    await made.stop()


async def finished(call: Call) -> Recorded:
    """Stop, and wait until the domain has the end."""
    await call.stop()
    over = ("sealed", "interrupted")
    row = await call.until("the end", lambda: (r := call.recording()) and r["state"] in over and r)
    return Recorded(call.product, row["id"])


def offered(call: Call, since_ms: float) -> float:
    """When the last of both parties was offered a leg after this moment; 0 before."""
    each = [[at for at in party.offers if at > since_ms] for party in call.parties]
    return max(offers[0] for offers in each) if all(each) else 0.0


@pytest.mark.parametrize("segments", [3, 8])
async def test_a_killed_recorder_is_back_within_three_seconds(
    product: Product, tmp_path: Path, segments: int
) -> None:
    async with calling(product) as call:
        await call.record()
        await call.grown(segments)
        joins = [party.joins for party in call.parties]
        killed_ms = now_ms()
        os.kill(product.worker_pids()[0], signal.SIGKILL)
        again_ms = await call.until("another leg", lambda: offered(call, killed_ms))
        assert again_ms - killed_ms <= AGAIN_MS
        await call.grown(4)
        # the call has not noticed
        assert [party.joins for party in call.parties] == joins
        recorded = await finished(call)
        assert recorded.entries(End)[0].state == "interrupted"
        assert "worker.restarted" in [d.reason for d in recorded.entries(Detach)]
        assert len(recorded.entries(Attach)) == 2
        for track in recorded.tracks():
            assert killed_ms - recorded.last_before(track, killed_ms) <= LOST_MS
            gaps = [gap for gap in recorded.entries(Gap) if gap.track == track]
            assert "worker.restarted" in [gap.reason for gap in gaps]
        await recorded.check(tmp_path)


@pytest.mark.parametrize("with_recorder", [False, True], ids=["server", "both"])
async def test_a_killed_server_costs_no_more(
    product: Product, tmp_path: Path, *, with_recorder: bool
) -> None:
    async with calling(product) as call:
        await call.record()
        await call.grown(6)
        pids = [product.pid, *(product.worker_pids() if with_recorder else ())]
        killed_ms = now_ms()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        await product.stop()
        await product.start()
        up_ms = now_ms()
        again_ms = await call.until("another leg", lambda: offered(call, killed_ms))
        assert again_ms - up_ms <= AGAIN_MS
        await call.grown(4)
        recorded = await finished(call)
        for track in recorded.tracks():
            assert killed_ms - recorded.last_before(track, killed_ms) <= LOST_MS
            gaps = [gap for gap in recorded.entries(Gap) if gap.track == track]
            assert "worker.restarted" in [gap.reason for gap in gaps]
        if with_recorder:
            assert recorded.entries(End)[0].state == "interrupted"
        await recorded.check(tmp_path)


async def test_a_drained_recorder_hands_its_recordings_over(
    product: Product, tmp_path: Path
) -> None:
    """SIGTERM to a recorder: nobody is asked again, and less than two seconds are missing."""
    async with calling(product) as call:
        await call.record()
        await call.grown(6)
        drained_ms = now_ms()
        os.kill(product.worker_pids()[0], signal.SIGTERM)
        await call.until("another leg", lambda: offered(call, drained_ms))
        await call.grown(4)
        recorded = await finished(call)
        assert recorded.entries(End)[0].state == "sealed"
        assert recorded.entries(Detach)[0].reason == "worker.stopping"
        for track in recorded.tracks():
            (gap,) = (gap for gap in recorded.entries(Gap) if gap.track == track)
            assert gap.end_ms - gap.start_ms <= LOST_MS
        await recorded.check(tmp_path)
