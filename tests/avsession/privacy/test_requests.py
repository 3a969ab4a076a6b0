"""A request's states and times, as the law has them."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsession.errors import Conflict
from avsession.privacy.requests import (
    TABLE,
    WAITING,
    State,
    Step,
    advance,
    due_ms,
    is_late,
    may_extend,
)


def ms(text: str) -> int:
    return round(datetime.datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("received", "due", "extended"),
    [
        ("2026-03-05T10:00:00Z", "2026-04-05T10:00:00Z", "2026-06-05T10:00:00Z"),
        ("2026-01-31T23:59:59Z", "2026-02-28T23:59:59Z", "2026-04-30T23:59:59Z"),
        ("2028-01-30T00:00:00Z", "2028-02-29T00:00:00Z", "2028-04-30T00:00:00Z"),
        ("2026-11-30T12:00:00Z", "2026-12-30T12:00:00Z", "2027-02-28T12:00:00Z"),
        ("2026-12-31T12:00:00.123Z", "2027-01-31T12:00:00.123Z", "2027-03-31T12:00:00.123Z"),
    ],
)
def test_a_month_and_once_two_more(received: str, due: str, extended: str) -> None:
    assert due_ms(ms(received)) == ms(due)
    assert due_ms(ms(received), extended=True) == ms(extended)


@given(st.integers(0, 4_000_000_000_000))
def test_a_month_is_never_longer_or_shorter_than_one(received: int) -> None:
    day = 86_400_000
    assert 28 * day <= due_ms(received) - received <= 31 * day
    assert 89 * day <= due_ms(received, extended=True) - received <= 92 * day


def test_an_extension_is_told_within_the_first_month() -> None:
    received = ms("2026-03-05T10:00:00Z")
    assert may_extend(received, due_ms(received) - 1)
    assert not may_extend(received, due_ms(received))


def test_late_is_who_waits_when_it_was_due() -> None:
    for state in State:
        assert is_late(state, 100, 100) == (state in WAITING)
        assert not is_late(state, 100, 99)


def test_what_has_ended_stays_so() -> None:
    for state in set(State) - set(WAITING):
        for step in Step:
            with pytest.raises(Conflict):
                advance(state, step)


def test_every_way_to_the_end() -> None:
    """Each pair that the table does not have is refused; each that it has leads on."""
    for state in State:
        for step in Step:
            if (state, step) in TABLE:
                assert advance(state, step) is TABLE[state, step] is not state
            else:
                with pytest.raises(Conflict, match=str(step)):
                    advance(state, step)
    assert all(any(start is state for start, _ in TABLE) for state in WAITING)


def test_nobody_is_answered_before_it_is_known_who_they_are() -> None:
    with pytest.raises(Conflict):
        advance(State.VERIFYING, Step.ANSWER)
    assert advance(advance(State.VERIFYING, Step.VERIFIED), Step.ANSWER) is State.ANSWERED


def test_more_time_is_taken_once() -> None:
    with pytest.raises(Conflict):
        advance(advance(State.OPEN, Step.EXTEND), Step.EXTEND)
