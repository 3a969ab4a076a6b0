"""One recording in this worker: its gate, its parties, its journal.

`Capture` decides; it knows neither the socket to signaling nor the disk. The worker hands it what
the server says and ticks it; it hands back messages to send.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import Any

from avsession.errors import Unavailable
from avsession.grant import Grant, digest
from avsession.messages import CloseGate, LegOffer, LegState, ManifestLine, Message
from avsession.recording import PAUSED
from avsession.tasks import Tasks
from recorder.entries import LEFT_OPEN, Entries
from recorder.frames import EncodedFrame, Kind, Span
from recorder.gate import Gate
from recorder.journal import Journal
from recorder.leg import Leg
from recorder.leg import LegState as LegPhase
from recorder.metrics import Metrics, Waiting, Watch
from recorder.party import LegSettings, Party, Reports
from recorder.server_clock import ServerClock
from recorder.spool import Chain
from recorder.track import SegmentWriter, Timeline

log = logging.getLogger("recorder.capture")

RETIRE_S = 2.0
"""How long closing waits for legs to say goodbye."""
END_AFTER_MS = 2_000.0
"""The end waits this long for the domain's word on the last segments."""
TRY_END_MS = (0.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0, 16_000.0)
"""After a disk has failed, when the end is tried; then the recording is left without one."""


