"""A flash and a beep each second of a clock: made, encoded as a browser would, found again."""

from __future__ import annotations

import math
import statistics
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

RATE = 30
"""Pictures a second; one of them is taken at each full second."""
SOUND_RATE, SOUND_SAMPLES = 48_000, 960
FLASH_S, BEEP_S = 0.1, 0.06
TONE_HZ = 1_000.0
BRIGHT = 150
"""Luma above this is a flash; the picture between is darker."""
LOUD = 0.1
"""Of full scale; between the beeps there is silence."""
QUIET_MS = 300.0
"""A mark begins after so long without one."""
WIDTH, HEIGHT = 320, 180


class PictureSource:
    """VP8 of a dark moving picture that flashes at each full second."""

    def __init__(self) -> None:
        self._encoder: Any = av.CodecContext.create("libvpx", "w")
        self._encoder.width, self._encoder.height = WIDTH, HEIGHT
        self._encoder.pix_fmt = "yuv420p"
        self._encoder.time_base = Fraction(1, RATE)
        self._encoder.bit_rate = 400_000
        self._encoder.gop_size = 100_000
        self._encoder.thread_count = 1  # threads that wait for each other starve on a busy machine
        self._encoder.options = {
            "deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0",
            "error-resilient": "1",
        }  # fmt: skip
        self._ramp = bytes(20 + i % 64 for i in range(2 * WIDTH * HEIGHT))
        self.encode(-1, keyframe=True)  # what it takes to begin is not to delay the first picture

    def encode(self, number: int, *, keyframe: bool) -> bytes:
        """The picture of ``number / RATE`` seconds."""
        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        for index, plane in enumerate(frame.planes):
            shift = number * 7 % 251
            picture = self._ramp[shift : shift + plane.buffer_size]
            if index:
                picture = b"\x80" * plane.buffer_size
            elif 0 <= number % RATE < FLASH_S * RATE:
                picture = b"\xeb" * plane.buffer_size
            plane.update(picture)
        frame.pts, frame.time_base = number, self._encoder.time_base
        if keyframe:
            frame.pict_type = av.video.frame.PictureType.I
        return b"".join(bytes(packet) for packet in self._encoder.encode(frame))


class SoundSource:
    """Opus of a beep at each full second, and silence between."""

    def __init__(self) -> None:
        self._encoder: Any = av.CodecContext.create("libopus", "w")
        self._encoder.sample_rate, self._encoder.layout = SOUND_RATE, "mono"
        self._encoder.format = "s16"
        self._encoder.bit_rate = 32_000
        self._encoder.options = {"frame_duration": "20", "application": "voip"}
        self._count = 0
        self.encode(0.5, SOUND_RATE)

    def encode(self, start_s: float, rate: float) -> tuple[bytes, bool]:
        """The next 20 ms, whose first sample is heard at ``start_s``; and whether it has a beep.

        ``rate``: samples a second of the clock that ``start_s`` is of: a sound card's own differs.
        """
        samples = array("h", bytes(2 * SOUND_SAMPLES))
        phase = start_s % 1.0
        beeps = phase < BEEP_S or phase + SOUND_SAMPLES / rate > 1.0
        if beeps:
            for index in range(SOUND_SAMPLES):
                at = (start_s + index / rate) % 1.0
                if at < BEEP_S:
                    samples[index] = int(16_000 * math.sin(2 * math.pi * TONE_HZ * at))
        frame = av.AudioFrame("s16", "mono", SOUND_SAMPLES)
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate = SOUND_RATE
        frame.pts, frame.time_base = self._count, Fraction(1, SOUND_RATE)
        self._count += SOUND_SAMPLES
        return b"".join(bytes(packet) for packet in self._encoder.encode(frame)), beeps


@dataclass
class Marks:
    """What a file shows, in ms on its timeline. Marks that lost a part on their way are left out.

    (Without its first part a mark would begin late, which says nothing about clocks.)
    """

    flashes: list[float] = field(default_factory=list)
    beeps: list[float] = field(default_factory=list)
    pictures: tuple[float, float] = (math.inf, -math.inf)
    """When the first and the last picture begin."""
    sounds: tuple[float, float] = (math.inf, -math.inf)
    """When the first and the last packet of sound begin."""


class _Finder:
    """Collects what is bright or loud into marks."""

    def __init__(self, whole: int) -> None:
        """``whole``: how many parts a mark has at least when nothing of it is missing."""
        self._whole = whole
        self._start = self._last = -math.inf
        self._parts = 0
        self.found: list[float] = []

    def add(self, at_ms: float) -> None:
        """One bright picture, or one loud millisecond."""
        if at_ms - self._last > QUIET_MS:
            self.end()
            self._start, self._parts = at_ms, 0
        self._parts += 1
        self._last = at_ms

    def end(self) -> None:
        """The mark is over."""
        if self._parts >= self._whole:
            self.found.append(self._start)
        self._parts = 0


def find(path: Path, *, pictures: int = round(FLASH_S * RATE), sound_ms: int = 50) -> Marks:
    """Decode a whole file and look for marks of so many bright pictures, so much sound."""
    marks = Marks()
    bright, loud = _Finder(pictures), _Finder(sound_ms)
    with av.open(str(path)) as container:
        streams = container.streams.video[0], container.streams.audio[0]
        for frame in container.decode(*streams):
            if not isinstance(frame, av.VideoFrame | av.AudioFrame) or frame.pts is None:
                continue
            at = float(frame.pts * (frame.time_base or 0) * 1000)
            if isinstance(frame, av.VideoFrame):
                marks.pictures = (min(marks.pictures[0], at), max(marks.pictures[1], at))
                if _luma(frame) > BRIGHT:
                    bright.add(at)
            else:
                marks.sounds = (min(marks.sounds[0], at), max(marks.sounds[1], at))
                for offset in _loud(frame):
                    loud.add(at + offset)
    for finder in (bright, loud):
        finder.end()
    marks.flashes, marks.beeps = bright.found, loud.found
    return marks


def _luma(frame: av.VideoFrame) -> float:
    """The middle line's."""
    plane = frame.planes[0]
    start = plane.line_size * (frame.height // 2)
    return statistics.fmean(memoryview(plane)[start : start + frame.width])


def _loud(frame: av.AudioFrame) -> Iterable[float]:
    """The milliseconds from the frame's start in which there is sound."""
    if not frame.format.name.startswith("flt"):
        raise TypeError(f"sound of the form {frame.format.name}")
    per_ms = frame.sample_rate // 1000
    if not frame.format.is_planar:
        per_ms *= len(frame.layout.channels)
    samples = memoryview(frame.planes[0]).cast("B").cast("f")
    for millisecond in range(frame.samples * 1000 // frame.sample_rate):
        if max(samples[millisecond * per_ms : (millisecond + 1) * per_ms]) > LOUD:
            yield float(millisecond)


def apart(one: list[float], other: list[float], offset_ms: float = 0.0) -> list[float]:
    """How much later each mark of ``one`` is than the mark of ``other`` nearest to it."""
    found, index = [], 0
    for mark in one:
        while index + 1 < len(other) and abs(other[index + 1] - mark) <= abs(other[index] - mark):
            index += 1
        if other and abs(other[index] - mark) < 500.0:
            found.append(mark - other[index] - offset_ms)
    return found
