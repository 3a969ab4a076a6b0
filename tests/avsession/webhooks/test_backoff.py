"""When a failed delivery is tried again: longer each time, apart from each other, not for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from avsession.webhooks.backoff import FIRST_MS, GIVE_UP_MS, LONGEST_MS, next_ms, pause_ms

LOW, HALF, HIGH = (
    (lambda n: b"\0" * n),
    (lambda n: b"\x80" + b"\0" * (n - 1)),
    (lambda n: b"\xff" * n),
)


def test_three_times_longer_each_time_up_to_three_hours() -> None:
    pauses = [pause_ms(attempts, HALF) for attempts in range(1, 10)]
    assert pauses[:4] == [FIRST_MS, 3 * FIRST_MS, 9 * FIRST_MS, 27 * FIRST_MS]
    assert pauses[-1] == LONGEST_MS
    assert pauses == sorted(pauses)


@given(st.integers(1, 1000), st.binary(min_size=4, max_size=4))
def test_a_quarter_either_way_by_chance(attempts: int, chance: bytes) -> None:
    middle = pause_ms(attempts, HALF)
    assert middle * 0.74 <= pause_ms(attempts, lambda n: chance[:n]) <= middle * 1.26
    assert pause_ms(attempts, LOW) < pause_ms(attempts, HIGH)


def test_what_the_receiver_asks_for_within_reason() -> None:
    assert pause_ms(1, HALF, asked_ms=60_000) == 60_000
    assert pause_ms(1, HALF, asked_ms=1) == FIRST_MS
    assert pause_ms(1, HALF, asked_ms=10**12) == LONGEST_MS


def test_after_a_day_no_more() -> None:
    now, attempts = 0, 0
    while (due := next_ms(0, now, attempts + 1, HALF)) is not None:
        attempts += 1
        assert due > now
        now = due
    assert GIVE_UP_MS - LONGEST_MS <= now <= GIVE_UP_MS
    assert 10 <= attempts <= 20
    assert next_ms(now, now, 1, HALF) == now + FIRST_MS, "a replay begins another day"
