"""A consent record holds every field that proof of consent needs, and no name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from avsession.audit import record
from avsession.config import Settings
from avsession.session import Party, Role

SETTINGS = Settings()
PARTY = Party(
    id="pty_1",
    session="ses_1",
    pseudonym="psn_ada",
    role=Role.CUSTOMER,
    name="Ada Lovelace",
    language="de",
    created_ms=0,
)
SHOWN = record.Shown(
    language="de", sha256="0" * 64, version="1", method="dialog/allow", build="web-1"
)

# What has to be known of every event, from the facts gathered on the field, and where it stands.
FIELDS = {
    "schema version": "schema_version",
    "record id": "record_id",
    "event id": "event_id",
    "event time": "event_time",
    "event state": "event_state",
    "event type": "event_type",
    "data subject": "data_subject",
    "party role": "party_role",
    "who acted": "acted_by",
    "session": "session",
    "request": "request",
    "recording": "recording",
    "controller name": "controller.name",
    "controller address": "controller.address",
    "controller contact": "controller.contact",
    "data protection officer": "controller.dpo",
    "a purpose": "purposes.0.id",
    "its answer": "purposes.0.answer",
    "its categories of data": "purposes.0.data_categories",
    "its retention": "purposes.0.retention_days",
    "legal basis": "legal_basis",
    "notice id": "notice.id",
    "notice version": "notice.version",
    "notice language": "notice.language",
    "hash of the exact text": "notice.sha256",
    "element": "method.element",
    "workflow version": "method.workflow_version",
    "client build": "method.client_build",
    "jurisdiction": "jurisdiction",
    "storage location": "storage_location",
    "recipients": "recipients",
    "validity": "validity",
    "how to withdraw": "withdrawal",
    "where to": "privacy",
    "language": "language",
    "rights": "rights",
    "supervisory authority": "supervisory_authority",
    "proof": "proof",
}


def document(kind: str = "given", **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "event": "evt_1",
        "kind": kind,
        "at_ms": 1_700_000_000_123,
        "party": PARTY,
        "actor": "psn_ada",
        "session": "psn_session",
        "request": "req_1",
        "recording": None,
        "asked": ("quality", "evidence"),
        "given": ("evidence",) if kind == "given" else (),
        "shown": SHOWN,
        "signature": {"status": "missing"},
        "proof": {"leaf": 7},
    }
    return record.build(SETTINGS, **fields | changes)


@pytest.mark.parametrize("path", FIELDS.values(), ids=FIELDS.keys())
def test_every_field_is_there(path: str) -> None:
    value: Any = document(recording="rec_1")
    for key in path.split("."):
        value = value[int(key) if key.isdigit() else key]
    assert value not in (None, "", [], {})  # no field may be empty


def test_it_is_json_and_knows_only_the_pseudonym() -> None:
    text = json.dumps(document())
    assert "psn_ada" in text
    assert not any(word in text for word in ("Lovelace", "pty_1", "ses_1"))


def test_times_are_rfc_3339() -> None:
    assert document()["event_time"] == "2023-11-14T22:13:20.123Z"


@pytest.mark.parametrize(
    ("kind", "answers"),
    [
        ("requested", [None, None]),
        ("shown", [None, None]),
        ("given", [False, True]),
        ("refused", [False, False]),
        ("withdrawn", [False, False]),
        ("expired", [False, False]),
    ],
)
def test_each_purpose_has_its_own_answer(kind: str, answers: list[bool | None]) -> None:
    assert [purpose["answer"] for purpose in document(kind)["purposes"]] == answers


@pytest.mark.parametrize(
    ("kind", "explicit"),
    [("given", True), ("refused", True), ("withdrawn", True), ("expired", False), ("shown", False)],
)
def test_silence_is_not_called_explicit(kind: str, explicit: bool) -> None:
    assert (document(kind)["event_type"] == "explicit") is explicit


def test_what_the_server_did_has_no_notice_and_no_client() -> None:
    expired = document("expired", shown=None)
    assert expired["notice"] is None
    assert expired["method"]["element"] == "server"
    assert expired["method"]["client_build"] is None


def test_a_purpose_that_settings_no_longer_know_is_still_in_the_record() -> None:
    gone = document(asked=("gone",), given=("gone",))["purposes"]
    assert [(purpose["id"], purpose["answer"]) for purpose in gone] == [("gone", True)]


def test_events_of_one_party_and_request_share_a_record() -> None:
    assert document("given")["record_id"] == document("withdrawn", event="evt_2")["record_id"]
