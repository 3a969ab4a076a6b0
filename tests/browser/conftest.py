"""A real Chromium for each module, a fresh profile for each page, a real server for each test
that does not share one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, async_playwright, expect

from tests.browser.people import FLAGS
from tests.browser.product import Product

expect.set_options(timeout=20_000)  # a busy machine is no failure


def chromium() -> str | None:
    """Debian's Chromium, or another the environment names; None: Playwright's own."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium")


HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MODULES = "https://modules.test"
"""Where `page` finds the product's modules."""


LONG = (
    "containers", "destruction", "pause", "change", "pages", "leg", "lock", "presence", "evidence",
    "call", "turn", "survival", "house", "stored", "log_page", "export", "rights",
)  # fmt: skip
"""The files that take longest, in this order: begun last, one would keep a process waiting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for each module here: the browser lives in it. Long modules come first."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)
    items.sort(key=lambda item: _place(item.path))


def _place(path: Path) -> int:
    name = path.stem.removeprefix("test_")
    if path.parent != HERE:
        return -1
    return LONG.index(name) if name in LONG else len(LONG)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Chromium with a made-up camera and microphone; a context in it is a profile of its own."""
    async with async_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        path = chromium() or (str(own) if own.exists() else None)
        if path is None:
            pytest.skip("needs Chromium: install Debian's chromium or run `playwright install`")
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """On a disk, as the product is."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def _closed(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """What a test opened is closed after it: nobody else hears its calls."""
    yield
    if "browser" in request.fixturenames:
        for context in request.getfixturevalue("browser").contexts:
            await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def product(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Product]:
    """The product, started; stopped at the end by Ctrl-C. A parameter is its settings."""
    running = Product(tmp_path, **getattr(request, "param", {}))
    await running.start()
    yield running
    await running.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Product]:
    """One product for all of a module's tests that ask for it: each brings its own people."""
    with tempfile.TemporaryDirectory() as folder:
        running = Product(Path(folder))
        await running.start()
        yield running
        await running.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page that can import the product's modules, with no server behind it."""
    context = await browser.new_context()

    async def file(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path == "/":
            await route.fulfill(body="<!doctype html>", content_type="text/html")
        else:
            await route.fulfill(path=ROOT / "web" / path[1:], content_type="text/javascript")

    await context.route(f"{MODULES}/**", file)
    made = await context.new_page()
    await made.goto(f"{MODULES}/")
    yield made
    await context.close()
