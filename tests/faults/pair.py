"""The real domain and a real recorder on clocks of the test's, with a slow line between them.

No socket and no process: the line is two queues that the test lets run, holds or cuts, a leg is
a dummy, and each frame says in its bytes when it truly arrived. What may be stored is judged by
what the gate in memory did, seen from outside.
"""

from __future__ import annotations

import asyncio
import re
import struct
from collections import deque
from pathlib import Path
from typing import Any, cast

import pyrage

from avsession.canonical import b64
from avsession.clock import SystemClock
from avsession.errors import AvsessionError
from avsession.messages import (
    EntryRefused,
    GrantRefused,
    Heartbeat,
    LegOffer,
    LegState,
    ManifestLine,
    Message,
    WorkerHello,
)
from avsession.recording import decode_line
from avsession.records import GrantRecord, SegmentRecord, TrackRecord
from avsession.usecases import accept, legs, workers
from avsession.usecases.gate import Gate, OpenGate
from recorder import leg as real
from recorder.capture import Capture
from recorder.frames import EncodedFrame, Kind
from recorder.receive import Receiver
from recorder.worker import HEARTBEAT_S, Worker, WorkerConfig
from tests.avsession.usecases.world import World
from tests.support.world import Clock

WORKER = "wrk_" + "a" * 26
MARK = b"FRAME-AT"
STEP_MS = 50


class Wall(Clock):
    """The server's clock as the product makes it, over a wall clock that can be set.

    ``ms`` is the true time: it only goes forward.
    """

    def __init__(self) -> None:
        super().__init__()
        self.set_by_ms = 0
        self.boot()

    def boot(self) -> None:
        """A process starts."""
        self._server = SystemClock(
            lambda: (self.ms + self.set_by_ms) * 1_000_000, lambda: self.ms * 1_000_000
        )

    def now_ms(self) -> int:
        """Server time."""
        return self._server.now_ms()

    def away_ms(self) -> int:
        """How far the wall clock was set away from it."""
        return self._server.away_ms()

    def adopt(self) -> None:
        """Take the wall clock as it is."""
        self._server.adopt()


class DummyLeg:
    """A leg without a socket. Whoever made it may send from the moment of its offer."""

    def __init__(self, **options: Any) -> None:
        self.sink = options["sink"]
        self.state = real.LegState.NEW
        self.packets = self.refused = 0
        self.hurried = self.relayed = False
        self.receiver = Receiver()

    async def offer(self) -> str:
        raise ConnectionError

    def tick(self) -> None:
        """Nothing happens by time."""

    async def close(self) -> None:
        """Nothing to close."""


class Line:
    """What a worker uses for its connection."""

    def __init__(self, *_: Any, on_open: Any, on_message: Any, on_lost: Any) -> None:
        self.on_open, self.on_message, self.on_lost = on_open, on_message, on_lost
        self.connected = False
        self.up: deque[Message] = deque()
        self.down: deque[Message] = deque()

    def send(self, message: Message) -> None:
        """To the server, some time."""
        if self.connected:
            self.up.append(message)

    def tell(self, message: Message) -> None:
        """To the worker, some time."""
        self.down.append(message)

    def end(self, _end: object) -> None:
        """The server ends the connection."""
        if self.connected:
            self.connected = False
            self.up.clear()
            self.down.clear()
            self.on_lost()


class Watched(Gate):
    """The gate in memory; ``story`` keeps when each generation was open."""

    def __init__(self, clock: Any, story: dict[tuple[str, int], list[float]]) -> None:
        super().__init__()
        self._clock, self._story = clock, story

    def open(self, gate: OpenGate) -> bool:
        """As the real one."""
        opened = super().open(gate)
        if opened:
            self._story[gate.recording, gate.generation] = [self._clock.ms, float("inf")]
        return opened

    def close(self, session: str, now_ms: int, generation: int | None = None) -> OpenGate | None:
        """As the real one."""
        gate = super().close(session, now_ms, generation)
        if gate is not None:
            times = self._story.get((gate.recording, gate.generation), [0.0, 0.0])
            times[1] = min(times[1], self._clock.ms)
        return gate


