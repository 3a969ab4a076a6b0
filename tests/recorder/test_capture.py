import errno
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from avsession.errors import GrantStale, Invalid, Unavailable
from avsession.messages import LegState
from avsession.recording import PAUSED, Attach, Begin, Detach, End, Gap
from recorder.capture import END_AFTER_MS, TRY_END_MS
from recorder.frames import EncodedFrame, Kind
from recorder.gate import CONFIRM_MS
from recorder.journal import AGAIN_MS, ANSWER_MS, STALL_MS
from recorder.rtp import Packet
from recorder.server_clock import ServerClock
from tests.recorder.room import RECIPIENT, SERVER_MS, Room, offers


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    made = Room(tmp_path)
    yield made
    await made.close()


async def test_a_grant_opens_the_gate_and_offers_a_leg(room: Room) -> None:
    capture = room.open()
    before = capture.live
    capture.begin(room.grant(), "token")
    assert (before, capture.live) == (False, True)
    await offers(room, capture, 1)
    await capture.drain()
    begin, attach = room.entries()
    assert isinstance(begin, Begin)
    assert (begin.recorder_key, begin.tracks[0].recipient) == (room.spool.public_key, RECIPIENT)
    assert isinstance(attach, Attach)
    assert (attach.generation, attach.clock_offset_ms) == (1, SERVER_MS)
    assert capture.party(1, "p") is not None
    assert capture.party(2, "p") is None
    assert capture.party(1, "q") is None


async def test_what_waits_is_counted(room: Room) -> None:
    capture = room.open()
    await capture.drain()
    capture.begin(room.grant(), "token")
    party = capture.party(1, "p")
    assert party is not None
    assert (capture.waiting().jobs_waiting, capture.waiting().frames_waiting) == (1, 0)
    party._frames([EncodedFrame(Kind.AUDIO, room.ms + n, room.ms + n, b"x") for n in range(3)])
    assert capture.waiting().frames_waiting == 3
    room.ms += 5_000
    capture.confirm(1, room.ms)
    capture.tick(room.ms)  # handed on, and a leg is offered
    assert capture.waiting().frames_waiting == 0
    assert party.leg is not None
    party.leg.receiver.audio.reorder.push(Packet(111, False, 7, 0, 1, b"x"), room.ms)
    party.leg.receiver.audio.reorder.push(Packet(111, False, 9, 0, 1, b"x"), room.ms)
    assert capture.waiting().packets_waiting == 1
    await capture.drain()
    assert capture.waiting()[2:] == (0, 0, len(room.entries())) == (0, 0, 4)
    capture.accepted(0)
    await capture.drain()
    assert capture.waiting().entries_waiting == 3


async def test_a_refused_grant_changes_nothing(room: Room) -> None:
    capture = room.open()
    with pytest.raises(Invalid):
        capture.begin(room.grant(recipient="age1nonsense"), "token")
    assert not capture.begun
    capture.begin(room.grant(3), "token")
    with pytest.raises(GrantStale):
        capture.begin(room.grant(3), "token")
    with pytest.raises(GrantStale):
        capture.begin(room.grant(2), "token")
    await capture.drain()
    assert capture.gate.generation == 3
    assert room.kinds() == ["Begin", "Attach"]


async def test_closing_and_going_on(room: Room) -> None:
    capture = room.open()
    capture.begin(room.grant(1), "token")
    capture.close(room.order(1))
    assert not capture.live
    capture.begin(room.grant(2), "token")
    await capture.drain()
    assert room.kinds() == ["Begin", "Attach", "Detach", "Attach"]


async def test_what_is_lost_at_the_end_is_said_before_the_generation_ends(room: Room) -> None:
    capture = room.open()
    capture.begin(room.grant(1), "token")
    await offers(room, capture, 1)
    party = capture.party(1, "p")
    assert party is not None
    assert party.leg is not None
    assert party.leg.receiver.audio.claim(1, room.ms)
    reorder = party.leg.receiver.audio.reorder
    for sequence in (7, 9):
        reorder.push(Packet(111, False, sequence, 0, 1, b"x"), room.ms)
    room.ms += 250
    capture.close(room.order(1))
    await capture.drain()
    gap, detach = room.entries()[-2:]
    assert isinstance(gap, Gap)
    assert (gap.track, gap.reason) == ("trk_x", "audio.lost")
    assert 240 <= gap.end_ms - gap.start_ms <= 250  # less what the clocks may be off by
    assert isinstance(detach, Detach)


