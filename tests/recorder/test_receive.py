import itertools
import struct

from aiortc.rtp import RtcpPacket, RtcpPsfbPacket, RtcpRrPacket, RtcpRtpfbPacket
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.asking import KEYFRAME_EVERY_MS, PLI_SPACING_MS
from recorder.frames import MAX_A_SECOND, EncodedFrame, Kind
from recorder.receive import MAX_PARTS, MAX_SOURCES, Receiver
from recorder.webm import MAX_FRAME_BYTES
from tests.recorder.packets import (
    AUDIO_SSRC,
    VIDEO_SSRC,
    VideoSource,
    as_rtx,
    audio_packet,
    rtp_packet,
    sender_report,
)


def numbers(frames: list[EncodedFrame]) -> list[int]:
    return [struct.unpack("!L", f.data[-4:])[0] for f in frames]


def feed(receiver: Receiver, packets: list[bytes], now_ms: float) -> list[EncodedFrame]:
    return [frame for packet in packets for frame in receiver.on_rtp(packet, now_ms)]


def said(receiver: Receiver, now_ms: float) -> list[object]:
    return [p for data in receiver.feedback(now_ms) for p in RtcpPacket.parse(data)]


def plis(packets: list[object]) -> int:
    return sum(isinstance(p, RtcpPsfbPacket) and p.fmt == 1 for p in packets)


def test_whole_frames_come_out_as_they_went_in() -> None:
    receiver, source = Receiver(), VideoSource()
    (key,) = feed(receiver, source.frame(1, keyframe=True), 1000)
    (delta,) = feed(receiver, source.frame(2, keyframe=False), 1033.4)
    assert (key.kind, key.keyframe, key.width, key.height) == (Kind.VIDEO, True, 640, 360)
    assert (delta.keyframe, delta.width) == (False, 0)
    assert abs(delta.timestamp_ms - key.timestamp_ms - 100 / 3) < 0.01
    assert numbers([key, delta]) == [1, 2]


def test_nothing_before_the_first_keyframe() -> None:
    receiver, source = Receiver(), VideoSource()
    assert feed(receiver, source.frame(1, keyframe=False), 0) == []
    assert plis(said(receiver, 20)) == 1
    assert numbers(feed(receiver, source.frame(2, keyframe=True), 40)) == [2]


def test_after_a_loss_nothing_until_a_keyframe() -> None:
    receiver, source = Receiver(hold_ms=100), VideoSource()
    feed(receiver, source.frame(1, keyframe=True), 0)
    broken = source.frame(2, keyframe=False)
    assert feed(receiver, [broken[0], broken[2]], 33) == []
    assert feed(receiver, source.frame(3, keyframe=False), 66) == []
    assert receiver.tick(132) == []
    assert receiver.tick(134) == []
    assert receiver.discarded >= 1
    assert feed(receiver, source.frame(4, keyframe=False), 140) == []
    assert plis(said(receiver, 600)) == 1
    assert numbers(feed(receiver, source.frame(5, keyframe=True), 650)) == [5]


def test_a_retransmission_saves_the_frame() -> None:
    receiver, source = Receiver(), VideoSource()
    feed(receiver, source.frame(1, keyframe=True), 0)
    second, third = source.frame(2, keyframe=False), source.frame(3, keyframe=False)
    feed(receiver, [second[0], second[2]], 33)
    assert feed(receiver, third, 66) == []
    (nack,) = [p for p in said(receiver, 67) if isinstance(p, RtcpRtpfbPacket)]
    assert [lost & 0xFFFF for lost in nack.lost] == [int.from_bytes(second[1][2:4], "big")]
    assert numbers(feed(receiver, [as_rtx(second[1], 1)], 120)) == [2, 3]
    assert receiver.video.reorder.recovered == 1
    assert feed(receiver, [as_rtx(second[1], 2)], 121) == []  # twice


def test_a_keyframe_is_asked_for_in_time_and_not_too_often() -> None:
    receiver, source = Receiver(), VideoSource()
    feed(receiver, source.frame(1, keyframe=True), 0)
    asked = [ms for ms in range(0, 8000, 20) if plis(said(receiver, ms))]
    assert asked[0] == KEYFRAME_EVERY_MS
    gaps = [b - a for a, b in itertools.pairwise(asked)]
    assert min(gaps) >= PLI_SPACING_MS
    receiver.request_keyframe()
    assert plis(said(receiver, 9000)) == 1


