"""Destroying: keys first, then what they opened; harmless to repeat, mended after a crash."""

import json
from typing import Any

import msgspec
import pytest

from avsession.audit.certificate import SERVERS
from avsession.audit.log import rfc3339
from avsession.canonical import canonical, sha256_hex
from avsession.errors import NotFound, Unavailable
from avsession.messages import CloseGate, RecordingFinished
from avsession.recording import State, entry_digest
from avsession.records import (
    Certificate,
    EntryRecord,
    Recording,
    SegmentRecord,
    TrackRecord,
    Withdrawal,
)
from avsession.usecases import erasure, mydata
from tests.avsession.usecases.world import CUSTOMER_NAME, World
from tests.support.engines import chosen, sqlite_only


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
    assert await world.story() == "consent.withdrawn privacy.requested"


async def test_the_customers_choice_covers_the_whole_recording(world: World) -> None:
    recording, _ = await withdrawn(world, "customer", "destroy")
    assert (await world.only(Recording)).state is State.ERASED
    assert world.files("keys") == world.files("objects") == world.files("spool") == []
    assert not await world.find(SegmentRecord)
    for track in await world.find(TrackRecord):
        with pytest.raises(NotFound):
            await world.app.custody.unwrap(recording, track.id)
    assert await world.story() == (
        "consent.withdrawn privacy.requested key.destroyed key.destroyed recording.erased"
    )
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
    assert await world.story() == (
        "consent.withdrawn privacy.requested key.destroyed recording.erased"
    )
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


class Crash(BaseException):
    """The process dies here."""


STEPS = ("decision", "first key", "second key", "segments", "scrub", "proof", "withdrawal")


def dies_at(world: World, step: str) -> None:
    """From now on the process dies when it comes to ``step``; the decision is the first commit."""
    app, commits, keys = world.app, iter(range(99)), iter(range(99))
    at_commit = {"decision": 0, "proof": 1, "withdrawal": 2}.get(step)
    at_key = {"first key": 0, "second key": 1}.get(step)
    destroy = app.custody.destroy

    async def commit() -> None:
        if next(commits) == at_commit:
            raise Crash

    async def key(track: str) -> bool:
        if next(keys) == at_key:
            raise Crash
        return await destroy(track)

    async def never(*_: object) -> bool:
        raise Crash

    world.store.before_commit = commit
    app.custody.destroy = key  # type: ignore[method-assign]
    if step == "segments":
        app.objects.remove = never  # type: ignore[method-assign,assignment]
    if step == "scrub":
        world.store.scrub = never  # type: ignore[method-assign]


@pytest.mark.parametrize("step", STEPS)
async def test_a_crash_at_any_step_is_mended(world: World, step: str) -> None:
    recording = await world.sealed()
    request = world.recorder.grant.request
    await world.withdraw(world.customer, request)
    await choose_only(world, request)
    await world.story()
    dies_at(world, step)
    with pytest.raises(Crash):
        await erasure.carry_out(world.app, request)
    told = await world.story()
    if step != "withdrawal":
        assert "recording.erased" not in told, "not before everything is gone"
        assert all(row.done_ms is None for row in await world.find(Certificate))
    await world.restart()
    await world.later(1)
    await world.later(1)
    assert (await world.only(Recording, id=recording)).state is State.ERASED
    assert world.files("keys") == world.files("objects") == []
    assert not await world.find(EntryRecord)
    assert (await world.only(Withdrawal)).done
    told += await world.story()
    assert [kind for kind in told.split() if "erased" in kind or "destroyed" in kind] == [
        "key.destroyed", "key.destroyed", "recording.erased",
    ]  # fmt: skip
    assert (await world.only(Certificate)).done_ms is not None


async def choose_only(world: World, request: str) -> None:
    """The choice is made, and nothing is done about it yet."""
    row = await world.only(Withdrawal, request=request)
    async with world.store.write() as tx:
        await tx.put(msgspec.structs.replace(row, fate="destroy"))


