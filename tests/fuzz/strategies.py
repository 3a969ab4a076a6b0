"""What a browser sends, broken in the ways that somebody who knows the formats would break it."""

from __future__ import annotations

import struct

from hypothesis import strategies as st

from tests.fuzz.targets import Step
from tests.recorder.packets import (
    AUDIO_SSRC,
    VIDEO_SSRC,
    VideoSource,
    as_rtx,
    audio_packet,
    sender_report,
)

EXTENSIONS = [
    b"", b"\xbe\xde\x00\x01\x10\xff\x00\x00", b"\x10\x00\x00\x01\x01\xff\x00\x00",
    b"\xbe\xde\xff\xff", b"\xbe\xde\x00\x00", b"\xbe\xde\x00\x02\xf0\xf0\xf0\xf0",
]  # fmt: skip


def _stream(count: int, sequence: int, timestamp: int) -> list[Step]:
    source = VideoSource(sequence, timestamp)
    steps: list[Step] = []
    for number in range(count):
        packets = source.frame(number, keyframe=number % 5 == 0)
        steps += [("take", packet) for packet in packets]
        steps.append(("rtp", as_rtx(packets[number % 3], number)))
        steps.append(("take", audio_packet(number, 960 * number + timestamp)))
        if number % 4 == 0:
            ssrc = VIDEO_SSRC if number % 8 else AUDIO_SSRC
            steps.append(("rtcp", sender_report(ssrc, 1e12 + 33.0 * number, 3000 * number)))
        steps.append(("wait", b"\x00\x21"))
    return steps


def _with(packet: bytes, place: int, value: bytes) -> bytes:
    return packet[:place] + value + packet[place + len(value) :]


@st.composite
def broken(draw: st.DrawFn, packet: bytes) -> bytes:
    """One packet, broken in one way."""
    way = draw(st.integers(0, 10))
    if way == 0:
        return packet[: draw(st.integers(0, len(packet)))]
    if way == 1:
        place = draw(st.integers(0, len(packet) - 1))
        return _with(packet, place, draw(st.binary(min_size=1, max_size=4)))[:1500]
    if way == 2:  # version, padding, extension, CSRC count
        return _with(packet, 0, bytes([draw(st.integers(0, 255))]))
    if way == 3:  # an extension header, right or wrong
        return bytes([packet[0] | 0x10]) + packet[1:12] + draw(st.sampled_from(EXTENSIONS)) + packet[12:]  # noqa: E501 # fmt: skip
    if way == 4:  # padding of any length
        return bytes([packet[0] | 0x20]) + packet[1:] + bytes([draw(st.integers(0, 255))])
    if way == 5:  # a jump of the sequence number
        return _with(packet, 2, draw(st.binary(min_size=2, max_size=2)))
    if way == 6:  # of the timestamp
        return _with(packet, 4, draw(st.binary(min_size=4, max_size=4)))
    if way == 7:  # another SSRC, or another stream's
        few = st.sampled_from([VIDEO_SSRC, AUDIO_SSRC, 0x2222, 0, 0xFFFFFFFF])
        return _with(packet, 8, struct.pack("!L", draw(few | st.integers(0, 2**32 - 1))))
    if way == 8:  # the payload, or its beginning
        return packet[:12] + draw(st.binary(max_size=60)) + packet[12 : draw(st.integers(12, 60))]
    if way == 9:  # payload type and marker
        return _with(packet, 1, bytes([draw(st.sampled_from([96, 97, 111, 224, 225, 239, 0, 255]))]))  # noqa: E501 # fmt: skip
    return (packet + bytes(1500))[: draw(st.integers(0, 1500))]


@st.composite
def sessions(draw: st.DrawFn) -> list[Step]:
    """A stream with some of its steps broken, repeated, swapped, dropped, or waited before."""
    steps = _stream(
        draw(st.integers(1, 12)), draw(st.integers(0, 65_535)), draw(st.integers(0, 2**32 - 1))
    )
    for _ in range(draw(st.integers(0, 25))):
        if not steps:
            break
        place = draw(st.integers(0, len(steps) - 1))
        what, data = steps[place]
        way = draw(st.integers(0, 6))
        if way == 0:
            del steps[place]
        elif way == 1:
            steps.insert(draw(st.integers(0, len(steps) - 1)), (what, data))
        elif way == 2:
            steps[place] = ("wait", draw(st.sampled_from([b"\x00\x64", b"\x04\x00", b"\x20\x00"])))
        elif what != "wait" and data:
            steps[place] = (what, draw(broken(data)))
    return steps


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """An answer with some of its lines broken, repeated or dropped."""
    fingerprint = ":".join(["AB"] * 32)
    lines = [
        "v=0", "m=video 9 UDP/TLS/RTP/SAVPF 96 97", "a=ice-ufrag:abcd", "a=ice-pwd:" + "p" * 22,
        f"a=fingerprint:sha-256 {fingerprint}", "a=setup:active",
        "a=candidate:1 1 udp 1 192.0.2.1 5000 typ host", "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    ]  # fmt: skip
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, len(lines) - 1))
        way = draw(st.integers(0, 3))
        if way == 0 and len(lines) > 1:
            del lines[place]
        elif way == 1:
            lines.insert(place, draw(st.sampled_from(lines)))
        elif way == 2:
            lines[place] += draw(st.text(max_size=20))
        else:
            lines[place] = lines[place][: draw(st.integers(0, 40))] + draw(st.text(max_size=9))
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")
