"""Whether a recording is in step: lips with voices, one party with the other, all with the clock.

Two synthetic parties send a flash and a beep each second of one clock, through the real worker
(legs, spool, sealing); what a reviewer gets is decoded and looked at. Their own clocks drift and
are wrong, their networks are late and lossy.

    python -m tests.bench.sync [--minutes 30]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import os
import statistics
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from avsession.recording import Gap
from avsession.tasks import Tasks
from tests.bench.domain import Domain, party_names, track_name
from tests.bench.marked import Clocks, MarkedParty
from tests.bench.marked import Path as Way
from tests.support import marks, memory

LIPS_MS, PARTIES_MS, DURATION_MS = 45.0, 60.0, 100.0
"""At most so far apart: sound and picture of a party, the two parties, sent and recorded time."""

SETTLED_MS = 2_000.0
"""Before its sender has reported for the first time, a leg's media is placed by arrivals alone."""

STEPS = (((10.0, 3_600_000.0), (60.0, -700.0)), ((15.0, -3_600_000.0), (80.0, 400.0)))
"""Each party's wall clock is set twice."""

PARTIES = (
    (
        Way(base_ms=15, jitter_ms=6, loss=0.01),
        Clocks(audio_ppm=150, video_ppm=-40, wall_ppm=60, wall_ms=7_200_000, steps=STEPS[0]),
    ),
    (
        Way(base_ms=30, jitter_ms=15, loss=0.005),
        Clocks(audio_ppm=-200, video_ppm=50, wall_ppm=-80, wall_ms=-400, steps=STEPS[1], dtx=True),
    ),
)
"""What the bench sends through."""


@dataclass(frozen=True)
class Track:
    """One party's recording and what was sent, ms on the recording's timeline."""

    found: marks.Marks
    start_ms: float
    """Zero of the common clock."""
    sent_s: dict[str, tuple[float, float]]
    gaps: tuple[Gap, ...]
    stored: float
    """The share of the sent frames that is there."""

    @property
    def first_lips(self) -> list[float]:
        """How much later each beep is than its flash, before the sender's first reports."""
        return marks.apart(
            [beep for beep in self.found.beeps if beep < self.settled_ms], self.found.flashes
        )

    @property
    def lips(self) -> list[float]:
        """How much later each beep is than its flash, from then on."""
        return marks.apart(self.beeps, self.found.flashes)

    @property
    def settled_ms(self) -> float:
        """From when on the clocks are known, on the timeline."""
        return self.start_ms + SETTLED_MS

    @property
    def flashes(self) -> list[float]:
        """From then on."""
        return [flash for flash in self.found.flashes if flash >= self.settled_ms]

    @property
    def beeps(self) -> list[float]:
        """From then on."""
        return [beep for beep in self.found.beeps if beep >= self.settled_ms]

    @property
    def late(self) -> list[float]:
        """How much later than it happened each flash is on the timeline: the way there."""
        whole = [self.start_ms + 1000 * n for n in range(math.ceil(self.sent_s["video"][1]) + 1)]
        return marks.apart(self.flashes, whole)

    @property
    def stretched(self) -> float:
        """Recorded time less sent time, from the first frame to the last."""
        began, ended = zip(*self.sent_s.values(), strict=True)
        first = min(self.found.pictures[0], self.found.sounds[0])
        last = max(self.found.pictures[1], self.found.sounds[1])
        sent_ms: float = (max(ended) - min(began)) * 1000
        return last - first - sent_ms


