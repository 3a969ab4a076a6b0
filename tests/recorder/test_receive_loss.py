"""What a receiver asks for when packets are missing, and what it does with what stays missing."""

import itertools
import struct

import pytest
from aiortc.rtp import RtcpRtpfbPacket

from recorder.asking import PLI_SPACING_MS
from recorder.frames import Kind, Span
from recorder.receive import HURRY_AFTER_MS, STALE_MS, Receiver
from recorder.stream import PAUSE_MS
from tests.recorder.packets import AUDIO_SSRC, VideoSource, as_rtx, audio_packet
from tests.recorder.test_receive import feed, numbers, plis, said


def asked_for(packets: list[object]) -> list[tuple[int, list[int]]]:
    """SSRC and sequence numbers of each NACK."""
    return [(p.media_ssrc, p.lost) for p in packets if isinstance(p, RtcpRtpfbPacket)]


def test_sound_is_asked_for_again_too() -> None:
    receiver = Receiver(hold_ms=380)
    receiver.on_rtp(audio_packet(0, 0), 0)
    assert receiver.on_rtp(audio_packet(2, 1920), 40) == []
    assert asked_for(said(receiver, 60)) == [(AUDIO_SSRC, [1])]
    assert receiver.tick(300) == []
    first, second = receiver.on_rtp(audio_packet(1, 960), 300)
    assert (first.after_loss, second.after_loss) == (False, False)
    assert receiver.audio.reorder.recovered == 1


def test_a_sender_that_never_sends_sound_again_is_not_asked_for_ever() -> None:
    receiver = Receiver(hold_ms=380)
    asks = []
    for n in range(0, 200, 2):
        receiver.on_rtp(audio_packet(n, 960 * n), 20.0 * n)
        for ms in (20.0 * n + 10, 20.0 * n + 30):
            asks += asked_for(said(receiver, ms))
            receiver.tick(ms)
    assert 0 < len(asks) < 100
    receiver.tick(5_000)
    receiver.on_rtp(audio_packet(200, 960 * 200), 6_000)
    assert receiver.tick(6_079) == []
    assert [f.after_loss for f in receiver.tick(6_080)] == [True]


def test_the_first_frame_after_a_loss_says_so() -> None:
    receiver, source = Receiver(hold_ms=100), VideoSource()
    (first,) = feed(receiver, source.frame(1, keyframe=True), 0)
    broken = source.frame(2, keyframe=False)
    feed(receiver, [broken[0], broken[2]], 33)
    receiver.tick(140)
    (key,) = feed(receiver, source.frame(3, keyframe=True), 150)
    (next_one,) = feed(receiver, source.frame(4, keyframe=True), 180)
    assert [f.after_loss for f in (first, key, next_one)] == [False, True, False]


def test_a_keyframe_behind_a_loss_is_not_kept_waiting() -> None:
    """What is missing between the loss and the keyframe would be thrown away when it came."""
    receiver, source = Receiver(hold_ms=100), VideoSource()
    feed(receiver, source.frame(1, keyframe=True), 0)
    feed(receiver, source.frame(2, keyframe=False)[1:], 33)
    feed(receiver, source.frame(3, keyframe=False)[1:], 100)
    feed(receiver, source.frame(4, keyframe=True), 120)
    assert receiver.tick(132) == []
    assert numbers(receiver.tick(133)) == [4]  # the gap in 3 is not 100 ms old


def test_a_keyframe_is_asked_for_before_a_gap_is_given_up() -> None:
    receiver, source = Receiver(hold_ms=380), VideoSource()
    feed(receiver, source.frame(1, keyframe=True), 0)
    second = source.frame(2, keyframe=False)
    feed(receiver, second[1:], 33)
    asked = [ms for ms in range(40, 400, 20) if plis(said(receiver, ms))]
    assert asked == [240]
    assert numbers(feed(receiver, [second[0]], 405)) == [2]  # and yet it came


def test_no_second_keyframe_is_asked_for_while_one_is_coming() -> None:
    receiver, source = Receiver(hold_ms=380), VideoSource()
    feed(receiver, source.frame(1, keyframe=True), 0)
    feed(receiver, source.frame(2, keyframe=False)[1:], 33)
    feed(receiver, source.frame(3, keyframe=True)[:2], 200)
    assert not any(plis(said(receiver, ms)) for ms in range(210, 500, 20))


def test_a_lost_request_for_a_keyframe_is_made_again_ever_more_seldom() -> None:
    receiver, source = Receiver(), VideoSource()
    feed(receiver, source.frame(1, keyframe=False), 0)
    asked = [ms for ms in range(0, 10_000, 10) if plis(said(receiver, ms))]
    apart = [b - a for a, b in itertools.pairwise(asked)]
    assert PLI_SPACING_MS <= apart[0] <= 2 * PLI_SPACING_MS
    assert apart == sorted(apart)
    assert apart[-1] == 1_000