async def test_a_newer_grant_ends_the_older_generation(room: Room) -> None:
    capture = room.open()
    capture.begin(room.grant(1), "token")
    capture.begin(room.grant(2), "token")
    await capture.drain()
    detach = room.entries()[2]
    assert isinstance(detach, Detach)
    assert (detach.generation, detach.reason) == (1, "superseded")


@pytest.mark.parametrize("paused", [False, True])
async def test_what_is_heard_by_heartbeat_only_is_said_as_what_it_is(
    room: Room, paused: bool
) -> None:
    """A pause is no loss, though the order that said so did not arrive."""
    capture = room.open()
    capture.begin(room.grant(), "token")
    capture.confirm(None, room.ms, paused=paused)
    assert not capture.live
    await capture.drain()
    detach = room.entries()[-1]
    assert isinstance(detach, Detach)
    reason = PAUSED if paused else "gate.closed"
    assert detach.reason == reason
    capture.begin(room.grant(2), "token")
    party = capture.party(2, "p")
    assert party is not None
    assert party._buffer._reason == reason, "of the gap that follows"


async def test_nobody_confirms_the_gate(room: Room) -> None:
    capture = room.open()
    capture.begin(room.grant(), "token")
    room.ms += CONFIRM_MS - 1
    capture.tick(room.ms)
    live = [capture.live]
    capture.confirm(1, room.ms)
    room.ms += CONFIRM_MS
    capture.tick(room.ms)
    assert [*live, capture.live] == [True, False]
    await capture.drain()
    detach = room.entries()[-1]
    assert isinstance(detach, Detach)
    assert detach.reason == "signaling.lost"


async def test_the_end_waits_for_the_domains_word_but_not_for_ever(room: Room) -> None:
    capture = room.open()
    capture.begin(room.grant(), "token")
    capture.close(room.order(final=True))
    await capture.drain()
    capture.tick(room.ms)
    await capture.drain()
    assert room.kinds()[-1] == "Detach"
    room.ms += END_AFTER_MS + 1
    capture.tick(room.ms)
    await capture.drain()
    assert room.kinds()[-1] == "End"
    assert not capture.settled
    for number in range(4):
        capture.accepted(number)
    await capture.drain()
    assert capture.settled


async def test_the_end_comes_at_once_when_all_is_accepted(room: Room) -> None:
    capture = room.open()
    capture.begin(room.grant(), "token")
    capture.close(room.order(final=True))
    for number in range(3):
        capture.accepted(number)
    await capture.drain()
    capture.tick(room.ms)
    await capture.drain()
    end = room.entries()[-1]
    assert isinstance(end, End)
    assert end.state == "sealed"
    with pytest.raises(Unavailable):
        capture.begin(room.grant(2), "token")


async def test_what_a_crash_left_ends_as_interrupted(room: Room) -> None:
    first = room.open()
    first.begin(room.grant(), "token")
    await first.drain()
    await first.aclose()
    room.sent.clear()
    second = room.open()
    assert not second.live
    second.close(room.order(final=True))
    room.ms += END_AFTER_MS + 1
    await second.drain()
    second.tick(room.ms)
    await second.drain()
    assert room.kinds() == ["Begin", "Attach", "Detach", "End"]
    end, detach = room.entries()[-1], room.entries()[-2]
    assert isinstance(end, End)
    assert isinstance(detach, Detach)
    assert (end.state, detach.reason) == ("interrupted", "worker.restarted")


