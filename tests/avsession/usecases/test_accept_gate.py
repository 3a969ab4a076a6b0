"""What was captured outside an open gate is deleted; its entry stays, and the chain goes on."""

import pytest

from avsession.errors import Erased, Unavailable
from avsession.messages import EntryAccepted, EntryRefused, RequestRecording
from avsession.recording import Sealed, State
from avsession.records import EntryRecord, Recording, SegmentRecord
from avsession.usecases import accept, consent
from tests.avsession.usecases.recorder import Recorder
from tests.avsession.usecases.world import World


async def dropped(world: World, entry: Sealed) -> None:
    """The segment is refused and deleted, its entry stays in the chain, and the chain goes on."""
    kept, entries = len(await world.find(SegmentRecord)), len(await world.find(EntryRecord))
    objects = world.files("objects")
    answer = await world.recorder.say(entry)
    assert answer == EntryRefused(recording=entry.recording, n=entry.n, code="segment.refused")
    assert await world.recorder.say(entry) == answer
    assert len(await world.find(SegmentRecord)) == kept
    assert len(await world.find(EntryRecord)) == entries + 1
    assert world.files("objects") == objects
    assert not world.recorder.spooled(entry.track, entry.index).exists()


@pytest.mark.parametrize("how", ["withdraw", "stop", "pause", "disconnect"])
async def test_captured_after_closing(world: World, how: str) -> None:
    recording = await world.recorded()
    request = world.recorder.grant.request
    if how == "disconnect":
        await world.disconnect(world.customer)
    else:
        await getattr(world, how)(world.customer, request)
    closed = world.clock.now_ms()
    world.clock.forward(0.5)
    await dropped(world, world.recorder.sealed(world.customer))
    await dropped(world, world.recorder.sealed(world.customer, captured_ms=closed + 1))
    # On time by its own clock, but that may be off by more.
    late = world.recorder.sealed(world.agent, captured_ms=closed - 5, uncertainty_ms=6.0)
    await dropped(world, late)
    hopeful = world.recorder.sealed(world.agent, captured_ms=closed + 5, uncertainty_ms=-6.0)
    await dropped(world, hopeful)
    answer = await world.recorder.segment(world.agent, captured_ms=closed - 6, uncertainty_ms=6.0)
    assert isinstance(answer, EntryAccepted)
    if how not in ("pause", "disconnect"):
        await world.recorder.end()
        assert (await world.only(Recording, id=recording)).state is State.SEALED


async def test_captured_after_closing_but_said_before_the_closing_was_committed(
    world: World,
) -> None:
    await world.recorded()
    world.store.down = True
    with pytest.raises(Unavailable):
        await world.withdraw(world.customer, world.recorder.grant.request)
    world.store.down = False
    world.clock.forward(0.2)
    await dropped(world, world.recorder.sealed(world.customer))


async def test_the_moment_of_closing_survives_a_restart(world: World) -> None:
    recording = await world.recorded()
    before = world.recorder.sealed(world.customer, captured_ms=world.clock.now_ms() - 500)
    await world.withdraw(world.customer, world.recorder.grant.request)
    world.clock.forward(5)
    await world.restart()
    await world.recorder.join(recording)
    assert isinstance(await world.recorder.say(before), EntryAccepted)
    await dropped(world, world.recorder.sealed(world.customer))


async def test_under_an_older_generation(world: World) -> None:
    await world.recorded()
    old = world.recorder.grant.generation
    await world.disconnect(world.customer)
    world.clock.forward(1)
    await world.connect(world.customer)
    await world.recorder.begin()
    world.clock.forward(1)
    await dropped(world, world.recorder.sealed(world.customer, generation=old))
    await dropped(world, world.recorder.sealed(world.customer, generation=old + 17))
    assert isinstance(await world.recorder.segment(world.customer), EntryAccepted)


async def test_captured_before_the_grant(world: World) -> None:
    await world.recorded(seconds=0)
    early = world.clock.now_ms() - accept.EARLY_MS - 10
    await dropped(world, world.recorder.sealed(world.agent, captured_ms=early))


async def test_a_track_of_another_recording(world: World) -> None:
    await world.recorded(seconds=0)
    agent, _customer = await world.new_call(world.staff)
    theirs = Recorder(world)
    await theirs.join()
    people = (agent, _customer)
    ask = RequestRecording(purposes=("quality",), key=world.key())
    await consent.request_recording(world.app, agent.id, ask)
    for person in people:
        await world.allow(person)
    entry = world.recorder.sealed(world.agent, track=theirs.leg(agent).track)
    answer = await world.recorder.say(entry)
    assert answer == EntryRefused(recording=entry.recording, n=entry.n, code="segment.refused")
    assert not await world.find(SegmentRecord)


async def test_a_track_that_nobody_has(world: World) -> None:
    await world.recorded(seconds=0)
    answer = await world.recorder.segment(world.agent, track="trk_" + "a" * 26)
    assert isinstance(answer, EntryRefused)


async def test_after_it_was_destroyed(world: World) -> None:
    await world.recorded()
    request = world.recorder.grant.request
    entry = world.recorder.sealed(world.customer)
    await world.withdraw(world.customer, request)
    await world.choose(world.customer, request, "destroy")
    answer = await world.recorder.say(entry)
    assert answer == EntryRefused(recording=entry.recording, n=entry.n, code=Erased.code)
    assert world.files("objects") == []


async def test_refusals_are_written_down_but_not_without_end(world: World) -> None:
    await world.recorded()
    await world.stop(world.customer, world.recorder.grant.request)
    world.clock.forward(1)
    await world.story()
    for _ in range(20):
        await world.recorder.segment(world.customer)
    assert await world.story() == " ".join(["access.denied"] * 3)
    assert (await world.leaves())[-1]["refs"] == {"what": "segment.refused"}
