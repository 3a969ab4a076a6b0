"""What other systems are told, and above all what not."""

from __future__ import annotations

import json

import pytest

from avsession.audit.log import KINDS
from avsession.webhooks import events


def test_every_kind_is_a_leaf_s_and_the_groups_are_theirs() -> None:
    assert events.EVENTS.keys() <= KINDS
    assert events.TEST not in KINDS
    assert set(events.GROUPS) == {"consent", "recording", "session"}


def test_a_message_names_what_when_and_where_in_the_log() -> None:
    refs = {"recording": "rec_1", "generation": 3, "grant": "0" * 64}
    told = json.loads(events.body("recording.on", 7, "psn_1", refs, 1_750_000_000_000))
    assert told == {
        "type": "recording.on",
        "timestamp": "2025-06-15T15:06:40.000Z",
        "data": {"leaf": 7, "session": "psn_1", "recording": "rec_1", "generation": 3},
    }


@pytest.mark.parametrize(
    "odd",
    [
        "Agnes Amtmann",
        "a@b.example",
        "said so.\n",
        "é",
        "x" * 65,
        "",
        ["rec_1"],
        {"a": 1},
        True,
        1.5,
    ],
)
def test_what_is_no_identifier_or_code_is_left_out(odd: object) -> None:
    told = json.loads(events.body("session.ended", 1, "psn_1", {"reason": odd}, 0))
    assert told["data"] == {"leaf": 1, "session": "psn_1", "reason": None}


def test_a_field_that_the_table_does_not_name_is_left_out() -> None:
    told = json.loads(
        events.body("consent.given", 1, "psn_1", {"request": "req_1", "name": "x"}, 0)
    )
    assert told["data"] == {"leaf": 1, "session": "psn_1", "request": "req_1"}


def test_a_test_is_about_nothing() -> None:
    told = json.loads(events.body(events.TEST, None, None, {"name": "x"}, 0))
    assert told["data"] == {"leaf": None, "session": None}


def test_nobody_is_told_of_another_kind() -> None:
    with pytest.raises(KeyError):
        events.body("access.granted", 1, None, {}, 0)


def test_an_endpoint_asks_for_kinds_and_groups() -> None:
    assert events.wanted((), "consent.given")
    assert events.wanted(("consent",), "consent.given")
    assert events.wanted(("consent.given", "session"), "consent.given")
    assert not events.wanted(("consent.given", "session"), "consent.refused")
    assert events.unknown(("consent", "recording.on", "audit.read", "webhook.test")) == [
        "audit.read",
        "webhook.test",
    ]
