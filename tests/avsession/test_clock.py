"""Server time that cannot be set while it is being compared with."""

from __future__ import annotations

import time

from avsession.clock import NS_PER_MS, SystemClock

HOUR_MS = 3_600_000


class Host:
    """A computer: true time, and what somebody made of its clock."""

    def __init__(self) -> None:
        self.ms, self.set_by_ms = 1_750_000_000_000, 0

    def wall_ns(self) -> int:
        return (self.ms + self.set_by_ms) * NS_PER_MS

    def steady_ns(self) -> int:
        return (self.ms - 1_700_000_000_000) * NS_PER_MS


def test_it_counts_on_whatever_becomes_of_the_computers_clock() -> None:
    host = Host()
    clock = SystemClock(host.wall_ns, host.steady_ns)
    began = clock.now_ms()
    assert began == host.ms
    for set_by_ms in (HOUR_MS, -HOUR_MS):
        host.ms += 5
        host.set_by_ms = set_by_ms
        assert clock.away_ms() == set_by_ms
    assert clock.now_ms() == began + 10


def test_a_clock_that_was_set_is_taken_over_when_told_to() -> None:
    host = Host()
    clock = SystemClock(host.wall_ns, host.steady_ns)
    host.set_by_ms = -HOUR_MS
    clock.adopt()
    assert (clock.away_ms(), clock.now_ms()) == (0, host.ms - HOUR_MS)


def test_by_default_it_is_this_computers() -> None:
    clock = SystemClock()
    before = time.time_ns() // NS_PER_MS - 1_000
    assert before < clock.now_ms() < before + 60_000
    assert abs(clock.away_ms()) < HOUR_MS
