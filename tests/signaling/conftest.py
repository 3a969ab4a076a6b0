"""A server for each test, a certificate for all of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.signaling.world import World, certificate, world


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def there(files: tuple[Path, Path]) -> AsyncIterator[World]:
    """A server with the limits of production."""
    async with world(files) as it:
        yield it
