"""Ready means: database, keys, disk and a recorder are there, and nobody is stopping the server."""

import asyncio

import pytest

from avsession.errors import Unavailable
from avsession.usecases import probes, readiness
from avsession.usecases.readiness import KEEP_MS
from tests.avsession.usecases.world import World


@pytest.fixture(autouse=True)
async def _recorder(world: World) -> None:
    await world.recorder.join()


async def asked_later(world: World) -> list[str]:
    world.clock.ms += KEEP_MS
    return await probes.problems(world.app)


async def test_with_everything_there_it_is_ready(world: World) -> None:
    assert await probes.problems(world.app) == []
    assert world.app.ready.warnings == []


async def test_each_part_that_is_missing_has_its_code(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, app = world.app.ready, world.app

    def gone(*_: object) -> object:
        raise Unavailable

    with monkeypatch.context() as patch:
        patch.setattr(type(app.store), "write", gone)
        assert await asked_later(world) == ["database"]
    with monkeypatch.context() as patch:
        patch.setattr(type(app.custody), "destroy", gone)
        assert await asked_later(world) == ["keys"]
    ready.free_bytes = lambda: app.settings.recorder_min_free_mb * 1024 * 1024 - 1
    assert await asked_later(world) == ["disk"]

    def no_disk() -> int:
        raise OSError

    ready.free_bytes = no_disk
    assert await asked_later(world) == ["disk"]
    ready.free_bytes = None
    app.figures.take(world.recorder.worker, {"taking": 0.0})
    assert await asked_later(world) == ["recorders"]
    app.figures.take(world.recorder.worker, {"taking": 1.0})
    await world.recorder.vanish()
    assert await asked_later(world) == ["recorders"]
    await world.recorder.join()
    ready.draining = True
    assert await asked_later(world) == ["draining"]
    ready.draining = False
    assert await asked_later(world) == []
    ready.certificate_problem = True
    assert (await asked_later(world), ready.warnings) == ([], ["certificate"])


async def test_a_part_that_hangs_is_missing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "PROBE_S", 0.02)
    held, done = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with world.store.write():  # whoever has the write lock keeps it
            held.set()
            await done.wait()

    holding = world.meanwhile(hold())
    await held.wait()
    assert await asked_later(world) == ["database"]
    done.set()
    await holding
    assert await asked_later(world) == []
