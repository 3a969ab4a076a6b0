"""Closing speaks first, and what it closed stays closed when the recording of it fails."""

import pytest

from avsession.errors import Conflict, Unavailable
from avsession.messages import CloseGate, RecordingChanged, StopRecording
from avsession.usecases.closing import close_now, ending, expect, going, hold, pausing
from tests.avsession.usecases.world import World


def said(request: str) -> StopRecording:
    """A party's message about this request."""
    return StopRecording(request=request, key="key-" + "0" * 16)


async def test_everyone_and_the_recorder_are_told_at_once(world: World) -> None:
    await world.record()
    gate = world.gate
    assert close_now(world.app, world.session, "why", final=False) is gate
    order = world.recorder.last(CloseGate)
    assert (order.recording, order.generation) == (gate.recording, gate.generation)
    assert (order.closed_ms, order.final, order.erase) == (world.clock.now_ms(), False, False)
    for person in (world.agent, world.customer):
        status = person.last(RecordingChanged).recording
        assert (status.state, status.reason, status.request) == ("off", "why", gate.request)
    assert close_now(world.app, world.session, "why", final=True) is None


async def test_a_request_is_not_named_when_it_is_over(world: World) -> None:
    await world.record()
    close_now(world.app, world.session, "why", final=True)
    assert world.agent.last(RecordingChanged).recording.request is None
    assert world.recorder.last(CloseGate).final


@pytest.mark.parametrize(
    ("error", "recorded", "barred"),
    [
        (None, True, False),
        (None, False, False),
        (Unavailable, True, True),
        (Unavailable, False, True),
        (Conflict, True, True),
        (Conflict, False, False),
    ],
)
async def test_what_stays_barred(
    world: World, error: type[Exception] | None, recorded: bool, barred: bool
) -> None:
    request = await world.record()
    if not recorded:
        close_now(world.app, world.session, "before", final=False)

    async def attempt() -> None:
        with ending(world.app, world.customer.id, said(request), "withdrawn"):
            assert world.live() is None
            assert world.app.gate.barred(request, [world.customer.id])
            if error is not None:
                raise error

    if error is None:
        await attempt()
    else:
        with pytest.raises(error):
            await attempt()
    assert world.app.gate.barred(request, [world.customer.id]) is barred


@pytest.mark.parametrize(
    ("error", "barred"), [(None, False), (Unavailable, True), (Conflict, True)]
)
async def test_a_pause_bars_by_itself(
    world: World, error: type[Exception] | None, barred: bool
) -> None:
    """It lifts no bar of a withdrawal that is not written down yet, nor is it lifted by one."""
    request = await world.record()

    async def attempt() -> None:
        with pausing(world.app, world.customer.id, said(request)):
            assert world.live() is None
            status = world.agent.last(RecordingChanged).recording
            assert (status.state, status.reason, status.request) == ("paused", "paused", request)
            assert set(status.paused) == {world.customer.id}
            assert not world.recorder.last(CloseGate).final
            with ending(world.app, world.customer.id, said(request), "withdrawn"):
                pass
            assert world.app.gate.barred(request, [world.customer.id])
            if error is not None:
                raise error

    if error is None:
        await attempt()
    else:
        with pytest.raises(error):
            await attempt()
    assert world.app.gate.barred(request, [world.customer.id]) is barred
    assert not world.app.gate.barred("req_" + "a" * 26, [world.customer.id])


async def test_another_request_or_a_stranger_closes_nothing(world: World) -> None:
    request = await world.record()
    with ending(world.app, world.customer.id, said("req_" + "a" * 26), "withdrawn"):
        assert world.live() is not None
    with ending(world.app, "pty_" + "a" * 26, said(request), "withdrawn"):
        assert world.live() is not None
    with pausing(world.app, world.customer.id, said("req_" + "a" * 26)):
        assert world.live() is not None
    with pausing(world.app, "pty_" + "a" * 26, said(request)):
        assert world.live() is not None
    with going(world.app, "pty_" + "a" * 26, "party_left"):
        assert world.live() is not None


