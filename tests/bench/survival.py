"""How long a call takes to come back, for each way in which its connections can be cut.

The customer's browser reaches the server and the other browser over roads of ours, which are cut
for real. Counted from the network's return (from the cut, where it is back at once) until both see
new pictures of each other, and until the first frame of both that the recording keeps. Beside each
stands the time in which the same call began, from `Join call` to the first picture, as a ratio.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from tests.browser.conftest import chromium
from tests.browser.people import FLAGS, Person, new_call
from tests.browser.product import Product, until
from tests.browser.roads import Roads
from tests.browser.story import kept_since, record

RUNS = 2
DARK_S = 5.0
"""How long the network is gone: long enough for both sides to have noticed."""
FLIGHT_S = 0.4
"""After a cut, pictures that were on their way are still shown."""
BACK_S = 40.0
"""Nothing takes so long."""


@dataclass
class World:
    """One recorded call, and what can be done to it."""

    product: Product
    roads: Roads
    own: Browser
    agent: Person
    customer: Person

    async def frames(self) -> list[int]:
        """What each of the two has seen of the other."""
        people = (self.agent, self.customer)
        return [(await person.stats())["remoteFramesDecoded"] or 0 for person in people]


Cut = Callable[[World], Awaitable[float]]
"""Cuts, and says when the network was back, in ms since the epoch."""


def now_ms() -> float:
    """The clock that the product's recordings tell their times by, on this machine."""
    return time.time_ns() / 1e6


async def _server_only(world: World) -> float:
    world.roads.vanish(media=False)
    await asyncio.sleep(DARK_S)
    world.roads.back()
    return now_ms()


async def _media_only(world: World) -> float:
    world.roads.vanish(server=False)
    await asyncio.sleep(DARK_S)
    world.roads.another_way()
    return now_ms()


async def _media_at_once(world: World) -> float:
    world.roads.another_way()
    return now_ms()


async def _announced(world: World) -> float:
    world.roads.vanish()
    await world.customer.context.set_offline(True)
    await asyncio.sleep(DARK_S)
    world.roads.another()
    await world.customer.context.set_offline(False)
    return now_ms()


async def _unannounced(world: World) -> float:
    world.roads.vanish()
    await asyncio.sleep(DARK_S)
    world.roads.another()
    return now_ms()


async def _at_once(world: World) -> float:
    world.roads.another()
    return now_ms()


async def _restarted(world: World) -> float:
    await world.product.stop(signal.SIGTERM)
    await world.product.start()
    return now_ms()


async def _asleep(world: World) -> float:
    session = await world.own.new_browser_cdp_session()
    processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for process in processes:
            os.kill(process["id"], number)
        if number == signal.SIGSTOP:
            await asyncio.sleep(DARK_S)
    return now_ms()


CUTS: dict[str, Cut] = {
    "the way to the server, silently": _server_only,
    "sound and picture only, silently": _media_only,
    "another path for them, at once": _media_at_once,
    "another network, and the browser knows": _announced,
    "another network, and nobody says so": _unannounced,
    "the same, from one moment to the next": _at_once,
    "the server restarted": _restarted,
    "the laptop asleep": _asleep,
}


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    """A recorded call; the customer's browser has roads of its own."""
    with tempfile.TemporaryDirectory() as folder:
        product = Product(Path(folder))
        await product.start()
        roads = Roads(product.port)
        await roads.open()
        try:
            async with async_playwright() as playwright:
                path = chromium()
                like = await playwright.chromium.launch(executable_path=path, args=FLAGS)
                own = await roads.browser(like, path)
                customer = await roads.person(own)
                agent, customer = await new_call(like, product, customer=customer)
                await record(agent, customer, product, 1)
                yield World(product, roads, own, agent, customer)
                await agent.click("End call")
                await own.close()
                await like.close()
        finally:
            await roads.close()
            await product.stop()


async def back_after(world: World, cut: Cut) -> tuple[float, float]:
    """ms until both see each other again; until both are recorded again."""
    moment = await cut(world)
    await asyncio.sleep(max(0.0, FLIGHT_S - (now_ms() - moment) / 1000))
    before = await world.frames()
    end = moment + BACK_S * 1000
    seen = 0.0
    while not seen:
        if all(new > old for new, old in zip(await world.frames(), before, strict=True)):
            seen = now_ms()
        assert now_ms() < end, "no picture came back"
        await asyncio.sleep(0.05)
    kept = await until(
        "kept again", lambda: kept_since(world.product, moment + FLIGHT_S * 1000), BACK_S
    )
    return seen - moment, kept - moment


async def measure() -> None:
    """Print each cut's times, and their ratios to the time in which the call began."""
    print(f"load when it began: {os.getloadavg()[0]:.1f}")
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in CUTS}
    joined: list[float] = []
    async with world() as here:
        people = (here.agent, here.customer)
        joined = [float((await person.stats())["firstFrameMs"]) for person in people]
        began = statistics.mean(joined)
        for _run in range(RUNS):
            for name, times in found.items():
                times.append(await back_after(here, CUTS[name]))
                print(f"{name}: {times[-1][0]:.0f} ms, {times[-1][1]:.0f} ms", flush=True)
                # part of what is measured: the next cut finds a call that has settled, as most do
                await asyncio.sleep(2)
    print(f"from `Join call` to the first picture: {began:.0f} ms")
    print("back after (the slower of the runs): pictures both ways; both recorded again")
    for name, times in found.items():
        seen, kept = (max(one) for one in zip(*times, strict=True))
        print(
            f"{name}: {seen / 1000:.1f} s ({seen / began:.1f} times the join), "
            f"{kept / 1000:.1f} s ({kept / began:.1f} times)"
        )
    print(json.dumps({"joined_ms": joined, "back_ms": found}))


if __name__ == "__main__":
    asyncio.run(measure())
