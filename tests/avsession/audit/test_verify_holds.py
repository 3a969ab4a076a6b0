"""Legal holds: changed, moved, deleted, inserted; each named."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from avsession.usecases import evidence, holds, sessions
from avsession.usecases.forgetting import forget
from tests.avsession.audit.tampering import Copy, Row, Tamper, first, must_be_named
from tests.avsession.usecases.world import World
from tests.support.tamper import database

CASES: dict[str, Tamper] = {}


def case(tamper: Tamper) -> Tamper:
    CASES[tamper.__name__] = tamper
    return tamper


def standing(db: sqlite3.Connection) -> tuple[str, list[Row]]:
    (name,) = first(db, "SELECT id FROM hold WHERE released_ms IS NULL")
    return str(name), [(7, f"hold {name}")]


@case
def hold_called_released(db: sqlite3.Connection) -> list[Row]:
    name, row = standing(db)
    db.execute("UPDATE hold SET released_ms = 1 WHERE id = ?", (name,))
    return row


@case
def hold_called_standing(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM hold WHERE released_ms IS NOT NULL")
    db.execute("UPDATE hold SET released_ms = NULL WHERE id = ?", (name,))
    return [(7, f"hold {name}")]


@case
def hold_moved(db: sqlite3.Connection) -> list[Row]:
    name, row = standing(db)
    db.execute("UPDATE hold SET scope = 'recording' WHERE id = ?", (name,))
    return row


@case
def hold_on_another_session(db: sqlite3.Connection) -> list[Row]:
    """Its target stays as it is, and nothing of that session is kept any more."""
    name, row = standing(db)
    db.execute("INSERT INTO session SELECT 'ses_x', 'psn_x', created_ms, created_by, x'00', "
               "invitation_expires_ms, invitation_state, ended_ms, end_reason, NULL, NULL "
               "FROM session LIMIT 1")  # fmt: skip
    db.execute("UPDATE hold SET session = 'ses_x' WHERE id = ?", (name,))
    return row


@case
def hold_with_another_target(db: sqlite3.Connection) -> list[Row]:
    name, row = standing(db)
    db.execute("UPDATE hold SET target = 'ses_x' WHERE id = ?", (name,))
    return row


@case
def hold_deleted(db: sqlite3.Connection) -> list[Row]:
    name, row = standing(db)
    db.execute("DELETE FROM hold WHERE id = ?", (name,))
    return row


@case
def hold_inserted(db: sqlite3.Connection) -> list[Row]:
    name, _ = standing(db)
    db.execute("INSERT INTO hold SELECT 'hld_x', scope, target, session, category, reason, "
               "asked_by, review_ms, placed_by, placed_ms, released_by, released_ms, "
               "release_reason FROM hold WHERE id = ?", (name,))  # fmt: skip
    return [(7, "hold hld_x")]


def over(db: sqlite3.Connection) -> tuple[str, list[Row]]:
    (name,) = first(db, "SELECT id FROM hold WHERE released_ms IS NOT NULL")
    return str(name), [(7, f"hold {name}")]


@case
def hold_for_another_reason(db: sqlite3.Connection) -> list[Row]:
    name, row = standing(db)
    db.execute("UPDATE hold SET reason = 'another' WHERE id = ?", (name,))
    return row


@case
def hold_asked_by_another(db: sqlite3.Connection) -> list[Row]:
    name, row = standing(db)
    db.execute("UPDATE hold SET asked_by = 'another' WHERE id = ?", (name,))
    return row


@case
def hold_placed_by_another(db: sqlite3.Connection) -> list[Row]:
    name, row = standing(db)
    db.execute("UPDATE hold SET placed_by = 'acc_x' WHERE id = ?", (name,))
    return row


@case
def hold_placed_before(db: sqlite3.Connection) -> list[Row]:
    name, row = standing(db)
    db.execute("UPDATE hold SET placed_ms = placed_ms - 3600000 WHERE id = ?", (name,))
    return row


@case
def hold_released_by_another(db: sqlite3.Connection) -> list[Row]:
    name, row = over(db)
    db.execute("UPDATE hold SET released_by = 'acc_x' WHERE id = ?", (name,))
    return row


@case
def hold_released_for_another_reason(db: sqlite3.Connection) -> list[Row]:
    name, row = over(db)
    db.execute("UPDATE hold SET release_reason = 'another' WHERE id = ?", (name,))
    return row


@case
def hold_released_before(db: sqlite3.Connection) -> list[Row]:
    name, row = over(db)
    db.execute("UPDATE hold SET released_ms = released_ms - 3600000 WHERE id = ?", (name,))
    return row


@case
def hold_half_released(db: sqlite3.Connection) -> list[Row]:
    name, row = standing(db)
    db.execute("UPDATE hold SET released_by = placed_by WHERE id = ?", (name,))
    return row


@pytest.mark.parametrize("tamper", CASES.values(), ids=CASES.keys())
async def test_tampering_is_found_and_named(copy: Copy, tamper: Tamper) -> None:
    await must_be_named(copy, tamper)


async def found(world: World) -> list[str]:
    report = await evidence.verify(world.store, world.app.notary.key, world.app.notary.anchors)
    return [str(finding) for finding in report.findings]


async def forgotten_customer(world: World) -> None:
    await world.sealed()
    await sessions.end_session(world.app, world.session, "test")
    await forget(world.app, world.customer.id)


async def test_a_hold_on_a_party_that_is_about_another_is_named(
    world: World, tmp_path: Path
) -> None:
    placed = await holds.place(
        world.app, world.admin, scope="party", target=world.customer.id, category="claim",
        reason="a case", asked_by="a lawyer", review_ms=world.clock.now_ms() + 1000,
    )  # fmt: skip
    assert await found(world) == []
    with database(tmp_path) as db:
        db.execute("UPDATE hold SET target = ?", (world.agent.id,))
    (said,) = await found(world)
    assert said.startswith(f"hold {placed['hold']}: is about something else")


async def test_a_hold_on_a_party_that_was_erased_is_no_finding(world: World) -> None:
    placed = await holds.place(
        world.app, world.admin, scope="party", target=world.customer.id, category="claim",
        reason="a case", asked_by="a lawyer", review_ms=world.clock.now_ms() + 1000,
    )  # fmt: skip
    await holds.release(world.app, world.admin, str(placed["hold"]), "the case is over")
    await forgotten_customer(world)
    assert await found(world) == []


async def test_a_text_that_an_erasure_took_stays_away(world: World, tmp_path: Path) -> None:
    placed = await holds.place(
        world.app, world.admin, scope="session", target=world.session, category="claim",
        reason="a case", asked_by="a lawyer", review_ms=world.clock.now_ms() + 1000,
    )  # fmt: skip
    await holds.release(world.app, world.admin, str(placed["hold"]), "the case is over")
    await forgotten_customer(world)
    assert await found(world) == []
    with database(tmp_path) as db:
        db.execute("UPDATE hold SET release_reason = 'another'")
    (said,) = await found(world)
    assert said.startswith(f"hold {placed['hold']}: was released otherwise")