async def test_who_is_gone_is_not_recorded_until_that_is_written_or_they_are_back(
    world: World,
) -> None:
    await world.record()
    with pytest.raises(Unavailable), going(world.app, world.customer.id, "presence_unknown"):
        raise Unavailable
    assert world.live() is None
    assert world.app.gate.barred("", [world.customer.id])


@pytest.mark.parametrize(
    ("error", "expected"), [(None, False), (Unavailable, True), (Conflict, False)]
)
async def test_what_a_page_says_again_is_waited_for(
    world: World, error: type[Exception] | None, expected: bool
) -> None:
    """Until it has its answer: that it could not be looked at is none."""
    request, change = await world.record(), said("req_" + "a" * 26)
    expect(world.app, world.customer.party, (change.key,))
    assert world.app.gate.barred(request, [world.customer.id])
    with pytest.raises(error or Conflict), pausing(world.app, world.customer.id, change):
        raise error or Conflict
    if error is None:
        expect(world.app, world.customer.party, (change.key,))
        with pausing(world.app, world.customer.id, change):
            pass
    assert world.app.gate.barred(request, [world.customer.id]) is expected
    assert (world.session in world.app.gate.waiting) is not expected, "it may open again"


async def test_what_a_page_says_again_closes_an_open_gate_until_it_has_its_answer(
    world: World,
) -> None:
    """The page is back over a connection that nobody saw end: it was never lost."""
    request = await world.record()
    before, key = world.gate, world.key()
    expect(world.app, world.customer.party, ())
    assert world.live() is before, "nothing is said again: nothing closes"
    expect(world.app, world.customer.party, (key,))
    assert world.live() is None
    order = world.recorder.last(CloseGate)
    assert (order.generation, order.final) == (before.generation, False)
    for person in (world.agent, world.customer):
        status = person.last(RecordingChanged).recording
        assert (status.state, status.reason, status.request) == ("off", "presence_unknown", request)
    await world.connect(world.customer)
    await world.later(1)
    assert world.live() is None, "its answer is not there yet"
    number = await world.pause(world.customer, request, key)
    await world.resume(world.customer, request, number)
    assert world.gate.generation > before.generation
    assert world.agent.last(RecordingChanged).recording.state == "on"


async def test_what_is_said_again_in_vain_lets_the_gate_open_anew(world: World) -> None:
    await world.record()
    before, change = world.gate, said("req_" + "a" * 26)
    expect(world.app, world.agent.party, (change.key,))
    with pytest.raises(Conflict), pausing(world.app, world.agent.id, change):
        raise Conflict
    assert world.live() is None
    await world.later(1)
    assert world.gate.generation > before.generation


async def test_a_withdrawal_that_came_before_its_consent_lets_no_gate_open(world: World) -> None:
    """Tried too early it is tried again; what it overtook is written down in between."""
    await world.recorder.join()
    request, key = await world.ask(), world.key()
    await world.allow(world.agent)
    with pytest.raises(Conflict):
        await world.withdraw(world.customer, request, key)
    hold(world.app, world.customer.party, key)
    await world.allow(world.customer)
    await world.later(1)
    assert world.live() is None
    await world.withdraw(world.customer, request, key)
    await world.later(1)
    assert world.live() is None
    assert not world.recorder.all(CloseGate), "it had nothing to close"
    await world.record()


async def test_what_is_held_in_vain_lets_the_gate_open_after_its_answer(world: World) -> None:
    await world.recorder.join()
    await world.ask()
    await world.allow(world.agent)
    change = said("req_" + "a" * 26)
    hold(world.app, world.customer.party, change.key)
    await world.allow(world.customer)
    assert world.live() is None
    with pytest.raises(Conflict), pausing(world.app, world.customer.id, change):
        raise Conflict
    await world.later(1)
    assert world.live() is not None
