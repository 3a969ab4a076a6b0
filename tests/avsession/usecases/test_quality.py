"""Call quality: counted only with a choice that allows it, kept as counts only, shown in enough."""

import msgspec
import pytest

from avsession.errors import ConsentRequired, NotPermitted
from avsession.privacy.quality import ENOUGH, FIGURES, KEEP_DAYS
from avsession.privacy.retention import QUALITY
from avsession.privacy.stored import Choice
from avsession.records import Leaf, QualityCount
from avsession.storage.tables import TABLES
from avsession.usecases import preferences, quality, retention
from tests.avsession.usecases.world import World

GOOD = {"first_frame": 480, "round_trip": 60, "jitter": 3, "loss": 0, "height": 720, "frames": 30}


async def allowing(world: World) -> Choice:
    return await preferences.choose(world.app, ["analytics"], "", address="192.0.2.1")


async def counts(world: World) -> dict[tuple[str, str, int], int]:
    return {(r.day, r.figure, r.number): r.calls for r in await world.find(QualityCount)}


async def went(world: World, *, dry: bool = False) -> list[str]:
    """What retention has to say of these counts."""
    (tally,) = [t for t in await retention.run(world.app, dry=dry) if t.rule.what == QUALITY]
    return tally.gone


async def test_nothing_is_counted_without_a_choice_that_allows_it(world: World) -> None:
    other = await preferences.choose(world.app, ["preferences"], "", address="192.0.2.1")
    for choice in (None, other):
        with pytest.raises(ConsentRequired):
            await quality.count(world.app, world.customer.party, choice, GOOD)
    assert await counts(world) == {}


async def test_a_call_is_one_more_in_each_range(world: World) -> None:
    choice = await allowing(world)
    leaves = len(await world.find(Leaf))
    party = world.customer.party
    assert await quality.count(world.app, party, choice, GOOD)
    assert await quality.count(world.app, world.agent.party, choice, {"loss": 1000})
    day = "2025-06-15"
    assert await counts(world) == {
        (day, "calls", 0): 2,
        (day, "first_frame", 0): 1,
        (day, "round_trip", 1): 1,
        (day, "jitter", 0): 1,
        (day, "loss", 0): 1,
        (day, "loss", 4): 1,
        (day, "height", 3): 1,
        (day, "frames", 3): 1,
    }
    assert len(await world.find(Leaf)) == leaves, "a figure is no event of anybody's"


async def test_nothing_in_a_row_could_say_whose_it_was() -> None:
    assert set(TABLES[QualityCount].c.keys()) == {"day", "figure", "number", "calls"}
    names = {field.name for field in msgspec.structs.fields(QualityCount)}
    assert names == {"day", "figure", "number", "calls"}


async def test_a_value_that_is_no_measurement_is_left_out(world: World) -> None:
    choice = await allowing(world)
    odd = {"loss": 1001, "height": -1, "unknown": 3, "freezes": 2}
    await quality.count(world.app, world.customer.party, choice, odd)
    assert {figure for _, figure, _ in await counts(world)} == {"calls", "freezes"}


async def test_one_party_cannot_make_the_statistics(world: World) -> None:
    choice = await allowing(world)
    counted = [
        await quality.count(world.app, world.customer.party, choice, GOOD) for _ in range(10)
    ]
    assert counted == [True] * 3 + [False] * 7


async def test_few_calls_are_not_shown(world: World) -> None:
    choice = await allowing(world)
    for n in range(ENOUGH):
        shown = await quality.statistics(world.app, world.admin)
        assert shown["enough"] is False
        assert all(figure["calls"] == [] for figure in shown["figures"])
        assert sum(day["calls"] for day in shown["days"]) == n
        world.clock.forward(86_400 if n == 1 else 600)
        party = (world.customer.party, world.agent.party)[n % 2]
        assert await quality.count(world.app, party, choice, GOOD)
    shown = await quality.statistics(world.app, world.admin)
    assert shown["enough"] is True
    assert [day["calls"] for day in shown["days"]] == [1, 4]
    figures = {one["figure"]: one for one in shown["figures"]}
    assert figures.keys() == FIGURES.keys()
    assert figures["round_trip"]["calls"] == [0, ENOUGH, 0, 0, 0]
    assert figures["freezes"]["calls"] == [0, 0, 0, 0], "not measured, not made up"


async def test_an_agent_does_not_see_them(world: World) -> None:
    with pytest.raises(NotPermitted):
        await quality.statistics(world.app, world.staff)


async def test_a_day_s_counts_go_when_their_time_is_over(world: World) -> None:
    day = "2025-06-15"
    choice = await allowing(world)
    await quality.count(world.app, world.customer.party, choice, GOOD)
    world.clock.forward(86_400 * (KEEP_DAYS - 1))
    await retention.run(world.app)
    assert await counts(world)
    world.clock.forward(86_400)
    assert (await quality.statistics(world.app, world.admin))["days"] == []
    assert await went(world, dry=True) == await went(world) == [day]
    assert await counts(world) == {}
    assert await went(world) == []
