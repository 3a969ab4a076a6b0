"""A call in a deployment of its own for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.avsession.usecases.world import World, opened


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path) as made:
        yield made
