"""The private link: what it shows, what it can do, and that it is the holder's alone."""

import pytest

from avsession.errors import Conflict, LinkSpent, RequestOver
from avsession.recording import State
from avsession.records import ConsentEvent, Recording
from avsession.session import Party
from avsession.usecases import mydata, review, sessions
from tests.avsession.usecases.parts import Person
from tests.avsession.usecases.world import CUSTOMER_NAME, World
from tests.support.engines import stored

KEY = "k" * 64


async def finished(world: World) -> tuple[str, str]:
    """A call with a recording that is over; the recording and its request."""
    recording = await world.sealed()
    request = world.recorder.grant.request
    await sessions.end_session(world.app, world.session, "test")
    return recording, request


async def test_what_was_agreed_is_shown_after_the_call(world: World) -> None:
    recording, request = await finished(world)
    await review.open_recording(world.app, world.admin, recording, "complaint 7", "quality")
    data = await mydata.my_data(world.app, world.customer.data_secret)
    assert (data["name"], data["role"]) == (CUSTOMER_NAME, "customer")
    assert [event["kind"] for event in data["events"]] == ["given"]
    assert data["events"][0]["purposes"] == ["quality"]
    assert data["events"][0]["notice"] in data["notices"]
    (row,) = data["recordings"]
    assert (row["recording"], row["request"]) == (recording, request)
    assert (row["state"], row["can_withdraw"], row["withdrawn"]) == ("sealed", True, False)
    (access,) = data["accesses"]
    assert (access["reason"], access["by"]) == ("complaint 7", "reviewer")


@pytest.mark.parametrize("secret", ["", "x" * 43, "\ud800"])
async def test_an_unknown_link(world: World, secret: str) -> None:
    with pytest.raises(LinkSpent):
        await mydata.my_data(world.app, secret)
    with pytest.raises(LinkSpent):
        await mydata.withdraw(world.app, secret, "req_" + "a" * 26, None, KEY)


async def test_only_a_hash_of_it_is_stored(world: World) -> None:
    secret = world.customer.data_secret.encode()
    await world.close()
    places = stored(world.folder)
    assert places
    for data in places.values():
        assert secret not in data
    await world.start()


async def test_a_new_link_replaces_the_old(world: World) -> None:
    fresh = await mydata.renew_link(world.app, world.customer.party)
    with pytest.raises(LinkSpent):
        await mydata.my_data(world.app, world.customer.data_secret)
    assert (await mydata.my_data(world.app, fresh))["role"] == "customer"
    gone = Person(Party(
        id="pty_" + "a" * 26, session=world.session, pseudonym="p", role=world.agent.party.role,
        name="x", language="en", created_ms=0,
    ))  # fmt: skip
    with pytest.raises(LinkSpent):
        await mydata.renew_link(world.app, gone.party)


async def test_withdrawing_after_the_call_and_destroying(world: World) -> None:
    recording, request = await finished(world)
    await world.story()
    secret = world.customer.data_secret
    answer = await mydata.withdraw(world.app, secret, request, "destroy", KEY)
    assert answer == {"state": "withdrawn", "fate": "destroy"}
    assert await mydata.withdraw(world.app, secret, request, "destroy", KEY) == answer
    assert (await world.only(Recording, id=recording)).state is State.ERASED
    assert world.files("keys") == []
    assert await world.story() == (
        "consent.withdrawn privacy.requested key.destroyed key.destroyed recording.erased"
    )
    (row,) = (await mydata.my_data(world.app, secret))["recordings"]
    assert (row["state"], row["mine_erased"], row["can_withdraw"], row["fate"]) == (
        "erased", True, False, "destroy",
    )  # fmt: skip


async def test_stopping_first_and_choosing_later(world: World) -> None:
    recording = await world.recorded()
    request, secret = world.gate.request, world.customer.data_secret
    await mydata.withdraw(world.app, secret, request, None, KEY)
    assert world.live() is None
    await mydata.withdraw(world.app, secret, request, "keep", "l" * 64)
    with pytest.raises(Conflict):
        await mydata.withdraw(world.app, secret, request, "destroy", "m" * 64)
    assert (await world.only(Recording, id=recording)).state is not State.ERASED
    assert len(await world.find(ConsentEvent, kind="withdrawn")) == 1


async def test_no_choice_by_link_means_destroy_too(world: World) -> None:
    recording, request = await finished(world)
    await mydata.withdraw(world.app, world.customer.data_secret, request, None, KEY)
    await world.later(121)
    assert (await world.only(Recording, id=recording)).state is State.ERASED


async def test_where_nothing_was_recorded_there_is_nothing_to_choose(world: World) -> None:
    request = await world.ask()
    await world.allow(world.customer)
    secret = world.customer.data_secret
    for _ in range(2):
        await mydata.withdraw(world.app, secret, request, "destroy", KEY)
    assert len(await world.find(ConsentEvent, kind="withdrawn")) == 1


async def test_keys_fit_into_their_column(world: World) -> None:
    assert len(mydata._key(KEY, "withdraw")) == len(mydata._key("k" * 16, "fate")) == 64
    assert mydata._key(KEY, "withdraw") != mydata._key(KEY, "fate")


async def test_a_link_withdraws_only_what_is_its_holders(world: World) -> None:
    _, request = await finished(world)
    _, stranger = await world.new_call(world.staff)
    claimed = await mydata.renew_link(world.app, stranger.party)
    with pytest.raises(RequestOver):
        await mydata.withdraw(world.app, claimed, request, "destroy", KEY)
    assert (await mydata.my_data(world.app, claimed))["recordings"] == []
