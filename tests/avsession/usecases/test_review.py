"""Review: written down before it is seen, for a reason, for a purpose that everyone allowed."""

import dataclasses

import msgspec
import pytest

from avsession.errors import (
    AvsessionError,
    Conflict,
    ConsentRequired,
    Erased,
    Invalid,
    NotFound,
    NotPermitted,
    Unavailable,
)
from avsession.ports import Grounds
from avsession.records import Access, Recording, SegmentRecord, TrackRecord
from avsession.usecases import review
from avsession.usecases.permissions import Principal
from tests.avsession.usecases.world import AGENT_NAME, CUSTOMER_NAME, World

WHY = "complaint 4711"


async def track_of(world: World, who: str) -> TrackRecord:
    return await world.only(TrackRecord, party=getattr(world, who).id)


async def played(world: World, access: str, who: str = "customer") -> bytes:
    track = await track_of(world, who)
    file = await review.track_file(world.app, world.admin, access, track.id)
    return await file.read(0, file.size)


async def test_both_tracks_can_be_watched(world: World) -> None:
    recording = await world.sealed(seconds=3)
    await world.story()
    opened = await review.open_recording(world.app, world.admin, recording, WHY, "quality")
    assert await world.story() == "recording.accessed"
    assert {track["name"] for track in opened["tracks"]} == {AGENT_NAME, CUSTOMER_NAME}
    for who in ("agent", "customer"):
        media = await played(world, opened["access"], who)
        person = getattr(world, who).id.encode()
        assert b"spoken " + person + b" 1" in media
        assert b"spoken " + person + b" 2" in media


@pytest.mark.parametrize(
    ("reason", "purpose", "error"),
    [
        (WHY, "evidence", ConsentRequired),
        (WHY, "", ConsentRequired),
        ("", "quality", Invalid),
        ("  x  ", "quality", Invalid),
        ("x" * 501, "quality", Invalid),
    ],
)
async def test_without_a_reason_or_a_consented_purpose(
    world: World, reason: str, purpose: str, error: type[AvsessionError]
) -> None:
    recording = await world.sealed("quality")
    await world.story()
    with pytest.raises(error):
        await review.open_recording(world.app, world.admin, recording, reason, purpose)
    assert await world.story() == ""
    assert not await world.find(Access)


async def test_only_purposes_that_both_ticked(world: World) -> None:
    await world.recorder.join()
    await world.ask("quality", "evidence")
    await world.allow(world.agent, "quality", "evidence")
    await world.allow(world.customer, "evidence")
    recording = world.recorder.grant.recording
    await world.recorder.begin()
    await world.stop(world.agent, world.gate.request)
    await world.recorder.end()
    with pytest.raises(ConsentRequired):
        await review.open_recording(world.app, world.admin, recording, WHY, "quality")
    await review.open_recording(world.app, world.admin, recording, WHY, "evidence")


async def test_not_before_it_is_finished_not_after_it_is_destroyed(world: World) -> None:
    recording = await world.recorded()
    request = world.gate.request
    with pytest.raises(Conflict):
        await review.open_recording(world.app, world.admin, recording, WHY, "quality")
    await world.stop(world.agent, request)
    await world.recorder.end()
    opened = await review.open_recording(world.app, world.admin, recording, WHY, "quality")
    await world.withdraw(world.customer, request)
    await world.choose(world.customer, request, "destroy")
    with pytest.raises(Erased):
        await played(world, opened["access"])
    with pytest.raises(Erased):
        await review.open_recording(world.app, world.admin, recording, WHY, "quality")


async def test_a_destroyed_track_is_not_among_the_others(world: World) -> None:
    recording = await world.sealed()
    request = world.recorder.grant.request
    early = await review.open_recording(world.app, world.admin, recording, WHY, "quality")
    await world.withdraw(world.agent, request)
    await world.choose(world.agent, request, "destroy")
    opened = await review.open_recording(world.app, world.admin, recording, WHY, "quality")
    assert [track["name"] for track in opened["tracks"]] == [CUSTOMER_NAME]
    with pytest.raises(Erased):
        await played(world, early["access"], "agent")
    await played(world, opened["access"], "customer")


async def test_what_is_not_written_down_is_not_seen(world: World) -> None:
    """The commit of ``recording.accessed`` fails: no access, and nothing is unwrapped."""
    recording = await world.sealed()
    unwrapped = []
    unwrap = world.app.custody.unwrap

    async def watched(recording: str, track: str, grounds: Grounds | None = None) -> str:
        unwrapped.append(track)
        return await unwrap(recording, track, grounds)

    async def fail() -> None:
        raise Unavailable

    world.app.custody.unwrap = watched  # type: ignore[method-assign]
    world.store.before_commit = fail
    with pytest.raises(Unavailable):
        await review.open_recording(world.app, world.admin, recording, WHY, "quality")
    world.store.before_commit = None
    assert not await world.find(Access)
    with pytest.raises(NotFound):
        await played(world, "acs_" + "a" * 26)
    assert unwrapped == []


# --- whose access


async def other_admin(world: World) -> Principal:
    return await world.staff_member("ada", "Ada Aufseherin", "admin")


async def test_an_access_is_one_sign_ins_own(world: World) -> None:
    recording = await world.sealed()
    opened = await review.open_recording(world.app, world.admin, recording, WHY, "quality")
    track = await track_of(world, "customer")
    same_person_later = msgspec.structs.replace(world.admin, auth=b"x" * 32)
    for who in (await other_admin(world), same_person_later):
        with pytest.raises(NotFound):
            await review.track_file(world.app, who, opened["access"], track.id)


