"""Consent as conversations: the table, asking, allowing, declining and silence."""

from __future__ import annotations

import itertools
import typing

import pytest

from avsession.consent import (
    TABLE,
    Answer,
    Ask,
    Ended,
    Event,
    Expired,
    Extended,
    Given,
    Interrupted,
    Joined,
    Left,
    Lost,
    OpenGate,
    Paused,
    Phase,
    Refused,
    Regained,
    RequestEnded,
    Resumed,
    Stopped,
    Withdrawn,
)
from avsession.errors import (
    AlreadyAnswered,
    AskingEnded,
    AvsessionError,
    Conflict,
    NoticeMismatch,
    NotPermitted,
    PausedByOther,
    PurposesRefused,
    RequestOver,
    SessionOver,
)
from tests.avsession.talk import (
    AGENT,
    BOTH,
    CUSTOMER,
    EVIDENCE,
    GUEST,
    LATER,
    QUALITY,
    Talk,
    asks,
    gives,
    recorded,
)

# --- the table


def test_every_pair_of_phase_and_event_has_its_line() -> None:
    assert set(TABLE) == set(itertools.product(Phase, typing.get_args(Event)))


I, A, O, H, P, X = (  # noqa: E741
    Phase.IDLE, Phase.ASKING, Phase.OPEN, Phase.HELD, Phase.PAUSED, Phase.ENDED,
)  # fmt: skip

Over, Gone, Busy, Done = RequestOver, SessionOver, Conflict, AlreadyAnswered
Deny, Other = NotPermitted, PausedByOther

# What becomes of a call of two in each phase. In ASKING the agent has given and the customer has
# not; in HELD both have, but the customer may not be there; in PAUSED the agent has paused.
OUTCOMES: list[tuple[Event, tuple[Phase | type[AvsessionError], ...]]] = [
    # event                           IDLE   ASKING OPEN   HELD   PAUSED ENDED
    (Joined(GUEST, 0),                 (I,     A,     A,     A,     A,     Gone)),
    (Left(CUSTOMER),                   (I,     I,     I,     I,     I,     X)),
    (Left(GUEST),                      (I,     A,     O,     H,     P,     X)),
    (Lost(CUSTOMER),                   (I,     A,     H,     H,     P,     X)),
    (Regained(CUSTOMER),               (I,     A,     O,     O,     P,     X)),
    (asks("next"),                     (A,     Busy,  Busy,  Busy,  Busy,  Gone)),
    (gives(CUSTOMER),                  (Over,  O,     Done,  Done,  Done,  Gone)),
    (Refused(CUSTOMER, "first"),       (Over,  I,     Done,  Done,  Done,  Gone)),
    (Extended(AGENT, "first", 9, 0),   (Over,  A,     Over,  Over,  Over,  Gone)),
    (Expired("first", LATER),          (I,     I,     O,     H,     P,     X)),
    (Withdrawn(AGENT, "first"),        (Over,  I,     I,     I,     I,     Gone)),
    (Stopped(CUSTOMER, "first"),       (Over,  I,     I,     I,     I,     Gone)),
    (Stopped(None, "first"),           (Over,  I,     I,     I,     I,     Gone)),
    (Paused(AGENT, "first"),           (Over,  Busy,  P,     P,     P,     Gone)),
    (Paused(CUSTOMER, "first"),        (Over,  Busy,  P,     P,     P,     Gone)),
    (Paused(GUEST, "first"),           (Over,  Deny,   Deny,   Deny,   Deny,   Gone)),
    (Resumed(AGENT, "first", 2),       (Over,  Busy,  Busy,  Busy,  O,     Gone)),
    (Resumed(AGENT, "first", 1),       (Over,  Busy,  Busy,  Busy,  Busy,  Gone)),
    (Resumed(CUSTOMER, "first", 2),    (Over,  Busy,  Busy,  Busy,  Other, Gone)),
    (Resumed(GUEST, "first", 2),       (Over,  Deny,   Deny,   Deny,   Deny,   Gone)),
    (Interrupted(),                    (I,     A,     O,     H,     P,     X)),
    (Ended(),                          (X,     X,     X,     X,     X,     X)),
]  # fmt: skip


