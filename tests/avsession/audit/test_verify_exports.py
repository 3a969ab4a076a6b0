"""What left the house: changed, deleted, inserted; ``test_columns`` tries every column."""

from __future__ import annotations

import sqlite3

import pytest

from avsession.usecases import console, evidence, sessions
from avsession.usecases.forgetting import forget
from tests.avsession.audit.tampering import Copy, Row, Tamper, first, must_be_named
from tests.avsession.usecases.test_disclosures import prepared
from tests.avsession.usecases.world import World

CASES: dict[str, Tamper] = {}


def case(tamper: Tamper) -> Tamper:
    CASES[tamper.__name__] = tamper
    return tamper


@case
def another_track_was_taken(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM taken WHERE why = 'admin'")
    (track,) = first(db, "SELECT id FROM track")
    db.execute("UPDATE taken SET tracks = json_array(?) WHERE id = ?", (track, name))
    return [(7, f"taken {name}")]


@case
def something_was_taken_that_nobody_wrote_down(db: sqlite3.Connection) -> list[Row]:
    db.execute("INSERT INTO taken SELECT 'tak_x', recording, why, what, tracks, account, purpose, "
               "reason, at_ms FROM taken LIMIT 1")  # fmt: skip
    return [(7, "taken tak_x")]


@case
def a_disclosure_that_never_was(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM disclosure")
    db.execute("DELETE FROM disclosure WHERE id = ?", (name,))
    return [(7, f"disclosure {name}")]


@case
def a_disclosure_to_somebody_else(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM disclosure")
    db.execute("UPDATE disclosure SET given_to = 'nobody' WHERE id = ?", (name,))
    return [(7, f"disclosure {name}")]


@case
def a_disclosure_kept_silent(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM disclosure")
    db.execute("UPDATE disclosure SET silent_until_ms = 1 WHERE id = ?", (name,))
    return [(7, f"disclosure {name}")]


@case
def an_export_for_another_key(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM export")
    db.execute("UPDATE export SET seals_to = zeroblob(32) WHERE id = ?", (name,))
    return [(7, f"export {name}")]


@case
def an_export_that_is_to_be_made_again(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM export WHERE state = 'ready'")
    db.execute("UPDATE export SET state = 'waiting', digest = '' WHERE id = ?", (name,))
    return [(7, f"export {name}")]


@pytest.mark.parametrize("tamper", CASES.values(), ids=CASES.keys())
async def test_tampering_is_found_and_named(copy: Copy, tamper: Tamper) -> None:
    await must_be_named(copy, tamper)


async def test_what_an_erasure_took_is_no_finding(world: World) -> None:
    recording = await world.sealed("quality")
    await console.take(world.app, "adam", recording, "quality", "training")
    await prepared(world, recording)
    await prepared(world, "", scope="party", target=world.customer.id)
    await sessions.end_session(world.app, world.session, "test")
    await forget(world.app, world.customer.id)
    report = await evidence.verify(world.store, world.app.notary.key, world.app.notary.anchors)
    assert report.findings == ()
