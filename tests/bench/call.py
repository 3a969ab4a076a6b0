"""How long a person waits: for the other's picture, and from the last yes to the first frame kept.

Beside each stands a bare call between two pages in the same browser, without this product, a
server or TLS. Runs alternate, so that a noisy machine is noisy for both.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from playwright.async_api import Browser, async_playwright

from avsession.recording import Sealed, decode_line
from tests.browser.conftest import chromium
from tests.browser.people import FLAGS, ask, new_call
from tests.browser.product import Product, until

RUNS = 7


@asynccontextmanager
async def bare_pages() -> AsyncIterator[str]:
    """The bare page on loopback; its address."""
    app = web.Application()
    page = Path(__file__).parent / "bare.html"

    async def serve(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(page)

    app.router.add_get("/", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "localhost", 0)
    await site.start()
    try:
        yield f"http://localhost:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def bare_call(browser: Browser, address: str) -> float:
    """Milliseconds from the click to the first remote frame, between two bare pages."""
    context = await browser.new_context()
    try:
        callee, caller = await context.new_page(), await context.new_page()
        await callee.goto(address)
        await caller.goto(f"{address}#caller")
        for page in (callee, caller):
            await page.evaluate("window.ready")
        await caller.get_by_role("button").click()
        await caller.wait_for_function("window.firstFrameMs !== null", polling=20)
        return float(await caller.evaluate("window.firstFrameMs"))
    finally:
        await context.close()


def first_frame_kept(product: Product) -> float | None:
    """Milliseconds from the newest request's last ``given`` to the first frame it kept."""
    recordings = product.rows("select * from recording order by created_ms desc limit 1")
    if not recordings:
        return None
    recording = recordings[0]
    given = product.rows(
        "select max(at_ms) as at from consent_event where kind = 'given' and request = ?",
        recording["request"],
    )
    starts = [
        entry.clusters[0].start_ms
        for row in product.rows(
            "select line from manifest_entry where recording = ?", recording["id"]
        )
        if isinstance(entry := decode_line(row["line"]).entry, Sealed) and entry.clusters
    ]
    if not starts:
        return None
    return float(recording["epoch_ms"] + min(starts) - given[0]["at"])


async def our_call(browser: Browser, product: Product) -> tuple[float, float]:
    """First remote frame after ``Join call``; first frame kept after the last consent. ms."""
    agent, customer = await new_call(browser, product)
    try:
        joined = float((await agent.stats())["firstFrameMs"])
        await ask(agent)
        await agent.allow()
        await customer.allow()
        kept = await until("a frame kept", lambda: first_frame_kept(product), 30)
        await customer.click("Stop recording")
        await customer.recording("Not recording")
        await agent.click("End call")
        return joined, kept
    finally:
        await agent.context.close()
        await customer.context.close()


async def measure() -> None:
    """Print medians and ratios."""
    bare: list[float] = []
    joined: list[float] = []
    kept: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        async with async_playwright() as playwright, bare_pages() as address:
            browser = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
            for run in range(RUNS + 1):
                # A server for each run: one-time sign-in links are for one time.
                product = Product(Path(folder) / str(run))
                await product.start()
                try:
                    alone = await bare_call(browser, address)
                    mine = await our_call(browser, product)
                finally:
                    await product.stop()
                if run == 0:
                    continue  # the first run warms the browser's caches for both
                bare.append(alone)
                joined.append(mine[0])
                kept.append(mine[1])
                print(f"run {run} of {RUNS}: bare {alone:.0f} ms, {mine[0]:.0f}, {mine[1]:.0f}")
            await browser.close()
    report("Join call -> first remote frame", joined, bare)
    report("last consent -> first frame kept", kept, bare)
    print(json.dumps({"bare_ms": bare, "joined_ms": joined, "kept_ms": kept}))


def report(what: str, ours: list[float], bare: list[float]) -> None:
    """One line: medians, and the median of the paired ratios with its range."""
    ratios = sorted(o / b for o, b in zip(ours, bare, strict=True))
    print(
        f"{what}: {statistics.median(ours):.0f} ms, bare call {statistics.median(bare):.0f} ms, "
        f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    )


if __name__ == "__main__":
    asyncio.run(measure())
