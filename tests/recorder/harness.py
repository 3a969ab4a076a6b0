"""A leg with a ticker, and waiting for what it does rather than for time to pass."""

from __future__ import annotations

import asyncio
import math
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from avsession.tasks import Tasks
from recorder import webm
from recorder.frames import EncodedFrame, Kind
from recorder.leg import Certificate, Leg, LegState
from recorder.receive import Receiver
from recorder.track import onto_timeline


def monotonic_ms() -> float:
    """The clock that recorder workers use."""
    return time.monotonic() * 1000.0


class Captured:
    """One leg, its frames and its states."""

    def __init__(self, now_ms: Callable[[], float] = monotonic_ms, **options: object) -> None:
        self.frames: list[EncodedFrame] = []
        self.states: list[tuple[LegState, str]] = []
        self._changed = asyncio.Event()
        self.tasks = Tasks()
        self.leg = Leg(
            certificate=Certificate(),
            sink=self._sink,
            on_state=self._state,
            now_ms=now_ms,
            receiver=Receiver(),
            **{"ice_servers": (), **options},  # type: ignore[arg-type]
        )

    def _sink(self, frames: list[EncodedFrame]) -> None:
        self.frames += frames
        self._changed.set()

    def _state(self, state: LegState, reason: str) -> None:
        self.states.append((state, reason))
        self._changed.set()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0.02)
            self.leg.tick()

    def start(self) -> None:
        """Tick as a worker does."""
        self.tasks.spawn(self._tick(), name="ticker")

    async def until(self, condition: Callable[[], bool], within_s: float = 20.0) -> None:
        """Wait until something is so; fails after ``within_s``."""
        async with asyncio.timeout(within_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def until_ticked(self, condition: Callable[[], bool], within_s: float = 20.0) -> None:
        """The same for what no frame and no state tells of."""
        async with asyncio.timeout(within_s):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def of(self, kind: Kind) -> list[EncodedFrame]:
        """The frames of one kind."""
        return [frame for frame in self.frames if frame.kind is kind]

    def count(self, kind: Kind) -> int:
        """How many of one kind."""
        return len(self.of(kind))

    async def close(self) -> None:
        """End the leg and its ticker."""
        await self.tasks.close()
        await self.leg.close()


def as_webm(frames: Sequence[EncodedFrame], epoch_ms: float) -> bytes:
    """A whole file of these frames; their times are moved to start at the epoch."""
    key = next(frame for frame in frames if frame.width)
    out = webm.header(key.width, key.height)
    cutter = webm.Cutter()
    ordered = sorted(frames, key=lambda frame: frame.timestamp_ms)
    onto_timeline(ordered, -math.floor(epoch_ms), -1)
    for frame in ordered:
        if done := cutter.add(frame):
            out += webm.clusters(done)[0]
    return out + webm.clusters(cutter.flush())[0]


def decode(path: Path) -> str:
    """What ffmpeg has to say about decoding the whole file: nothing, if all is well.

    Without a time base of its own, ffmpeg rounds a camera's uneven frames to 1/20 s and complains
    of what it rounded.
    """
    ran = subprocess.run(
        ["ffmpeg", "-v", "warning", "-xerror", "-i", str(path), "-map", "0",
         "-enc_time_base", "1:1000", "-f", "null", "-"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return ran.stderr + ("" if ran.returncode == 0 else f"exit {ran.returncode}")


def streams(path: Path) -> dict[str, int]:
    """Packets by codec, counted by ffprobe."""
    ran = subprocess.run(
        ["ffprobe", "-v", "error", "-count_packets", "-show_entries",
         "stream=codec_name,nb_read_packets", "-of", "csv=p=0", str(path)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    pairs = (line.split(",") for line in ran.stdout.split())
    return {name: int(count) for name, count, *_ in pairs}
