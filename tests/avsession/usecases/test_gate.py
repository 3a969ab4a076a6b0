"""The gate in memory: what is live, what has just closed, and what must not open."""

from __future__ import annotations

import dataclasses

import pytest

from avsession.messages import WithdrawConsent
from avsession.usecases import gate as gates
from avsession.usecases.gate import KEEP, MAX_BARS, Drains, Gate, Lease, OpenGate

NOW = 1_000_000
FIRST = OpenGate(
    session="ses_1",
    request="req_1",
    recording="rec_1",
    generation=1,
    worker="wrk_1",
    fingerprint="AB",
    parties=frozenset({"agent", "customer"}),
    until_ms=NOW + 60_000,
)
NEXT = dataclasses.replace(FIRST, generation=3)
OTHER = dataclasses.replace(
    FIRST, session="ses_2", recording="rec_2", request="req_2", parties=frozenset({"b", "c"})
)


def opened(*gates: OpenGate) -> Gate:
    gate = Gate()
    for one in gates:
        gate.prepare(one)
        assert gate.open(one)
    return gate


def test_after_a_start_every_gate_is_closed() -> None:
    gate = Gate()
    assert gate.of_session("ses_1") is None
    assert gate.live("rec_1", 1) is None
    assert gate.of_worker("wrk_1") == []
    assert gate.close("ses_1", NOW) is None
    assert gate.closed_ms("rec_1", 1) is None


def test_exactly_one_generation_of_one_recording_is_live() -> None:
    gate = opened(FIRST, OTHER)
    assert gate.live("rec_1", 1) is FIRST
    assert gate.live("rec_1", 0) is None
    assert gate.live("rec_1", 2) is None
    assert gate.live("rec_3", 1) is None
    assert gate.of_session("ses_1") is FIRST
    assert gate.of_party("customer") is FIRST
    assert gate.of_party("stranger") is None
    assert gate.of_worker("wrk_1") == [FIRST, OTHER]
    assert gate.of_worker("wrk_2") == []


# --- opening


def test_prepared_is_not_live() -> None:
    gate = Gate()
    gate.prepare(FIRST)
    assert gate.live("rec_1", 1) is None
    assert gate.of_worker("wrk_1") == []
    assert gate.of_party("agent") is FIRST


def test_what_was_not_prepared_does_not_open() -> None:
    gate = Gate()
    assert not gate.open(FIRST)
    gate.prepare(FIRST)
    assert not gate.open(dataclasses.replace(FIRST))
    assert gate.live("rec_1", 1) is None


def test_a_withdrawal_while_the_grant_is_being_committed_wins() -> None:
    gate = Gate()
    gate.prepare(FIRST)
    assert gate.close("ses_1", NOW) is FIRST
    assert not gate.open(FIRST)
    assert gate.live("rec_1", 1) is None
    assert gate.closed_ms("rec_1", 1) == NOW


def test_a_grant_that_could_not_be_committed_was_never_live() -> None:
    gate = Gate()
    gate.prepare(FIRST)
    gate.abandon("ses_1")
    assert not gate.open(FIRST)
    assert gate.closed_ms("rec_1", 1) is None


def test_a_generation_opens_once() -> None:
    gate = opened(FIRST)
    gate.close("ses_1", NOW)
    assert not gate.open(FIRST)


def test_who_waited_for_a_recorder_waits_no_longer() -> None:
    gate = Gate()
    gate.waiting["ses_1"] = NOW
    gate.prepare(FIRST)
    gate.open(FIRST)
    assert gate.waiting == {}
    gate.waiting["ses_1"] = NOW
    gate.close("ses_1", NOW)
    assert gate.waiting == {}


# --- closing


def test_closing_closes_one_session_and_remembers_when() -> None:
    gate = opened(FIRST, OTHER)
    assert gate.close("ses_1", NOW) is FIRST
    assert gate.live("rec_1", 1) is None
    assert gate.closed_ms("rec_1", 1) == NOW
    assert gate.live("rec_2", 1) is OTHER
    assert gate.closed_ms("rec_2", 1) is None


def test_closing_again_does_not_move_the_moment() -> None:
    gate = opened(FIRST)
    gate.close("ses_1", NOW)
    assert gate.close("ses_1", NOW + 5000) is None
    assert gate.closed_ms("rec_1", 1) == NOW


def test_closing_leaves_nothing_live_or_about_to_be() -> None:
    gate = opened(FIRST)
    gate.prepare(NEXT)
    gate.close("ses_1", NOW)
    assert not gate.open(NEXT)
    assert gate.live("rec_1", 1) is None
    assert gate.live("rec_1", 3) is None
    assert gate.closed_ms("rec_1", 1) == gate.closed_ms("rec_1", 3) == NOW


def test_a_live_and_a_prepared_generation_are_each_closed_on_their_own() -> None:
    gate = opened(FIRST)
    gate.prepare(NEXT)
    assert gate.close("ses_1", NOW, generation=1) is FIRST
    assert gate.live("rec_1", 1) is None
    assert gate.open(NEXT)
    assert gate.close("ses_1", NOW, generation=2) is None
    assert gate.live("rec_1", 3) is NEXT


def test_a_late_close_of_an_older_generation_does_not_touch_the_newer() -> None:
    gate = opened(FIRST)
    gate.close("ses_1", NOW, generation=1)
    gate.prepare(NEXT)
    assert gate.open(NEXT)
    assert gate.close("ses_1", NOW + 1, generation=1) is None
    assert gate.live("rec_1", 3) is NEXT
    assert gate.closed_ms("rec_1", 1) == NOW


