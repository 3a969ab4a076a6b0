"""What a recording's rows repeat of its grants, and until when it is kept: changed; named."""

from __future__ import annotations

import json
import sqlite3

import pytest

from avsession.audit.verify_grants import read
from tests.avsession.audit.tampering import Copy, Row, Tamper, first, must_be_named

CASES: dict[str, Tamper] = {}


def case(tamper: Tamper) -> Tamper:
    CASES[tamper.__name__] = tamper
    return tamper


def sealed(db: sqlite3.Connection) -> tuple[str, list[Row]]:
    (name,) = first(db, "SELECT id FROM recording WHERE state = 'sealed'")
    return str(name), [(7, f"recording {name}")]


@case
def a_purpose_more(db: sqlite3.Connection) -> list[Row]:
    name, row = sealed(db)
    (purposes,) = first(db, "SELECT purposes FROM recording WHERE id = ?", name)
    more = json.dumps([*json.loads(str(purposes)), "evidence"])
    db.execute("UPDATE recording SET purposes = ? WHERE id = ?", (more, name))
    return row


@case
def a_later_beginning(db: sqlite3.Connection) -> list[Row]:
    name, row = sealed(db)
    db.execute("UPDATE recording SET epoch_ms = epoch_ms + 1000 WHERE id = ?", (name,))
    return row


@case
def another_request(db: sqlite3.Connection) -> list[Row]:
    name, row = sealed(db)
    db.execute("UPDATE recording SET request = (SELECT request FROM recording WHERE id != ?) "
               "WHERE id = ?", (name, name))  # fmt: skip
    return row


@case
def another_session(db: sqlite3.Connection) -> list[Row]:
    """The very pseudonym, so that the session's leaves are still found."""
    name, row = sealed(db)
    db.execute("UPDATE recording SET session = 'ses_x' WHERE id = ?", (name,))
    db.execute("UPDATE session SET id = 'ses_x'")
    return row


@case
def another_generation(db: sqlite3.Connection) -> list[Row]:
    name, row = sealed(db)
    db.execute("UPDATE recording SET generation = generation + 1 WHERE id = ?", (name,))
    return row


@case
def tracks_swapped(db: sqlite3.Connection) -> list[Row]:
    name, _ = sealed(db)
    one, two = db.execute("SELECT id, party FROM track WHERE recording = ?", (name,)).fetchall()
    db.execute("UPDATE track SET party = 'x' WHERE id = ?", (one[0],))
    db.execute("UPDATE track SET party = ? WHERE id = ?", (one[1], two[0]))
    db.execute("UPDATE track SET party = ? WHERE id = ?", (two[1], one[0]))
    return [(7, f"track {one[0]}"), (7, f"track {two[0]}")]


@case
def kept_for_longer(db: sqlite3.Connection) -> list[Row]:
    name, row = sealed(db)
    db.execute("UPDATE recording SET keep_until_ms = keep_until_ms + 1 WHERE id = ?", (name,))
    return row


@case
def kept_for_ever(db: sqlite3.Connection) -> list[Row]:
    name, row = sealed(db)
    db.execute("UPDATE recording SET keep_until_ms = NULL WHERE id = ?", (name,))
    return row


@case
def over_at_another_time(db: sqlite3.Connection) -> list[Row]:
    name, row = sealed(db)
    db.execute("UPDATE recording SET closed_ms = closed_ms - 86400000, "
               "keep_until_ms = keep_until_ms - 86400000 WHERE id = ?", (name,))  # fmt: skip
    return row


@pytest.mark.parametrize("tamper", CASES.values(), ids=CASES.keys())
async def test_tampering_is_found_and_named(copy: Copy, tamper: Tamper) -> None:
    await must_be_named(copy, tamper)


def test_what_is_no_token_grants_nothing() -> None:
    assert read("") is read("!.x") is read("e30.x") is None
