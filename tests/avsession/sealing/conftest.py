"""Real media, encoded once a run."""

from pathlib import Path

import pytest

from tests.avsession.sealing.made import Frame, frames


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[Frame, ...]:
    """Eight seconds of VP8 and Opus; video starts at 7 ms, a keyframe a second from there."""
    folder: Path = tmp_path_factory.mktemp("source")
    return frames(folder)
