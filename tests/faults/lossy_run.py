"""A recorder process, synthetic senders, and a bad network between them; and what was stored."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import av

from avsession.recording import Gap
from avsession.tasks import Tasks
from recorder.track import NO_MEDIA
from tests.bench import media
from tests.bench.domain import Domain, party_names, track_name
from tests.bench.recorder_cost import Farm
from tests.faults.lossy import CALM, LossyPath, Weather
from tests.recorder.harness import decode

FIRST = -15
"""The priority of what must be in time."""
GRACE_S = 1.5
"""After the last frame was sent, for what is still on its way."""


Stored = list[tuple[int, int]]
"""Frames: when (ms on the timeline), and which of those that were sent."""


@dataclass(frozen=True)
class Track:
    """What is stored of one sender."""

    video: Stored
    audio: Stored
    gaps: tuple[Gap, ...]
    complaint: str
    """What ffmpeg says when it decodes everything: nothing, if all is well."""

    @property
    def stall_ms(self) -> int:
        """The longest time without a frame of video."""
        return max(b - a for (a, _), (b, _) in itertools.pairwise(self.video))

    def unsaid_ends(self, frames: Stored, reason: str, sent: int) -> list[tuple[int, int]]:
        """Which first and last frames that are stored have others before or after them that no gap
        of the manifest names."""
        first, last = frames[0], frames[-1]
        named = [g for g in self.gaps if g.reason in (reason, NO_MEDIA)]
        begins = first[1] == 0 or any(g.start_ms < first[0] <= g.end_ms for g in named)
        ends = last[1] == sent - 1 or any(g.start_ms <= last[0] < g.end_ms for g in named)
        return [frame for frame, good in ((first, begins), (last, ends)) if not good]

    def unsaid(self, frames: Stored, reason: str) -> list[tuple[int, int]]:
        """Between which moments frames are missing that no gap of the manifest names."""
        named = [g for g in self.gaps if g.reason in (reason, NO_MEDIA)]
        return [
            (a, b)
            for (a, one), (b, other) in itertools.pairwise(frames)
            if other != one + 1 and not any(g.start_ms <= a and b <= g.end_ms for g in named)
        ]


class Run:
    """Some senders, each with a road of its own to one recorder process."""

    def __init__(self, folder: Path, source: Path) -> None:
        self._folder = folder
        self.farm = Farm(source)
        self._pictures = {b"".join(p.parts): n for n, p in enumerate(media.read(source))}
        self.domain = Domain(folder, self._offered)
        self.paths: list[LossyPath] = []
        self._tasks = Tasks()
        self._count = 0
        self._connected: dict[int, asyncio.Future[dict[str, object]]] = {}

    async def start(self, senders: int) -> None:
        """Connect everyone while the weather is calm."""
        self._count = senders
        self._numbers = {party_names(number)[1]: number for number in range(senders)}
        self.paths = [LossyPath(CALM, seed=number) for number in range(senders)]
        await self.farm.start(senders)
        await self.domain.start(capacity=senders)
        await self.domain.capture(range(senders))
        await self.domain.until(lambda: len(self._connected) == senders)
        await asyncio.wait_for(asyncio.gather(*self._connected.values()), 30)

    async def _offered(self, recording: str, party: str, sdp: str) -> None:
        number = self._numbers[party]
        name = f"sender{number}"

        async def reply() -> None:
            offer = await self.paths[number].open(sdp)
            answer = await self.farm.order(0, "answer", op="answer", name=name, sdp=offer)
            await self.domain.answer(recording, party, LossyPath.answer(answer["sdp"]))

        self._connected[number] = self.farm.expect(0, "connected", name)
        self._tasks.spawn(reply(), name="answer")

    async def send(self, weather: list[Weather], seconds: float) -> list[dict[str, int]]:
        """Send for so long, each sender through its own weather; what each counted."""
        for path, each in zip(self.paths, weather, strict=True):
            path.weather = each
        start = time.monotonic() + 0.2
        await self.farm.send("sender", self._count, start, start + seconds)
        await asyncio.sleep(GRACE_S)
        return [await self.farm.counts(f"sender{number}") for number in range(self._count)]

    async def stored(self, number: int) -> Track:
        """What the domain has of a sender; once the recording is over."""
        recording, party = party_names(number)
        track = track_name(party)
        path = self._folder / f"{track}.webm"
        path.write_bytes(await self.domain.review(recording, track))
        name = f"sender{number}"
        sent = await self.farm.order(0, "pictures", op="pictures", name=name)
        frames = await asyncio.to_thread(_frames, path)
        return Track(
            video=_numbered(frames["video"], self._pictures, sent["pictures"]),
            audio=[(ms, int.from_bytes(data[1:5], "big")) for ms, data in frames["audio"]],
            gaps=self.domain.manifest(recording).gaps(track),
            complaint=await asyncio.to_thread(decode, path),
        )

    async def stop(self) -> None:
        """End everything."""
        await self.farm.stop()
        await self.domain.stop()
        await self._tasks.close()
        for path in self.paths:
            path.close()


Frames = list[tuple[int, bytes]]


def _frames(path: Path) -> dict[str, Frames]:
    out: dict[str, Frames] = {"video": [], "audio": []}
    with av.open(str(path)) as file:
        for packet in file.demux():
            if packet.pts is not None and packet.time_base is not None:
                moment = round(packet.pts * packet.time_base * 1000)
                out[packet.stream.type].append((moment, bytes(packet)))
    return out


def _numbered(frames: Frames, pictures: dict[bytes, int], sent: list[int]) -> Stored:
    """Which of the frames that were sent each stored one is; ValueError if it is none of them."""
    out: Stored = []
    at = -1
    for moment, data in frames:
        at = sent.index(pictures[data], at + 1)
        out.append((moment, at))
    return out


@asynccontextmanager
async def running(folder: Path, source: Path, senders: int) -> AsyncIterator[Run]:
    """Senders that are connected; nothing has been sent yet.

    All of it goes before others where that is allowed: a network that is late is another network.
    """
    made = Run(folder, source)
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, FIRST)
    try:
        await made.start(senders)
        yield made
    finally:
        await made.stop()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, usual)
