"""A browser, a bad network and a receiver in simulated time: the same each time, on any machine.

The sender does what libwebrtc's does: a packet is sent again when asked for, but not twice in a
round trip; a keyframe is made when asked for, but not twice in 300 ms; packets are paced.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from recorder import rtp
from recorder.frames import EncodedFrame, Kind
from recorder.leg import CALM_MS
from recorder.receive import OPUS_PAYLOAD, VP8_PAYLOAD, Receiver
from tests.recorder.packets import AUDIO_SSRC, VIDEO_SSRC, as_rtx, rtp_packet, vp8_frame

FRAME_MS, SOUND_MS = 1000 / 30, 20.0
DELTA_PACKETS, KEY_PACKETS = 6, 25
PACE_MS = 2.0
KEYFRAME_SPACING_MS = 300.0
TICK_MS = 20.0


def chance(*what: object) -> float:
    """0 to 1, the same for the same."""
    digest = hashlib.blake2b(repr(what).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / (1 << 64)


@dataclass
class Simulation:
    """One leg. Shares are 0 to 1 and hold each way; times in ms."""

    seconds: float
    round_trip_ms: float = 50.0
    loss: float = 0.0
    overtaking: float = 0.0
    twice: float = 0.0
    sound_again: bool = True
    """Whether the sender sends audio again."""
    seed: int = 1
    receiver: Receiver = field(default_factory=Receiver)
    frames: list[EncodedFrame] = field(default_factory=list)
    sent: int = 0
    sounds: int = 0
    nacks: int = 0
    """Datagrams."""
    named: int = 0
    again: int = 0
    plis: list[float] = field(default_factory=list)
    wakes: int = 0

    def __post_init__(self) -> None:
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = itertools.count()
        self._dice = itertools.count()
        self._sequence = [60_000, 100, 9_000]
        self._history: dict[tuple[int, int], bytes] = {}
        self._again_ms: dict[tuple[int, int], float] = {}
        self._inbox: list[bytes] = []
        self._keyframe = True
        self._asked_ms = float("-inf")
        self._sent_until = 0.0

    def run(self) -> Simulation:
        """All of it."""
        end_ms = self.seconds * 1000
        self._at(0.0, self._picture, 0.0, end_ms)
        self._at(3.0, self._sound, 3.0, end_ms)
        self._at(0.0, self._tick, 0.0, end_ms + 2_000)
        while self._events:
            _, _, what, arguments = heapq.heappop(self._events)
            what(*arguments)
        return self

    @property
    def video(self) -> list[EncodedFrame]:
        return [frame for frame in self.frames if frame.kind is Kind.VIDEO]

    @property
    def stored(self) -> float:
        """Of the frames of video, 0 to 1."""
        return len(self.video) / self.sent

    @property
    def heard(self) -> float:
        """Of the packets of audio."""
        return (len(self.frames) - len(self.video)) / self.sounds

    @property
    def stall_ms(self) -> float:
        """The longest time without a frame."""
        times = [frame.timestamp_ms for frame in self.video]
        return max(b - a for a, b in itertools.pairwise([*times, self.seconds * 1000]))

    def _at(self, when_ms: float, what: Callable[..., None], *arguments: Any) -> None:
        heapq.heappush(self._events, (when_ms, next(self._order), what, arguments))

    def _travel(self, now_ms: float, what: Callable[..., None], *arguments: Any) -> None:
        roll = [chance(self.seed, next(self._dice)) for _ in range(3)]
        if roll[0] < self.loss:
            return
        took_ms = 0.0 if roll[1] < self.overtaking else self.round_trip_ms / 2
        for _ in range(2 if roll[2] < self.twice else 1):
            self._at(now_ms + took_ms, what, *arguments, now_ms + took_ms)

    # --- the sender

    def _picture(self, now_ms: float, end_ms: float) -> None:
        keyframe, self._keyframe = self._keyframe, False
        count = KEY_PACKETS if keyframe else DELTA_PACKETS
        data = vp8_frame(self.sent, keyframe=keyframe, size=count * 16)
        step = -(-len(data) // count)
        parts = [data[at : at + step] for at in range(0, len(data), step)]
        for index, part in enumerate(parts):
            packet = rtp_packet(
                (b"\x00" if index else b"\x10") + part,
                payload_type=VP8_PAYLOAD,
                sequence=self._sequence[0],
                timestamp=round(now_ms * 90),
                ssrc=VIDEO_SSRC,
                marker=index == len(parts) - 1,
            )
            self._history[VIDEO_SSRC, self._sequence[0] & 0xFFFF] = packet
            self._sequence[0] += 1
            self._sent_until = max(self._sent_until + PACE_MS, now_ms)
            self._at(self._sent_until, self._leave, packet, self._sent_until)
        self.sent += 1
        if now_ms + FRAME_MS < end_ms:
            self._at(now_ms + FRAME_MS, self._picture, now_ms + FRAME_MS, end_ms)

    def _leave(self, packet: bytes, now_ms: float) -> None:
        self._travel(now_ms, self._arrive, packet)

    def _sound(self, now_ms: float, end_ms: float) -> None:
        packet = rtp_packet(
            b"\xfc" + struct.pack("!L", self.sounds),
            payload_type=OPUS_PAYLOAD,
            sequence=self._sequence[2],
            timestamp=round(now_ms * 48),
            ssrc=AUDIO_SSRC,
        )
        self._history[AUDIO_SSRC, self._sequence[2] & 0xFFFF] = packet
        self._sequence[2] += 1
        self.sounds += 1
        self._leave(packet, now_ms)
        if now_ms + SOUND_MS < end_ms:
            self._at(now_ms + SOUND_MS, self._sound, now_ms + SOUND_MS, end_ms)

    def _hear(self, data: bytes, now_ms: float) -> None:
        for kind, form, body in rtp.blocks(data):
            if kind == rtp.PSFB and form == 1:
                if now_ms - self._asked_ms >= KEYFRAME_SPACING_MS:
                    self._asked_ms, self._keyframe = now_ms, True
            elif kind == rtp.RTPFB:
                (ssrc,) = struct.unpack_from("!L", body, 4)
                for at in range(8, len(body) - 3, 4):
                    first, mask = struct.unpack_from("!HH", body, at)
                    bits = [first] + [(first + b + 1) & 0xFFFF for b in range(16) if mask >> b & 1]
                    for sequence in bits:
                        self._send_again((ssrc, sequence), now_ms)

    def _send_again(self, key: tuple[int, int], now_ms: float) -> None:
        self.named += 1
        packet = self._history.get(key)
        if packet is None or (key[0] == AUDIO_SSRC and not self.sound_again):
            return
        if now_ms - self._again_ms.get(key, float("-inf")) < self.round_trip_ms:
            return
        self._again_ms[key] = now_ms
        self.again += 1
        if key[0] == VIDEO_SSRC:
            packet = as_rtx(packet, self._sequence[1])
            self._sequence[1] += 1
        self._leave(packet, now_ms)

    # --- the recorder

    def _arrive(self, packet: bytes, _now_ms: float) -> None:
        self._inbox.append(packet)

    def _tick(self, now_ms: float, end_ms: float) -> None:
        self.wakes += 1
        receiver = self.receiver
        for packet in self._inbox:
            receiver.take(bytearray(packet), 0, len(packet), now_ms)
        self._inbox.clear()
        self.frames += receiver.tick(now_ms)
        for data in receiver.feedback(now_ms):
            for kind, form, _ in rtp.blocks(data):
                self.nacks += kind == rtp.RTPFB
                if kind == rtp.PSFB and form == 1:
                    self.plis.append(now_ms)
            self._travel(now_ms, self._hear, data)
        next_ms = now_ms + (TICK_MS if receiver.hurried else CALM_MS)
        if next_ms < end_ms:
            self._at(next_ms, self._tick, next_ms, end_ms)
