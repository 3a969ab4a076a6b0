"""Conversations about an open gate: what closes it, and what it takes to open it again."""

from __future__ import annotations

import pytest

from avsession.consent import (
    MAX_RESUMED,
    Ask,
    CloseGate,
    Ended,
    Event,
    Expired,
    Interrupted,
    Joined,
    Left,
    Lost,
    OpenGate,
    PauseBegan,
    Paused,
    PauseOver,
    Phase,
    Refused,
    Regained,
    RequestEnded,
    Resumed,
    Stopped,
    Withdrawn,
)
from avsession.errors import Conflict, NotPermitted, PausedByOther, RequestOver
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

# --- withdrawing and stopping


def test_withdrawing_before_the_gate_opens_ends_the_asking() -> None:
    talk = Talk(AGENT, CUSTOMER)
    talk.say(asks(), gives(AGENT))
    assert talk.say(Withdrawn(AGENT, "first")) == (
        RequestEnded("first", "withdrawn", (CUSTOMER,), recorded=False),
    )
    talk.refuses(gives(CUSTOMER), RequestOver)


@pytest.mark.parametrize("party", [AGENT, CUSTOMER, GUEST])
def test_anyone_withdrawing_closes_the_gate_for_all(party: str) -> None:
    talk = recorded(AGENT, CUSTOMER, GUEST)
    assert talk.say(Withdrawn(party, "first")) == (
        CloseGate(1, "withdrawn"),
        RequestEnded("first", "withdrawn", (), recorded=True),
    )
    assert (talk.phase, talk.state.generation) == (Phase.IDLE, 2)
    talk.refuses(Withdrawn(party, "first"), RequestOver)


def test_who_left_may_still_withdraw_while_the_others_are_recorded() -> None:
    talk = recorded(AGENT, CUSTOMER, GUEST)
    talk.say(Left(GUEST))
    assert talk.say(Withdrawn(GUEST, "first")) == (
        CloseGate(3, "withdrawn"),
        RequestEnded("first", "withdrawn", (), recorded=True),
    )
    talk.refuses(Withdrawn(GUEST, "first"), RequestOver)


def test_withdrawing_while_held_ends_what_was_recorded() -> None:
    talk = recorded(AGENT, CUSTOMER)
    talk.say(Lost(AGENT))
    assert talk.say(Withdrawn(CUSTOMER, "first")) == (
        RequestEnded("first", "withdrawn", (), recorded=True),
    )
    assert talk.say(Regained(AGENT)) == ()
    assert talk.phase is Phase.IDLE


def test_after_withdrawing_only_a_new_request_with_new_answers_records() -> None:
    talk = recorded(AGENT, CUSTOMER)
    talk.say(Withdrawn(CUSTOMER, "first"), asks("second"))
    talk.refuses(gives(CUSTOMER, request="first"), RequestOver)
    assert talk.say(gives(AGENT, request="second")) == (Ask(),)
    assert talk.say(gives(CUSTOMER, request="second")) == (OpenGate(3, BOTH),)


def test_stopping_keeps_the_consent_but_ends_the_request() -> None:
    talk = recorded(AGENT, CUSTOMER)
    assert talk.say(Stopped(CUSTOMER, "first")) == (
        CloseGate(1, "stopped"),
        RequestEnded("first", "stopped", (), recorded=True),
    )
    assert talk.phase is Phase.IDLE


def test_the_end_of_the_session_closes_everything() -> None:
    talk = recorded(AGENT, CUSTOMER)
    assert talk.say(Ended()) == (
        CloseGate(1, "ended"),
        RequestEnded("first", "ended", (), recorded=True),
    )
    assert talk.say(Ended()) == ()
    assert not talk.state.may_ask


# --- pausing


def test_a_pause_closes_the_gate_until_who_paused_resumes() -> None:
    talk = recorded(AGENT, CUSTOMER)
    assert talk.say(Paused(AGENT, "first")) == (
        CloseGate(1, "paused"),
        PauseBegan(AGENT, "first", 2),
    )
    talk.refuses(Resumed(CUSTOMER, "first", 2), PausedByOther)
    assert talk.say(Resumed(AGENT, "first", 2)) == (
        PauseOver(AGENT, "first", 2, last=True),
        OpenGate(3, BOTH),
    )


def test_two_who_pause_must_both_resume() -> None:
    talk = recorded(AGENT, CUSTOMER)
    talk.say(Paused(AGENT, "first"))
    assert talk.say(Paused(CUSTOMER, "first")) == (PauseBegan(CUSTOMER, "first", 3),)
    assert talk.say(Resumed(AGENT, "first", 2)) == (PauseOver(AGENT, "first", 2, last=False),)
    assert talk.phase is Phase.PAUSED
    assert talk.say(Resumed(CUSTOMER, "first", 3))[1] == OpenGate(4, BOTH)


