"""The table of what is kept how long, and the decisions that follow from it."""

import pytest

from avsession.config import Retention, Settings
from avsession.privacy.retention import (
    DAY_MS,
    Rule,
    ends,
    expired,
    keep_until,
    leaver_name,
    recording_goes,
    session_goes,
    table,
    told_days,
)


def document(**days: int | None) -> dict[str, object]:
    return {"purposes": [{"id": name, "retention_days": count} for name, count in days.items()]}


def test_every_rule_once_and_recordings_before_the_sessions_that_they_are_of() -> None:
    whats = [rule.what for rule in table(Settings())]
    assert len(set(whats)) == len(whats)
    assert whats.index("recordings") < whats.index("sessions")


def test_times_come_from_the_settings() -> None:
    settings = Settings(retention=Retention(session_days=10, login_days=20, leaver_name="keep"))
    days = {rule.what: rule.days for rule in table(settings)}
    assert (days["sessions"], days["logins"], days["leavers"]) == (10, 20, 10)
    assert days["recordings"] is None, "that is told in the notices, not set here"
    gone = {rule.what: rule.days for rule in table(Settings())}
    assert gone["leavers"] == 0, "a name that is not kept changes at once"


def test_the_cut_is_the_moment_before_which_all_is_due() -> None:
    rule = Rule(what="x", since="y", days=2, how="removed")
    assert rule.cut(10 * DAY_MS) == 8 * DAY_MS


def test_the_shortest_time_that_anybody_was_told_holds() -> None:
    told = [document(quality=30, evidence=180), document(quality=20)]
    assert told_days(told, ["quality", "evidence"]) == {"quality": 20, "evidence": 180}
    assert told_days(told, ["quality", "other"]) == {"quality": 20, "other": 0}
    assert told_days([document(quality=None)], ["quality"]) == {"quality": 0}


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"purposes": None},
        {"purposes": [{}]},
        {"purposes": [{"id": "a", "retention_days": "x"}]},
    ],
)
def test_what_cannot_be_read_says_nothing(odd: dict[str, object]) -> None:
    assert told_days([odd], ["quality"]) is None


def test_a_recording_is_kept_for_its_longest_purpose_and_each_ends_by_itself() -> None:
    days = {"quality": 30, "evidence": 180}
    assert keep_until(5, days) == 5 + 180 * DAY_MS
    assert keep_until(5, {}) == 5
    assert ends(5, days) == {"quality": 5 + 30 * DAY_MS, "evidence": 5 + 180 * DAY_MS}
    assert expired(5, days, 5 + 30 * DAY_MS - 1) == frozenset()
    assert expired(5, days, 5 + 30 * DAY_MS) == {"quality"}
    assert expired(5, days, 5 + 180 * DAY_MS) == {"quality", "evidence"}
    assert expired(None, days, 2**53) == frozenset(), "it is not over"


def test_who_is_in_a_recording_stays_as_long_as_that() -> None:
    rule = Rule(what="sessions", since="", days=10, how="anonymised")
    assert recording_goes(5, 5)
    assert not recording_goes(6, 5)
    assert not recording_goes(None, 2**53)
    assert session_goes(rule, 0, [], 10 * DAY_MS)
    assert session_goes(rule, 0, [True, True], 10 * DAY_MS)
    assert not session_goes(rule, 0, [True, False], 10 * DAY_MS)
    assert not session_goes(rule, 1, [], 10 * DAY_MS)
    assert not session_goes(rule, None, [], 10 * DAY_MS)


def test_what_a_leaver_is_called() -> None:
    assert leaver_name("keep", "agent", "Agnes", "K7QX3A") == "Agnes"
    assert leaver_name("role", "agent", "Agnes", "K7QX3A") == ""
    assert leaver_name("pseudonym", "agent", "Agnes", "K7QX3A") == "Agent K7QX3A"
