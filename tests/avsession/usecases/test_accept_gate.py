"""What was captured outside an open gate is deleted; its entry stays, and the chain goes on."""

from typing import Any

import pytest
from msgspec.structs import replace

from avsession.errors import Erased, Unavailable
from avsession.messages import EntryAccepted, EntryRefused, RequestRecording
from avsession.recording import Attach, Sealed, State
from avsession.records import EntryRecord, Recording, SegmentRecord, TrackRecord
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


@pytest.mark.parametrize("what", ["unsure", "began before", "endless", "backwards", "future"])
async def test_times_that_cannot_be(world: World, what: str) -> None:
    await world.recorded(seconds=1)
    grant = world.recorder.grant
    now = world.clock.now_ms()
    at = now - grant.epoch_ms
    slack, longest = accept.CLOCK_SLACK_MS, accept.MAX_LENGTH_MS
    fields: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "unsure": (
            {"uncertainty_ms": accept.MAX_UNSURE_MS + 1.0},
            {"uncertainty_ms": float(accept.MAX_UNSURE_MS)},
        ),
        "endless": ({"end_ms": at + longest + 1}, {"end_ms": at + longest}),
        "backwards": ({"end_ms": at - 1}, {"end_ms": at}),
        "future": ({"captured_ms": now + slack + 2}, {"captured_ms": now + slack + 1}),
        "began before": (
            {"start_ms": -slack - 1, "end_ms": 998, "captured_ms": grant.issued_ms + 997},
            {"start_ms": 0, "end_ms": 999, "captured_ms": grant.issued_ms + 998},
        ),
    }
    wrong, right = fields[what]
    await dropped(world, world.recorder.sealed(world.customer, **wrong))
    entry = world.recorder.sealed(world.customer, **right)
    assert isinstance(await world.recorder.say(entry), EntryAccepted)


async def test_what_a_failed_commit_adopted_does_not_stay_when_it_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.recorded()
    before = world.files("objects")
    entry = world.recorder.sealed(world.customer)
    adopt = accept._adopt

    async def adopt_in_vain(*what: Any) -> None:
        await adopt(*what)
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(accept, "_adopt", adopt_in_vain)
        with pytest.raises(Unavailable):
            await world.recorder.say(entry)
    assert len(world.files("objects")) == len(before) + 1
    async with world.store.write() as tx:
        (track,) = await tx.find(TrackRecord, id=entry.track)
        await tx.put(replace(track, erased_ms=1))
    answer = await world.recorder.say(entry)
    assert isinstance(answer, EntryRefused)
    assert world.files("objects") == before


async def test_a_number_that_comes_twice_costs_nothing_that_was_kept(world: World) -> None:
    await world.recorded()
    objects = world.files("objects")
    again = world.recorder.sealed(world.customer, index=1, generation=17)
    await world.recorder.say(again)
    assert world.files("objects") == objects


async def test_nor_does_one_that_comes_again_when_all_is_over(world: World) -> None:
    """Refused for its time, under the number of a segment that is kept: that one still opens."""
    recording = await world.recorded()
    await world.stop(world.customer, world.recorder.grant.request)
    kept = {
        (row.track, row.index): await world.app.objects.get(
            f"{recording}/{row.track}/{row.index:06d}.age"
        )
        for row in await world.find(SegmentRecord)
    }
    world.clock.forward(1)
    for index in (0, 1):
        answer = await world.recorder.say(world.recorder.sealed(world.customer, index=index))
        assert isinstance(answer, EntryRefused)
    for (track, index), data in kept.items():
        name = f"{recording}/{track}/{index:06d}.age"
        assert await world.app.objects.get(name) == data
    assert len(await world.find(SegmentRecord)) == len(kept)


async def test_a_recorder_that_does_not_know_the_time_is_not_attached(world: World) -> None:
    await world.recorded()
    entry = world.recorder.entry(
        Attach, generation=1, grant="0" * 64, clock_offset_ms=0.0,
        clock_uncertainty_ms=accept.MAX_UNSURE_MS + 1.0,
    )  # fmt: skip
    assert isinstance(await world.recorder.say(entry), EntryRefused)