class Pair:
    """One call, its server, its recorder."""

    def __init__(self, world: World, skew_ms: int) -> None:
        self.world, self.skew_ms = world, skew_ms
        self.story: dict[tuple[str, int], list[float]] = {}
        self.worker: Worker | None = None
        self.line: Line | None = None
        self.beat_ms = 0
        self.watch()
        (world.folder / "credential").write_text("x" * 32)
        (world.folder / "credential").chmod(0o600)

    def watch(self) -> None:
        """Look at the gate of a server that has just started."""
        object.__setattr__(self.world.app, "gate", Watched(self.world.clock, self.story))

    def now_ms(self) -> float:
        """The recorder's clock."""
        return float(self.world.clock.ms - 1_700_000_000_000 + self.skew_ms)

    # --- the recorder

    async def start(self) -> None:
        """A worker on the spool that is there; it connects."""
        config = WorkerConfig(
            url="ws://nowhere",
            worker=WORKER,
            credential=self.world.folder / "credential",
            grant_key=b64(self.world.grant_key.public_key().public_bytes_raw()),
            spool=self.world.folder / "spool" / WORKER,
            min_free_bytes=0,
        )
        self.worker = Worker(config, now_ms=self.now_ms)
        self.line = cast(Line, self.worker._link)
        await self.worker._leftovers()
        await self.connect()

    async def connect(self) -> None:
        """Its connection stands, and it says hello."""
        if self.line is None or self.line.connected:
            return
        self.line.connected = True
        await self.line.on_open()

    async def crash(self) -> None:
        """The worker dies without a word; the server does not know yet."""
        worker, self.worker, self.line = self.worker, None, None
        if worker is None:
            return
        for capture in worker._captures.values():
            for party in capture._parties.values():
                party._buffer = cast(Any, _Nothing())
            await capture._tasks.close()
        worker._executor.shutdown()
        worker._spool.close()

    async def cut(self) -> None:
        """The connection breaks; what was on its way is lost, and both notice."""
        if self.line is not None and self.line.connected:
            self.line.connected = False
            self.line.up.clear()
            self.line.down.clear()
            self.line.on_lost()
        await self.gone()

    async def gone(self) -> None:
        """The server notices that the worker is gone."""
        if self.world.hub._workers.pop(WORKER, None) is not None:
            await workers.worker_gone(self.world.app, WORKER)

    async def settle(self) -> None:
        """Until the disk has everything that it was given."""
        for capture in self.captures():
            await capture.drain()

    def captures(self) -> list[Capture]:
        """The recordings in the worker."""
        return list(self.worker._captures.values()) if self.worker else []

    async def media(self, steps: int, *, flows: bool) -> None:
        """Time passes, everyone who has a leg sends, and the line runs or does not."""
        for _ in range(steps):
            self.world.clock.forward(STEP_MS / 1000)
            now = self.now_ms()
            stamp = MARK + struct.pack(">Q", self.world.clock.ms)
            for capture in self.captures():
                for party in capture._parties.values():
                    frame = EncodedFrame(Kind.VIDEO, now - 5, now, stamp, True, 64, 64)
                    party._frames([frame])
            if self.worker is not None:
                await self.tick(self.worker, now)
            if flows:
                await self.flow()

    async def tick(self, worker: Worker, now: float) -> None:
        """What the worker does by time."""
        for capture in self.captures():
            capture.tick(now)
            await capture.drain()
            if capture.settled:
                await worker._forget(capture)
        if worker._welcomed and now - self.beat_ms >= HEARTBEAT_S * 1000:
            self.beat_ms = int(now)
            worker._link.send(Heartbeat(sent=now))

    # --- the line

    async def flow(self, most: int = 1_000) -> None:
        """What is on its way arrives, both ways, in order."""
        for _ in range(most):
            line = self.line
            if line is None or not line.connected or not (line.up or line.down):
                return
            if line.up:
                await self.serve(line.up.popleft(), line)
            elif line.down:
                await line.on_message(line.down.popleft())
                await self.settle()

    async def serve(self, message: Message, line: Line) -> None:
        """As signaling does it."""
        app = self.world.app
        try:
            match message:
                case WorkerHello():
                    self.world.hub.attach_worker(message, line)
                    line.tell(await workers.worker_joined(app, message))
                    await workers.worker_ready(app, WORKER)
                case Heartbeat():
                    line.tell(workers.heartbeat(app, WORKER, message))
                case LegOffer():
                    await legs.leg_offer(app, WORKER, message)
                case LegState():
                    await legs.leg_state(app, WORKER, message)
                case GrantRefused():
                    await legs.grant_refused(app, WORKER, message)
                case ManifestLine():
                    line.tell(await accept.manifest_line(app, WORKER, message))
        except AvsessionError as error:
            if isinstance(message, ManifestLine):
                number = decode_line(message.line).entry.n
                line.tell(EntryRefused(recording=message.recording, n=number, code=error.code))

    # --- what is so

    async def stored(self) -> list[tuple[str, int]]:
        """Every frame that the domain keeps: of which recording, and when it truly arrived."""
        found = []
        erased = {t.id for t in await self.world.find(TrackRecord) if t.erased_ms is not None}
        for row in await self.world.find(SegmentRecord):
            if row.track in erased:
                continue
            path = self.world.folder / "objects" / row.recording / row.track
            sealed = (path / f"{row.index:06d}.age").read_bytes()
            secret = await self.world.app.custody.unwrap(row.recording, row.track)
            plain = pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(secret)])
            found += [
                (row.recording, struct.unpack(">Q", plain[at.end() : at.end() + 8])[0])
                for at in re.finditer(MARK, plain)
            ]
        return found

    async def check(self) -> int:
        """No frame is kept that arrived while no gate of its recording was open; how many are."""
        frames = await self.stored()
        for recording, at_ms in frames:
            times = [span for (rec, _), span in self.story.items() if rec == recording]
            assert any(begin <= at_ms <= end for begin, end in times), (at_ms, times)
        listed = {
            self.world.folder / "objects" / r.recording / r.track / f"{r.index:06d}.age"
            for r in await self.world.find(SegmentRecord)
        }
        assert set((self.world.folder / "objects").rglob("*.age")) <= listed
        return len(frames)

    async def restart(self) -> None:
        """The server dies and comes again; what was open then is open no longer."""
        crashed = self.world.clock.ms
        for span in self.story.values():
            span[1] = min(span[1], crashed)
        if self.line is not None and self.line.connected:
            self.line.connected = False
            self.line.up.clear()
            self.line.down.clear()
            self.line.on_lost()
        await self.world.close()
        if isinstance(self.world.clock, Wall):
            self.world.clock.boot()
        await self.world.start()
        self.watch()

    async def grants(self) -> int:
        """How often a gate was opened."""
        return len(await self.world.find(GrantRecord))


class _Nothing:
    """In the place of a dead worker's buffers."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a dead worker was asked to {name}")


def spooled(folder: Path) -> list[Path]:
    """Segments that wait in the spool."""
    return sorted(folder.rglob("*.age"))


def run(loop: asyncio.AbstractEventLoop, work: Any) -> Any:
    """Do it now."""
    return loop.run_until_complete(work)
