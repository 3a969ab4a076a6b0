"""A recording goes when what was told about its purposes has passed, and not before."""

from avsession.recording import State
from avsession.records import Recording
from avsession.usecases import retention
from avsession.usecases.keeping import DAY_MS
from tests.avsession.usecases.world import World

DAY_S = 86_400


async def test_it_stays_until_the_longest_told_time_and_then_goes(world: World) -> None:
    recording = await world.sealed("quality", "evidence")
    await world.story()
    row = await world.only(Recording, id=recording)
    assert row.closed_ms is not None
    assert row.keep_until_ms == row.closed_ms + 180 * DAY_MS
    await world.later(180 * DAY_S - 60)
    assert (await world.only(Recording, id=recording)).state is State.SEALED
    assert len(world.files("keys")) == 2
    await world.later(120)
    gone = await world.only(Recording, id=recording)
    assert (gone.state, gone.keep_until_ms) == (State.ERASED, None)
    assert world.files("keys") == world.files("objects") == world.files("spool") == []
    told = (await world.story()).split()
    assert told[-4:] == ["key.destroyed", "key.destroyed", "recording.erased", "retention.applied"]
    leaves = await world.leaves()
    assert leaves[-2]["refs"]["reason"] == "retention"
    assert leaves[-2]["actor"] == leaves[-1]["actor"] == "server"


async def test_the_shorter_purpose_alone_keeps_for_the_shorter_time(world: World) -> None:
    recording = await world.sealed("quality")
    row = await world.only(Recording, id=recording)
    assert row.closed_ms is not None
    assert row.keep_until_ms == row.closed_ms + 30 * DAY_MS


async def test_repeating_it_does_nothing_more(world: World) -> None:
    await world.sealed("quality")
    await world.later(31 * DAY_S)
    await world.story()
    await retention.apply(world.app)
    assert await world.story() == ""


async def test_a_crash_between_keys_and_objects_is_mended(world: World) -> None:
    recording = await world.sealed("quality")
    world.app.clock.forward(31 * DAY_S)  # type: ignore[attr-defined]
    kept, remove = world.app.objects, world.app.objects.remove

    async def fails(_prefix: str) -> int:
        raise OSError("the folder is gone")

    kept.remove = fails  # type: ignore[method-assign,assignment]
    try:
        await retention.apply(world.app)
    except OSError:
        assert world.files("keys") == [], "from here on the segments are noise"
    kept.remove = remove  # type: ignore[method-assign]
    await world.later(1)
    assert world.files("objects") == []
    assert (await world.only(Recording, id=recording)).keep_until_ms is None
