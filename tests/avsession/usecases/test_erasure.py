"""Destroying: keys first, then what they opened; harmless to repeat, mended after a crash."""

import msgspec
import pytest

from avsession.errors import NotFound, Unavailable
from avsession.messages import CloseGate, RecordingFinished
from avsession.recording import State
from avsession.records import Recording, SegmentRecord, TrackRecord, Withdrawal
from avsession.usecases import erasure
from tests.avsession.usecases.world import World


async def withdrawn(world: World, who: str, fate: str) -> tuple[str, str]:
    """A sealed recording whose consent was taken back; recording and request."""
    recording = await world.sealed()
    request = world.recorder.grant.request
    await world.story()
    person = getattr(world, who)
    await world.withdraw(person, request)
    await world.choose(person, request, fate)
    return recording, request


async def test_keep_keeps(world: World) -> None:
    recording, _ = await withdrawn(world, "customer", "keep")
    await world.later(1000)
    assert (await world.only(Recording, id=recording)).state is State.SEALED
    assert len(world.files("keys")) == 2
    assert len(world.files("objects")) == 5
    assert await world.story() == "consent.withdrawn"


async def test_the_customers_choice_covers_the_whole_recording(world: World) -> None:
    recording, _ = await withdrawn(world, "customer", "destroy")
    assert (await world.only(Recording)).state is State.ERASED
    assert world.files("keys") == world.files("objects") == world.files("spool") == []
    assert all(segment.erased for segment in await world.find(SegmentRecord))
    for track in await world.find(TrackRecord):
        with pytest.raises(NotFound):
            await world.app.custody.unwrap(recording, track.id)
    assert await world.story() == ("consent.withdrawn key.destroyed key.destroyed recording.erased")
    refs = (await world.leaves())[-1]["refs"]
    assert refs["whole"] is True
    assert [(t["segments"], len(t["digest"])) for t in refs["tracks"]] == [(2, 64)] * 2
    assert world.agent.last(RecordingFinished).state == "erased"
    order = world.recorder.last(CloseGate)
    assert (order.recording, order.final, order.erase) == (recording, True, True)


async def test_the_agents_choice_covers_only_the_agents_track(world: World) -> None:
    recording, _ = await withdrawn(world, "agent", "destroy")
    tracks = {track.party: track for track in await world.find(TrackRecord)}
    assert tracks[world.agent.id].erased_ms is not None
    theirs = tracks[world.customer.id]
    assert theirs.erased_ms is None
    assert (await world.only(Recording)).state is State.SEALED
    assert world.files("keys") == [f"{theirs.id}.age"]
    assert world.files("objects") == [
        f"{recording}/manifest.jsonl",
        f"{recording}/{theirs.id}/000000.age",
        f"{recording}/{theirs.id}/000001.age",
    ]
    await world.app.custody.unwrap(recording, theirs.id)
    assert await world.story() == "consent.withdrawn key.destroyed recording.erased"
    assert (await world.leaves())[-1]["refs"]["whole"] is False


async def test_an_agents_choice_waits_until_the_recorder_has_finished(world: World) -> None:
    await world.recorded()
    request = world.gate.request
    await world.withdraw(world.agent, request)
    await world.choose(world.agent, request, "destroy")
    await world.later(1)
    assert len(world.files("keys")) == 2
    await world.recorder.end()
    await world.later(1)
    assert len(world.files("keys")) == 1


async def test_a_customers_choice_waits_for_nobody(world: World) -> None:
    await world.recorded()
    request = world.gate.request
    await world.withdraw(world.customer, request)
    await world.choose(world.customer, request, "destroy")
    assert world.files("keys") == world.files("objects") == []
    assert (await world.only(Recording)).state is State.ERASED


async def test_one_after_the_other(world: World) -> None:
    recording, request = await withdrawn(world, "agent", "destroy")
    await world.withdraw(world.customer, request)
    await world.choose(world.customer, request, "destroy")
    assert (await world.only(Recording, id=recording)).state is State.ERASED
    assert world.files("keys") == world.files("objects") == []


async def test_destroying_twice_is_harmless(world: World) -> None:
    _, request = await withdrawn(world, "customer", "destroy")
    await world.story()
    row = await world.only(Withdrawal)
    async with world.store.write() as tx:
        await tx.put(msgspec.structs.replace(row, done=False))
    await erasure.carry_out(world.app, request)
    await erasure.carry_out(world.app, request)
    assert await world.story() == ""
    assert (await world.only(Withdrawal)).done


async def test_a_crash_between_the_keys_and_the_commit_is_mended(world: World) -> None:
    recording = await world.sealed()
    request = world.recorder.grant.request
    await world.withdraw(world.customer, request)
    await world.story()

    async def crash() -> None:
        if not world.files("keys"):
            raise Unavailable

    world.store.before_commit = crash
    await world.choose(world.customer, request, "destroy")
    assert world.files("keys") == []
    assert (await world.only(Recording)).state is State.SEALED
    assert await world.story() == ""
    await world.restart()
    await world.later(1)
    assert (await world.only(Recording, id=recording)).state is State.ERASED
    assert world.files("objects") == []
    assert await world.story() == "key.destroyed key.destroyed recording.erased"


async def test_segments_that_cannot_be_removed_are_noise_and_the_answer_stands(
    world: World,
) -> None:
    await world.sealed()
    request = world.recorder.grant.request
    await world.withdraw(world.customer, request)

    async def stuck(prefix: str) -> int:
        raise Unavailable

    remove = world.app.objects.remove
    world.app.objects.remove = stuck  # type: ignore[method-assign]
    await world.choose(world.customer, request, "destroy")
    assert world.files("keys") == []
    assert (await world.only(Recording)).state is State.ERASED
    assert not (await world.only(Withdrawal)).done
    world.app.objects.remove = remove  # type: ignore[method-assign]
    await world.later(1)
    assert world.files("objects") == []
    assert (await world.only(Withdrawal)).done


async def test_a_party_without_a_track_destroys_nothing_of_others(world: World) -> None:
    recording = await world.sealed()
    request = world.recorder.grant.request
    await world.withdraw(world.agent, request)
    mine = await world.only(TrackRecord, party=world.agent.id)
    async with world.store.write() as tx:
        await tx.remove(SegmentRecord, track=mine.id)
        await tx.remove(TrackRecord, id=mine.id)
    await world.choose(world.agent, request, "destroy")
    assert (await world.only(Recording, id=recording)).state is State.SEALED
    assert f"{recording}/manifest.jsonl" in world.files("objects")
    assert len(world.files("objects")) == 5