def in_phase(phase: Phase) -> Talk:
    talk = Talk(AGENT, CUSTOMER)
    steps: dict[Phase, tuple[Event, ...]] = {
        I: (),
        A: (asks(), gives(AGENT)),
        O: (asks(), gives(AGENT), gives(CUSTOMER)),
        H: (asks(), gives(AGENT), gives(CUSTOMER), Lost(CUSTOMER)),
        P: (asks(), gives(AGENT), gives(CUSTOMER), Paused(AGENT, "first")),
        X: (Ended(),),
    }
    talk.say(*steps[phase])
    assert talk.phase is phase
    return talk


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize(
    ("event", "outcomes"), [pytest.param(*line, id=str(line[0])) for line in OUTCOMES]
)
def test_what_each_phase_makes_of_each_event(
    phase: Phase, event: Event, outcomes: tuple[Phase | type[AvsessionError], ...]
) -> None:
    talk = in_phase(phase)
    outcome = outcomes[list(Phase).index(phase)]
    if isinstance(outcome, Phase):
        talk.say(event)
        assert talk.phase is outcome
    else:
        talk.refuses(event, outcome)


# --- allowing


def test_both_allow() -> None:
    talk = Talk(AGENT, CUSTOMER)
    assert talk.say(asks()) == (Ask(),)
    assert talk.say(gives(AGENT)) == (Ask(),)
    assert talk.say(gives(CUSTOMER)) == (OpenGate(1, BOTH),)
    assert talk.phase is Phase.OPEN


def test_only_what_everyone_ticked_is_allowed() -> None:
    talk = Talk(AGENT, CUSTOMER)
    talk.say(asks(), gives(AGENT))
    assert talk.say(gives(CUSTOMER, EVIDENCE)) == (OpenGate(1, (EVIDENCE,)),)


def test_no_common_purpose_is_no() -> None:
    talk = Talk(AGENT, CUSTOMER)
    talk.say(asks(), gives(AGENT, QUALITY))
    assert talk.say(gives(CUSTOMER, EVIDENCE)) == (
        RequestEnded("first", "no_common_purpose", (), recorded=False),
    )
    assert talk.phase is Phase.IDLE
    assert talk.state.may_ask


def test_asking_needs_a_party_someone_else_and_a_purpose() -> None:
    talk = Talk(AGENT)
    talk.refuses(asks(), Conflict)
    talk.say(Joined(CUSTOMER, 0))
    talk.refuses(asks(by=GUEST), NotPermitted)
    talk.refuses(asks(purposes=()), PurposesRefused)


# --- what is not consent


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (gives(GUEST), NotPermitted),
        (gives(AGENT), AlreadyAnswered),
        (gives(CUSTOMER, request="older"), RequestOver),
        (Given(CUSTOMER, "first", "older/en", "en", BOTH, 0), NoticeMismatch),
        (Given(CUSTOMER, "first", "first/de", "en", BOTH, 0), NoticeMismatch),
        (Given(CUSTOMER, "first", "first/en", "fr", BOTH, 0), NoticeMismatch),
        (Given(CUSTOMER, "first", "", "", BOTH, 0), NoticeMismatch),
        (Given(CUSTOMER, "first", "first/en", "en", (), 0), PurposesRefused),
        (gives(CUSTOMER, QUALITY, "resale"), PurposesRefused),
        (Refused(AGENT, "first"), AlreadyAnswered),
        (Refused(GUEST, "first"), NotPermitted),
        (Refused(CUSTOMER, "older"), RequestOver),
        (Extended(GUEST, "first", LATER, 0), NotPermitted),
        (Extended(CUSTOMER, "older", LATER, 0), RequestOver),
        (Withdrawn(CUSTOMER, "first"), Conflict),
        (Withdrawn(AGENT, "older"), RequestOver),
        (Stopped(GUEST, "first"), NotPermitted),
        (Stopped(AGENT, "older"), RequestOver),
    ],
    ids=str,
)
def test_what_does_not_count_while_the_customer_is_asked(
    event: Event, error: type[AvsessionError]
) -> None:
    in_phase(Phase.ASKING).refuses(event, error)


