"""People of the house see what is kept about them, and nobody else's."""

from avsession.records import Account
from avsession.usecases import review, staffdata
from tests.avsession.usecases.world import AGENT_NAME, CUSTOMER_NAME, LOGIN, World


async def test_an_agent_sees_account_sign_ins_and_sessions_without_the_customer(
    world: World,
) -> None:
    mine = await staffdata.own(world.app, world.staff)
    assert (mine["account"]["login"], mine["account"]["name"]) == (LOGIN, AGENT_NAME)
    assert [one["current"] for one in mine["sign_ins"]] == [True]
    (session,) = mine["sessions"]
    assert session["you"] == world.agent.party.pseudonym
    assert mine["counts"] == {"sessions": 1, "accesses": 0}
    for other in (CUSTOMER_NAME, world.customer.id, world.customer.party.pseudonym, "adam"):
        assert other not in str(mine)


async def test_an_admin_sees_what_they_opened_and_why(world: World) -> None:
    recording = await world.sealed()
    await review.open_recording(world.app, world.admin, recording, "training", "quality")
    mine = await staffdata.own(world.app, world.admin)
    (access,) = mine["accesses"]
    assert (access["recording"], access["reason"]) == (recording, "training")
    assert mine["sessions"] == []
    assert await world.find(Account)
    assert (await staffdata.own(world.app, world.staff))["accesses"] == []