def test_reports_say_what_arrived() -> None:
    receiver = Receiver(cap_bps=1_000_000)
    for n in (0, 1, 3):
        receiver.on_rtp(audio_packet(n, 960 * n), 20.0 * n)
    receiver.on_rtcp(sender_report(AUDIO_SSRC, 1e12, 0), 100)
    packets = said(receiver, 1100)
    (report,) = [p for p in packets if isinstance(p, RtcpRrPacket)]
    (block,) = report.reports
    assert (block.ssrc, block.packets_lost, block.fraction_lost) == (AUDIO_SSRC, 1, 64)
    assert block.highest_sequence & 0xFFFF == 3
    assert block.dlsr == 65_536
    assert any(isinstance(p, RtcpPsfbPacket) and p.fmt == 15 for p in packets)
    receiver.tick(1200)
    assert said(receiver, 1200) == []


def test_audio_silence_leaves_no_frames_and_keeps_time() -> None:
    receiver = Receiver()
    receiver.on_rtp(audio_packet(0, 0), 1000)
    (frame,) = receiver.on_rtp(audio_packet(1, 48 * 2000), 3005)
    assert (frame.kind, frame.timestamp_ms, frame.arrival_ms) == (Kind.AUDIO, 3000, 3005)


def test_a_new_ssrc_is_a_restarted_sender_but_not_a_flapping_one() -> None:
    receiver, source = Receiver(), VideoSource()
    feed(receiver, source.frame(1, keyframe=True), 0)
    other = [p[:8] + struct.pack("!L", 0x9999) + p[12:] for p in source.frame(2, keyframe=True)]
    assert feed(receiver, other, 33) == []
    assert receiver.video.ssrc == VIDEO_SSRC
    assert numbers(feed(receiver, other, 2000)) == [2]


