"""Refusals are in the log, without a word of what was said, and not without end."""

from avsession.errors import RequestOver
from avsession.usecases import denials
from tests.avsession.usecases.world import World


async def test_a_partys_refusal_names_its_pseudonyms(world: World) -> None:
    await denials.refused(world.app, RequestOver.code, party=world.customer.id)
    leaf = (await world.leaves())[-1]
    assert leaf["kind"] == "access.denied"
    assert leaf["refs"] == {"what": "consent.request_over"}
    assert leaf["subject"] == leaf["actor"] == world.customer.party.pseudonym
    assert leaf["session"] is not None
    assert leaf["session"] != world.session


async def test_a_recorders_or_a_strangers_refusal(world: World) -> None:
    await denials.refused(world.app, "grant.stale", worker=world.recorder.worker)
    await denials.refused(world.app, "ticket.refused")
    await denials.refused(world.app, "ticket.refused", party="pty_" + "a" * 26)
    leaves = (await world.leaves())[-3:]
    assert [leaf["actor"] for leaf in leaves] == ["recorder", None, None]
    assert [leaf["session"] for leaf in leaves] == [None] * 3


async def test_a_flood_writes_a_few_a_minute(world: World) -> None:
    for _ in range(600):
        world.clock.forward(0.1)
        await denials.refused(world.app, "grant.stale", party=world.agent.id)
    written = (await world.story()).split()
    assert 3 <= len(written) <= 6


async def test_without_a_database_the_refusal_stands_without_its_leaf(world: World) -> None:
    world.store.down = True
    await denials.refused(world.app, "grant.stale", party=world.agent.id)
