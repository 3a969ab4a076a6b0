"""A child's data goes at once, whatever goes on."""

import pytest

from avsession.errors import AvsessionError, NotFound, NotPermitted, Restricted, Unavailable
from avsession.messages import Ended
from avsession.recording import State
from avsession.records import Detail, PrivacyRequest, Recording, Restriction
from avsession.session import Party, Session
from avsession.usecases import children, evidence, holds, review
from tests.avsession.usecases.world import AGENT_NAME, World


async def names(world: World) -> set[str]:
    return {party.name for party in await world.find(Party)}


async def test_a_live_call_ends_first_and_everything_of_the_child_goes(world: World) -> None:
    await world.recorded()
    assert await children.erase(world.app, world.admin, world.session) == {
        "state": "done", "held": None,
    }  # fmt: skip
    assert world.live() is None
    assert world.agent.last(Ended).reason == "child"
    assert await names(world) == {AGENT_NAME, ""}, "who talked with them keeps what is theirs"
    assert (await world.only(Recording)).state is State.ERASED
    assert world.files("keys") == world.files("objects") == []
    assert not await world.find(Detail, party=world.customer.id)
    told = (await world.story()).split()
    first, last = told.index("privacy.requested"), told.index("privacy.answered")
    assert first < told.index("session.ended") < told.index("subject.erased") < last
    leaves = await world.leaves()
    asked = next(leaf for leaf in leaves if leaf["kind"] == "privacy.requested")
    assert (asked["actor"], asked["refs"]) == (
        world.admin.pseudonym, {"right": "child", "by": "staff"},
    )  # fmt: skip
    await evidence.checkpoint(world.app)
    report = await evidence.verify(world.store, world.app.notary.key)
    assert report.findings == ()
    await children.erase(world.app, world.admin, world.session)
    assert (await world.only(Session)).child_ms is None, "repeating it is harmless"


async def test_what_cannot_go_now_is_gone_on_with_by_itself(world: World) -> None:
    await world.sealed()
    destroy, broken = world.app.custody.destroy, True

    async def stuck(track: str) -> bool:
        if broken:
            raise Unavailable
        return await destroy(track)

    world.app.custody.destroy = stuck  # type: ignore[method-assign]
    done = await children.erase(world.app, world.admin, world.session)
    assert done["state"] == "later"
    await world.later(0.5)
    assert AGENT_NAME in await names(world)
    broken = False
    await world.later(0.5)
    await world.later(0.5)
    assert await names(world) == {AGENT_NAME, ""}
    assert (await world.only(Session)).child_ms is None


async def test_a_hold_is_told(world: World) -> None:
    await world.sealed()
    await holds.place(
        world.app, world.admin, scope="session", target=world.session, category="order",
        reason="the court", asked_by="court", review_ms=world.clock.now_ms() + 1000,
    )  # fmt: skip
    done = await children.erase(world.app, world.admin, world.session)
    assert (done["state"], done["held"]["category"]) == ("held", "order")


async def test_what_a_hold_keeps_of_a_child_nobody_plays_and_it_goes_with_the_hold(
    world: World,
) -> None:
    kept = await world.sealed()
    gone = await world.sealed()
    placed = await holds.place(
        world.app, world.admin, scope="recording", target=kept, category="order",
        reason="the court", asked_by="court", review_ms=world.clock.now_ms() + 1000,
    )  # fmt: skip
    opened = await review.open_recording(world.app, world.admin, kept, "a case", "quality")
    tracks = [track["track"] for track in opened["tracks"]]
    assert (await children.erase(world.app, world.admin, world.session))["state"] == "held"
    with pytest.raises(Restricted):
        await review.open_recording(world.app, world.admin, kept, "a case", "quality")
    for track in tracks:
        with pytest.raises(AvsessionError):
            await review.track_file(world.app, world.admin, opened["access"], track)
    assert (await world.only(Recording, id=gone)).state is State.ERASED
    await children.erase(world.app, world.admin, world.session)
    await world.later(1)
    request = await world.only(PrivacyRequest)
    assert (request.right, request.state, request.by) == ("erase", "open", "staff")
    await evidence.checkpoint(world.app)
    assert (await evidence.verify(world.store, world.app.notary.key)).findings == ()
    asked = [leaf for leaf in await world.leaves() if leaf["kind"] == "privacy.requested"]
    assert [leaf["actor"] for leaf in asked] == [world.admin.pseudonym, "server"]
    assert len(await world.find(Restriction)) == 1, "repeating it is harmless"
    await holds.release(world.app, world.admin, str(placed["hold"]), "settled")
    await world.later(1)
    assert await names(world) == {AGENT_NAME, ""}
    assert (await world.only(Session)).child_ms is None
    assert (await world.only(PrivacyRequest)).state == "answered"
    assert (await world.only(Recording, id=kept)).state is State.ERASED


async def test_who_may_and_what_is_there(world: World) -> None:
    with pytest.raises(NotPermitted):
        await children.erase(world.app, world.staff, world.session)
    with pytest.raises(NotFound):
        await children.erase(world.app, world.admin, "ses_" + "a" * 26)
    assert await world.find(Session, child_ms=None)
