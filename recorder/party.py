"""One party within one recording: its leg, remade whenever it fails, and its track's buffer."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from avsession.errors import SdpRefused
from avsession.grant import Grant
from avsession.messages import IceServer, WorkerWelcome
from avsession.tasks import Tasks
from recorder.frames import EncodedFrame, Kind, Span
from recorder.leg import Certificate, Leg, LegState
from recorder.ports import advertised
from recorder.receive import Receiver
from recorder.spool import LEG_LOST
from recorder.track import CutSegment, SegmentWriter, TrackBuffer
from recorder.webm import SEGMENT_MS

log = logging.getLogger("recorder.party")

ANSWER_MS = 10_000.0
"""An offer that is not answered in this time is made anew."""
RETRY_MS = (200.0, 500.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0)
"""How long after each failure in a row the next leg is offered; the last goes on for ever."""
SOON_MS = 1_000.0
"""But a leg whose path was lost, the browser says, no later than this: the network may be back."""
PATH_LOST = "connection.failed"
HOLD_MARGIN_MS = 20.0
"""A gap in video is given up this much before its frame would leave the delay line."""
PHASES = 8
"""Recordings end their segments in so many places within a second, so that not all of a
worker's come to the disk at one moment. All parties of one end them together."""
MIN_HOLD_MS = 100.0
"""But not sooner than a retransmission can come."""


@dataclass
class LegSettings:
    """What every leg of a worker shares; the ICE servers change with each welcome."""

    certificate: Certificate
    ice_servers: Sequence[IceServer]
    now_ms: Callable[[], float]
    hurried: bool = False
    """Set by a leg that wants the next tick soon; who ticks looks at it, and resets it."""
    address: str | None = None
    """Under which browsers reach us, where it is not our own."""
    relay_only: bool = False
    """Legs go through TURN only."""
    relays: dict[str, Sequence[IceServer]] = field(default_factory=dict)
    """By recording: the TURN server, with credentials that are good for a while."""

    def welcome(self, message: WorkerWelcome) -> None:
        """What the server says for all legs that are made from now on."""
        self.ice_servers, self.relay_only = message.ice_servers, message.relay_only

    def servers(self, recording: str, turn: int) -> list[IceServer]:
        """For the next leg of a recording, TURN's URLs turned ``turn`` times: the first counts."""
        return [*self.ice_servers, *(_turned(one, turn) for one in self.relays.get(recording, ()))]


def _turned(server: IceServer, turn: int) -> IceServer:
    at = turn % len(server.urls) if server.urls else 0
    return replace(server, urls=server.urls[at:] + server.urls[:at])


@dataclass(frozen=True)
class Reports:
    """Whom a party tells: its leg's offer and state, segments that are complete, legs to close."""

    offer: Callable[[str], None]
    state: Callable[[str, str], None]
    segment: Callable[[list[EncodedFrame], str], None]
    retire: Callable[[Leg], None]
    ended: Callable[[dict[Kind, Span], bool, float], None]
    """At the gate's closing: what is lost that no frame tells of (`Receiver.losing`), whether the
    leg itself was lost, and the moment until which it counts."""


