"""What recorders left behind goes; what they still work on stays."""

from pathlib import Path

from avsession.usecases import retention
from tests.avsession.usecases.world import World

DAY_S = 86_400
UNKNOWN = f"rec_{'a' * 26}"


def leave(world: World, recording: str) -> Path:
    """A folder with something in it, as a worker that died leaves it."""
    folder = world.folder / "spool" / "worker-9" / recording / f"trk_{'b' * 26}"
    folder.mkdir(parents=True)
    (folder / "000000.age").write_bytes(b"sealed")
    (folder.parent / "journal").write_bytes(b"x")
    return folder


async def test_only_what_is_over_for_long_or_unknown_goes(world: World) -> None:
    done = await world.sealed()
    going = await world.recorded()
    await world.disconnect(world.agent)
    left = {name: leave(world, name) for name in (done, going, UNKNOWN)}
    elsewhere = world.folder / "spool" / "worker-9" / "signing.key"
    elsewhere.write_bytes(b"k")
    await world.later(1)
    assert [left[name].exists() for name in (done, going, UNKNOWN)] == [True, True, False]
    await world.later(6 * DAY_S)
    assert left[done].exists()
    await world.later(1 * DAY_S)
    assert not left[done].parent.exists()
    assert elsewhere.exists()
    assert left[going].exists(), "it ended a moment after the other"


async def test_a_dry_run_names_it(world: World) -> None:
    folder = leave(world, UNKNOWN)
    told = {one.rule.what: one.gone for one in await retention.run(world.app, dry=True)}
    assert told["spool"] == [UNKNOWN]
    assert folder.exists()
