"""Two minutes of two parties whose clocks are wrong, over paths that are not kind, looked at."""

from __future__ import annotations

from pathlib import Path

from recorder.track import LOST
from tests.bench import sync
from tests.support import marks, memory


async def test_two_minutes_are_in_step() -> None:
    """Flashes and beeps of one clock are together in what a reviewer gets, and with the other's."""
    sync.go_first()
    with memory.folder() as name:
        tracks = await sync.record(Path(name), 120)
    for track in tracks:
        assert {gap.reason for gap in track.gaps} <= set(LOST.values()), "but for what was lost"
        assert track.stored > 0.95
        assert len(track.lips) > 90
        assert abs(sync.furthest(track.lips)) <= sync.LIPS_MS
        assert abs(track.stretched) <= sync.DURATION_MS
        assert max(track.late) - min(track.late) <= sync.LIPS_MS, "no drift either"
    one, other = tracks
    for ours, theirs in ((one.flashes, other.flashes), (one.beeps, other.beeps)):
        apart = marks.apart(ours, theirs)
        assert len(apart) > 90
        assert abs(sync.furthest(apart)) <= sync.PARTIES_MS