def test_every_tick_counts_once_something_has_been_missing_for_long() -> None:
    receiver = Receiver(hold_ms=380)
    receiver.on_rtp(audio_packet(0, 0), 0)
    receiver.on_rtp(audio_packet(2, 1920), 40)
    seen = []
    for ms in (60, 40 + HURRY_AFTER_MS, 41 + HURRY_AFTER_MS):
        receiver.tick(ms)
        seen.append(receiver.hurried)
    assert seen == [False, False, True]
    receiver.on_rtp(audio_packet(1, 960), 200)
    receiver.tick(220)
    assert not receiver.hurried


def test_a_gap_is_waited_for_longer_where_answers_take_long() -> None:
    receiver, source = Receiver(hold_ms=380), VideoSource()
    feed(receiver, source.frame(1, keyframe=True), 0)
    second = source.frame(2, keyframe=False)
    feed(receiver, [second[0], second[2]], 33)
    said(receiver, 45)
    feed(receiver, [as_rtx(second[1], 1)], 45 + 60)
    third = source.frame(3, keyframe=False)
    feed(receiver, [third[0], third[2]], 1_000)
    assert receiver.tick(1_599) == []
    assert numbers(feed(receiver, [as_rtx(third[1], 2)], 1_599)) == [3]


def test_sound_is_never_waited_for_longer_than_the_delay_line() -> None:
    """What waits behind a lost packet would come too late for its place, and out of step."""
    receiver, source = Receiver(hold_ms=380), VideoSource()
    receiver.on_rtp(audio_packet(0, 0), 0)
    feed(receiver, source.frame(1, keyframe=True), 0)
    second = source.frame(2, keyframe=False)
    feed(receiver, [second[0], second[2]], 33)
    said(receiver, 45)
    feed(receiver, [as_rtx(second[1], 1)], 45 + 200)  # answers take long
    assert receiver.video.reorder.hold_ms > 380
    receiver.on_rtp(audio_packet(2, 1920), 300)
    assert receiver.tick(679) == []
    assert [(f.kind, f.after_loss) for f in receiver.tick(680)] == [(Kind.AUDIO, True)]


def test_where_much_is_lost_every_tick_counts_from_the_first_moment() -> None:
    for lost, hurried in ((2, False), (8, True)):
        receiver = Receiver()
        source = VideoSource()
        feed(receiver, source.frame(0, keyframe=True), 0)
        receiver.feedback(0)
        packets = [p for n in range(1, 51) for p in source.frame(n, keyframe=False)]
        for at in range(lost):
            packets[10 + 10 * at] = b""
        feed(receiver, [p for p in packets if p], 500)
        receiver.tick(900)  # what was missing is given up
        receiver.feedback(1_000)
        feed(
            receiver,
            [source.frame(51, keyframe=True)[0], source.frame(52, keyframe=False)[0]],
            1_010,
        )
        receiver.tick(1_011)
        assert receiver.hurried == hurried


@pytest.mark.parametrize("first", ["a torn keyframe", "no keyframe"])
def test_a_leg_that_begins_with_a_loss_says_so_and_since_when(first: str) -> None:
    receiver, source = Receiver(hold_ms=100), VideoSource()
    start = source.frame(1, keyframe=True)
    if first == "a torn keyframe":
        feed(receiver, [start[0], start[2]], 1000)
    else:
        assert feed(receiver, source.frame(2, keyframe=False), 1000) == []
    receiver.tick(1120)
    assert receiver.losing(1130) == {Kind.VIDEO: Span(1000)}
    (key,) = feed(receiver, source.frame(3, keyframe=True), 1200)
    assert (key.after_loss, key.lost_since_ms) == (True, 1000)
    assert receiver.losing(1210) == {}
    (delta,) = feed(receiver, source.frame(4, keyframe=False), 1233)
    assert (delta.after_loss, delta.lost_since_ms) == (False, None)
    # a loss later on has begun with the frame before it
    feed(receiver, source.frame(5, keyframe=False)[1:], 1266)
    receiver.tick(1400)
    (key,) = feed(receiver, source.frame(6, keyframe=True), 1500)
    assert (key.after_loss, key.lost_since_ms) == (True, None)


