"""Choices: each is one leaf with nothing of who it was; what it allows ends when it should."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from avsession import notices
from avsession.errors import TooMany
from avsession.privacy import stored
from avsession.privacy.stored import CHOICE_S, Choice
from avsession.records import ConsentEvent, Detail, Leaf
from avsession.usecases import preferences
from tests.avsession.usecases.world import CUSTOMER_NAME, World
from tests.support.policies import forget, publish_later

ADDRESS = "192.0.2.7"


@pytest.fixture
def _as_it_was() -> Iterator[None]:
    yield
    forget()


async def choose(world: World, *given: str, token: str = "", address: str = ADDRESS) -> Choice:
    return await preferences.choose(world.app, given, token, address=address)


async def test_a_choice_is_one_leaf_that_names_nobody(world: World) -> None:
    made = await choose(world, "preferences", "analytics")
    assert await world.story() == "preference.set"
    (row,) = await world.find(Leaf, kind="preference.set")
    body = json.loads(row.data)
    assert (body["actor"], body["subject"], body["session"]) == (made.id, None, None)
    assert body["refs"] == {
        "given": ["preferences", "analytics"],
        "version": stored.version(world.app.settings),
        "policy": 3,
        "instead": None,
    }
    assert body["commitments"] == {}
    assert await world.find(Detail, leaf=row.index) == []
    assert ADDRESS.encode() not in row.data
    assert CUSTOMER_NAME.encode() not in row.data
    assert await preferences.standing(world.app, made.token) == made


async def test_two_browsers_have_two_names(world: World) -> None:
    one, other = await choose(world, "preferences"), await choose(world, "preferences")
    assert one.id != other.id


async def test_the_same_again_is_not_written_again_and_another_replaces_it(world: World) -> None:
    first = await choose(world, "preferences")
    assert await choose(world, "preferences", token=first.token) == first
    second = await choose(world, token=first.token)
    assert (second.given, second.id != first.id) == ((), True)
    last = (await world.leaves())[-1]
    assert last["refs"]["instead"] == first.leaf
    assert await world.story() == "preference.set preference.set"


async def test_only_what_there_is_a_choice_about_can_be_given(world: World) -> None:
    made = await choose(world, "marketing", "necessary", "analytics")
    assert made.given == ("analytics",)


async def test_it_ends_after_six_months(world: World) -> None:
    made = await choose(world, "preferences")
    world.clock.forward(CHOICE_S - 1)
    assert await preferences.standing(world.app, made.token) == made
    world.clock.forward(1)
    assert await preferences.standing(world.app, made.token) is None
    again = await choose(world, "preferences", token=made.token)
    assert again.id != made.id, "an old choice is not renewed by itself"


async def test_a_made_up_cookie_is_no_choice(world: World) -> None:
    made = await choose(world, "analytics")
    other = await choose(world)
    joined = (await world.find(Leaf, kind="party.joined"))[0]
    for token in (
        "",
        "nonsense",
        f"{other.id}.{made.leaf}",
        f"{made.id}.{made.leaf + 1000}",
        f"{made.id}.{joined.index}",
        f"{world.customer.party.pseudonym}.{joined.index}",
    ):
        assert await preferences.standing(world.app, token) is None


async def test_other_items_ask_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await choose(world, "preferences")
    monkeypatch.setattr(stored, "EDITION", 2)
    assert await preferences.standing(world.app, made.token) is None


@pytest.mark.usefixtures("_as_it_was")
async def test_a_material_policy_asks_again_and_changes_no_past_consent(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = await world.record()
    before = await world.only(ConsentEvent, party=world.customer.id, request=request, kind="given")
    refused, given = await choose(world), await choose(world, "analytics")
    publish_later(monkeypatch, tmp_path, notices.PRIVACY, material=False)
    assert await preferences.standing(world.app, given.token) == given
    assert publish_later(monkeypatch, tmp_path, notices.PRIVACY, material=True) == "5"
    for one in (refused, given):
        assert await preferences.standing(world.app, one.token) is None
    again = await choose(world, "analytics", token=given.token)
    assert again.policy == 5
    assert await preferences.standing(world.app, again.token) == again
    after = await world.only(ConsentEvent, id=before.id)
    assert msgspec.json.encode(after) == msgspec.json.encode(before)
    assert after.document["policy"] == {"id": "privacy", "version": "3"}
    assert world.live() is not None, "and the recording goes on"


async def test_one_address_cannot_fill_the_log(world: World) -> None:
    for _ in range(20):
        await choose(world)
    with pytest.raises(TooMany):
        await choose(world)
    assert len(await world.find(Leaf, kind="preference.set")) == 20
    await choose(world, address="198.51.100.9")
    world.clock.forward(10)
    await choose(world)