async def test_a_row_that_the_log_does_not_speak_of_opens_nothing(world: World) -> None:
    recording = await world.sealed("quality")
    opened = await review.open_recording(world.app, world.admin, recording, WHY, "quality")
    mine = await world.only(Access, id=opened["access"])
    async with world.store.write() as tx:
        await tx.add(msgspec.structs.replace(mine, id="acs_x"))
    track = opened["tracks"][0]["track"]
    assert (await review.track_file(world.app, world.admin, mine.id, track)).size > 0
    with pytest.raises(NotFound):
        await review.track_file(world.app, world.admin, "acs_x", track)


async def test_an_access_ends(world: World) -> None:
    recording = await world.sealed()
    opened = await review.open_recording(world.app, world.admin, recording, WHY, "quality")
    assert opened["expires_ms"] == world.clock.now_ms() + 3_600_000
    world.clock.forward(3599)
    await played(world, opened["access"])
    world.clock.forward(1)
    with pytest.raises(NotFound):
        await played(world, opened["access"])


async def test_an_access_is_to_one_recording(world: World) -> None:
    first = await world.sealed()
    second = await world.sealed()
    opened = await review.open_recording(world.app, world.admin, first, WHY, "quality")
    for track in await world.find(TrackRecord, recording=second):
        with pytest.raises(NotFound):
            await review.track_file(world.app, world.admin, opened["access"], track.id)
    with pytest.raises(NotFound):
        await review.track_file(world.app, world.admin, opened["access"], "trk_" + "a" * 26)


async def test_agents_review_nothing(world: World) -> None:
    recording = await world.sealed()
    app, who = world.app, world.staff
    for attempt in (
        review.open_recording(app, who, recording, WHY, "quality"),
        review.track_file(app, who, "acs_" + "a" * 26, "trk_" + "a" * 26),
        review.sessions(app, who, 2**53, 10),
        review.session(app, who, world.session),
        review.recordings(app, who, 2**53, 10),
        review.event(app, who, "evt_" + "a" * 26),
        review.notice(app, who, "0" * 64),
    ):
        with pytest.raises(NotPermitted):
            await attempt


async def test_a_refused_segment_is_not_shown(world: World) -> None:
    recording = await world.recorded(seconds=2)
    closed = world.clock.now_ms()
    await world.stop(world.agent, world.gate.request)
    world.clock.forward(1)
    await world.recorder.segment(world.customer, captured_ms=closed + 900)
    await world.recorder.end()
    opened = await review.open_recording(world.app, world.admin, recording, WHY, "quality")
    media = await played(world, opened["access"])
    assert b" 1" in media
    assert b"spoken " + world.customer.id.encode() + b" 2" not in media
    assert len(await world.find(SegmentRecord)) == 4


async def test_an_interrupted_recording_can_be_watched(world: World) -> None:
    recording = await world.recorded()
    await world.stop(world.agent, world.gate.request)
    await world.later(0.5)
    await world.later(31)
    opened = await review.open_recording(world.app, world.admin, recording, WHY, "quality")
    assert await played(world, opened["access"])


async def test_an_empty_one_can_be_opened_and_shows_nothing(world: World) -> None:
    await world.stop(world.agent, await world.record())
    await world.later(0.5)
    await world.later(31)
    row = await world.only(Recording)
    opened = await review.open_recording(world.app, world.admin, row.id, WHY, "quality")
    assert opened["tracks"] == []


# --- the lists


async def test_a_sessions_story(world: World) -> None:
    recording = await world.sealed()
    request = world.recorder.grant.request
    await world.withdraw(world.customer, request)
    (listed,) = await review.sessions(world.app, world.admin, 2**53, 10)
    assert (listed["requests"], listed["recordings"]) == (1, 1)
    story = await review.session(world.app, world.admin, world.session)
    assert [e["kind"] for e in story["events"]] == ["requested", "given", "given", "withdrawn"]
    assert story["requests"][0]["outcome"] == "stopped"
    assert story["recordings"][0]["recording"] == recording
    assert story["recordings"][0]["playable"] is False, "nobody has decided yet that it is kept"
    await world.choose(world.customer, request, "keep")
    story = await review.session(world.app, world.admin, world.session)
    assert story["recordings"][0]["playable"] is True
    event = story["events"][-1]
    document = await review.event(world.app, world.admin, event["event"])
    assert document["event_state"] == "withdrawn"
    given = story["events"][1]
    text = await review.notice(world.app, world.admin, given["notice"])
    assert text.startswith(b"May this call be recorded") or text


async def test_what_is_not_there(world: World) -> None:
    app, who = world.app, world.admin
    for attempt in (
        review.open_recording(app, who, "rec_" + "a" * 26, WHY, "quality"),
        review.session(app, who, "ses_" + "a" * 26),
        review.event(app, who, "evt_" + "a" * 26),
        review.notice(app, who, "0" * 64),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert await review.recordings(app, who, 2**53, 10) == []
    assert await review.sessions(app, who, 0, 10) == []


def test_nothing_of_an_access_can_be_changed() -> None:
    assert Access.__struct_config__.frozen
    assert not dataclasses.is_dataclass(Access)
