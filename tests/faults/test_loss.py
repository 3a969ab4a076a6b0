"""A recorder process behind bad networks, with senders that behave as browsers do.

Real UDP, real SRTP, down to the signed manifest; the figures are issue 3's. Each frame that was
sent is known, so what is missing is known too, and each hole must be in the manifest. One run for
all: each sender has a network of its own, and nobody suffers from another's.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bench import media
from tests.faults.lossy import Weather
from tests.faults.lossy_run import Track, running

SECONDS, SOURCE_S = 14.0, 6
TRIES = 3
MOST_LATE, MOST_LATE_S = 0.05, 0.2
"""A machine on which more of the datagrams are late, or one is by so much, is another network: one
that stands still for longer than anybody waits for what was lost."""
FIVE = Weather(round_trip_ms=50, loss=0.05)
TWENTY = Weather(round_trip_ms=50, loss=0.2, overtaking=0.25, twice=0.1)
HOPELESS = Weather(round_trip_ms=250, loss=0.2)
"""A packet that is lost twice comes too late."""
WANTED = ((FIVE, 0.995, 1_000), (TWENTY, 0.95, 3_000))
"""Of each weather: which share of the frames is stored at least, and the longest stall, ms."""


@dataclass(frozen=True)
class Outcome:
    """Of one sender."""

    sent: dict[str, int]
    stored: Track
    lost: float
    """The share of its datagrams that were."""


@dataclass(frozen=True)
class Made:
    """One run."""

    outcomes: dict[Weather, Outcome]
    late: float
    """The share of datagrams that were late by no fault of the weather,"""
    latest_s: float
    """and by how much at most."""

    @property
    def disturbed(self) -> bool:
        """Whether the machine was too busy to be such a network."""
        return self.late > MOST_LATE or self.latest_s > MOST_LATE_S

    def enough(self, weather: Weather, share: float, stall_ms: int) -> bool:
        """Whether so large a share is stored, and nothing stands still for longer."""
        outcome = self.outcomes[weather]
        return (
            len(outcome.stored.video) >= share * outcome.sent["video"]
            and len(outcome.stored.audio) >= share * outcome.sent["audio"]
            and outcome.stored.stall_ms <= stall_ms
        )


async def _run(folder: Path, source: Path) -> Made:
    weather = [FIVE, TWENTY, HOPELESS]
    async with running(folder, source, len(weather)) as run:
        sent = await run.send(weather, SECONDS)
        await run.domain.close_gates()
        assert run.domain.problems == []
        late = [path.late for path in run.paths] + [counts["late"] for counts in sent]
        latest_s = [path.latest_s for path in run.paths]
        latest_s += [counts["latest_ms"] / 1000 for counts in sent]
        outcomes = {
            each: Outcome(counts, await run.stored(number), path.lost[0] / path.passed[0])
            for number, (each, counts, path) in enumerate(
                zip(weather, sent, run.paths, strict=True)
            )
        }
        return Made(outcomes, sum(late) / sum(p.passed[0] for p in run.paths), max(latest_s))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A run; another one if too little was stored while the machine was too busy for this."""
    folder = tmp_path_factory.mktemp("loss")
    source = folder / "source.ivf"
    media.encode(source, SOURCE_S)
    one: Made | None = None
    for number in range(TRIES):
        here = folder / str(number)
        here.mkdir()
        one = asyncio.run(_run(here, source))
        if not one.disturbed or all(one.enough(*each) for each in WANTED):
            return one
    pytest.fail(f"too busy to be such a network, {TRIES} times: {one and (one.late, one.latest_s)}")


@pytest.fixture
def outcomes(made: Made) -> dict[Weather, Outcome]:
    return made.outcomes


@pytest.mark.parametrize(("weather", "share", "stall_ms"), WANTED)
def test_enough_is_stored_without_a_stall(
    made: Made, weather: Weather, share: float, stall_ms: int
) -> None:
    outcome = made.outcomes[weather]
    gaps = [(g.reason, g.end_ms - g.start_ms) for g in outcome.stored.gaps]
    said = (outcome.sent, gaps, outcome.stored.stall_ms, f"late {made.late}, {made.latest_s} s")
    assert made.enough(weather, share, stall_ms), said


@pytest.mark.parametrize("weather", [FIVE, TWENTY, HOPELESS])
def test_what_is_stored_decodes_and_what_is_not_is_said(
    outcomes: dict[Weather, Outcome], weather: Weather
) -> None:
    outcome = outcomes[weather]
    assert abs(outcome.lost - weather.loss) < 0.03, "the network was not what it should be"
    assert outcome.stored.complaint == ""
    assert outcome.stored.unsaid(outcome.stored.video, "video.lost") == []
    assert outcome.stored.unsaid(outcome.stored.audio, "audio.lost") == []
    # of sound nothing tells that there was something before the first packet that came
    video, sent = outcome.stored.video, outcome.sent["video"]
    assert outcome.stored.unsaid_ends(video, "video.lost", sent) == []


def test_nothing_is_hidden_where_much_is_lost(outcomes: dict[Weather, Outcome]) -> None:
    """So that the tests above have something to say."""
    outcome = outcomes[HOPELESS]
    assert 0 < len(outcome.stored.video) < outcome.sent["video"]
    assert any(g.reason == "video.lost" for g in outcome.stored.gaps)
