"""A call in a deployment of its own for each test, on each database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.avsession.usecases.world import World, opened
from tests.support.engines import engine, given_back

__all__ = ["engine", "given_back", "world"]


@pytest.fixture(autouse=True)
def _on_each(engine: str, given_back: None) -> None:
    """Every use case runs on every database."""


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path) as made:
        yield made
