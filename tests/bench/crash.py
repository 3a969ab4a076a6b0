"""SIGKILL to the recorder, twenty times at random moments: what is lost, how soon it goes on."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import tempfile
from pathlib import Path

from avsession.recording import End
from tests.browser.product import Product
from tests.faults.calls import Call, calling, now_ms
from tests.faults.recorded import Recorded

TIMES = 20
LOST_MS, AGAIN_MS = 2_000, 3_000


def offered(call: Call, since_ms: float) -> float:
    """When both parties had been offered a leg after this moment; 0 before."""
    each = [[at for at in party.offers if at > since_ms] for party in call.parties]
    return max(offers[0] for offers in each) if all(each) else 0.0


async def kills(call: Call) -> list[tuple[float, float]]:
    """When each SIGKILL was, and how long it took until another leg was offered to both, ms."""
    found = []
    for number in range(TIMES):
        await call.grown(2)
        await asyncio.sleep(secrets.randbelow(2_000) / 1000)
        killed_ms = now_ms()
        os.kill(call.product.worker_pids()[0], signal.SIGKILL)
        again_ms = await call.until("another leg", lambda at=killed_ms: offered(call, at))
        found.append((killed_ms, again_ms - killed_ms))
        print(
            f"  kill {number + 1} of {TIMES}: another leg after {found[-1][1]:.0f} ms", flush=True
        )
    await call.grown(2)
    return found


async def measure() -> None:
    """One recording, killed again and again; the table says the worst of each."""
    with tempfile.TemporaryDirectory() as name:
        product = Product(Path(name))
        await product.start()
        try:
            async with calling(product) as call:
                await call.record()
                joins = [party.joins for party in call.parties]
                times = await kills(call)
                await call.stop()
                over = ("sealed", "interrupted")
                await call.until("the end", lambda: (call.recording() or {})["state"] in over)
                recorded = Recorded(product, (call.recording() or {})["id"])
                await recorded.check(Path(name))
                lost = [
                    killed_ms - recorded.last_before(track, killed_ms)
                    for killed_ms, _ in times
                    for track in recorded.tracks()
                ]
                noticed = [party.joins for party in call.parties] != joins
        finally:
            await product.stop()
    again = sorted(ms for _, ms in times)
    lost.sort()
    print(f"SIGKILL to the recorder, {TIMES} times in one recording")
    print("                      median   worst   promised")
    print(f"  lost, ms            {lost[len(lost) // 2]:6.0f}  {lost[-1]:6.0f}     {LOST_MS}")
    print(f"  another leg, ms     {again[len(again) // 2]:6.0f}  {again[-1]:6.0f}     {AGAIN_MS}")
    print(f"  verified, decoded without a warning, ends as: {recorded.entries(End)[0].state}")
    print(f"  the call noticed: {'yes' if noticed else 'no'}")


if __name__ == "__main__":
    asyncio.run(measure())
