"""How long a recording is kept."""

from msgspec.structs import replace

from avsession.records import Recording
from avsession.usecases.keeping import DAY_MS, is_due, keep_until
from tests.avsession.usecases.world import World


async def test_it_is_due_when_the_longest_told_time_has_passed(world: World) -> None:
    recording = await world.sealed("quality", "evidence")
    row = await world.only(Recording, id=recording)
    assert row.closed_ms is not None
    due_ms = row.closed_ms + 180 * DAY_MS
    async with world.store.read() as tx:
        assert await keep_until(tx, row, row.closed_ms) == due_ms
        assert not await is_due(tx, row, due_ms - 1)
        assert await is_due(tx, row, due_ms)
        assert not await is_due(tx, replace(row, closed_ms=None), due_ms)


async def test_what_nobody_consented_to_is_kept_for_no_time(world: World) -> None:
    recording = await world.sealed("quality")
    row = replace(await world.only(Recording, id=recording), purposes=["another"])
    async with world.store.read() as tx:
        assert await keep_until(tx, row, 5) == 5
