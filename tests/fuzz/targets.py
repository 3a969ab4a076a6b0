"""What is fuzzed, and what must hold whatever comes in. Each target takes bytes, and raises
AssertionError, or whatever else, when it does not hold.

`receiver` takes steps, as bytes or as the corpus writes them (see `corpus`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from aiortc.rtp import RtcpPacket

from avsession.errors import SdpRefused
from recorder import rtp, sdp, vp8
from recorder.asking import MOST_HOLD_MS
from recorder.dtls import without_plain_alerts
from recorder.frames import EncodedFrame, Kind
from recorder.intake import MAX_DATAGRAM
from recorder.receive import (
    MAX_OPUS_BYTES,
    OPUS_PAYLOAD,
    VP8_PAYLOAD,
    Receiver,
)
from recorder.webm import MAX_FRAME_BYTES
from tests.fuzz.weight import weight
from tests.recorder.packets import VideoSource, audio_packet

MOST_BYTES = 8 << 20
"""A receiver with all its buffers full: two reorder buffers, a frame, lists of what is missing."""
WEIGH_EVERY = 200
HONEST = {VP8_PAYLOAD: 0x5555_0001, OPUS_PAYLOAD: 0x5555_0002}
"""SSRCs of the sender that comes after all the rubbish."""
STEPS = ("take", "rtp", "rtcp", "wait")

Step = tuple[str, bytes]
"""What is done, and with what; a `wait` is that many ms, big-endian."""


def see_rtp(data: bytes) -> str:
    """One RTP packet."""
    packet = rtp.parse(data)
    if packet is None:
        return "refused"
    assert len(packet.payload) <= len(data) - 12
    assert 0 <= packet.payload_type < 128
    rtx = rtp.unwrap_rtx(packet, 96, 1)
    assert rtx is None or len(rtx.payload) == len(packet.payload) - 2
    return f"payload {len(packet.payload)}"


def see_rtcp(data: bytes) -> str:
    """One RTCP compound."""
    count = 0
    for packet_type, number, body in rtp.blocks(data):
        count += 1
        assert len(body) % 4 == 0
        assert 0 <= number < 32
        if packet_type == rtp.SR:
            report = rtp.sender_report(body)
            assert (report is None) == (len(body) < 24)
            assert report is None or 0 <= report.ntp_middle < 1 << 32
        assert len(rtp.goodbye(body, number)) <= 31
    assert count <= rtp.MAX_RTCP_BLOCKS
    return f"blocks {count}"


def see_vp8(data: bytes) -> str:
    """One packet's VP8 payload."""
    piece = vp8.depacketise(data)
    if piece is None:
        return "refused"
    assert data.endswith(piece.data)
    assert 0 < len(piece.data) < len(data)
    if (size := vp8.dimensions(piece.data)) is not None:
        assert 0 < size[0] * size[1] <= vp8.MAX_PIXELS
        return f"picture {size[0]}x{size[1]}"
    return f"piece {len(piece.data)}"


def see_answer(data: bytes) -> str:
    """A party's answer."""
    try:
        answer = sdp.read_answer(data.decode("utf-8", "surrogateescape"))
    except SdpRefused as error:
        return "refused" if str(error) else "no sentence"
    assert len(answer.candidates) <= sdp.MAX_CANDIDATES
    assert answer.dtls_role in {"server", "client"}
    assert len(bytes.fromhex(answer.fingerprint.replace(":", ""))) == 32
    return "accepted"


def see_dtls(data: bytes) -> str:
    """One datagram of DTLS records."""
    kept = without_plain_alerts(data)
    assert len(kept) <= len(data)
    assert without_plain_alerts(kept) == kept
    return f"kept {len(kept)}"


