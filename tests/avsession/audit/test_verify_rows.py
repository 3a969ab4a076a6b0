"""Consent events, requests, notices: changed, deleted, inserted, swapped; each named."""

from __future__ import annotations

import hashlib
import json
import sqlite3

import pytest

from tests.avsession.audit.tampering import Copy, Row, Tamper, first, must_be_named

CASES: dict[str, Tamper] = {}


def case(tamper: Tamper) -> Tamper:
    CASES[tamper.__name__] = tamper
    return tamper


@case
def consent_changed(db: sqlite3.Connection) -> list[Row]:
    """A purpose more was ticked."""
    name, document = first(db, "SELECT id, document FROM consent_event WHERE kind = 'given'")
    said = json.loads(str(document))
    said["purposes"].append(said["purposes"][0] | {"id": "evidence"})
    db.execute("UPDATE consent_event SET document = ? WHERE id = ?", (json.dumps(said), name))
    return [(7, f"consent_event {name}")]


@case
def key_changed(db: sqlite3.Connection) -> list[Row]:
    """Another key takes the place of one that a party enrolled."""
    name, party = first(db, "SELECT id, party FROM party_key")
    (event,) = first(db, "SELECT id FROM consent_event WHERE party = ? AND kind = 'given'", party)
    db.execute("UPDATE party_key SET public_key = public_key || 'A' WHERE id = ?", (name,))
    return [(7, f"consent_event {event}")]


@case
def key_deleted(db: sqlite3.Connection) -> list[Row]:
    name, party = first(db, "SELECT id, party FROM party_key")
    (event,) = first(db, "SELECT id FROM consent_event WHERE party = ? AND kind = 'given'", party)
    db.execute("DELETE FROM party_key WHERE id = ?", (name,))
    return [(7, f"consent_event {event}")]


@case
def consent_column_changed(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM consent_event WHERE kind = 'withdrawn'")
    db.execute("UPDATE consent_event SET kind = 'given' WHERE id = ?", (name,))
    return [(7, f"consent_event {name}")]


@case
def consent_time_changed(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM consent_event WHERE kind = 'given'")
    db.execute("UPDATE consent_event SET at_ms = at_ms - 60000 WHERE id = ?", (name,))
    return [(7, f"consent_event {name}")]


@case
def consent_deleted(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM consent_event WHERE kind = 'withdrawn'")
    db.execute("DELETE FROM consent_event WHERE id = ?", (name,))
    return [(7, f"consent_event {name}")]


@case
def consent_inserted(db: sqlite3.Connection) -> list[Row]:
    """A given that nobody gave, copied from one that somebody did."""
    db.execute("INSERT INTO consent_event (id, session, request, party, kind, at_ms, document, "
               "leaf) SELECT 'evt_forged', session, request, party, kind, at_ms, document, leaf "
               "FROM consent_event WHERE kind = 'given' LIMIT 1")  # fmt: skip
    return [(7, "consent_event evt_forged")]


@case
def consents_swapped(db: sqlite3.Connection) -> list[Row]:
    one, two = db.execute("SELECT id, leaf FROM consent_event WHERE kind = 'given' "
                          "ORDER BY leaf LIMIT 2").fetchall()  # fmt: skip
    db.execute("UPDATE consent_event SET leaf = ? WHERE id = ?", (two[1], one[0]))
    db.execute("UPDATE consent_event SET leaf = ? WHERE id = ?", (one[1], two[0]))
    return [(7, f"consent_event {one[0]}"), (7, f"consent_event {two[0]}")]


@case
def request_changed(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM recording_request")
    db.execute("UPDATE recording_request SET purposes = '[\"evidence\"]' WHERE id = ?", (name,))
    return [(7, f"recording_request {name}")]


@case
def request_deleted_and_inserted(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM recording_request")
    db.execute("UPDATE recording_request SET id = 'req_forged' WHERE id = ?", (name,))
    return [(7, f"recording_request {name}"), (7, "recording_request req_forged")]


@case
def notice_changed(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT sha256 FROM notice")
    db.execute("UPDATE notice SET text = CAST('We may do anything.' AS BLOB) WHERE sha256 = ?",
               (name,))  # fmt: skip
    return [(7, f"notice {name}")]


@case
def notice_deleted_and_inserted(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT sha256 FROM notice")
    other = hashlib.sha256(b"another").hexdigest()
    db.execute("UPDATE notice SET sha256 = ?, text = CAST('another' AS BLOB) WHERE sha256 = ?",
               (other, name))  # fmt: skip
    return [(7, f"notice {name}"), (7, f"notice {other}")]


@case
def notices_swapped(db: sqlite3.Connection) -> list[Row]:
    one, two = (name for (name,) in db.execute("SELECT sha256 FROM notice LIMIT 2"))
    for old, new in ((one, "-"), (two, one), ("-", two)):
        db.execute("UPDATE notice SET sha256 = ? WHERE sha256 = ?", (new, old))
    return [(7, f"notice {one}"), (7, f"notice {two}")]


@pytest.mark.parametrize("name", CASES)
async def test_found_and_named(copy: Copy, name: str) -> None:
    await must_be_named(copy, CASES[name])
