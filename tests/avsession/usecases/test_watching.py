"""Looking after a real log: it verifies; it grows; somebody changes it."""

from __future__ import annotations

import asyncio
import contextlib

from avsession.audit.verify import Report
from avsession.errors import Unavailable
from avsession.usecases import evidence, watching
from tests.avsession.usecases.world import World
from tests.support.tamper import database


async def _check(world: World) -> Report:
    notary = world.app.notary
    return await evidence.verify(world.store, notary.key, notary.anchors)


async def _full(world: World) -> None:
    await watching.full(world.app, lambda: _check(world))


async def test_a_log_that_grows_goes_on_verifying(world: World) -> None:
    await evidence.checkpoint(world.app)
    await _full(world)
    watch = world.app.watch
    assert (watch.problem, watch.state()["ok"]) == (None, True)
    since, size = watch.since_ms, watch.size
    await world.sealed()
    world.clock.forward(60)
    head = await evidence.checkpoint(world.app)
    await watching.look(world.app)
    assert (watch.problem, watch.since_ms, watch.size) == (None, since, head.size)
    assert watch.checked_ms == world.clock.now_ms()
    assert head.size > size


async def test_a_changed_leaf_is_named_by_the_full_verification(world: World) -> None:
    await world.sealed()
    await evidence.checkpoint(world.app)
    with database(world.folder) as db:
        db.execute("update leaf set data = x'7b7d' where number = 3")
    await _full(world)
    state = world.app.watch.state()
    assert not state["ok"]
    assert str(state["problem"]).startswith("leaf 3: ")


async def test_a_forked_checkpoint_is_found_by_the_next_look(world: World) -> None:
    await evidence.checkpoint(world.app)
    await _full(world)
    await world.sealed()
    await evidence.checkpoint(world.app)
    with database(world.folder) as db:
        db.execute("update tree_node set hash = zeroblob(32) where level > 0")
    await watching.look(world.app)
    problem = world.app.watch.problem
    assert problem is not None
    assert "does not extend" in problem
    await watching.look(world.app)
    assert world.app.watch.problem == problem


async def test_a_database_rolled_back_is_found_by_the_next_look(world: World) -> None:
    await world.sealed()
    await evidence.checkpoint(world.app)
    await _full(world)
    with database(world.folder) as db:
        db.execute("delete from checkpoint")
    await watching.look(world.app)
    assert "and is gone" in str(world.app.watch.problem)


async def test_without_a_database_the_sign_stays_as_it_was(world: World) -> None:
    await evidence.checkpoint(world.app)
    await _full(world)
    world.store.down = True
    with contextlib.suppress(Unavailable):
        await watching.look(world.app)
    assert world.app.watch.state()["ok"]


async def test_it_begins_with_everything(world: World) -> None:
    await evidence.checkpoint(world.app)
    called = asyncio.Event()

    async def check() -> Report:
        called.set()
        return await _check(world)

    running = world.meanwhile(watching.keep_watching(world.app, check))
    await called.wait()
    while world.app.watch.full_ms is None:  # noqa: ASYNC110 - a field has no event
        await asyncio.sleep(0.01)
    running.cancel()
    assert world.app.watch.state()["ok"]
