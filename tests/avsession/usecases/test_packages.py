"""Exports and packages go when they can be downloaded no longer, by command as by the server."""

from avsession.export_records import Disclosure, Export
from avsession.privacy import retention as rules
from avsession.usecases import retention
from tests.avsession.usecases import test_disclosures, test_exports
from tests.avsession.usecases.world import World

DAY_S = 86_400


async def gone(world: World, *, dry: bool) -> dict[str, list[str]]:
    found = await retention.run(world.app, dry=dry)
    return {one.rule.what: one.gone for one in found if one.rule.what in ("exports", "packages")}


async def test_they_are_named_and_then_go_with_their_files(world: World) -> None:
    recording = await world.sealed()
    export = await test_exports.prepared(world)
    package = (await test_disclosures.prepared(world, recording)).id
    kept = await world.app.parcels.names()
    assert {export, package} <= set(kept)
    assert await gone(world, dry=True) == {"exports": [], "packages": []}
    world.clock.forward(world.settings.export.keep_days * DAY_S)
    due = {"exports": [export], "packages": [package]}
    assert await gone(world, dry=True) == due
    assert await world.app.parcels.names() == kept
    assert await gone(world, dry=False) == due
    assert await world.app.parcels.names() == []
    assert [row.state for row in await world.find(Export)] == ["expired"], "its person is told"
    (row,) = await world.find(Disclosure)
    assert row.gone_ms == world.clock.now_ms(), "that there was one stays"
    assert await gone(world, dry=False) == {"exports": [], "packages": []}
    said = [leaf["refs"] for leaf in await world.leaves() if leaf["kind"] == "retention.applied"]
    assert [refs["what"] for refs in said].count("exports") == 1
    world.clock.forward(rules.EXPORT_TOLD_DAYS * DAY_S)
    found = await retention.run(world.app, dry=False)
    assert [one.gone for one in found if one.rule.what == rules.EXPORT_NOTES] == [[export]]
    assert await world.find(Export) == []