async def test_a_disk_that_fails_stops_the_recording_and_says_why(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = room.open()
    capture.begin(room.grant(), "token")
    await capture.drain()

    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(room.spool.disk, "append", full)
    capture.close(room.order(1))
    capture.begin(room.grant(2), "token")
    await capture.drain()
    assert not capture.live
    assert [(m.state, m.reason) for m in room.sent if isinstance(m, LegState)][-1] == (
        "failed", "disk.failed",
    )  # fmt: skip
    with pytest.raises(Unavailable):
        capture.begin(room.grant(3), "token")


async def test_a_disk_that_does_not_answer_does_the_same(room: Room) -> None:
    capture = room.open()
    capture.begin(room.grant(), "token")
    await capture.drain()
    capture.journal._busy_since = room.ms
    room.ms += STALL_MS + 1
    capture.confirm(1, room.ms)
    capture.tick(room.ms)
    assert not capture.live


async def test_a_domain_that_accepts_nothing_ends_the_recording(room: Room) -> None:
    capture = room.open()
    capture.begin(room.grant(), "token")
    await capture.drain()
    lives = []
    for answered in (0, None, 1):
        if answered is not None:
            capture.accepted(answered)
        room.ms += ANSWER_MS / 2 + 1
        capture.confirm(1, room.ms)
        capture.tick(room.ms)
        lives.append(capture.live)
    # entry 1 waited for more than ten seconds before its answer came
    assert lives == [True, False, False]
    assert next(m.reason for m in room.sent if isinstance(m, LegState)) == "not.accepted"


async def test_a_refused_entry_that_is_no_segment_stops_the_recording(room: Room) -> None:
    capture = room.open()
    capture.begin(room.grant(), "token")
    capture.refused(1, "recording.erased")
    assert not capture.live
    await capture.drain()
    assert room.kinds() == ["Begin", "Attach", "Detach"]


async def test_erase_writes_nothing_more(room: Room) -> None:
    capture = room.open()
    capture.begin(room.grant(), "token")
    await capture.drain()
    capture.close(room.order(final=True, erase=True))
    room.ms += END_AFTER_MS + 1
    capture.tick(room.ms)
    await capture.drain()
    assert room.kinds() == ["Begin", "Attach"]


async def test_an_order_before_the_clock_is_known_keeps_nothing(room: Room) -> None:
    room.clock = ServerClock()
    capture = room.open()
    capture.close(room.order(4))
    assert capture.gate.closed_at(4) == float("-inf")
    assert capture.gate.seen == 4


async def test_a_disk_that_failed_is_asked_for_the_end_once_more(room: Room) -> None:
    capture = room.open()
    capture.begin(room.grant(), "token")
    await capture.drain()
    for number in (0, 1):
        capture.accepted(number)
    await capture.drain()
    capture.fail("disk.failed")
    capture.close(room.order(1, final=True))
    capture.tick(room.ms)
    await capture.drain()
    assert room.kinds() == ["Begin", "Attach", "Detach", "End"]
    end, detach = room.entries()[-1], room.entries()[-2]
    assert isinstance(end, End)
    assert isinstance(detach, Detach)
    assert (end.state, detach.reason) == ("interrupted", "disk.failed")


async def test_a_disk_that_fails_for_the_end_too_is_left_in_peace(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = room.open()
    capture.begin(room.grant(), "token")
    await capture.drain()
    tries = []

    def full(path: Path, data: bytes) -> None:
        tries.append(path.name)
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(room.spool.disk, "append", full)
    capture.fail("disk.failed")
    capture.close(room.order(1, final=True))
    for _ in range(3 * len(TRY_END_MS)):
        room.ms += TRY_END_MS[-1] / 2
        capture.tick(room.ms)
        await capture.drain()
    assert len(tries) == len(TRY_END_MS)
    assert capture.reported


async def test_what_a_domain_could_not_take_is_offered_again(room: Room) -> None:
    capture = room.open()
    capture.begin(room.grant(), "token")
    await capture.drain()
    capture.accepted(0)
    capture.refused(1, "unavailable")
    assert not capture.live
    capture.refused(2, "manifest.broken")  # it was on its way already
    await capture.drain()
    assert room.kinds() == ["Begin", "Attach"]
    room.ms += AGAIN_MS[0]
    capture.tick(room.ms)
    assert room.kinds() == ["Begin", "Attach", "Attach", "Detach"]
    assert next(m.reason for m in room.sent if isinstance(m, LegState)) == "not.accepted"