def test_an_older_request_is_over_while_recording_too() -> None:
    for event in (gives(CUSTOMER, request="older"), Refused(CUSTOMER, "older")):
        recorded(AGENT, CUSTOMER).refuses(event, RequestOver)


# --- declining, silence, more time


def test_the_customer_declines() -> None:
    talk = Talk(AGENT, CUSTOMER)
    talk.say(asks(), gives(AGENT))
    (over,) = talk.say(Refused(CUSTOMER, "first"))
    assert isinstance(over, RequestEnded)
    assert (over.outcome, over.recorded) == ("refused", False)
    assert talk.phase is Phase.IDLE
    assert all(seat.answer is Answer.PENDING for seat in talk.state.seats)
    talk.refuses(gives(CUSTOMER), RequestOver)


def test_who_declined_has_answered() -> None:
    talk = Talk(AGENT, CUSTOMER, GUEST)
    talk.say(asks(), gives(AGENT))
    assert talk.say(Refused(CUSTOMER, "first")) == (
        RequestEnded("first", "refused", (GUEST,), recorded=False),
    )


def test_two_refusals_end_the_asking() -> None:
    talk = Talk(AGENT, CUSTOMER)
    talk.say(asks(), Refused(CUSTOMER, "first"))
    assert (talk.state.refusals, talk.state.may_ask) == (1, True)
    talk.say(asks("second"), Refused(CUSTOMER, "second"))
    assert (talk.state.refusals, talk.state.may_ask) == (2, False)
    talk.refuses(asks("third"), AskingEnded)


def test_silence_is_no() -> None:
    talk = Talk(AGENT, CUSTOMER)
    talk.say(asks(), gives(AGENT))
    assert talk.say(Expired("older", 60_000)) == ()
    assert talk.say(Expired("first", 59_999)) == ()
    assert talk.say(Expired("first", 60_000)) == (
        RequestEnded("first", "expired", (CUSTOMER,), recorded=False),
    )
    talk.refuses(gives(CUSTOMER), RequestOver)


def test_an_answer_that_comes_too_late_is_none_even_if_nobody_looked_at_the_clock() -> None:
    talk = Talk(AGENT, CUSTOMER)
    talk.say(asks(), gives(AGENT, at=59_999))
    talk.refuses(gives(CUSTOMER, at=60_000), RequestOver)
    talk.refuses(Extended(CUSTOMER, "first", LATER, now_ms=60_000), RequestOver)
    assert talk.say(gives(CUSTOMER, at=59_999)) == (OpenGate(1, BOTH),)


def test_more_time_moves_the_deadline() -> None:
    talk = Talk(AGENT, CUSTOMER)
    talk.say(asks())
    assert talk.say(Extended(CUSTOMER, "first", 90_000, 0)) == (Ask(),)
    assert talk.say(Expired("first", 89_999)) == ()
    assert talk.say(gives(AGENT), gives(CUSTOMER)) == (OpenGate(1, BOTH),)


def test_more_time_is_never_less_and_not_for_ever() -> None:
    talk = Talk(AGENT, CUSTOMER)
    talk.say(asks(), Extended(CUSTOMER, "first", 30_000, 0))
    assert talk.say(Expired("first", 59_999)) == ()
    talk.say(*(Extended(CUSTOMER, "first", 90_000, 0) for _ in range(9)))
    talk.refuses(Extended(CUSTOMER, "first", LATER, 0), Conflict)
    talk.say(Expired("first", 90_000))
    assert talk.phase is Phase.IDLE
