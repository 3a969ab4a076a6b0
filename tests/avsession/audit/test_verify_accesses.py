"""Openings of recordings: changed, deleted, inserted; each named."""

from __future__ import annotations

import sqlite3

import pytest

from avsession.usecases import evidence, review, sessions
from avsession.usecases.forgetting import forget
from tests.avsession.audit.tampering import Copy, Row, Tamper, first, must_be_named
from tests.avsession.usecases.world import World

CASES: dict[str, Tamper] = {}


def case(tamper: Tamper) -> Tamper:
    CASES[tamper.__name__] = tamper
    return tamper


def one(db: sqlite3.Connection) -> tuple[str, list[Row]]:
    (name,) = first(db, "SELECT id FROM access")
    return str(name), [(7, f"access {name}")]


@case
def access_with_another_reason(db: sqlite3.Connection) -> list[Row]:
    name, row = one(db)
    db.execute("UPDATE access SET reason = 'another' WHERE id = ?", (name,))
    return row


@case
def access_for_another_purpose(db: sqlite3.Connection) -> list[Row]:
    name, row = one(db)
    db.execute("UPDATE access SET purpose = 'another' WHERE id = ?", (name,))
    return row


@case
def access_by_another(db: sqlite3.Connection) -> list[Row]:
    name, row = one(db)
    db.execute("UPDATE access SET account = 'acc_x' WHERE id = ?", (name,))
    return row


@case
def access_to_another_recording(db: sqlite3.Connection) -> list[Row]:
    name, row = one(db)
    db.execute("UPDATE access SET recording = 'rec_x' WHERE id = ?", (name,))
    return row


@case
def access_for_longer(db: sqlite3.Connection) -> list[Row]:
    name, row = one(db)
    db.execute("UPDATE access SET expires_ms = expires_ms + 3600000 WHERE id = ?", (name,))
    return row


@case
def access_by_another_sign_in(db: sqlite3.Connection) -> list[Row]:
    name, row = one(db)
    db.execute("UPDATE access SET auth = randomblob(32) WHERE id = ?", (name,))
    return row


@case
def access_at_another_time(db: sqlite3.Connection) -> list[Row]:
    name, row = one(db)
    db.execute("UPDATE access SET at_ms = at_ms - 1 WHERE id = ?", (name,))
    return row


@case
def access_deleted(db: sqlite3.Connection) -> list[Row]:
    name, row = one(db)
    db.execute("DELETE FROM access WHERE id = ?", (name,))
    return row


@case
def access_inserted(db: sqlite3.Connection) -> list[Row]:
    name, _ = one(db)
    db.execute("INSERT INTO access SELECT 'acs_x', recording, account, auth, purpose, reason, "
               "at_ms, expires_ms FROM access WHERE id = ?", (name,))  # fmt: skip
    return [(7, "access acs_x")]


@pytest.mark.parametrize("tamper", CASES.values(), ids=CASES.keys())
async def test_tampering_is_found_and_named(copy: Copy, tamper: Tamper) -> None:
    await must_be_named(copy, tamper)


async def test_a_reason_that_an_erasure_took_is_no_finding(world: World) -> None:
    recording = await world.sealed("quality")
    await review.open_recording(world.app, world.admin, recording, "a complaint", "quality")
    await sessions.end_session(world.app, world.session, "test")
    await forget(world.app, world.agent.id)
    report = await evidence.verify(world.store, world.app.notary.key, world.app.notary.anchors)
    assert report.findings == ()