@pytest.mark.parametrize("what", ["segments", "scrub"])
async def test_it_is_not_done_until_everything_is_gone_and_the_answer_stands(
    world: World, what: str
) -> None:
    await world.sealed()
    request = world.recorder.grant.request
    await world.withdraw(world.customer, request)

    async def stuck(*_: object) -> bool:
        raise Unavailable

    remove, scrub = world.app.objects.remove, world.store.scrub
    if what == "segments":
        world.app.objects.remove = stuck  # type: ignore[method-assign,assignment]
    else:
        world.store.scrub = stuck  # type: ignore[method-assign]
    await world.choose(world.customer, request, "destroy")
    assert world.files("keys") == []
    assert not (await world.only(Withdrawal)).done
    assert (await world.only(Certificate)).leaf is None
    (seen,) = (await mydata.my_data(world.app, world.customer.data_secret))["recordings"]
    assert (seen["state"], seen["certificates"][0]["done_ms"]) == ("erasing", None)
    assert all(said.state != "erased" for said in world.agent.all(RecordingFinished))
    await world.later(1)
    assert not (await world.only(Withdrawal)).done
    world.app.objects.remove = remove  # type: ignore[method-assign]
    world.store.scrub = scrub  # type: ignore[method-assign]
    await world.later(1)
    assert world.files("objects") == []
    assert (await world.only(Withdrawal)).done
    assert world.agent.last(RecordingFinished).state == "erased"


async def test_the_certificate_says_what_when_why_by_whom_and_what_may_be_left(
    world: World,
) -> None:
    recording = await world.sealed()
    before = await world.only(Recording)
    segments = [s.sha256 for s in await world.find(SegmentRecord, order="track")]
    recipients = {track.recipient for track in await world.find(TrackRecord)}
    request = world.recorder.grant.request
    await world.withdraw(world.customer, request)
    await world.choose(world.customer, request, "destroy")
    row = await world.only(Certificate)
    said: Any = row.document
    assert said["what"]["recording"] == recording
    assert said["what"]["manifest"] == {"head": before.manifest_head, "entries": 7}
    tracks = said["what"]["tracks"]
    assert sorted(s for track in tracks for s in track["segments_sha256"]) == sorted(segments)
    assert {track["recipient"] for track in tracks} == recipients
    assert {track["role"] for track in tracks} == {"agent", "customer"}
    assert said["when"]["done"] == rfc3339(world.clock.now_ms())
    assert (said["why"], said["what"]["whole"]) == ("withdrawn", True)
    assert said["by"] == {"role": "customer", "pseudonym": world.customer.party.pseudonym}
    assert said["left"] == {
        "key_backup_days": 0, "key_backups_until": None,
        "database": "overwritten" if chosen() == "sqlite" else SERVERS,
    }  # fmt: skip
    assert world.customer.last(RecordingFinished).certificate == row.id
    assert row.leaf is not None
    leaf = (await world.leaves())[row.leaf]
    assert leaf["kind"] == "recording.erased"
    assert leaf["refs"]["sha256"] == sha256_hex(canonical(row.document))
    assert leaf["refs"]["certificate"] == row.id
    for name in (world.agent.id, world.customer.id, CUSTOMER_NAME):
        assert name not in str(row.document)


async def test_a_manifest_that_was_never_finished_is_named_by_its_last_entry(world: World) -> None:
    await world.recorded()
    request, chain = world.gate.request, world.recorder.chain
    await world.withdraw(world.customer, request)
    await world.choose(world.customer, request, "destroy")
    said: Any = (await world.only(Certificate)).document
    assert said["what"]["manifest"] == {"head": entry_digest(chain[-1]), "entries": len(chain)}


@sqlite_only("what PostgreSQL's files keep is not ours: test_postgresql has what is done about it")
async def test_nothing_of_the_manifest_is_left_in_the_databases_files(world: World) -> None:
    """It says to the second when somebody spoke: it goes with the recording."""
    await world.sealed()
    lines = [row.line for row in await world.find(EntryRecord)]
    signatures = [json.loads(line)["signature"].encode() for line in lines]

    def found() -> set[str]:
        return {
            path.name
            for path in world.folder.glob("avsession.db*")
            for signature in signatures
            if signature in path.read_bytes()
        }

    assert found(), "or this finds nothing, whatever is left"
    request = world.recorder.grant.request
    await world.withdraw(world.customer, request)
    await world.choose(world.customer, request, "destroy")
    assert found() == set()


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
