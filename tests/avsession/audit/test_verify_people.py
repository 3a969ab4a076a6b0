"""Whose a row is, before and after an erasure."""

from __future__ import annotations

from avsession.audit.absence import Absences
from avsession.audit.verify_leaves import Body, read
from avsession.audit.verify_people import SLACK_MS, People, is_then
from avsession.records import Leaf
from avsession.session import Party
from avsession.usecases import sessions
from avsession.usecases.forgetting import forget
from tests.avsession.usecases.world import World


async def joined(world: World) -> Body:
    """The leaf that says that the customer joined."""
    found = [read(row)[0] for row in await world.find(Leaf, kind="party.joined", order="index")]
    (mine,) = [one for one in found if one and one.subject == world.customer.party.pseudonym]
    return mine


async def test_a_row_is_its_partys_and_its_sessions(world: World) -> None:
    body = await joined(world)
    stranger, _ = await world.new_call(world.staff)
    async with world.store.read() as tx:
        people = People(tx, Absences())
        assert await people.is_whose(world.customer.id, body)
        for other in (world.agent.id, stranger.id, "pty_x", None):
            assert not await people.is_whose(other, body)
        assert await people.is_in(world.session, body)
        for session in (stranger.party.session, "ses_x"):
            assert not await people.is_in(session, body)


async def test_after_an_erasure_it_is_of_one_without_a_name(world: World) -> None:
    body = await joined(world)
    await sessions.end_session(world.app, world.session, "test")
    await forget(world.app, world.customer.id)
    (nobody,) = [one for one in await world.find(Party, session=world.session) if not one.name]
    erasures = [one for one in await world.leaves() if one["kind"] == "subject.erased"]
    async with world.store.read() as tx:
        assert not await People(tx, Absences()).is_whose(nobody.id, body), "nothing says so"
        absences = Absences()
        absences.add(erasures[0])
        people = People(tx, absences)
        assert await people.is_whose(nobody.id, body)
        assert not await people.is_whose(world.agent.id, body)


async def test_a_time_is_its_leafs_as_well_as_clocks_go(world: World) -> None:
    body = await joined(world)
    for away, then in ((0, True), (SLACK_MS, True), (SLACK_MS + 1, False), (-SLACK_MS - 1, False)):
        assert is_then(body.at_ms + away, body) is then
