"""Withdrawing while recording, twenty times: what is the last thing kept, and when is it over.

The moment is taken before the message is written; everything runs on this machine's one clock.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from pathlib import Path

from tests.browser.product import Product
from tests.faults.calls import Call, calling, now_ms
from tests.faults.recorded import Recorded

CALLS, TIMES = 2, 10
"""Calls, and withdrawals in each: a session asks for a recording twenty times at the most."""


async def withdrawal(call: Call, *, by: int) -> tuple[float, float, list[float]]:
    """ms until it is written down, until the other is told; the age of the last frames kept."""
    await call.record()
    await call.grown(2)
    await asyncio.sleep(secrets.randbelow(1_500) / 1000)
    party, other = call.parties[by], call.parties[1 - by]
    seen = len(other.heard)
    began_ms = now_ms()
    await party.person.wire.ask("consent.withdraw", request=call.request)
    written_ms = now_ms() - began_ms

    def told() -> float:
        """When the other one was told that recording is off."""
        for at_ms, said in other.heard[seen:]:
            if said["type"] == "recording.state" and said["recording"]["state"] == "off":
                return at_ms
        return 0.0

    told_ms = await call.until("the other is told", told) - began_ms
    await party.person.wire.ask("consent.fate", request=call.request, fate="keep")
    over = ("sealed", "interrupted")
    row = await call.until("the end", lambda: (r := call.recording()) and r["state"] in over and r)
    recorded = Recorded(call.product, row["id"])
    last = [
        max(segment.captured_ms for segment in recorded.manifest.segments(track))
        for track in recorded.tracks()
    ]
    return written_ms, told_ms, [began_ms - moment for moment in last]


async def measure() -> None:
    """Print the distribution."""
    written: list[float] = []
    told: list[float] = []
    before: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        product = Product(Path(name))
        await product.start()
        try:
            agent = ""
            for _ in range(CALLS):
                async with calling(product, agent) as call:
                    agent = call.agent
                    for number in range(TIMES):
                        one = await withdrawal(call, by=number % 2)
                        written.append(one[0])
                        told.append(one[1])
                        before += one[2]
        finally:
            await product.stop()
    later = sum(ms < 0 for ms in before)
    print(f"withdrawing while recording, {CALLS * TIMES} times, two tracks each")
    print("ms                                              least  median    90 %   worst")
    row("the last frame kept is older than the withdrawal", before)
    row("the other party is told after", told)
    row("it is written down and acknowledged after", written)
    print(f"kept, and captured after the withdrawal: {later} of {len(before)} tracks; promised: 0")


def row(what: str, values: list[float]) -> None:
    """One line of the table."""
    values = sorted(values)
    picked = (values[0], values[len(values) // 2], values[len(values) * 9 // 10], values[-1])
    print(f"{what:48}" + "".join(f"{value:6.0f}  " for value in picked))


if __name__ == "__main__":
    asyncio.run(measure())
