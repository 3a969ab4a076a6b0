"""How long a recording is kept."""

from msgspec.structs import replace

from avsession.privacy.retention import DAY_MS
from avsession.records import ConsentEvent, Recording
from avsession.usecases import keeping
from avsession.usecases.keeping import is_due, keep_until
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


async def test_each_purpose_has_its_own_end(world: World) -> None:
    name = await world.sealed("quality", "evidence")
    recording = await world.only(Recording, id=name)
    assert recording.closed_ms is not None
    async with world.store.read() as tx:
        assert await keeping.told(tx, recording) == {"quality": 30, "evidence": 180}
        end = await keeping.end_of(tx, recording, "quality")
        assert end == recording.closed_ms + 30 * DAY_MS
        assert await keeping.end_of(tx, recording, "other") is None
        assert await keeping.expired(tx, recording, end - 1) == frozenset()
        assert await keeping.expired(tx, recording, end) == {"quality"}
        assert await keeping.keep_until(tx, recording, 0) == 180 * DAY_MS


async def test_a_consent_that_cannot_be_read_keeps_nothing(world: World) -> None:
    name = await world.sealed("quality")
    recording = await world.only(Recording, id=name)
    given = (await world.find(ConsentEvent, kind="given"))[0]
    async with world.store.write() as tx:
        await tx.put(replace(given, document={"purposes": "?"}))
    async with world.store.read() as tx:
        assert await keeping.told(tx, recording) == {"quality": 0}


async def test_while_it_goes_on_no_purpose_has_an_end(world: World) -> None:
    await world.recorded("quality")
    recording = await world.only(Recording)
    async with world.store.read() as tx:
        assert await keeping.end_of(tx, recording, "quality") is None
        assert await keeping.expired(tx, recording, 2**53) == frozenset()
