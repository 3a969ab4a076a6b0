"""A synthetic party that sends a flash and a beep each second, over a path that is not kind.

Real VP8 and Opus, ICE, DTLS-SRTP and RTCP, as in `publisher`; but its pictures and sounds are
made when they are due, its media clocks drift against its wall clock, its wall clock against
ours and may be set, and packets are late, lost and overtake each other.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
import time
from dataclasses import dataclass
from typing import Any

from tests.bench.publisher import NTP_S, OPUS, VP8, Publisher
from tests.support.marks import RATE, SOUND_RATE, SOUND_SAMPLES, PictureSource, SoundSource

PIECE = 1_100
REPORT_EVERY_S = 1.0
AGAIN_S, MAX_FLIGHT = 0.25, 8


@dataclass(frozen=True)
class Path:
    """What happens between a party and the recorder."""

    base_ms: float = 0.0
    """Every packet's time on the way."""
    jitter_ms: float = 0.0
    """So much more on the average, exponentially distributed: packets overtake each other."""
    loss: float = 0.0
    """The share of packets, sent again or not, that never arrive."""


@dataclass(frozen=True)
class Clocks:
    """How a party's clocks run. Parts per million are against the recorder's."""

    audio_ppm: float = 0.0
    video_ppm: float = 0.0
    wall_ppm: float = 0.0
    wall_ms: float = 0.0
    """How far the wall clock is off at the start."""
    steps: tuple[tuple[float, float], ...] = ()
    """When (seconds after the start) it is set, and by how many ms."""
    dtx: bool = False
    """Whether silence is not sent, but for a packet each 400 ms, as browsers may do."""


