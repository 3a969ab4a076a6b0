"""The consent state's own questions: who sits where, what all allow, whether to ask again."""

from __future__ import annotations

import pytest

from avsession.consent_events import Answer, ConsentState, Pause, Phase, Request, Seat
from avsession.session import Presence


def seated(**ticked: tuple[str, ...]) -> ConsentState:
    """A live request for a, b and c; each party with what it ticked."""
    seats = tuple(
        Seat(party, Presence.PRESENT, Answer.GIVEN, purposes) for party, purposes in ticked.items()
    )
    request = Request("request", "agent", ("a", "b", "c"), {}, 0)
    return ConsentState(Phase.HELD, seats=seats, request=request)


@pytest.mark.parametrize(
    ("ticked", "common"),
    [
        ({"agent": ("a", "b", "c"), "customer": ("c", "a")}, ("a", "c")),
        ({"agent": ("a",), "customer": ("b",)}, ()),
        ({"agent": ("a", "b", "c"), "customer": ()}, ()),
        ({"agent": ("b", "b", "x"), "customer": ("b", "x")}, ("b",)),
        ({}, ()),
    ],
)
def test_common_purposes_are_the_intersection_in_the_requests_order(
    ticked: dict[str, tuple[str, ...]], common: tuple[str, ...]
) -> None:
    assert seated(**ticked).common_purposes == common


def test_without_a_request_nothing_is_common() -> None:
    assert ConsentState(seats=(Seat("agent", purposes=("a",)),)).common_purposes == ()


def test_a_seat_is_found_by_its_party() -> None:
    state = seated(agent=("a",))
    assert state.seat("agent") == state.seats[0]
    assert state.seat("customer") is None


@pytest.mark.parametrize(
    ("state", "may"),
    [
        (ConsentState(), True),
        (ConsentState(refusals=1), True),
        (ConsentState(refusals=2), False),
        (ConsentState(refusals=3), False),
        (ConsentState(phase=Phase.ENDED), False),
    ],
)
def test_asking_ends_with_the_second_refusal_or_the_session(state: ConsentState, may: bool) -> None:
    assert state.may_ask is may


def test_a_pause_is_found_by_who_paused() -> None:
    request = Request("request", "agent", ("a",), {}, 0, pauses=(Pause("agent", 4),))
    assert request.pause_of("agent") == Pause("agent", 4)
    assert request.pause_of("customer") is None
