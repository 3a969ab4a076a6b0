"""The computer's clock was set: nothing is compared across it."""

from __future__ import annotations

from pathlib import Path

from avsession.messages import CloseGate
from avsession.records import GrantRecord
from avsession.usecases import resetting, timers
from signaling.connection import End
from tests.avsession.usecases.world import opened
from tests.support.world import Clock

HOUR_MS = 3_600_000


class SetClock(Clock):
    """A clock, and by how much the computer's was set."""

    away = 0

    def away_ms(self) -> int:
        return self.away

    def adopt(self) -> None:
        self.ms, self.away = self.ms + self.away, 0


async def test_gates_close_by_the_old_time_and_recorders_come_back(tmp_path: Path) -> None:
    clock = SetClock()
    async with opened(tmp_path, clock=clock) as world:
        await world.record()
        first, old_ms, recording = world.gate, clock.now_ms(), world.gate.recording
        ended: list[End] = []
        world.hub._workers[first.worker].ear.end = ended.append  # type: ignore[method-assign, assignment]
        clock.away = HOUR_MS
        await timers.tick(world.app)
        assert world.live() is None
        assert world.recorder.last(CloseGate).closed_ms == old_ms
        grant = await world.only(GrantRecord, recording=recording)
        assert (grant.closed_ms, clock.now_ms()) == (old_ms, old_ms + HOUR_MS)
        assert ended == [End.CLOCK_SET]
        assert world.hub.workers() == []

        await world.recorder.join()
        assert world.gate.generation > first.generation
        assert world.gate.recording == recording


async def test_a_clock_that_drifts_changes_nothing(tmp_path: Path) -> None:
    clock = SetClock()
    async with opened(tmp_path, clock=clock) as world:
        await world.record()
        gate = world.gate
        clock.away = -resetting.AWAY_MS + 1
        await resetting.follow(world.app)
        assert world.live() is gate
        assert clock.away == -resetting.AWAY_MS + 1


async def test_a_grant_that_is_being_committed_closes_too(tmp_path: Path) -> None:
    """It was made by the old time; a recorder would judge it by the new one."""
    clock = SetClock()
    async with opened(tmp_path, clock=clock) as world:
        await world.recorder.join()
        await world.ask()
        await world.allow(world.agent)

        async def when_prepared() -> None:
            if world.app.gate.sessions():
                world.store.before_commit = None
                clock.away = HOUR_MS
                # as the timers, between two commits: its first half needs no database
                world.meanwhile(resetting.follow(world.app))

        world.store.before_commit = when_prepared
        await world.allow(world.customer)
        assert world.live() is None