class Party:
    """Keeps one leg going while its generation is live.

    The owner's duty: `tick` every 20 ms, `close` once. Frames reach ``reports.segment`` only
    through the delay line, so that `close` can still drop what came after the moment.
    """

    def __init__(
        self,
        grant: Grant,
        writer: SegmentWriter,
        *,
        settings: LegSettings,
        reports: Reports,
        tasks: Tasks,
        gap_reason: str,
    ) -> None:
        self.writer = writer
        self._grant, self._settings, self._reports, self._tasks = grant, settings, reports, tasks
        # handed on at the moment at which it is complete, which is the same for all parties
        handed_on = zlib.crc32(grant.recording.encode()) % PHASES * SEGMENT_MS / PHASES
        self._buffer = TrackBuffer(grant.delay_ms, gap_reason, handed_on - grant.delay_ms)
        self._phase_ms = handed_on
        self._leg: Leg | None = None
        self._failures = 0
        self._turn = 0
        """How often TURN gave no address: the next leg asks for one another way."""
        self._retry_ms: float | None = settings.now_ms()
        self._answer_ms = float("inf")
        self._capturing = False
        self._hand_on_ms = float("-inf")
        self._fresh = False
        """The next frame is the first of a leg that was made again."""
        self._closed = False

    @property
    def leg(self) -> Leg | None:
        """The leg that stands or is being made."""
        return self._leg

    @property
    def waiting(self) -> tuple[int, int]:
        """How many packets wait for a missing one, and how many frames to be handed on."""
        receiver = self._leg.receiver if self._leg is not None else None
        packets = len(receiver.video.reorder) + len(receiver.audio.reorder) if receiver else 0
        return packets, len(self._buffer)

    def tick(self, now_ms: float) -> None:
        """What happens by time: the leg's own ticks, clusters that are due, the next attempt."""
        if self._closed:
            return
        if (leg := self._leg) is not None:
            leg.tick()
            if leg.hurried:
                self._settings.hurried = True
            if leg.state is LegState.NEW and now_ms > self._answer_ms:
                self._failed("no answer")
        if now_ms >= self._hand_on_ms or self._buffer.full:
            # nothing is done in a tick that can wait
            seconds = (now_ms - self._phase_ms) // SEGMENT_MS + 1
            self._hand_on_ms = seconds * SEGMENT_MS + self._phase_ms
            self._hand_on(self._buffer.due(now_ms))
        if self._leg is None and self._retry_ms is not None and now_ms >= self._retry_ms:
            self._begin(now_ms)

    async def answer(self, sdp: str) -> None:
        """The party's answer; one that cannot be accepted costs this leg."""
        leg = self._leg
        if leg is None:
            return
        try:
            await leg.accept(sdp)
        except SdpRefused:
            if leg is self._leg and leg.state is LegState.NEW:
                self._failed("sdp.refused")

    async def trickle(self, candidate: str) -> None:
        """A candidate of the party's."""
        if self._leg is not None:
            await self._leg.add_candidate(candidate)

    def lost(self, reason: str = "") -> None:
        """The browser says that it refused or lost its leg, and why."""
        if self._leg is not None:
            self._failed("browser", SOON_MS if reason == PATH_LOST else RETRY_MS[-1])

    def close(self, moment_ms: float) -> int:
        """The gate closed: hand on what is from before, drop the rest; how many frames dropped."""
        self._closed = True
        self._retry_ms = None
        segments, dropped = self._buffer.close(moment_ms)
        self._hand_on(segments)
        losing: dict[Kind, Span] = {}
        if self._leg is not None and not self._fresh:
            losing = self._leg.receiver.losing(self._settings.now_ms())
            if (since_ms := self._buffer.silent_ms) is not None:
                losing.setdefault(Kind.AUDIO, Span(since_ms))
        if losing or self._fresh:
            self._reports.ended(losing, self._fresh, moment_ms)
        if self._leg is not None:
            self._drop_leg()
            self._reports.state("closed", "")
        return dropped

    def _begin(self, now_ms: float) -> None:
        grant = self._grant
        hold_ms = max(MIN_HOLD_MS, grant.delay_ms - HOLD_MARGIN_MS)
        self._leg = leg = Leg(
            certificate=self._settings.certificate,
            ice_servers=self._settings.servers(grant.recording, self._turn),
            relay_only=self._settings.relay_only,
            sink=self._frames,
            on_state=lambda state, reason: self._state(leg, state, reason),
            now_ms=self._settings.now_ms,
            receiver=Receiver(hold_ms=hold_ms, cap_bps=grant.max_bitrate),
            cap_bps=grant.max_bitrate,
            max_height=grant.max_height,
        )
        self._retry_ms = None
        self._answer_ms = now_ms + ANSWER_MS
        self._tasks.spawn(self._offer(leg), name="leg offer")

    async def _offer(self, leg: Leg) -> None:
        try:
            sdp = await leg.offer()
        except ConnectionError:
            return  # closed before it began
        if leg is self._leg:
            self._answer_ms = self._settings.now_ms() + ANSWER_MS
            self._reports.offer(advertised(sdp, self._settings.address))

    def _frames(self, frames: list[EncodedFrame]) -> None:
        if self._fresh:
            self._fresh = False
            self._buffer.begin(min(frame.timestamp_ms for frame in frames), LEG_LOST)
        for frame in frames:
            self._buffer.add(frame)

    def _state(self, leg: Leg, state: LegState, reason: str) -> None:
        if leg is not self._leg:
            return
        if state is LegState.CONNECTED:
            self._failures = 0
            self._reports.state("connected", "")
        elif state is LegState.FAILED:
            self._failed(reason)

    def _failed(self, reason: str, most_ms: float = RETRY_MS[-1]) -> None:
        self._drop_leg()
        delay_ms = min(RETRY_MS[min(self._failures, len(RETRY_MS) - 1)], most_ms)
        self._failures += 1
        self._retry_ms = None if self._closed else self._settings.now_ms() + delay_ms
        self._fresh = True
        self._reports.state("failed", reason)

    def _drop_leg(self) -> None:
        leg, self._leg = self._leg, None
        self._capturing = False
        if leg is not None:
            self._turn += not leg.relayed
            self._reports.retire(leg)

    def _hand_on(self, segments: list[CutSegment]) -> None:
        for frames, gap_reason in segments:
            if not self._capturing and not self._closed:
                self._capturing = True
                self._reports.state("capturing", "")
            self._reports.segment(frames, gap_reason)
