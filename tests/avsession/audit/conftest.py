"""One story, told once; every test that changes it has a copy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.avsession.audit.recordings import Made, two
from tests.avsession.audit.tampering import Copy, copied, told
from tests.avsession.usecases.world import World, opened


@pytest.fixture(scope="package")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("story")
    asyncio.run(told(folder))
    return folder


@pytest.fixture
def copy(story: Path, tmp_path: Path) -> Copy:
    return copied(story, tmp_path)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Made]:
    return asyncio.run(two(tmp_path_factory.mktemp("recordings")))


@pytest.fixture
def made(both: tuple[Made, Made]) -> Made:
    return both[0].copy()


@pytest.fixture
def other(both: tuple[Made, Made]) -> Made:
    return both[1].copy()