def test_a_pause_said_after_a_resuming_wins_though_it_arrives_first() -> None:
    talk = recorded(AGENT, CUSTOMER)
    talk.say(Paused(AGENT, "first"))
    assert talk.say(Paused(AGENT, "first")) == ()
    talk.refuses(Resumed(AGENT, "first", 2), Conflict)
    talk.say(Resumed(AGENT, "first", 3))
    assert talk.phase is Phase.OPEN


def test_a_pause_outlasts_who_paused_until_they_are_back_or_somebody_stops() -> None:
    talk = recorded(AGENT, CUSTOMER, GUEST)
    talk.say(Paused(GUEST, "first"), Lost(GUEST))
    assert talk.say(Left(GUEST)) == ()
    assert talk.phase is Phase.PAUSED
    talk.refuses(Resumed(GUEST, "first", 2), NotPermitted)
    assert talk.say(Joined(GUEST, LATER), gives(GUEST)) == ()
    assert talk.phase is Phase.PAUSED
    talk.say(Left(GUEST))
    assert talk.say(Stopped(AGENT, "first")) == (
        RequestEnded("first", "stopped", (), recorded=True),
    )
    talk.say(asks("second"), gives(AGENT, request="second"))
    assert talk.say(gives(CUSTOMER, request="second")) == (OpenGate(3, BOTH),)


def test_who_joins_during_a_pause_is_asked_and_records_nothing_yet() -> None:
    talk = recorded(AGENT, CUSTOMER)
    talk.say(Paused(AGENT, "first"))
    assert talk.say(Joined(GUEST, LATER)) == (Ask(),)
    assert talk.say(Resumed(AGENT, "first", 2)) == (
        PauseOver(AGENT, "first", 2, last=True),
        Ask(),
    )
    assert talk.say(Paused(CUSTOMER, "first")) == (PauseBegan(CUSTOMER, "first", 3),)
    assert talk.say(gives(GUEST)) == ()
    assert talk.phase is Phase.PAUSED


@pytest.mark.parametrize("event", [Withdrawn(CUSTOMER, "first"), Stopped(CUSTOMER, "first")])
def test_a_pause_keeps_nobody_from_ending_it_all(event: Event) -> None:
    talk = recorded(AGENT, CUSTOMER)
    talk.say(Paused(AGENT, "first"))
    (over,) = talk.say(event)
    assert isinstance(over, RequestEnded)
    assert talk.phase is Phase.IDLE


def test_resuming_has_an_end() -> None:
    talk = recorded(AGENT, CUSTOMER)
    for _ in range(MAX_RESUMED):
        talk.say(Paused(AGENT, "first"), Resumed(AGENT, "first", talk.state.generation + 1))
    talk.say(Paused(AGENT, "first"))
    talk.refuses(Resumed(AGENT, "first", talk.state.generation), Conflict)


# --- presence


def test_a_lost_party_closes_the_gate_until_it_is_back() -> None:
    talk = recorded(AGENT, CUSTOMER)
    assert talk.say(Lost(CUSTOMER)) == (CloseGate(1, "presence_unknown"),)
    assert talk.phase is Phase.HELD
    assert talk.say(Lost(CUSTOMER)) == ()
    assert talk.say(Regained(CUSTOMER)) == (OpenGate(3, BOTH),)


def test_coming_back_by_joining_is_the_same() -> None:
    talk = recorded(AGENT, CUSTOMER)
    talk.say(Lost(CUSTOMER))
    assert talk.say(Joined(CUSTOMER, LATER)) == (OpenGate(3, BOTH),)


def test_joining_twice_changes_nothing() -> None:
    talk = recorded(AGENT, CUSTOMER)
    before = talk.state
    assert talk.say(Joined(CUSTOMER, LATER)) == ()
    assert talk.state == before


def test_both_lost_need_both_back() -> None:
    talk = recorded(AGENT, CUSTOMER)
    talk.say(Lost(CUSTOMER), Lost(AGENT))
    assert talk.say(Regained(CUSTOMER)) == ()
    assert talk.say(Regained(AGENT)) == (OpenGate(3, BOTH),)


def test_consent_of_all_is_held_while_someone_may_not_be_there() -> None:
    talk = Talk(AGENT, CUSTOMER)
    talk.say(asks(), gives(CUSTOMER), Lost(CUSTOMER))
    assert talk.say(gives(AGENT)) == ()
    assert talk.phase is Phase.HELD
    assert talk.say(Regained(CUSTOMER)) == (OpenGate(1, BOTH),)