def test_an_endless_frame_is_given_up() -> None:
    receiver = Receiver()
    first = True
    for n in range(MAX_FRAME_BYTES // 1000 + 10):
        payload = (b"\x10" if first else b"\x00") + bytes(1000)
        packet = rtp_packet(payload, payload_type=96, sequence=n, timestamp=5, ssrc=VIDEO_SSRC)
        assert receiver.on_rtp(packet, 0) == []
        first = False
        assert sum(map(len, receiver._parts)) <= MAX_FRAME_BYTES


@given(st.lists(st.tuples(st.binary(max_size=60), st.booleans()), max_size=40))
def test_no_bytes_raise(datagrams: list[tuple[bytes, bool]]) -> None:
    receiver, source = Receiver(), VideoSource()
    for now, (data, forged) in enumerate(datagrams):
        if forged and len(data) > 12:  # a head that reaches the streams
            good = source.frame(now, keyframe=True)[0]
            receiver.on_rtp(good[:2] + data[:2] + good[4:12] + data[12:], float(now))
        receiver.on_rtp(data, float(now))
        receiver.on_rtcp(data, float(now))
        receiver.tick(float(now))
        receiver.feedback(now * 500.0)


HEADS = [
    b"\x10",
    b"\x00",
    b"\x90\x80\x81\x02",
    b"\x80\x80\x81\x02",
    b"\x90\x80\x02",
    b"\x90\xf0\x81\x02\x00\x00",
]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([96, 111, 97, 5]),
            st.integers(0, 3),
            st.sampled_from(HEADS),
            st.sampled_from([b"\x10\x02\x00\x9d\x01\x2a\x80\x02\x68\x01", b"\x11abc", b""]),
            st.booleans(),
            st.sampled_from([0x80, 0x80, 0x80, 0x90, 0xA0, 0x81]),
        ),
        max_size=40,
    )
)
def test_the_quick_road_is_the_same_as_the_careful_one(
    packets: list[tuple[int, int, bytes, bytes, bool, int]],
) -> None:
    quick, careful = Receiver(), Receiver()
    sequence = 65_530
    for now, (payload_type, step, head, body, marker, first) in enumerate(packets):
        sequence += step
        packet = rtp_packet(
            head + body,
            payload_type=payload_type,
            sequence=sequence,
            timestamp=sequence // 3 * 3000,
            ssrc=payload_type,
            marker=marker,
        )
        data = bytes([first]) + packet[1:]
        expected = careful.on_rtp(data, float(now))
        quick.take(bytearray(b"before" + data + b"after"), 6, 6 + len(data), float(now))
        assert quick.collect() == expected
        assert quick.tick(float(now)) == careful.tick(float(now))
    for a, b in ((quick.video, careful.video), (quick.audio, careful.audio)):
        assert (a.ssrc, a.reorder.highest, a.reorder.received, a.reorder.lost) == (
            b.ssrc,
            b.reorder.highest,
            b.reorder.received,
            b.reorder.lost,
        )
    assert (quick.malformed, quick.discarded) == (careful.malformed, careful.discarded)


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from(["ok", "ok", "ok", "lost", "late", "sent again"]),
        min_size=30,
        max_size=180,
    ),
    st.integers(0, 65_535),
    st.integers(0, 2**32 - 1),
)
def test_stored_frames_always_decode_and_never_go_back(
    fates: list[str], sequence: int, timestamp: int
) -> None:
    receiver = Receiver(hold_ms=100)
    source = VideoSource(sequence, timestamp)
    sent = [
        (n * 33.0, packet)
        for n in range(len(fates) // 3)
        for packet in source.frame(n, keyframe=n % 7 == 0)
    ]
    arrivals = []
    for index, ((when, packet), fate) in enumerate(zip(sent, fates, strict=False)):
        if fate == "sent again":
            arrivals.append((when + 60.0, index, as_rtx(packet, index)))
        elif fate != "lost":
            arrivals.append((when + (40.0 if fate == "late" else 0.0), index, packet))
    frames: list[EncodedFrame] = []
    for when, _, packet in sorted(arrivals):
        frames += receiver.tick(when)
        frames += receiver.on_rtp(packet, when)
    frames += receiver.tick(1e6)
    order = numbers(frames)
    assert order == sorted(set(order))
    last: int | None = None
    for frame, number in zip(frames, order, strict=True):
        if not frame.keyframe:
            assert last == number - 1, "its reference was not stored"
        last = number
    times = [frame.timestamp_ms for frame in frames]
    assert times == sorted(times)
    assert all(frame.timestamp_ms <= frame.arrival_ms for frame in frames)


def test_the_first_sound_of_one_reading_keeps_its_times() -> None:
    """Read together, captured one after the other: not squeezed into the moment of reading."""
    receiver = Receiver()
    for number in range(4):
        data = bytearray(audio_packet(number, 960 * number))
        receiver.take(data, 0, len(data), 1_000.0)
    assert [frame.timestamp_ms for frame in receiver.collect()] == [940.0, 960.0, 980.0, 1_000.0]
    data = bytearray(audio_packet(4, 960 * 4))
    receiver.take(data, 0, len(data), 1_020.0)
    assert [frame.timestamp_ms for frame in receiver.collect()] == [1_020.0]


def test_a_frame_of_a_million_pieces_is_given_up_by_their_number() -> None:
    """A byte a piece: the pieces weigh a hundred times what is in them."""
    receiver = Receiver()
    for n in range(3 * MAX_PARTS):
        payload = b"\x10\x10" if n == 0 else b"\x00\x00\x00\x00\x00\x00"
        packet = rtp_packet(payload, payload_type=96, sequence=n, timestamp=5, ssrc=VIDEO_SSRC)
        data = bytearray(packet)
        receiver.take(data, 0, len(data), 0.0)
        assert len(receiver._parts) <= MAX_PARTS
    assert receiver.discarded == 1


def test_more_frames_than_anyone_sends_are_left_out() -> None:
    receiver, source = Receiver(), VideoSource()
    heard = shown = 0
    for n in range(2 * MAX_A_SECOND):
        heard += len(receiver.on_rtp(audio_packet(n, 48 * n), 500.0))
        shown += len(feed(receiver, source.frame(n, keyframe=True), 500.0))
    assert (heard, shown) == (MAX_A_SECOND, MAX_A_SECOND)
    assert receiver.discarded == 2 * MAX_A_SECOND
    # a second later all is well
    assert len(receiver.on_rtp(audio_packet(n + 1, 48 * n + 48_000), 1_500.0)) == 1
    assert len(feed(receiver, source.frame(9, keyframe=True), 1_500.0)) == 1


def test_a_sender_of_ever_new_ssrcs_is_found_out() -> None:
    """libsrtp keeps a state for each of them."""
    receiver = Receiver()
    for n in range(MAX_SOURCES):
        receiver.on_rtp(audio_packet(n, n)[:8] + n.to_bytes(4, "big") + b"abcd", 0.0)
    crowded = receiver.crowded
    assert not crowded
    receiver.on_rtp(b"\x80\xff" + bytes(6) + b"\xff\xff\xff\xff", 0.0)  # no codec of ours
    crowded = receiver.crowded
    assert crowded
    fresh = Receiver()
    for n in range(2 * MAX_SOURCES):
        fresh.on_rtcp(sender_report(n, 0.0, 0), 0.0)
    assert fresh.crowded
    assert len(fresh._sources) <= MAX_SOURCES + 1


def test_no_stream_begins_with_what_is_no_vp8() -> None:
    receiver, source = Receiver(), VideoSource()
    wrong = rtp_packet(b"\x90\x80", payload_type=96, sequence=1, timestamp=1, ssrc=VIDEO_SSRC + 1)
    assert feed(receiver, [wrong], 0) == []
    assert (receiver.malformed, receiver.video.ssrc) == (1, None)
    assert numbers(feed(receiver, source.frame(1, keyframe=True), 20)) == [1]
