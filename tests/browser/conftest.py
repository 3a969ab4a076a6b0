"""A real Chromium and a real server for each module."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from tests.browser.people import FLAGS
from tests.browser.product import Product

expect.set_options(timeout=20_000)  # a busy machine is no failure


def chromium() -> str | None:
    """Debian's Chromium, or another the environment names; None: Playwright's own."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium")


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium with a made-up camera and microphone."""
    async with async_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        path = chromium() or (str(own) if own.exists() else None)
        if path is None:
            pytest.skip("needs Chromium: install Debian's chromium or run `playwright install`")
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture
async def product(tmp_path: Path) -> AsyncIterator[Product]:
    """The product, started; stopped at the end by Ctrl-C."""
    running = Product(tmp_path)
    await running.start()
    yield running
    await running.stop()
