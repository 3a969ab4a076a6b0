"""Finding whoever wrote to the desk, whatever the case, in pages, and nobody who was erased."""

import pytest

from avsession.errors import Invalid, NotPermitted
from avsession.usecases import erasing, finding, rights, sessions
from tests.avsession.usecases.world import CUSTOMER_NAME, World


async def found(world: World, text: str) -> list[str]:
    said = await finding.people(world.app, world.admin, text)
    assert said["next"] is None
    return [one["party"] for one in said["people"]]


async def test_by_a_part_of_the_name_or_the_contact_in_every_session(world: World) -> None:
    await world.story()
    first = world.customer.id
    _, again = await world.new_call(world.staff)
    await rights.rectify(world.app, again.data_secret, None, "Kuno@Example.org")
    await world.story()
    assert await found(world, " kuno  KUNDIG ") == [again.id, first], "the newest first"
    assert await found(world, "kuno@example") == [again.id]
    assert await found(world, "Kunz") == []
    (row,) = (await finding.people(world.app, world.admin, "example.org"))["people"]
    assert row == {
        "party": again.id,
        "session": again.party.session,
        "name": CUSTOMER_NAME,
        "role": "customer",
        "contact": "Kuno@Example.org",
        "created_ms": row["created_ms"],
    }
    assert await world.story() == "", "what was looked for is kept nowhere"


async def test_nobody_who_was_erased(world: World) -> None:
    await sessions.end_session(world.app, world.session, "test")
    await erasing.by_holder(world.app, world.customer.data_secret)
    assert await found(world, CUSTOMER_NAME) == []


async def test_page_by_page_without_end_and_without_gaps(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        await world.new_call(world.staff)
    everybody = set(await found(world, CUSTOMER_NAME))
    assert len(everybody) == 6
    for found_at_once, looked in ((2, 20_000), (100, 3), (1, 1)):
        monkeypatch.setattr(finding, "FOUND", found_at_once)
        monkeypatch.setattr(finding, "LOOKED", looked)
        monkeypatch.setattr(finding, "AT_ONCE", min(looked, 5))
        seen: list[str] = []
        after: str | None = ""
        while after is not None:
            said = await finding.people(world.app, world.admin, CUSTOMER_NAME, after)
            assert len(said["people"]) <= found_at_once
            seen += [one["party"] for one in said["people"]]
            after = said["next"]
        assert (set(seen), len(seen)) == (everybody, 6)


@pytest.mark.parametrize("text", ["", " k ", "k" * 201])
async def test_what_finds_everybody_is_not_looked_for(world: World, text: str) -> None:
    with pytest.raises(Invalid):
        await finding.people(world.app, world.admin, text)


async def test_only_who_has_the_permission(world: World) -> None:
    with pytest.raises(NotPermitted):
        await finding.people(world.app, world.staff, CUSTOMER_NAME)