async def record(
    folder: Path, seconds: float, parties: Iterable[tuple[Way, Clocks]] = PARTIES
) -> list[Track]:
    """One recording of these parties, two of them, as its reviewer gets it."""
    given = list(parties)
    made: dict[int, MarkedParty] = {}
    numbers = {party_names(number)[1]: number for number in range(len(given))}
    tasks = Tasks()
    connected = asyncio.Event()

    async def offered(recording: str, party: str, sdp: str) -> None:
        async def reply() -> None:
            # an offer that was not met in time is made again, on a machine that is very busy
            publisher = MarkedParty(party, *given[numbers[party]])
            everyone.append(publisher)
            await publisher.gather()
            await domain.answer(recording, party, publisher.describe("active"))
            await publisher.connect(sdp, "client")
            made[numbers[party]] = publisher
            if len(made) == len(given):
                connected.set()

        tasks.spawn(reply(), name="answer")

    everyone: list[MarkedParty] = []
    domain = Domain(folder, offered)
    try:
        await domain.start(capacity=len(given))
        await domain.capture(range(len(given)))
        await asyncio.wait_for(connected.wait(), 60)
        await domain.until(lambda: domain.connected == numbers.keys())
        start = time.monotonic() + 0.5
        start_ms = (start + time.time() - time.monotonic()) * 1000
        await asyncio.gather(*(publisher.play(start, seconds) for publisher in made.values()))
        await asyncio.sleep(1.0)  # for what is on its way still: that nothing is, nobody says
        await domain.close_gates()
        if domain.problems:
            print("the recorder complained:", domain.problems)
    finally:
        await domain.stop()
        for publisher in everyone:
            await publisher.close()
        await tasks.close()
    tracks = []
    for number, publisher in sorted(made.items()):
        recording, party = party_names(number)
        path = folder / f"{publisher.name}.webm"
        path.write_bytes(await domain.review(recording, track_name(party)))
        manifest = domain.manifest(recording)
        kept = manifest.segments(track_name(party))
        stored = sum(s.video_frames + s.audio_frames for s in kept)
        sent = publisher.counts["video"] + publisher.counts["audio"]
        tracks.append(
            Track(
                marks.find(path),
                start_ms - domain.epoch_ms[recording],
                publisher.sent_s,
                manifest.gaps(track_name(party)),
                stored / sent,
            )
        )
    return tracks


def go_first() -> None:
    """Let this process and those it starts go before others where that is allowed.

    Senders that are late would be measured, not clocks.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -15)


def furthest(values: Iterable[float]) -> float:
    """The one with the largest amount, whichever its sign."""
    return max(values, key=abs, default=math.nan)


def report(tracks: list[Track], seconds: float) -> bool:
    """Print the table; whether all of it is within its limits."""
    print(f"\nsync: {seconds / 60:g} minutes, a flash and a beep a second, two parties, loss, ")
    print(
        f"jitter, drifting clocks, both clocks set by an hour; load over the last minute "
        f"{os.getloadavg()[0]:.1f}"
    )
    rows: list[tuple[str, list[float], float]] = []
    for number, track in enumerate(tracks):
        rows.append((f"party {number + 1}: beep after its flash", track.lips, LIPS_MS))
    one, other = tracks
    rows.append(
        ("flashes, party 2 after party 1", marks.apart(other.flashes, one.flashes), PARTIES_MS)
    )
    rows.append(("beeps, party 2 after party 1", marks.apart(other.beeps, one.beeps), PARTIES_MS))
    for number, track in enumerate(tracks):
        rows.append((f"party {number + 1}: recorded less sent", [track.stretched], DURATION_MS))
    rows = [(name, values or [math.nan], limit) for name, values, limit in rows]
    good = True
    print(f"{'ms':36} {'count':>6} {'median':>8} {'least':>8} {'most':>8} {'limit':>6}")
    for name, values, limit in rows:
        within = abs(furthest(values)) <= limit
        good = good and within
        print(
            f"{name:36} {len(values):6} {statistics.median(values):8.1f} {min(values):8.1f} "
            f"{max(values):8.1f} {limit:6.0f} {'' if within else 'NOT HELD'}"
        )
    for number, track in enumerate(tracks):
        print(
            f"party {number + 1}: flashes {len(track.found.flashes)}, beeps "
            f"{len(track.found.beeps)}, on the timeline "
            f"{statistics.median(track.late or [math.nan]):.0f} ms "
            f"after they happened; {100 * track.stored:.2f} % of the frames stored, "
            f"{len(track.gaps)} gaps; first beeps "
            f"{', '.join(f'{late:.0f}' for late in track.first_lips)} ms after their flashes"
        )
    return good


def main(arguments: list[str]) -> int:
    """Measure and print; 1 if a limit does not hold."""
    options = argparse.ArgumentParser(prog="python -m tests.bench.sync")
    options.add_argument("--minutes", type=float, default=3.0)
    given = options.parse_args(arguments)
    go_first()
    with memory.folder() as name:
        tracks = asyncio.run(record(Path(name), given.minutes * 60))
    return 0 if report(tracks, given.minutes * 60) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