def test_the_end_of_a_request_does_not_bring_a_lost_party_back() -> None:
    talk = recorded(AGENT, CUSTOMER)
    talk.say(Lost(CUSTOMER), Stopped(AGENT, "first"), asks("second"))
    talk.say(gives(AGENT, request="second"), gives(CUSTOMER, request="second"))
    assert talk.phase is Phase.HELD


def test_silence_of_a_lost_party_is_no_too() -> None:
    talk = Talk(AGENT, CUSTOMER)
    talk.say(asks(), gives(AGENT), Lost(CUSTOMER))
    assert talk.say(Expired("first", 60_000)) == (
        RequestEnded("first", "expired", (CUSTOMER,), recorded=False),
    )


# --- newcomers and leavers


def test_a_newcomer_closes_the_gate_and_is_asked() -> None:
    talk = recorded(AGENT, CUSTOMER)
    assert talk.say(Joined(GUEST, LATER)) == (CloseGate(1, "party_joined"), Ask())
    assert talk.phase is Phase.ASKING
    assert talk.say(Expired("first", LATER - 1)) == ()
    assert talk.say(gives(GUEST, QUALITY)) == (OpenGate(3, (QUALITY,)),)


@pytest.mark.parametrize(
    ("event", "outcome"),
    [(Refused(GUEST, "first"), "refused"), (Expired("first", LATER), "expired")],
    ids=["declines", "is silent"],
)
def test_a_newcomer_who_does_not_allow_ends_the_recording(event: Event, outcome: str) -> None:
    talk = recorded(AGENT, CUSTOMER)
    talk.say(Joined(GUEST, LATER))
    (over,) = talk.say(event)
    assert isinstance(over, RequestEnded)
    assert (over.outcome, over.recorded) == (outcome, True)
    assert talk.phase is Phase.IDLE


def test_a_newcomer_never_shortens_the_time_to_answer() -> None:
    talk = Talk(AGENT, CUSTOMER)
    talk.say(asks(), Joined(GUEST, 30_000))
    assert talk.say(Expired("first", 59_999)) == ()


def test_a_newcomer_who_leaves_again_gives_the_others_back_their_recording() -> None:
    talk = recorded(AGENT, CUSTOMER)
    talk.say(Joined(GUEST, LATER))
    assert talk.say(Left(GUEST)) == (OpenGate(3, BOTH),)


def test_when_one_of_three_leaves_the_others_go_on_under_a_new_generation() -> None:
    talk = recorded(AGENT, CUSTOMER, GUEST)
    assert talk.say(Left(GUEST)) == (CloseGate(1, "party_left"), OpenGate(3, BOTH))


def test_when_one_of_three_leaves_while_another_is_lost_the_gate_stays_closed() -> None:
    talk = recorded(AGENT, CUSTOMER, GUEST)
    talk.say(Lost(CUSTOMER))
    assert talk.say(Left(GUEST)) == ()
    assert talk.phase is Phase.HELD
    assert talk.say(Left(CUSTOMER)) == (RequestEnded("first", "left", (), recorded=True),)


def test_when_the_undecided_third_leaves_the_others_have_all_said_yes() -> None:
    talk = Talk(AGENT, CUSTOMER, GUEST)
    talk.say(asks(), gives(AGENT), gives(CUSTOMER, EVIDENCE))
    assert talk.say(Left(GUEST)) == (OpenGate(1, (EVIDENCE,)),)


def test_when_one_of_two_leaves_the_recording_is_over() -> None:
    talk = recorded(AGENT, CUSTOMER)
    assert talk.say(Left(CUSTOMER)) == (
        CloseGate(1, "party_left"),
        RequestEnded("first", "left", (), recorded=True),
    )
    assert talk.say(Joined(CUSTOMER, LATER)) == ()
    assert talk.phase is Phase.IDLE


def test_who_left_and_came_back_is_asked_again() -> None:
    talk = recorded(AGENT, CUSTOMER, GUEST)
    talk.say(Left(GUEST))
    assert talk.say(Joined(GUEST, LATER)) == (CloseGate(3, "party_joined"), Ask())
    assert talk.say(gives(GUEST)) == (OpenGate(5, BOTH),)


# --- the recorder


def test_a_new_recorder_needs_a_new_generation() -> None:
    talk = recorded(AGENT, CUSTOMER)
    assert talk.say(Interrupted()) == (CloseGate(1, "recorder_lost"), OpenGate(3, BOTH))
    talk.say(Lost(CUSTOMER))
    assert talk.say(Interrupted()) == ()
    assert talk.phase is Phase.HELD


def test_a_stranger_neither_opens_nor_ends_anything() -> None:
    talk = recorded(AGENT, CUSTOMER)
    before = talk.state
    for event in (Left(GUEST), Lost(GUEST), Regained(GUEST)):
        assert talk.say(event) == ()
    assert talk.state == before
    talk.refuses(Stopped(GUEST, "first"), NotPermitted)
