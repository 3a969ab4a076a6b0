"""Taking consent back, and choosing what becomes of what was recorded."""

import pytest

from avsession.errors import Conflict, Erased, RequestOver, Unavailable
from avsession.messages import AskOver, RecordingChanged
from avsession.records import ConsentEvent, Recording, Withdrawal
from tests.avsession.usecases.world import World


@pytest.mark.parametrize("who", ["agent", "customer"])
async def test_withdrawing_stops_before_anything_is_written(world: World, who: str) -> None:
    request = await world.record()
    person, seen = getattr(world, who), []

    async def look() -> None:
        seen.append((world.live(), world.agent.last(RecordingChanged).recording.state))

    world.store.before_commit = look
    answer = await world.withdraw(person, request)
    assert seen[0] == (None, "off")
    assert answer["fate_s"] == "120"
    assert world.agent.last(RecordingChanged).recording.reason == "withdrawn"
    assert world.agent.last(AskOver).outcome == "withdrawn"
    await world.story()


async def test_the_story_of_a_withdrawal(world: World) -> None:
    request = await world.record()
    await world.story()
    await world.withdraw(world.customer, request)
    assert await world.story() == "consent.withdrawn grant.revoked recording.off"


async def test_it_is_written_down_though_its_page_never_says_it_again(world: World) -> None:
    request, key = await world.record(), world.key()
    world.store.down = True
    for said in (key, key, world.key()):  # and once from a page that was loaded anew
        with pytest.raises(Unavailable):
            await world.withdraw(world.customer, request, said)
    await world.later(1)
    world.store.down = False
    await world.disconnect(world.customer)
    await world.later(1)
    assert len(await world.find(ConsentEvent, kind="withdrawn")) == 1
    assert (await world.state()).request is None
    assert world.app.gate.taken_back() == []
    (event,) = await world.find(ConsentEvent, kind="withdrawn")
    assert (await world.withdraw(world.customer, request, key))["event"] == event.id
    await world.later(1)
    assert len(await world.find(ConsentEvent, kind="withdrawn")) == 1


async def test_withdrawing_works_without_a_database(world: World) -> None:
    """The gate stays closed until the page's repeat is committed, whatever happens between."""
    request, key = await world.record(), world.key()
    world.store.down = True
    with pytest.raises(Unavailable):
        await world.withdraw(world.customer, request, key)
    assert world.live() is None
    world.store.down = False
    await world.later(1)
    await world.disconnect(world.agent)
    await world.connect(world.agent)
    assert world.live() is None
    await world.withdraw(world.customer, request, key)
    assert (await world.state()).request is None
    assert len(await world.find(ConsentEvent, kind="withdrawn")) == 1
    await world.record()
    assert world.live() is not None


async def test_who_closes_with_a_bad_message_has_closed(world: World) -> None:
    """A withdrawal under a used key is refused, but what it stopped does not start again."""
    key = world.key()
    await world.recorder.join()
    request = await world.ask()
    await world.allow(world.agent)
    await world.allow(world.customer, key=key)
    with pytest.raises(Conflict):
        await world.withdraw(world.customer, request, key)
    await world.disconnect(world.agent)
    await world.connect(world.agent)
    await world.later(1)
    assert world.live() is None


async def test_withdrawing_twice_is_withdrawing_once(world: World) -> None:
    request, key = await world.record(), world.key()
    first = await world.withdraw(world.customer, request, key)
    assert await world.withdraw(world.customer, request, key) == first
    with pytest.raises(Conflict):
        await world.withdraw(world.customer, request)
    assert len(await world.find(ConsentEvent, kind="withdrawn")) == 1


async def test_nobody_withdraws_what_is_not_theirs(world: World) -> None:
    request = await world.record()
    _, stranger = await world.new_call(world.staff)
    with pytest.raises(RequestOver):
        await world.withdraw(stranger, request)
    with pytest.raises(RequestOver):
        await world.stop(stranger, request)
    assert world.live() is not None


async def test_who_has_not_given_has_nothing_to_withdraw(world: World) -> None:
    request = await world.ask()
    await world.allow(world.agent)
    with pytest.raises(Conflict):
        await world.withdraw(world.customer, request)
    assert (await world.state()).request is not None


async def test_the_choice_needs_a_withdrawal_and_is_made_once(world: World) -> None:
    request = await world.record()
    with pytest.raises(Conflict):
        await world.choose(world.customer, request, "destroy")
    await world.withdraw(world.customer, request)
    with pytest.raises(Conflict):
        await world.choose(world.agent, request, "destroy")
    await world.choose(world.customer, request, "keep")
    await world.choose(world.customer, request, "keep")
    with pytest.raises(Conflict):
        await world.choose(world.customer, request, "destroy")
    assert (await world.only(Withdrawal)).fate == "keep"


async def test_the_other_may_withdraw_too_unless_nothing_is_left(world: World) -> None:
    recording = await world.sealed()
    request = (await world.only(Recording, id=recording)).request
    await world.withdraw(world.agent, request)
    await world.withdraw(world.customer, request)
    await world.choose(world.customer, request, "destroy")
    _, stranger = await world.new_call(world.staff)
    with pytest.raises(RequestOver):
        await world.withdraw(stranger, request)
    with pytest.raises(Erased):
        await world.withdraw(world.agent, request)


async def test_stopping_keeps_consent_and_recording(world: World) -> None:
    request = await world.record()
    await world.story()
    await world.stop(world.customer, request)
    assert world.live() is None
    assert await world.story() == "grant.revoked recording.off"
    assert not await world.find(ConsentEvent, kind="withdrawn")
    assert not await world.find(Withdrawal)
    with pytest.raises(RequestOver):
        await world.stop(world.customer, request)
