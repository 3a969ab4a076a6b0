"""What a grant rests on, read from the database; forgeries of it: test_capture_evidence."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from avsession.consent import Request
from avsession.errors import ConsentRequired
from avsession.records import ConsentEvent
from avsession.usecases import consents
from tests.avsession.usecases.world import World
from tests.support.tamper import database


async def found(world: World) -> list[ConsentEvent]:
    state = await world.state()
    assert isinstance(state.request, Request)
    async with world.store.read() as tx:
        return await consents.committed(tx, state, state.request)


async def test_everyone_present_has_given_it_and_it_is_as_they_signed_it(world: World) -> None:
    await world.record()
    given = await found(world)
    assert {one.party for one in given} == {world.agent.id, world.customer.id}
    for one in given:
        signed = consents.signed(one)
        assert (signed.event, signed.party, signed.purposes) == (one.id, one.party, ("quality",))


async def test_one_is_missing(world: World) -> None:
    await world.ask()
    await world.allow(world.agent)
    with pytest.raises(ConsentRequired):
        await found(world)


async def test_one_is_not_what_its_leaf_says(world: World) -> None:
    await world.record()
    (given,) = await world.find(ConsentEvent, kind="given", party=world.customer.id)
    with database(world.folder) as db:
        change = "update leaf set data = cast(replace(cast(data as text), ?, ?) as blob)"
        db.execute(f"{change} where number = ?", (given.id, "evt_" + "a" * 26, given.leaf))
    with pytest.raises(ConsentRequired, match="not in the log"):
        await found(world)


@pytest.mark.parametrize("block", [None, {}, {"status": "valid"}, {"status": "invalid"}])
async def test_one_that_its_party_did_not_sign(
    world: World, block: dict[str, msgspec.Raw] | None
) -> None:
    await world.record()
    given = (await found(world))[0]
    with pytest.raises(ConsentRequired):
        consents.signed(replace(given, document=given.document | {"signature": block}))
