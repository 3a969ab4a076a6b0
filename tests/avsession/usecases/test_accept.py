"""What a recorder sends: taken only from its own chain, kept only from an open gate."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from avsession.errors import ManifestBroken, NotPermitted, Unavailable
from avsession.messages import (
    AskOver,
    CloseGate,
    EntryAccepted,
    EntryRefused,
    ManifestLine,
    RecordingChanged,
    RecordingFinished,
)
from avsession.recording import (
    AnyEntry,
    Attach,
    Begin,
    End,
    State,
    TrackInfo,
    decode_line,
    encode_line,
    entry_digest,
    sign_entry,
    verify,
)
from avsession.records import EntryRecord, Recording, SegmentRecord
from avsession.usecases import accept
from tests.avsession.usecases.recorder import Recorder
from tests.avsession.usecases.world import World


async def test_a_recording_from_begin_to_end(world: World) -> None:
    await world.recorder.join()
    await world.story()
    recording = await world.sealed(seconds=3)
    row = await world.only(Recording)
    assert (row.state, row.duration_ms) == (State.SEALED, 3001)
    assert row.manifest_head == entry_digest(world.recorder.chain[-1])
    assert len(await world.find(SegmentRecord)) == 6
    assert len(world.files("objects")) == 7
    assert world.files("spool") == []
    finished = world.customer.last(RecordingFinished)
    assert (finished.recording, finished.state) == (recording, "sealed")
    assert await world.story() == (
        "notice.published notice.published recording.requested consent.given consent.given "
        "key.created key.wrapped key.created key.wrapped grant.issued recording.on "
        "grant.revoked recording.off recording.sealed"
    )
    manifest = (world.folder / "objects" / recording / "manifest.jsonl").read_bytes()
    lines = [decode_line(line) for line in manifest.splitlines()]
    assert verify(lines, world.recorder.key.public_key()).complete


async def test_a_long_manifest_is_written_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.recorded(seconds=0)
    limits = []
    find = type(world.store).read

    async with find(world.store) as tx:
        reader = type(tx)
    real = reader.find

    async def watched(self, kind, /, **where):  # type: ignore[no-untyped-def]
        if kind is EntryRecord:
            limits.append(where.get("limit", 10_000))
        return await real(self, kind, **where)

    monkeypatch.setattr(reader, "find", watched)
    await world.stop(world.agent, world.recorder.grant.request)
    await world.recorder.end()
    assert max(limits) >= 1_000_000


# --- whose it is


async def test_another_recorders_recording(world: World) -> None:
    await world.recorded(seconds=0)
    thief = Recorder(world)
    await thief.join()
    line = encode_line(sign_entry(world.recorder.sealed(world.agent), world.recorder.key))
    message = ManifestLine(recording=world.recorder.grant.recording, line=line.decode())
    with pytest.raises(NotPermitted):
        await accept.manifest_line(world.app, thief.worker, message)
    with pytest.raises(NotPermitted):
        await accept.manifest_line(
            world.app,
            thief.worker,
            ManifestLine(
                recording="rec_" + "a" * 26,
                line=line.decode().replace(world.recorder.grant.recording, "rec_" + "a" * 26),
            ),
        )
    assert len(await world.find(EntryRecord)) == 2


async def test_a_line_under_another_recordings_name(world: World) -> None:
    await world.recorded(seconds=0)
    entry = world.recorder.sealed(world.agent)
    with pytest.raises(ManifestBroken):
        await world.recorder.say(entry, recording="rec_" + "a" * 26)


async def refused(
    world: World,
    entry: AnyEntry,
    code: str = "manifest.broken",
    key: Ed25519PrivateKey | None = None,
) -> None:
    """The entry does not enter the chain; as nothing can follow, the recording is over."""
    entries, segments = await world.find(EntryRecord), await world.find(SegmentRecord)
    objects, chain = world.files("objects"), list(world.recorder.chain)
    answer = await world.recorder.say(entry, key=key)
    world.recorder.chain = chain
    assert answer == EntryRefused(recording=entry.recording, n=entry.n, code=code)
    assert await world.find(EntryRecord) == entries
    assert await world.find(SegmentRecord) == segments
    assert world.files("objects") == objects
    assert world.live() is None
    assert world.customer.ended is None


async def test_another_key(world: World) -> None:
    await world.recorded(seconds=0)
    await refused(world, world.recorder.sealed(world.agent), key=Ed25519PrivateKey.generate())


async def test_everyone_is_told_when_the_chain_cannot_go_on(world: World) -> None:
    await world.recorded(seconds=1)
    await world.story()
    await refused(world, world.recorder.sealed(world.agent), key=Ed25519PrivateKey.generate())
    assert world.customer.last(RecordingChanged).recording.reason == "recorder_failed"
    assert world.recorder.last(CloseGate).final
    assert await world.story() == "grant.revoked recording.off access.denied"


async def test_a_beginning_that_the_grant_does_not_bear_out(world: World) -> None:
    await world.record()
    recorder, grant = world.recorder, world.recorder.grant
    tracks = tuple(TrackInfo(leg.track, leg.party, leg.recipient) for leg in grant.legs)
    right = {
        "epoch_ms": grant.epoch_ms, "recorder_key": recorder.recorder_key, "tracks": tracks,
    }  # fmt: skip
    swapped = tuple(TrackInfo(t.track, t.party, tracks[0].recipient) for t in tracks[1:])
    for wrong in (
        {"epoch_ms": grant.epoch_ms + 1},
        {"recorder_key": Recorder(world).recorder_key},
        {"tracks": (*tracks, TrackInfo("trk_" + "a" * 26, world.agent.id, "age1"))},
        {"tracks": swapped},
    ):
        await refused(world, recorder.entry(Begin, **(right | wrong)))


# --- in order, once


async def test_out_of_order(world: World) -> None:
    await world.recorded(seconds=0)
    await refused(world, world.recorder.sealed(world.agent, n=3))
    end = world.recorder.entry(End, state="sealed", duration_ms=0, prev="f" * 64)
    await refused(world, end)


async def test_the_same_again_is_accepted_again(world: World) -> None:
    await world.recorded(seconds=0)
    entry = world.recorder.sealed(world.agent)
    first = await world.recorder.say(entry)
    assert first == await world.recorder.say(entry) == EntryAccepted(recording=entry.recording, n=2)
    assert len(await world.find(SegmentRecord)) == 1
    assert len(await world.find(EntryRecord)) == 3
    assert world.live() is not None


async def test_another_entry_in_its_place(world: World) -> None:
    await world.recorded(seconds=0)
    await world.recorder.segment(world.agent)
    before = world.recorder.chain[1]
    await refused(world, world.recorder.sealed(world.agent, n=2, prev=entry_digest(before)))


async def test_one_number_for_two_segments(world: World) -> None:
    await world.recorded(seconds=0)
    await world.recorder.segment(world.agent)
    await refused(world, world.recorder.sealed(world.agent, index=0), "recording.truncated")


async def test_a_segment_that_is_not_there_or_is_another(world: World) -> None:
    await world.recorded(seconds=0)
    entry = world.recorder.sealed(world.agent)
    path = world.recorder.spooled(entry.track, 0)
    good = path.read_bytes()
    path.write_bytes(good[:-1])
    world.clock.forward(1)
    await refused(world, entry, "recording.truncated")
    path.unlink()
    await refused(world, entry, "recording.truncated")
    path.write_bytes(good)
    await world.recorder.say(entry)
    assert len(await world.find(SegmentRecord)) == 1


async def test_nothing_after_the_end(world: World) -> None:
    await world.sealed()
    await refused(world, world.recorder.sealed(world.agent))


async def test_garbage(world: World) -> None:
    await world.recorded(seconds=0)
    recording = world.recorder.grant.recording
    for line in ("", "{}", "[" * 500, "null", '{"entry":{},"signature":""}'):
        message = ManifestLine(recording=recording, line=line)
        with pytest.raises(ManifestBroken):
            await accept.manifest_line(world.app, world.recorder.worker, message)
    assert world.live() is not None


# --- the end


async def test_a_recorder_that_ends_by_itself_ends_the_recording_for_all(world: World) -> None:
    await world.recorded()
    await world.story()
    await world.recorder.end("interrupted")
    assert world.live() is None
    assert (await world.only(Recording)).state is State.INTERRUPTED
    assert (await world.state()).request is None
    assert world.customer.last(RecordingChanged).recording.reason == "recorder_failed"
    assert world.customer.last(AskOver).outcome == "stopped"
    assert world.customer.ended is None
    assert await world.story() == "grant.revoked recording.off recording.interrupted"


async def test_an_end_without_anything(world: World) -> None:
    await world.recorded(seconds=0)
    await world.stop(world.agent, world.recorder.grant.request)
    await world.recorder.end()
    row = await world.only(Recording)
    assert (row.state, row.duration_ms) == (State.SEALED, 0)


async def test_the_manifest_is_kept_before_the_end_is_accepted(world: World) -> None:
    await world.recorded()
    await world.stop(world.agent, world.recorder.grant.request)
    put = world.app.objects.put

    async def full(name: str, data: bytes) -> None:
        raise Unavailable

    world.app.objects.put = full  # type: ignore[method-assign]
    end = world.recorder.entry(End, state="sealed", duration_ms=2001)
    with pytest.raises(Unavailable):
        await world.recorder.say(end)
    assert (await world.only(Recording)).state is State.CLOSING
    world.app.objects.put = put  # type: ignore[method-assign]
    await world.recorder.say(end)
    assert (await world.only(Recording)).state is State.SEALED


async def test_attaching_is_only_said(world: World) -> None:
    await world.recorded(seconds=0)
    assert isinstance(world.recorder.chain[1], Attach)
    assert world.live() is not None
