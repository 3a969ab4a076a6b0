"""What this worker counts, for whoever watches from outside. Nothing of a person is in it.

`avsession.messages.figures` names each figure and says what it means; METRICS.md is made of that.
"""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary

from avsession.messages.figures import FIGURES
from recorder.disk import Disk
from recorder.frames import EncodedFrame, Kind
from recorder.leg import Leg

STALL_MS = 1_000.0
"""Video that stands still for longer than this is a stall."""

HEAD = """\
# What a recorder tells of itself

Printed from the code by `python -m recorder.metrics`; do not edit by hand.

Every second each worker sends these figures to the server with its heartbeat. The server shows
the newest ones at `/metrics`, in Prometheus's text format, as `avsession_recorder_NAME` with the
label `worker`; a worker that is not connected is not there. Nothing of a person is in them. A
counter begins anew when its worker does.

| name | kind | meaning |
|---|---|---|"""

_OF_A_LEG = (
    "packets_total",
    "packets_refused_total",
    "packets_malformed_total",
    "packets_lost_total",
    "packets_recovered_total",
    "frames_discarded_total",
)


class Waiting(NamedTuple):
    """What waits, of one recording: each a figure of that name. Nothing waits without a limit."""

    packets_waiting: int
    frames_waiting: int
    jobs_waiting: int
    segments_unlisted: int
    entries_waiting: int


class Metrics:
    """The figures by name. A name that is not in FIGURES is a KeyError."""

    def __init__(self) -> None:
        self._values = dict.fromkeys(FIGURES, 0.0)
        self._read: WeakKeyDictionary[Leg, tuple[int, ...]] = WeakKeyDictionary()

    def count(self, name: str, by: float = 1.0) -> None:
        """Add to a counter."""
        self._values[name] += by

    def put(self, name: str, value: float) -> None:
        """Say what a gauge is now."""
        if name not in self._values:
            raise KeyError(name)
        self._values[name] = value

    def leg(self, leg: Leg) -> None:
        """Add what a leg has counted since it was read last."""
        video, audio = leg.receiver.video.reorder, leg.receiver.audio.reorder
        now = (
            leg.packets,
            leg.refused,
            leg.receiver.malformed,
            video.lost + audio.lost,
            video.recovered + audio.recovered,
            leg.receiver.discarded,
        )
        before = self._read.get(leg, (0,) * len(now))
        self._read[leg] = now
        for name, new, old in zip(_OF_A_LEG, now, before, strict=True):
            # a sender that begins a new stream begins its counters anew
            self.count(name, new - old if new >= old else new)

    def disk(self, disk: Disk) -> None:
        """Take over what the disk has measured."""
        self.put("fsync_seconds_total", disk.synced_s)
        self.put("fsyncs_total", disk.syncs)
        self.put("fsync_longest_seconds", disk.longest_s)
        disk.longest_s = 0.0

    def waiting(self, each: Sequence[Waiting]) -> None:
        """Say what waits in all recordings together."""
        for place, name in enumerate(Waiting._fields):
            self.put(name, sum(one[place] for one in each))

    def memory(self) -> None:
        """Say how much memory this process holds, if the system tells."""
        with contextlib.suppress(OSError):
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
            self.put("memory_bytes", pages * resource.getpagesize())

    def timed(self, job: Callable[[], None]) -> Callable[[], None]:
        """The job, its time counted as storing; it runs in the spool's thread."""

        def run() -> None:
            began = time.perf_counter()
            try:
                job()
            finally:
                self.count("store_seconds_total", time.perf_counter() - began)

        return run

    def figures(self) -> dict[str, float]:
        """All of them, as a heartbeat tells them."""
        return {name: round(value, 6) for name, value in self._values.items()}


class Watch:
    """One party's video: does it stand still?"""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._last_ms: float | None = None

    def segment(self, frames: Sequence[EncodedFrame]) -> None:
        """A segment is on its way to the disk; it holds less than a second."""
        self._metrics.count("segments_total")
        self._metrics.count("frames_total", len(frames))
        first = next((f for f in frames if f.kind is Kind.VIDEO), None)
        if first is None:
            return
        if self._last_ms is not None and first.timestamp_ms - self._last_ms > STALL_MS:
            self._metrics.count("stalls_total")
        self._last_ms = next(f.timestamp_ms for f in reversed(frames) if f.kind is Kind.VIDEO)

    def cut(self) -> None:
        """The leg is gone: what is missing now is a gap, no stall."""
        self._last_ms = None


def document() -> str:
    """METRICS.md."""
    rows = (f"| `{name}` | {kind} | {meaning} |" for name, (kind, meaning) in FIGURES.items())
    return "\n".join((HEAD, *rows, ""))


if __name__ == "__main__":
    sys.stdout.write(document())
