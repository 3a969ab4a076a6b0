"""Idempotency, persistence of the state, and who is who."""

import msgspec
import pytest

from avsession.consent import Expired
from avsession.errors import Conflict, NotFound, SessionOver
from avsession.messages import StopRecording
from avsession.records import ConsentState as ConsentRow
from avsession.usecases import common, sessions
from tests.avsession.usecases.world import World

KEY = "k" * 16


async def test_a_key_is_one_partys_for_one_message(world: World) -> None:
    message = StopRecording(request="req_" + "a" * 26, key=KEY)
    other = msgspec.structs.replace(message, request="req_" + "b" * 26)
    async with world.store.write() as tx:
        me, them = world.agent.id, world.customer.id
        assert await common.answered_before(tx, me, KEY, message) is None
        await common.remember(world.app, tx, me, KEY, message, {"a": "1"})
        assert await common.answered_before(tx, me, KEY, message) == {"a": "1"}
        assert await common.answered_before(tx, them, KEY, other) is None
        with pytest.raises(Conflict):
            await common.answered_before(tx, me, KEY, other)


async def test_the_deadline_stands_beside_the_state_while_it_counts(world: World) -> None:
    await world.ask()
    assert (await world.only(ConsentRow)).deadline_ms == world.clock.now_ms() + 60_000
    await world.allow(world.agent)
    await world.allow(world.customer)
    assert (await world.only(ConsentRow)).deadline_ms is None


async def test_an_event_that_changes_nothing_writes_nothing(world: World) -> None:
    before = await world.only(ConsentRow, session=world.session)
    async with world.store.write() as tx:
        decision = await common.advance(world.app, tx, world.session, Expired("req", 0))
    assert decision.effects == ()
    assert await world.only(ConsentRow, session=world.session) == before


async def test_the_limits_of_a_fresh_state_are_the_settings(world: World) -> None:
    async with world.store.read() as tx:
        state = await common.load_state(tx, world.app, "ses_" + "a" * 26)
    consent = world.settings.consent
    assert (state.max_refusals, state.max_extensions) == (
        consent.max_refusals, consent.max_extensions,
    )  # fmt: skip


async def test_who_is_not_there_is_not_found(world: World) -> None:
    async with world.store.read() as tx:
        with pytest.raises(NotFound):
            await common.load(tx, "pty_" + "a" * 26)
        assert (await common.load_live(tx, world.agent.id))[0].id == world.session
    await sessions.end_session(world.app, world.session, "test")
    async with world.store.read() as tx:
        with pytest.raises(SessionOver):
            await common.load_live(tx, world.agent.id)
        assert (await common.load(tx, world.agent.id))[1].id == world.agent.id


async def test_a_leafs_details_belong_to_their_subject(world: World) -> None:
    async with world.store.write() as tx:
        await common.leaf(
            world.app, tx, "access.granted", subject=world.agent.party, details={"x": 1}
        )
    leaf = (await world.leaves())[-1]
    assert leaf["actor"] == leaf["subject"] == world.agent.party.pseudonym
    assert leaf["commitments"].keys() == {"x"}