class MarkedParty(Publisher):
    """One party; `play` sends."""

    def __init__(self, name: str, path: Path, clocks: Clocks) -> None:
        super().__init__(name, [], controlling=False)
        self._path, self._clocks = path, clocks
        self._random = secrets.SystemRandom()
        self._camera, self._sounds = PictureSource(), SoundSource()
        # near the top, so that they wrap soon
        self._bases = {VP8: (1 << 32) - 90_000 * 10, OPUS: (1 << 32) - 48_000 * 12}
        self._rates = {
            VP8: 90_000 * (1 + clocks.video_ppm * 1e-6),
            OPUS: SOUND_RATE * (1 + clocks.audio_ppm * 1e-6),
        }
        self._sequence = [(1 << 16) - 300] * 3
        self._start = self._wall = 0.0
        self._silence = 0
        self._flight: list[bytes] = []
        """Of DTLS, and not answered yet: aiortc would not say it again."""
        self.media = False
        self.sent_s: dict[str, tuple[float, float]] = {}
        """Of each kind: when the first and the last was captured, seconds after the start."""

    async def connect(self, remote: str, role: str) -> None:
        """As `Publisher` does, but what DTLS says is said again until it is answered."""
        again = asyncio.ensure_future(self._again_and_again())  # noqa: TID251 - ended below
        try:
            await super().connect(remote, role)
        finally:
            again.cancel()

    async def _again_and_again(self) -> None:
        while True:
            await asyncio.sleep(AGAIN_S)
            for data in self._flight[-MAX_FLIGHT:]:
                super().raw(data)

    def _received(self, stun: Any, data: bytes, address: Any) -> None:
        if data and 19 < data[0] < 64:
            self._flight = []
        super()._received(stun, data, address)

    async def close(self) -> None:
        """Let go of the socket."""
        self.media = False
        if self.dtls.state == "connected":
            await self.dtls.stop()
        await self.ice.close()

    # --- the way

    def raw(self, data: bytes) -> None:
        if not self.media:
            self._flight.append(data)
            super().raw(data)
            return
        if self._random.random() < self._path.loss:
            return
        delay = self._path.base_ms
        if self._path.jitter_ms:
            delay += self._random.expovariate(1 / self._path.jitter_ms)
        asyncio.get_running_loop().call_later(delay / 1000, self._arrive, data)

    def _arrive(self, data: bytes) -> None:
        if self._nominated is not None and not self._nominated[0].is_closing():
            super().raw(data)

    # --- media

    def _stamp_at(self, kind: int, seconds: float) -> int:
        return (self._bases[kind] + round(seconds * self._rates[kind])) & 0xFFFFFFFF

    def _show(self, number: int) -> None:
        keyframe, self._skip_to_keyframe = self._skip_to_keyframe, False
        frame = self._camera.encode(number, keyframe=keyframe)
        stamp = self._stamp_at(VP8, number / RATE)
        self._picture_id = (self._picture_id + 1) & 0x7FFF
        tail = struct.pack("!BH", 0x80, 0x8000 | self._picture_id)
        starts = range(0, len(frame), PIECE)
        for start in starts:
            sequence = self._sequence[0] = (self._sequence[0] + 1) & 0xFFFF
            second = VP8 | (0x80 if start == starts[-1] else 0)
            head = struct.pack("!BBHLL", 0x80, second, sequence, stamp, self.ssrc[0])
            descriptor = (b"\x80" if start else b"\x90") + tail
            self._history[sequence] = head + descriptor + frame[start : start + PIECE]
            self._order.append(sequence)
            self.send(sequence)
        while len(self._order) > 1_024:
            self._history.pop(self._order.popleft(), None)
        self.counts["video"] += 1
        self.counts["keyframes"] += keyframe
        self._sent("video", number / RATE)

    def _sound(self, number: int) -> None:
        seconds = number * SOUND_SAMPLES / self._rates[OPUS]
        data, beeps = self._sounds.encode(seconds, self._rates[OPUS])
        self._silence = 0 if beeps else self._silence + 1
        if self._clocks.dtx and self._silence > 10 and self._silence % 20:
            return
        sequence = self._sequence[2] = (self._sequence[2] + 1) & 0xFFFF
        stamp = self._stamp_at(OPUS, seconds)
        head = struct.pack("!BBHLL", 0x80, OPUS, sequence, stamp, self.ssrc[2])
        self.counts["audio"] += 1
        self.counts["packets"] += 1
        self.raw(self.dtls._tx_srtp.protect(head + data))
        self._sent("audio", seconds)

    def _sent(self, kind: str, seconds: float) -> None:
        self.sent_s[kind] = (self.sent_s.get(kind, (seconds, 0.0))[0], seconds)

    def _say(self, seconds: float) -> None:
        wall = self._wall + seconds * (1 + self._clocks.wall_ppm * 1e-6)
        wall += sum(by / 1000 for at, by in self._clocks.steps if seconds >= at)
        ntp = (int(wall) + NTP_S, int((wall % 1) * (1 << 32)))
        for index, kind in ((0, VP8), (2, OPUS)):
            stamp = self._stamp_at(kind, seconds)
            report = struct.pack("!BBHLLLLLL", 0x80, 200, 6, self.ssrc[index], *ntp, stamp, 0, 0)
            self.raw(self.dtls._tx_srtp.protect_rtcp(report))

    async def play(self, start: float, stop_s: float) -> None:
        """Send for ``stop_s`` seconds from ``start`` on (monotonic, the common clock's zero)."""
        self._start, self.media = start, True
        self._wall = start + time.time() - time.monotonic() + self._clocks.wall_ms / 1000
        pictures = sounds = 0
        reports = 0.3
        while True:
            seconds = time.monotonic() - start
            while pictures / RATE <= min(seconds, stop_s):
                self._show(pictures)
                pictures += 1
            while (sounds + 1) * SOUND_SAMPLES / self._rates[OPUS] <= min(seconds, stop_s):
                self._sound(sounds)
                sounds += 1
            if reports <= seconds:
                self._say(seconds)
                reports += REPORT_EVERY_S
            if seconds > stop_s:
                return
            due = min(pictures / RATE, (sounds + 1) * SOUND_SAMPLES / self._rates[OPUS], reports)
            await asyncio.sleep(max(0.001, due - seconds))