def test_what_is_remembered_is_bounded_and_the_oldest_goes_first() -> None:
    gate = Gate()
    for generation in range(KEEP + 1):
        one = dataclasses.replace(FIRST, generation=generation)
        gate.prepare(one)
        gate.open(one)
        gate.close("ses_1", NOW + generation)
    assert gate.closed_ms("rec_1", 0) is None
    assert gate.closed_ms("rec_1", 1) == NOW + 1
    assert gate.closed_ms("rec_1", KEEP) == NOW + KEEP


# --- bars


@pytest.mark.parametrize("bar", [("customer", "req_1"), ("agent",)], ids=["withdraws", "leaves"])
def test_nothing_opens_over_a_bar(bar: tuple[str, ...]) -> None:
    gate = Gate()
    gate.prepare(FIRST)
    assert gate.bar(*bar)
    assert not gate.open(FIRST)
    assert gate.live("rec_1", 1) is None
    gate.unbar(*bar)
    gate.prepare(NEXT)
    assert gate.open(NEXT)


@pytest.mark.parametrize("bar", [("customer", "req_0"), ("stranger", "req_1"), ("stranger",)])
def test_a_bar_is_for_its_party_and_its_request(bar: tuple[str, ...]) -> None:
    gate = Gate()
    gate.bar(*bar)
    assert not gate.barred(FIRST.request, FIRST.parties)


def test_a_bar_that_stands_already_is_the_first_ones_to_lift() -> None:
    gate = Gate()
    assert gate.bar("customer", "req_1")
    assert not gate.bar("customer", "req_1")
    gate.unbar("customer", "req_1")
    assert not gate.barred("req_1", ["customer"])
    gate.unbar("customer", "req_1")


def test_lifting_one_bar_leaves_the_others() -> None:
    gate = Gate()
    gate.bar("customer", "req_1")
    gate.bar("customer")
    gate.unbar("customer", "req_1")
    assert gate.barred("req_1", ["customer"])


def test_too_many_bars_bar_everything_until_the_session_is_forgotten() -> None:
    gate = Gate()
    for number in range(MAX_BARS + 1):
        gate.bar("customer", f"req_{number}")
    assert gate.barred("another", ["customer"])
    gate.forget("customer")
    assert not gate.barred("another", ["customer"])


def test_what_a_page_says_again_bars_until_all_of_it_was_heard() -> None:
    gate = Gate()
    gate.expect("ses_1", "agent", ("one", "two"))
    gate.heard("agent", "other", NOW)
    gate.heard("customer", "one", NOW)
    gate.heard("agent", "one", NOW)
    gate.heard("agent", "one", NOW)
    assert gate.barred("req_1", ["customer", "agent"])
    assert not gate.barred("req_1", ["customer"])
    assert not gate.waiting
    gate.heard("agent", "two", NOW)
    assert not gate.barred("req_1", ["customer", "agent"])
    assert gate.waiting == {"ses_1": NOW}
    gate.expect("ses_1", "agent", ("one",))
    gate.expect("ses_1", "agent", ())
    assert not gate.barred("req_1", ["agent"])
    gate.expect("ses_1", "agent", ("one",))
    gate.forget("agent")
    assert not gate.barred("req_1", ["agent"])


def test_what_is_held_bars_until_it_was_heard() -> None:
    gate = Gate()
    gate.expect("ses_1", "agent", ("one",))
    for number in range(MAX_BARS + 1):
        gate.hold("ses_1", "agent", f"key_{number}")
    assert not gate.waiting
    for key in ("one", *(f"key_{number}" for number in range(MAX_BARS - 1))):
        assert gate.barred("req_1", ["agent"])
        gate.heard("agent", key, NOW)
    assert not gate.barred("req_1", ["agent"])
    assert gate.waiting == {"ses_1": NOW}


def test_who_is_about_to_capture_is_found_by_the_worker() -> None:
    gate = opened(FIRST)
    gate.prepare(OTHER)
    assert gate.of_worker("wrk_1") == [FIRST]
    assert gate.meant_for("wrk_1") == [OTHER, FIRST]
    assert gate.meant_for("wrk_2") == []


def test_since_when_a_recording_drains_and_when_that_last_moved() -> None:
    drains = Drains()
    assert drains.seen("rec_1", NOW) == (NOW, NOW)
    drains.moved("rec_1", NOW + 5)
    drains.moved("rec_2", NOW + 6)
    assert drains.seen("rec_1", NOW + 9) == (NOW, NOW + 5)
    assert drains.seen("rec_2", NOW + 9) == (NOW + 6, NOW + 6)
    drains.over("rec_1")
    drains.over("rec_3")
    assert drains.seen("rec_1", NOW + 9) == (NOW + 9, NOW + 9)


def test_what_was_taken_back_waits_to_be_written_down_and_not_without_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = Gate()
    monkeypatch.setattr(gates, "MOST_UNWRITTEN", 2)
    said = [WithdrawConsent(request="req_" + "a" * 26, key=f"key-{n:016}") for n in range(3)]
    for message in said:
        gate.unwritten("customer", message)
    assert gate.taken_back() == [("customer", said[0], None), ("customer", said[1], None)]
    for message in said:
        gate.written("customer", message)
    assert gate.taken_back() == []


def test_nothing_is_live_or_opens_when_the_lease_has_run_out() -> None:
    times = [10.0]
    gate = opened(FIRST)
    gate.lease = Lease(lambda: times[0])
    assert gate.lease.held, "nobody else can have the database"
    gate.lease.extend(gate.lease.now() + 8)
    times[0] = 17.9
    assert gate.of_worker("wrk_1") == [FIRST]
    times[0] = 18.0
    assert gate.of_worker("wrk_1") == []
    gate.prepare(OTHER)
    assert not gate.open(OTHER)
    gate.lease.extend(26.0)
    assert gate.of_worker("wrk_1") == [FIRST]
    gate.prepare(OTHER)
    assert gate.open(OTHER)
