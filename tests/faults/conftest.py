"""The running product, without recorders of its own: a test brings the one that it needs."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.browser.product import Product
from tests.faults.outside import Outside, outside


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """On a disk, as the product is."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest_asyncio.fixture
async def out(tmp_path: Path) -> AsyncIterator[Outside]:
    """The network in front of a product of the test's own."""
    product = Product(tmp_path, recorders="0")
    await product.start()
    try:
        async with outside(product) as made:
            yield made
    finally:
        await product.stop()
