"""The recorder's process: one link to signaling, many recordings, one ticker.

Nothing is captured without a grant that `permit` has let pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from avsession.canonical import unb64
from avsession.errors import (
    AvsessionError,
    ManifestBroken,
    RecorderStopping,
    StorageFull,
    TooMany,
    Unavailable,
)
from avsession.grant import Grant
from avsession.messages import Capture as CaptureOrder
from avsession.messages import (
    CaptureServers,
    CloseGate,
    EntryAccepted,
    EntryRefused,
    ErrorReply,
    GrantRefused,
    Heartbeat,
    HeartbeatReply,
    LegAnswered,
    LegLost,
    LegTrickled,
    ToRecorder,
    WorkerHello,
    WorkerWelcome,
)
from avsession.tasks import Tasks
from recorder.capture import Capture
from recorder.disk import Disk
from recorder.leg import CALM_MS, Certificate
from recorder.link import Link, read_credential
from recorder.metrics import Metrics
from recorder.party import LegSettings
from recorder.permit import Permit
from recorder.server_clock import ServerClock
from recorder.spool import Spool

log = logging.getLogger("recorder.worker")

TICK_S = 0.02
CALM_TICK_S = CALM_MS / 1000
"""While no leg misses a packet."""
LATE_S = 0.001
"""Ticks come this much after whole multiples, since a sleep may end a little early."""
HEARTBEAT_S = 1.0
STOP_S = 4.0
"""SIGTERM: everything is finalised in this time, or left for the next start."""
MAX_WAITING = 64
"""Grants kept until the server's time is known; of more the oldest are forgotten."""
MAX_LEFTOVERS = 1_000
"""Recordings of earlier workers that are offered to the domain at once."""


@dataclass(frozen=True)
class WorkerConfig:
    """What a worker is started with."""

    url: str
    """``wss://…`` of signaling's recorder path."""
    worker: str
    """This worker's id."""
    credential: Path
    """File with its secret, mode 0600."""
    grant_key: str
    """The Ed25519 key that grants are signed with, base64url."""
    spool: Path
    ca_file: Path | None = None
    """Certificate authority of the server, besides the system's."""
    capacity: int = 16
    """Recordings at once."""
    min_free_bytes: int = 512 * 1024 * 1024
    """Below this much free space no recording starts."""
    address: str | None = None
    """Under which browsers reach its legs; None: its own."""


def monotonic_ms() -> float:
    """The recorder's clock."""
    return time.monotonic() * 1000.0


