"""Keys that parties' browsers sign with: changed, deleted, inserted; each named."""

from __future__ import annotations

import sqlite3

import pytest

from avsession.usecases import evidence, sessions
from avsession.usecases.forgetting import forget
from tests.avsession.audit.tampering import Copy, Row, Tamper, first, must_be_named
from tests.avsession.usecases.world import World

CASES: dict[str, Tamper] = {}


def case(tamper: Tamper) -> Tamper:
    CASES[tamper.__name__] = tamper
    return tamper


def one(db: sqlite3.Connection) -> tuple[str, list[Row]]:
    (name,) = first(db, "SELECT id FROM party_key")
    return str(name), [(7, f"party_key {name}")]


@case
def key_inserted(db: sqlite3.Connection) -> list[Row]:
    """Somebody else's, to sign consents with."""
    name, _ = one(db)
    forged = "f" * 64
    db.execute("INSERT INTO party_key SELECT ?, party, public_key, at_ms, leaf FROM party_key "
               "WHERE id = ?", (forged, name))  # fmt: skip
    return [(7, f"party_key {forged}")]


@case
def key_deleted(db: sqlite3.Connection) -> list[Row]:
    name, row = one(db)
    db.execute("DELETE FROM party_key WHERE id = ?", (name,))
    return row


@case
def key_changed(db: sqlite3.Connection) -> list[Row]:
    name, row = one(db)
    db.execute("UPDATE party_key SET public_key = (SELECT public_key FROM party_key "
               "WHERE id != ?) WHERE id = ?", (name, name))  # fmt: skip
    return row


@case
def key_that_is_none(db: sqlite3.Connection) -> list[Row]:
    name, row = one(db)
    db.execute("UPDATE party_key SET public_key = 'A' WHERE id = ?", (name,))
    return row


@case
def key_of_the_other_party(db: sqlite3.Connection) -> list[Row]:
    name, row = one(db)
    db.execute("UPDATE party_key SET party = (SELECT party FROM party_key WHERE id != ?) "
               "WHERE id = ?", (name, name))  # fmt: skip
    return row


@case
def key_of_an_older_leaf(db: sqlite3.Connection) -> list[Row]:
    name, row = one(db)
    db.execute("UPDATE party_key SET leaf = 1 WHERE id = ?", (name,))
    return row


@case
def key_from_earlier(db: sqlite3.Connection) -> list[Row]:
    name, row = one(db)
    db.execute("UPDATE party_key SET at_ms = at_ms - 60001 WHERE id = ?", (name,))
    return row


@pytest.mark.parametrize("tamper", CASES.values(), ids=CASES.keys())
async def test_tampering_is_found_and_named(copy: Copy, tamper: Tamper) -> None:
    await must_be_named(copy, tamper)


async def test_the_keys_of_who_was_erased_are_gone_and_no_finding(world: World) -> None:
    await world.sealed()
    await sessions.end_session(world.app, world.session, "test")
    await forget(world.app, world.customer.id)
    report = await evidence.verify(world.store, world.app.notary.key, world.app.notary.anchors)
    assert report.findings == ()
