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
TRIES, MOST_LATE = 3, 0.05
FIVE = Weather(round_trip_ms=50, loss=0.05)
TWENTY = Weather(round_trip_ms=50, loss=0.2, overtaking=0.25, twice=0.1)
HOPELESS = Weather(round_trip_ms=250, loss=0.2)
"""A packet that is lost twice comes too late."""


@dataclass(frozen=True)
class Outcome:
    """Of one sender."""

    sent: dict[str, int]
    stored: Track
    lost: float
    """The share of its datagrams that were."""


async def _run(folder: Path, source: Path) -> tuple[dict[Weather, Outcome], float]:
    """What came of each weather, and the share of datagrams that were late by no fault of it."""
    weather = [FIVE, TWENTY, HOPELESS]
    async with running(folder, source, len(weather)) as run:
        sent = await run.send(weather, SECONDS)
        await run.domain.close_gates()
        assert run.domain.problems == []
        late = [path.late for path in run.paths] + [counts["late"] for counts in sent]
        return {
            each: Outcome(counts, await run.stored(number), path.lost[0] / path.passed[0])
            for number, (each, counts, path) in enumerate(
                zip(weather, sent, run.paths, strict=True)
            )
        }, sum(late) / sum(path.passed[0] for path in run.paths)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[dict[Weather, Outcome], float]]:
    """A run; and more, while the machine was too busy to be such a network."""
    folder = tmp_path_factory.mktemp("loss")
    source = folder / "source.ivf"
    media.encode(source, SOURCE_S)
    made: list[tuple[dict[Weather, Outcome], float]] = []
    while not made or (made[-1][1] > MOST_LATE and len(made) < TRIES):
        here = folder / str(len(made))
        here.mkdir()
        made.append(asyncio.run(_run(here, source)))
    return made


@pytest.fixture
def outcomes(runs: list[tuple[dict[Weather, Outcome], float]]) -> dict[Weather, Outcome]:
    return runs[-1][0]


@pytest.mark.parametrize(
    ("weather", "share", "stall_ms"), [(FIVE, 0.995, 1_000), (TWENTY, 0.95, 3_000)]
)
def test_enough_is_stored_without_a_stall(
    runs: list[tuple[dict[Weather, Outcome], float]], weather: Weather, share: float, stall_ms: int
) -> None:
    outcomes, late = runs[-1]
    if late > MOST_LATE:
        pytest.skip("too busy here to be a network; tests/recorder/test_asking.py simulates one")
    outcome = outcomes[weather]
    said = [(g.reason, g.end_ms - g.start_ms) for g in outcome.stored.gaps]
    assert len(outcome.stored.video) >= share * outcome.sent["video"], (outcome.sent, said)
    assert len(outcome.stored.audio) >= share * outcome.sent["audio"], (outcome.sent, said)
    assert outcome.stored.stall_ms <= stall_ms, said


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