def test_what_is_lost_at_the_end_is_known() -> None:
    receiver, source = Receiver(hold_ms=300), VideoSource()
    assert receiver.losing(990) == {}
    feed(receiver, [audio_packet(0, 0), *source.frame(1, keyframe=True)], 1000)
    feed(receiver, source.frame(2, keyframe=False), 1033)
    assert receiver.losing(1500) == {}
    receiver.on_rtp(audio_packet(2, 1920), 1040)
    assert receiver.losing(1041) == {Kind.AUDIO: Span(1000)}
    receiver.on_rtp(audio_packet(1, 960), 1050)
    assert receiver.losing(1051) == {}
    # the end of the last frame: on its way, and then no more
    broken = source.frame(3, keyframe=False)
    feed(receiver, broken[:2], 1066)
    assert receiver.losing(1066 + STALE_MS) == {}
    assert receiver.losing(1067 + STALE_MS) == {Kind.VIDEO: Span(1000)}
    assert len(feed(receiver, broken[2:], 1300)) == 1
    assert receiver.losing(1600) == {}
    # a whole frame, and another that waits for it
    source.frame(4, keyframe=False)
    feed(receiver, source.frame(5, keyframe=False), 1700)
    assert receiver.losing(1701) == {Kind.VIDEO: Span(1000)}
    receiver.tick(2100)
    assert receiver.losing(2101) == {Kind.VIDEO: Span(1000)}


def anew(packets: list[bytes], ssrc: int) -> list[bytes]:
    """The same from an encoder that was made again."""
    return [p[:8] + struct.pack("!L", ssrc) + p[12:] for p in packets]


@pytest.mark.parametrize("lost", [0, 1])
def test_a_camera_that_was_off_lost_nothing_meanwhile(lost: int) -> None:
    """Ten minutes off, then on with a torn keyframe: lost since it was on again."""
    receiver, source = Receiver(hold_ms=100), VideoSource()
    receiver.on_rtp(audio_packet(0, 0), 1_000)
    feed(receiver, source.frame(1, keyframe=True), 600_000)  # it was off at first, too
    torn = source.frame(2, keyframe=True)
    feed(receiver, [p for n, p in enumerate(torn) if n != lost], 1_200_000)
    receiver.tick(1_200_150)
    assert receiver.losing(1_200_200) == {Kind.VIDEO: Span(1_200_000)}
    (key,) = feed(receiver, source.frame(3, keyframe=True), 1_200_300)
    assert (key.after_loss, key.lost_since_ms) == (True, 1_200_000)


def test_a_camera_that_goes_off_after_a_loss_loses_nothing_while_it_is_off() -> None:
    receiver, source = Receiver(hold_ms=100), VideoSource()
    feed(receiver, source.frame(1, keyframe=True), 1_000)
    feed(receiver, source.frame(2, keyframe=False)[1:], 1_033)
    receiver.on_rtp(audio_packet(0, 0), 1_033)
    receiver.on_rtp(audio_packet(2, 1920), 1_073)
    receiver.tick(1_133)
    assert receiver.losing(1_200) == {Kind.VIDEO: Span(1_000), Kind.AUDIO: Span(1_033)}
    assert receiver.losing(1_074 + PAUSE_MS) == {
        Kind.VIDEO: Span(1_000, 1_033), Kind.AUDIO: Span(1_033, 1_073)
    }  # fmt: skip
    (key,) = feed(receiver, source.frame(3, keyframe=True), 60_000)
    assert not key.after_loss


def test_a_path_that_was_gone_is_no_pause() -> None:
    """Its packets are missing afterwards."""
    receiver, source = Receiver(hold_ms=100), VideoSource()
    feed(receiver, source.frame(1, keyframe=True), 1_000)
    for number in range(2, 92):
        source.frame(number, keyframe=False)
    feed(receiver, source.frame(92, keyframe=False), 4_000)
    receiver.tick(4_150)
    assert receiver.losing(4_200) == {Kind.VIDEO: Span(1_000)}
    (key,) = feed(receiver, source.frame(93, keyframe=True), 4_200)
    assert (key.after_loss, key.lost_since_ms) == (True, None), "since the frame before"


@pytest.mark.parametrize("how", ["whole", "in a frame", "behind a gap"])
def test_an_encoder_that_begins_anew_is_a_loss_only_if_something_is_lost(how: str) -> None:
    receiver, source = Receiver(hold_ms=400), VideoSource()
    feed(receiver, source.frame(1, keyframe=True), 1_000)
    last = source.frame(2, keyframe=False)
    feed(receiver, {"whole": last, "in a frame": last[:1], "behind a gap": last[1:]}[how], 1_950)
    fresh = anew(source.frame(3, keyframe=True), 0x9999)
    (key,) = [*feed(receiver, fresh, 2_000), *receiver.tick(2_010)]
    assert (key.after_loss, key.lost_since_ms) == (how != "whole", None)


@pytest.mark.parametrize("lost", [False, True])
def test_sound_that_begins_anew_is_a_loss_only_if_something_is_lost(lost: bool) -> None:
    receiver = Receiver(hold_ms=400)
    receiver.on_rtp(audio_packet(0, 0), 1_000)
    receiver.on_rtp(audio_packet(2 if lost else 1, 1920), 1_950)
    (packet,) = anew([audio_packet(500, 9_600)], 0x9999)
    (sound,) = receiver.on_rtp(packet, 2_000)
    assert sound.after_loss == lost
