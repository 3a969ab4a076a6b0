"""Requests and restrictions: changed, deleted, inserted, moved; each named."""

from __future__ import annotations

import sqlite3

import pytest
from msgspec.structs import replace

from avsession.privacy.requests import Right
from avsession.records import PrivacyRequest
from avsession.usecases import desk, erasing, evidence, rights
from tests.avsession.audit.tampering import Copy, Row, Tamper, ask, first, must_be_named
from tests.avsession.usecases.world import World

CASES: dict[str, Tamper] = {}


def case(tamper: Tamper) -> Tamper:
    CASES[tamper.__name__] = tamper
    return tamper


async def test_as_it_was_told_nothing_is_wrong(copy: Copy) -> None:
    report = await copy.verify()
    assert report.ok, report.findings


def changed(db: sqlite3.Connection, where: str, change: str) -> list[Row]:
    (name,) = first(db, f"SELECT id FROM privacy_request WHERE {where}")  # noqa: S608
    db.execute(f"UPDATE privacy_request SET {change} WHERE id = ?", (name,))  # noqa: S608
    return [(7, f"privacy_request {name}")]


@case
def an_agent_wants_another_name(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM staff_request WHERE state = 'open'")
    db.execute("UPDATE staff_request SET wanted = 'Nobody' WHERE id = ?", (name,))
    return [(7, f"staff_request {name}")]


@case
def an_agents_complaint_is_anothers(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM staff_request WHERE wanted = '' AND state = 'answered'")
    other = "(SELECT id FROM account WHERE login = 'adam')"
    db.execute(f"UPDATE staff_request SET account = {other} WHERE id = ?", (name,))  # noqa: S608
    return [(7, f"staff_request {name}")]


@case
def called_answered(db: sqlite3.Connection) -> list[Row]:
    return changed(db, "state = 'open'", "state = 'answered', done_ms = 1")


@case
def put_off_without_a_word(db: sqlite3.Connection) -> list[Row]:
    return changed(db, "state = 'open'", "due_ms = due_ms + 86400000")


@case
def received_later(db: sqlite3.Connection) -> list[Row]:
    return changed(db, "state = 'open'", "received_ms = received_ms + 86400000")


@case
def opened_again(db: sqlite3.Connection) -> list[Row]:
    return changed(db, "state = 'answered' AND answer <> ''", "state = 'open', done_ms = NULL")


@case
def other_words(db: sqlite3.Connection) -> list[Row]:
    return changed(db, "state = 'open'", "text = 'I am content'")


@case
def no_words(db: sqlite3.Connection) -> list[Row]:
    return changed(db, "state = 'open'", "text = ''")


@case
def another_answer(db: sqlite3.Connection) -> list[Row]:
    return changed(db, "state = 'answered' AND answer <> ''", "answer = 'No'")


@case
def another_reason(db: sqlite3.Connection) -> list[Row]:
    return changed(db, "state = 'extended'", "extension = 'We were busy'")


@case
def another_right(db: sqlite3.Connection) -> list[Row]:
    return changed(db, "used_right = 'erase'", "used_right = 'access'")


@case
def an_end_without_one(db: sqlite3.Connection) -> list[Row]:
    return changed(db, "state = 'extended'", "done_ms = 1")


@case
def somebody_elses(db: sqlite3.Connection) -> list[Row]:
    (other,) = first(db, "SELECT id FROM party WHERE role = 'agent'")
    return changed(db, "state = 'open'", f"party = '{other}'")


@case
def request_deleted(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM privacy_request WHERE state = 'open'")
    db.execute("DELETE FROM privacy_request WHERE id = ?", (name,))
    return [(7, f"privacy_request {name}")]


@case
def request_inserted(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM privacy_request WHERE state = 'open'")
    db.execute("UPDATE privacy_request SET id = 'prv_forged' WHERE id = ?", (name,))
    return [(7, "privacy_request prv_forged"), (7, f"privacy_request {name}")]


def loosened(db: sqlite3.Connection, where: str, change: str) -> list[Row]:
    (name,) = first(db, f"SELECT id FROM restriction WHERE {where}")  # noqa: S608
    db.execute(f"UPDATE restriction SET {change} WHERE id = ?", (name,))  # noqa: S608
    return [(7, f"restriction {name}")]


@case
def called_lifted(db: sqlite3.Connection) -> list[Row]:
    return loosened(db, "lifted_ms IS NULL AND why = 'asked'", "lifted_ms = 1")


@case
def called_narrower(db: sqlite3.Connection) -> list[Row]:
    return loosened(db, "lifted_ms IS NULL AND whole", "whole = 0")


@case
def for_other_purposes(db: sqlite3.Connection) -> list[Row]:
    return loosened(db, "lifted_ms IS NULL AND NOT whole", "purposes = '[\"none\"]'")


@case
def of_the_other(db: sqlite3.Connection) -> list[Row]:
    (other,) = first(db, "SELECT id FROM party WHERE role = 'agent'")
    return loosened(db, "lifted_ms IS NULL", f"party = '{other}'")


@case
def lifted_by_themselves(db: sqlite3.Connection) -> list[Row]:
    return loosened(db, "lifted_by = 'staff'", "lifted_by = 'party'")


@case
def lifted_for_another_reason(db: sqlite3.Connection) -> list[Row]:
    return loosened(db, "lifted_by = 'staff'", "lift_reason = 'You wished it'")


@case
def standing_again(db: sqlite3.Connection) -> list[Row]:
    return loosened(db, "lifted_ms IS NOT NULL", "lifted_ms = NULL")


@case
def restriction_deleted_and_inserted(db: sqlite3.Connection) -> list[Row]:
    (name,) = first(db, "SELECT id FROM restriction")
    db.execute("UPDATE restriction SET id = 'rst_forged' WHERE id = ?", (name,))
    return [(7, "restriction rst_forged"), (7, f"restriction {name}")]


@pytest.mark.parametrize("tamper", CASES.values(), ids=CASES)
async def test_it_is_named(copy: Copy, tamper: Tamper) -> None:
    await must_be_named(copy, tamper)


async def test_what_an_erasure_left_verifies_and_words_put_back_do_not(world: World) -> None:
    await ask(world, Right.COMPLAIN, "key-complaint-123")
    await rights.restrict(world.app, world.customer.data_secret)
    entered = await desk.enter(world.app, world.admin, world.customer.id, Right.ERASE, "by letter")
    await rights.end_call(world.app, world.customer.data_secret)
    await desk.verify(world.app, world.admin, entered["request"], "by telephone")
    await erasing.by_holder(world.app, world.customer.data_secret)
    app = world.app
    report = await evidence.verify(world.store, app.notary.key, app.notary.anchors)
    assert report.ok, report.findings
    async with world.store.write() as tx:
        for row in await tx.find(PrivacyRequest, right="complain"):
            await tx.put(replace(row, text="Words of mine"))
    report = await evidence.verify(world.store, app.notary.key, app.notary.anchors)
    assert [one.where.split()[0] for one in report.findings] == ["privacy_request"]
