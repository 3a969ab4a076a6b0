"""What a recorder sends: taken only from its own chain, kept only from an open gate."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from avsession.errors import (
    Conflict,
    ManifestBroken,
    NotPermitted,
    RecordingTruncated,
    Unavailable,
)
from avsession.messages import (
    AskOver,
    EntryAccepted,
    ManifestLine,
    RecordingChanged,
    RecordingFinished,
)
from avsession.recording import (
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


async def test_another_key(world: World) -> None:
    await world.recorded(seconds=0)
    entry = world.recorder.sealed(world.agent)
    with pytest.raises(ManifestBroken):
        await world.recorder.say(entry, key=Ed25519PrivateKey.generate())
    assert not await world.find(SegmentRecord)
    assert not world.files("objects")


async def test_a_beginning_that_the_grant_does_not_bear_out(world: World) -> None:
    await world.record()
    recorder, grant = world.recorder, world.recorder.grant
    tracks = tuple(TrackInfo(leg.track, leg.party, leg.recipient) for leg in grant.legs)
    right = {
        "epoch_ms": grant.epoch_ms, "recorder_key": recorder.recorder_key, "tracks": tracks,
    }  # fmt: skip
    swapped = tuple(TrackInfo(t.track, t.party, tracks[0].recipient) for t in tracks)
    for wrong in (
        {"epoch_ms": grant.epoch_ms + 1},
        {"recorder_key": Recorder(world).recorder_key},
        {"tracks": (*tracks, TrackInfo("trk_" + "a" * 26, world.agent.id, "age1"))},
        {"tracks": swapped},
    ):
        with pytest.raises(ManifestBroken):
            await recorder.say(recorder.entry(Begin, **(right | wrong)))
    assert not await world.find(EntryRecord)


# --- in order, once


async def test_out_of_order(world: World) -> None:
    await world.recorded(seconds=0)
    entry = world.recorder.sealed(world.agent, n=3)
    with pytest.raises(ManifestBroken):
        await world.recorder.say(entry)
    end = world.recorder.entry(End, state="sealed", duration_ms=0, prev="f" * 64)
    with pytest.raises(ManifestBroken):
        await world.recorder.say(end)


async def test_the_same_again_is_accepted_again(world: World) -> None:
    await world.recorded(seconds=0)
    entry = world.recorder.sealed(world.agent)
    first = await world.recorder.say(entry)
    assert first == await world.recorder.say(entry) == EntryAccepted(recording=entry.recording, n=2)
    assert len(await world.find(SegmentRecord)) == 1
    assert len(await world.find(EntryRecord)) == 3


async def test_another_entry_in_its_place(world: World) -> None:
    await world.recorded(seconds=0)
    await world.recorder.segment(world.agent)
    other = world.recorder.sealed(world.agent, n=2, prev=entry_digest(world.recorder.chain[1]))
    with pytest.raises(ManifestBroken):
        await world.recorder.say(other)


async def test_one_number_for_two_segments(world: World) -> None:
    await world.recorded(seconds=0)
    await world.recorder.segment(world.agent)
    again = world.recorder.sealed(world.agent, index=0)
    with pytest.raises((Conflict, RecordingTruncated)):
        await world.recorder.say(again)
    assert len(await world.find(SegmentRecord)) == 1


async def test_a_segment_that_is_not_there_or_is_another(world: World) -> None:
    await world.recorded(seconds=0)
    entry = world.recorder.sealed(world.agent)
    path = world.recorder.spooled(entry.track, 0)
    good = path.read_bytes()
    path.write_bytes(good[:-1])
    with pytest.raises(RecordingTruncated):
        await world.recorder.say(entry)
    path.unlink()
    with pytest.raises(RecordingTruncated):
        await world.recorder.say(entry)
    path.write_bytes(good)
    await world.recorder.say(entry)
    assert len(await world.find(SegmentRecord)) == 1


async def test_nothing_after_the_end(world: World) -> None:
    await world.sealed()
    with pytest.raises(ManifestBroken):
        await world.recorder.segment(world.agent)


async def test_garbage(world: World) -> None:
    await world.recorded(seconds=0)
    recording = world.recorder.grant.recording
    for line in ("", "{}", "[" * 500, "null", '{"entry":{},"signature":""}'):
        with pytest.raises(ManifestBroken):
            await accept.manifest_line(
                world.app, world.recorder.worker, ManifestLine(recording=recording, line=line)
            )


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