class Capture:
    """Everything of one recording, from its first grant to its last manifest entry.

    ``send`` takes a message for the server and may drop it when there is no link; manifest lines
    are kept and sent again.
    """

    def __init__(
        self,
        chain: Chain,
        *,
        executor: Executor,
        legs: LegSettings,
        clock: ServerClock,
        send: Callable[[Message], None],
        signing_key: str,
        metrics: Metrics | None = None,
    ) -> None:
        self.recording = chain.recording
        self.told = {"recording": chain.recording}
        """What each line of the log says of it besides."""
        self.gate = Gate(chain.generation)
        self._finishing_ms: float | None = None
        self._chain, self._legs, self._clock, self._send = chain, legs, clock, send
        self._entries, self._metrics = Entries(chain, signing_key), metrics or Metrics()
        self._tasks = Tasks(limit=256)
        self._retired: set[asyncio.Task[None]] = set()
        self._parties: dict[str, Party] = {}
        self._timeline: Timeline | None = None
        self._interrupted = chain.attached is not None
        """A worker that held this recording ended without a word."""
        self._broken = False
        """Nothing more is captured: the disk failed, or all of it is to be erased."""
        self._given_up = False
        """The end will not be written: it is to be erased, or the disk goes on failing."""
        self._tries = 0
        self._erased = False
        self._gap_reason = LEFT_OPEN if chain.begun else "no.media"
        if chain.detached == PAUSED:
            self._gap_reason = PAUSED  # a restart in a pause loses nothing
        self.journal = Journal(
            chain,
            executor=executor,
            tasks=self._tasks,
            send=lambda _number, line: send(ManifestLine(recording=self.recording, line=line)),
            on_failure=self.fail,
            now_ms=legs.now_ms,
            told=self.told,
        )

    @property
    def settled(self) -> bool:
        """Whether all is written and the domain has all of it: the spool may go."""
        return self._chain.ended and self.journal.idle and not self.journal.unaccepted

    @property
    def reported(self) -> bool:
        """Whether all that is written has the domain's word."""
        return self._given_up or (self.journal.idle and not self.journal.unaccepted)

    @property
    def begun(self) -> bool:
        """Whether the manifest has its first entry, or is about to."""
        return self._timeline is not None or self._chain.begun

    @property
    def ended(self) -> bool:
        """Whether the manifest has its last entry."""
        return self.journal.idle and self._chain.ended

    @property
    def finishing(self) -> bool:
        """Whether the end is to be written and can be."""
        return self._finishing_ms is not None and not self._given_up

    @property
    def live(self) -> bool:
        """Whether the gate is open here."""
        return self.gate.generation is not None

    def begin(self, grant: Grant, token: str) -> None:
        """Capture under a grant that the worker has checked for itself.

        Raises GrantStale unless its generation is a new one, Invalid for a recipient that is no
        age key, Unavailable when the recording is over or broken here; nothing has changed then.
        """
        now_ms = self._legs.now_ms()
        offset, uncertainty = self._clock.estimate(now_ms)
        timeline = self._timeline or self._new_timeline(offset - grant.epoch_ms, now_ms)
        writers = {
            leg.party: SegmentWriter(leg.track, leg.recipient, self._chain, self.gate, timeline)
            for leg in grant.legs
        }
        if self._broken or self._finishing_ms is not None:
            raise Unavailable("The recording cannot go on here.")
        before = self.gate.generation
        self.gate.open(grant.generation, now_ms)
        self._timeline = timeline
        self._metrics.count("gate_opened_total")
        if before is not None:
            self._end_generation(before, "superseded")
        clock = (offset, uncertainty)
        self.journal.post(partial(self._entries.attach, grant, digest(token), clock))
        self._parties = {
            party: self._party(grant, party, writer) for party, writer in writers.items()
        }
        self.told["session"] = grant.session
        log.info("gate open, generation %d", grant.generation, extra=self.told)

    def measure(self) -> int:
        """Count what the legs have counted; how many of them are connected."""
        legs = [party.leg for party in self._parties.values() if party.leg is not None]
        for leg in legs:
            self._metrics.leg(leg)
        return sum(leg.state is LegPhase.CONNECTED for leg in legs)

    def waiting(self) -> Waiting:
        """What waits here. Of the spool's thread as it was a moment ago."""
        each = [party.waiting for party in self._parties.values()]
        return Waiting(
            packets_waiting=sum(packets for packets, _ in each),
            frames_waiting=sum(frames for _, frames in each),
            jobs_waiting=self.journal.waiting,
            segments_unlisted=self._chain.unlisted,
            entries_waiting=len(self._chain.lines),
        )

    def party(self, generation: int, party: str) -> Party | None:
        """A party of the live generation; None for any other, whose messages mean nothing here."""
        return self._parties.get(party) if generation == self.gate.generation else None

    def tick(self, now_ms: float) -> None:
        """Every 20 ms: legs, clusters, and the gate that closes when nobody confirms it."""
        generation = self.gate.generation
        self.journal.tick(now_ms)
        if generation is None:
            self._maybe_end(now_ms)
            return
        if self.gate.expire(now_ms):
            self._end_generation(generation, "signaling.lost")
            return
        if self.journal.stalled or self.journal.ignored:
            self.fail("disk.slow" if self.journal.stalled else "not.accepted")
            return
        for party in self._parties.values():
            party.tick(now_ms)

    def confirm(self, live: int | None, asked_ms: float, *, paused: bool = False) -> None:
        """What a heartbeat's answer says is live for this recording; ``paused``: why nothing is."""
        generation = self.gate.generation
        if self.gate.confirm(live, asked_ms) and generation is not None:
            self._end_generation(generation, PAUSED if paused else "gate.closed")

    def close(self, order: CloseGate) -> None:
        """The server closed the gate. What is from before that moment is kept, the rest dropped."""
        now_ms = self._legs.now_ms()
        moment_ms = float("-inf")
        if self._clock.known:
            # whatever the clocks may be off by counts against keeping
            offset, uncertainty = self._clock.estimate(now_ms)
            moment_ms = min(now_ms, order.closed_ms - offset - uncertainty)
        was_live = self.gate.generation
        self.gate.close(order.generation, moment_ms)
        if order.erase:
            # nothing is written any more; the worker deletes the folder
            self._broken = self._given_up = self._erased = True
        if was_live is not None and self.gate.generation is None:
            self._end_generation(was_live, order.reason)
        if order.final or order.erase:
            self.finish()

    def suspend(self, reason: str) -> None:
        """Stop capturing; the recording waits for the server's word, or for the next start."""
        self._stop(reason)

    def finish(self) -> None:
        """Write the end, once everything before it is written and has the domain's word.

        A segment can be refused only before the end, so it waits for that, END_AFTER_MS at most.
        """
        if self.gate.generation is not None:
            generation = self.gate.generation
            self.gate.close(generation, self._legs.now_ms())
            self._end_generation(generation, "worker.stopping")
        if self._finishing_ms is None:
            self._finishing_ms = self._legs.now_ms()

    def fail(self, reason: str) -> None:
        """Something failed: nothing more is stored, everyone is told why, the call goes on."""
        if self._broken:
            return
        self._broken, self._entries.failure = True, reason
        self._say_failed(reason)
        self._stop(reason)

    def accepted(self, number: int) -> None:
        """The domain has this entry."""
        self.journal.answered(number)
        # while capturing nobody waits for it
        post = self.journal.post_later if self.live else self.journal.post
        post(partial(self._chain.accept, number))

    def refused(self, number: int, code: str) -> None:
        """The domain does not take this entry.

        If it was not for its segment, nothing can follow it: nothing more is captured. What is
        written is offered again for a while, since a domain may be away only for a moment.
        """
        self.journal.answered(number)
        log.warning("entry %d refused", number, extra={**self.told, "code": code})
        if code == "segment.refused":
            self.journal.post(partial(self._refused, number))
            return
        if self.live:
            self._say_failed("not.accepted")
            self._stop("refused")
        self.journal.again()

    async def drain(self) -> None:
        """Wait until the disk has everything."""
        await self.journal.drained()

    async def aclose(self) -> None:
        """End every task and leg; what is not written by now is not written."""
        for party in self._parties.values():
            party.close(float("-inf"))
        if self._retired:
            await asyncio.wait(self._retired, timeout=RETIRE_S)
        await self._tasks.close()

    def _say_failed(self, reason: str) -> None:
        """Tell the server that this recording cannot go on here, and why."""
        self._metrics.count("failures_total")
        self._interrupted = True
        log.error("the recording stops", extra={**self.told, "reason": reason})
        generation = self.gate.generation
        if generation is None:
            return
        for party in self._parties:
            self._send(
                LegState(
                    recording=self.recording,
                    generation=generation,
                    party=party,
                    state="failed",
                    reason=reason,
                )
            )

    # --- in the spool's thread

    def _end(self) -> None:
        if not self._erased:
            self._entries.end(interrupted=self._interrupted)

    def _refused(self, number: int) -> None:
        self._chain.refuse(number, "segment.refused")

    # --- in the event loop

    def _new_timeline(self, shift_ms: float, now_ms: float) -> Timeline:
        # whatever the clocks may be off by, nothing new lies before what is stored, or before 0
        least = self._chain.duration_ms + 1 - now_ms
        return Timeline(math.ceil(max(shift_ms, least)), self._estimate)

    def _estimate(self) -> tuple[float, float]:
        return self._clock.estimate(self._legs.now_ms())

    def _party(self, grant: Grant, party: str, writer: SegmentWriter) -> Party:
        here: dict[str, Any] = {
            "recording": self.recording, "generation": grant.generation, "party": party,
        }  # fmt: skip

        def offer(sdp: str) -> None:
            self._send(LegOffer(sdp=sdp, **here))

        watch = Watch(self._metrics)

        def state(name: str, reason: str) -> None:
            if name == "failed":
                self._metrics.count("legs_failed_total")
                watch.cut()
            self._send(LegState(state=name, reason=reason, **here))

        def segment(frames: list[EncodedFrame], gap_reason: str) -> None:
            if not self._broken:
                watch.segment(frames)
                job = partial(writer.write, grant.generation, frames, gap_reason)
                self.journal.post(self._metrics.timed(job))

        begun = (self._legs.now_ms(), self._gap_reason)

        def ended(losing: dict[Kind, Span], legless: bool, moment_ms: float) -> None:
            if not self._broken and math.isfinite(moment_ms):
                tail = partial(writer.tail, losing, moment_ms, legless=legless, begun=begun)
                self.journal.post(tail)

        return Party(
            grant,
            writer,
            settings=self._legs,
            reports=Reports(offer, state, segment, self._retire, ended),
            tasks=self._tasks,
            gap_reason=self._gap_reason,
        )

    def _retire(self, leg: Leg) -> None:
        self._metrics.leg(leg)
        task = self._tasks.spawn(leg.close(), name="leg close")
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)

    def _end_generation(self, generation: int, reason: str) -> None:
        """The gate is closed already: empty the buffers up to its moment and end the legs."""
        self._metrics.count("gate_closed_total")
        moment_ms = self.gate.closed_at(generation)
        dropped = sum(
            party.close(float("-inf") if self._broken or moment_ms is None else moment_ms)
            for party in self._parties.values()
        )
        self._parties = {}
        self._gap_reason = reason if reason in (PAUSED, "signaling.lost") else "gate.closed"
        if not self._broken:
            self.journal.post(partial(self._entries.detach, generation, reason))
        log.info(
            "gate closed, generation %d, %d frames dropped",
            generation, dropped, extra={**self.told, "reason": reason},
        )  # fmt: skip

    def _maybe_end(self, now_ms: float) -> None:
        if self._finishing_ms is None or self._given_up or self._chain.ended:
            return
        waited_ms = now_ms - self._finishing_ms
        if not self.journal.idle or (self._broken and waited_ms < TRY_END_MS[self._tries]):
            return
        if not self.journal.unaccepted or waited_ms > END_AFTER_MS:
            # a disk that failed is asked a few times more, for two short lines
            self._tries += 1
            self._given_up = self._tries >= len(TRY_END_MS)
            self.journal.post(self._end)

    def _stop(self, reason: str) -> None:
        """Close from here; the recording waits for the server's word."""
        generation = self.gate.generation
        if generation is not None:
            self.gate.close(generation, self._legs.now_ms())
            self._end_generation(generation, reason)