class Worker:
    """Everything between the link and the recordings."""

    def __init__(
        self,
        config: WorkerConfig,
        *,
        now_ms: Callable[[], float] = monotonic_ms,
        disk: Disk | None = None,
    ) -> None:
        """Takes the spool; raises Unavailable if another worker has it, SettingsInvalid."""
        self._config, self._now_ms = config, now_ms
        grant_key = Ed25519PublicKey.from_public_bytes(unb64(config.grant_key))
        tls = None
        if config.url.startswith("wss://"):
            tls = ssl.create_default_context(cafile=config.ca_file)
        self._link = Link(
            config.url,
            read_credential(config.credential),
            tls,
            on_open=self._hello,
            on_message=self._message,
            on_lost=self._lost,
        )
        self._spool = Spool(config.spool, disk)
        self._certificate = Certificate()
        self._permit = Permit(
            grant_key, config.worker, self._certificate.fingerprint, self._spool.public_key
        )
        self._clock = ServerClock()
        self._legs = LegSettings(self._certificate, (), now_ms, address=config.address)
        self._metrics = Metrics()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._tasks = Tasks(limit=256)
        self._captures: dict[str, Capture] = {}
        self._waiting: deque[CaptureOrder] = deque(maxlen=MAX_WAITING)
        self._forgetting: set[asyncio.Task[None]] = set()
        self._welcomed = False
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop`; then finalise and return."""
        try:
            await self._leftovers()
            self._tasks.spawn(self._link.run(), name="link")
            self._tasks.spawn(self._tick(), name="ticker")
            self._tasks.spawn(self._heartbeat(), name="heartbeat")
            await self._stopping.wait()
            await self._finish()
        finally:
            await self._tasks.close()
            for capture in list(self._captures.values()):
                await capture.aclose()
            self._executor.shutdown()
            self._spool.close()

    def stop(self) -> None:
        """Write down what there is and end `run`."""
        self._stopping.set()

    # --- time

    async def _tick(self) -> None:
        while True:
            period_s = TICK_S if self._legs.hurried else CALM_TICK_S
            await asyncio.sleep(period_s - self._now_ms() / 1000 % period_s + LATE_S)
            self._legs.hurried = False
            now_ms = self._now_ms()
            for capture in list(self._captures.values()):
                try:
                    capture.tick(now_ms)
                except Exception:
                    # one recording's fault must not stop the ticks of the others
                    log.exception("a recording failed", extra=capture.told)
                    capture.fail("worker.failed")
                if capture.settled:
                    del self._captures[capture.recording]
                    task = self._tasks.spawn(self._forget(capture), name="forget")
                    self._forgetting.add(task)
                    task.add_done_callback(self._forgetting.discard)

    async def _heartbeat(self) -> None:
        while True:
            self._spool.show_link(there=self._welcomed)
            if self._welcomed:
                self._link.send(Heartbeat(sent=self._now_ms(), figures=self._figures()))
            await asyncio.sleep(HEARTBEAT_S)

    def _figures(self) -> dict[str, float]:
        captures, disk = self._captures.values(), self._spool.disk
        live, free = sum(c.live for c in captures), 0
        with contextlib.suppress(OSError):
            free = disk.free_bytes(self._config.spool)
        room = live < self._config.capacity and free >= self._config.min_free_bytes
        self._metrics.put("publishers", sum(c.measure() for c in captures))
        self._metrics.put("recordings", live)
        self._metrics.put("spool_recordings", len(captures))
        self._metrics.put("spool_free_bytes", free)
        self._metrics.put("taking", room and not self._stopping.is_set())
        self._metrics.disk(disk)
        self._metrics.waiting([c.waiting() for c in captures])
        self._metrics.memory()
        return self._metrics.figures()

    # --- the link

    async def _hello(self) -> None:
        self._link.send(
            WorkerHello(
                worker=self._config.worker,
                fingerprint=self._certificate.fingerprint,
                recorder_key=self._spool.public_key,
                capacity=self._config.capacity,
                recordings=tuple(self._captures)[:MAX_LEFTOVERS],
            )
        )

    def _lost(self) -> None:
        self._welcomed = False
        self._clock.doubt()
        self._metrics.count("link_lost_total")
        self._waiting.clear()
        for capture in self._captures.values():
            capture.journal.disconnected()

    async def _message(self, message: ToRecorder) -> None:
        match message:
            case WorkerWelcome():
                await self._welcome(message)
            case HeartbeatReply():
                await self._confirmed(message)
            case CaptureOrder():
                await self._capture(message)
            case ErrorReply():
                log.warning("signaling refused a message: %s", message.code)
            case CaptureServers() if message.recording in self._captures:
                self._legs.relays[message.recording] = message.ice_servers
            case CloseGate() if capture := self._captures.get(message.recording):
                await self._close(capture, message)
            case LegAnswered() | LegTrickled() | LegLost():
                await self._leg(message)
            case EntryAccepted() if capture := self._captures.get(message.recording):
                capture.accepted(message.n)
            case EntryRefused() if capture := self._captures.get(message.recording):
                capture.refused(message.n, message.code)
            case _:
                log.warning("signaling named a recording that is not here")

    async def _welcome(self, message: WorkerWelcome) -> None:
        self._legs.welcome(message)
        self._welcomed = True
        self._link.send(Heartbeat(sent=self._now_ms()))
        for recording, known in message.known.items():
            if (capture := self._captures.get(recording)) is None:
                continue
            if known < 0:
                await self._forget(capture)
            else:
                capture.journal.sync(known)

    async def _confirmed(self, message: HeartbeatReply) -> None:
        self._clock.answer(message.sent, message.server_ms, self._now_ms())
        if not self._clock.settled:
            self._link.send(Heartbeat(sent=self._now_ms()))
        live = {each.recording: each.generation for each in message.live}
        for recording, capture in self._captures.items():
            capture.confirm(live.get(recording), message.sent, paused=recording in message.paused)
        while self._waiting and self._clock.settled:
            await self._capture(self._waiting.popleft())

    async def _close(self, capture: Capture, order: CloseGate) -> None:
        capture.close(order)
        if order.erase:
            await self._forget(capture)

    async def _leg(self, message: LegAnswered | LegTrickled | LegLost) -> None:
        capture = self._captures.get(message.recording)
        party = capture and capture.party(message.generation, message.party)
        if not party:
            log.warning("a message for a leg not live", extra=capture.told if capture else {})
        elif isinstance(message, LegAnswered):
            await party.answer(message.sdp)
        elif isinstance(message, LegTrickled):
            await party.trickle(message.candidate)
        else:
            party.lost(message.reason)

    # --- grants

    async def _capture(self, order: CaptureOrder) -> None:
        if not self._clock.settled:
            # a grant's time cannot be judged yet; a heartbeat's answer is on its way
            self._waiting.append(order)
            return
        told, live = {"recording": ""}, 0
        try:
            grant = self._check(order.grant)
            told |= {"recording": grant.recording, "session": grant.session}
            live = grant.generation
            capture = await self._open(grant, order.resume)
            try:
                self._legs.relays[grant.recording] = order.ice_servers
                capture.begin(grant, order.grant)
            except AvsessionError:
                if not capture.begun:
                    await self._forget(capture)
                raise
        except (AvsessionError, OSError, LookupError) as error:
            code = error.code if isinstance(error, AvsessionError) else Unavailable.code
            log.warning("a grant was refused", extra={**told, "code": code})
            self._link.send(GrantRefused(recording=told["recording"], generation=live, code=code))

    def _check(self, token: str) -> Grant:
        """The grant, if it permits this recorder to capture now; raises by what is wrong."""
        if self._stopping.is_set():
            raise RecorderStopping
        offset, uncertainty = self._clock.estimate(self._now_ms())
        return self._permit.read(token, self._now_ms() + offset + uncertainty)

    async def _open(self, grant: Grant, resume: int) -> Capture:
        """The recording's capture, its chain continued; raises what makes that impossible."""
        capture = self._captures.get(grant.recording)
        if capture is not None:
            if capture.journal.chain.count < resume:
                raise Unavailable("The recording's last entries are not in this spool.")
            if not capture.journal.synced:
                capture.journal.sync(resume)
            return capture
        if sum(c.live for c in self._captures.values()) >= self._config.capacity:
            raise TooMany
        if self._spool.disk.free_bytes(self._config.spool) < self._config.min_free_bytes:
            raise StorageFull
        if resume > 0:
            raise Unavailable("The recording was begun by another worker.")
        capture = await self._load(grant.recording)
        capture.journal.sync(resume)
        return capture

    async def _load(self, recording: str) -> Capture:
        loop = asyncio.get_running_loop()
        chain = await loop.run_in_executor(
            self._executor, self._spool.open, recording, self._server_ms
        )
        capture = Capture(
            chain,
            executor=self._executor,
            legs=self._legs,
            clock=self._clock,
            send=self._link.send,
            signing_key=self._spool.public_key,
            metrics=self._metrics,
        )
        self._captures[recording] = capture
        return capture

    async def _leftovers(self) -> None:
        for recording in self._spool.recordings()[:MAX_LEFTOVERS]:
            try:
                await self._load(recording)
            except (ManifestBroken, OSError) as error:
                what = {"recording": recording, "reason": type(error).__name__}
                log.error("what is left of a recording is left alone", extra=what)

    async def _forget(self, capture: Capture) -> None:
        """The recording's spool goes: the domain has everything, or wants none of it."""
        self._captures.pop(capture.recording, None)
        self._legs.relays.pop(capture.recording, None)
        await capture.aclose()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self._spool.delete, capture.recording)

    async def _finish(self) -> None:
        # Only the server says that a recording is over: another start may go on with this one.
        for capture in list(self._captures.values()):
            capture.suspend("worker.stopping")
        try:
            async with asyncio.timeout(STOP_S):
                while any(map(self._unfinished, self._captures.values())):  # noqa: ASYNC110
                    await asyncio.sleep(TICK_S)
        except TimeoutError:
            log.warning("stopped before the server had everything; the rest is in the spool")
        for capture in list(self._captures.values()):
            if capture.settled:
                await self._forget(capture)
        if self._forgetting:
            await asyncio.wait(self._forgetting, timeout=STOP_S)

    def _unfinished(self, capture: Capture) -> bool:
        if self._link.connected:
            return not (capture.settled if capture.finishing else capture.reported)
        return not (capture.ended if capture.finishing else capture.journal.idle)

    def _server_ms(self) -> int:
        """Server time as estimated; our own wall clock until the first heartbeat's answer."""
        if not self._clock.known:
            return int(time.time() * 1000)
        now_ms = self._now_ms()
        return round(now_ms + self._clock.estimate(now_ms)[0])