@dataclass
class Run:
    """A receiver and what it was put through."""

    receiver: Receiver = field(default_factory=Receiver)
    now_ms: float = 1_000.0
    frames: list[EncodedFrame] = field(default_factory=list)
    heaviest: int = 0
    _steps: int = 0
    _last_ms: dict[Kind, float] = field(default_factory=dict)

    def step(self, what: str, data: bytes) -> None:
        """One step, and what must hold after it."""
        receiver = self.receiver
        if what == "wait":
            for _ in range(min(500, 1 + int.from_bytes(data[:2], "big") // 20)):
                self.now_ms += 20.0
                self.keep(receiver.tick(self.now_ms))
            for packet in receiver.feedback(self.now_ms):
                assert len(packet) <= MAX_DATAGRAM
                RtcpPacket.parse(packet)
        elif what == "rtcp":
            receiver.on_rtcp(data, self.now_ms)
        elif what == "rtp" or len(data) < 12:
            self.keep(receiver.on_rtp(data, self.now_ms))
        else:
            buffer = bytearray(b"\xff" * 32 + data + b"\xff" * 32)
            receiver.take(buffer, 32, 32 + len(data), self.now_ms)
            self.keep(receiver.collect())
        self._steps += 1
        if self._steps % WEIGH_EVERY == 0:
            self.weigh()

    def keep(self, frames: Iterable[EncodedFrame]) -> None:
        """Frames that came out."""
        for frame in frames:
            assert frame.timestamp_ms <= frame.arrival_ms <= self.now_ms
            assert frame.timestamp_ms >= self._last_ms.get(frame.kind, float("-inf"))
            self._last_ms[frame.kind] = frame.timestamp_ms
            if frame.kind is Kind.AUDIO:
                assert 0 < len(frame.data) <= MAX_OPUS_BYTES
            else:
                assert 0 < len(frame.data) <= MAX_FRAME_BYTES
                assert frame.keyframe == bool(frame.width)
                assert frame.width * frame.height <= vp8.MAX_PIXELS
            self.frames.append(frame)

    def weigh(self) -> None:
        """Nothing in it grows without limit."""
        self.heaviest = max(self.heaviest, weight(self.receiver))
        assert self.heaviest <= MOST_BYTES

    def honest(self, frames: int = 15) -> int:
        """An honest sender follows, on streams of its own: how many frames are stored."""
        self.step("wait", (2_000).to_bytes(2, "big"))
        before = len(self.frames)
        source = VideoSource(7, 0)
        for number in range(frames):
            sound = audio_packet(number, 960 * number)
            for packet in [*source.frame(number, keyframe=number % 10 == 0), sound]:
                ssrc = HONEST[packet[1] & 0x7F].to_bytes(4, "big")
                self.step("take", packet[:8] + ssrc + packet[12:])
            self.step("wait", b"\x00\x14")
        self.step("wait", (int(MOST_HOLD_MS) + 500).to_bytes(2, "big"))
        kinds = {frame.kind for frame in self.frames[before:]}
        assert kinds == {Kind.VIDEO, Kind.AUDIO}, f"of an honest sender only {kinds} is stored"
        return len(self.frames) - before


def decode(data: bytes) -> Iterator[Step]:
    """Any bytes as steps: a byte that says what, two for how much, then so much data."""
    position = 0
    while position + 3 <= len(data):
        what = STEPS[data[position] % 4]
        size = int.from_bytes(data[position + 1 : position + 3], "big")
        position += 3
        if what == "wait":
            yield what, size.to_bytes(2, "big")
        else:
            yield what, data[position : position + size % (MAX_DATAGRAM + 1)]
            position += size % (MAX_DATAGRAM + 1)


def encode(steps: Iterable[Step]) -> bytes:
    """Steps as bytes; `decode` reads them."""
    out = b""
    for what, data in steps:
        if what == "wait":
            out += bytes([STEPS.index(what)]) + data[:2].rjust(2, b"\0")
        else:
            some = data[:MAX_DATAGRAM]
            out += bytes([STEPS.index(what)]) + len(some).to_bytes(2, "big") + some
    return out


def put_through(steps: Iterable[Step]) -> Run:
    """Every step, and an honest sender afterwards, unless the leg would have been ended."""
    run = Run()
    for what, data in steps:
        run.step(what, data)
    run.weigh()
    if not run.receiver.crowded:
        run.honest()
    return run


def see_receiver(data: bytes) -> str:
    """A whole sequence of packets and waits."""
    run = put_through(decode(data))
    return f"frames {len(run.frames)}"


TARGETS: dict[str, Callable[[bytes], str]] = {
    "rtp": see_rtp,
    "rtcp": see_rtcp,
    "vp8": see_vp8,
    "answer": see_answer,
    "dtls": see_dtls,
    "receiver": see_receiver,
}
