"""Withdrawals: what they open and what was chosen, changed, deleted, inserted; each named."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from avsession.errors import Unavailable
from avsession.records import Withdrawal
from avsession.usecases import evidence, sessions
from avsession.usecases.forgetting import forget
from tests.avsession.audit.tampering import Copy, Row, Tamper, first, must_be_named
from tests.avsession.usecases.world import World
from tests.support.tamper import database

CASES: dict[str, Tamper] = {}


def case(tamper: Tamper) -> Tamper:
    CASES[tamper.__name__] = tamper
    return tamper


def one(db: sqlite3.Connection, fate: str) -> tuple[str, list[Row]]:
    request, party = first(db, "SELECT request, party FROM withdrawal WHERE fate = ?", fate)
    return str(request), [(7, f"withdrawal {request}/{party}")]


@case
def destroy_turned_into_keep(db: sqlite3.Connection) -> list[Row]:
    request, row = one(db, "destroy")
    db.execute("UPDATE withdrawal SET fate = 'keep' WHERE request = ?", (request,))
    return row


@case
def keep_turned_into_destroy(db: sqlite3.Connection) -> list[Row]:
    request, row = one(db, "keep")
    db.execute("UPDATE withdrawal SET fate = 'destroy', done = 0 WHERE request = ?", (request,))
    return row


@case
def kept_and_to_be_decided_again(db: sqlite3.Connection) -> list[Row]:
    request, row = one(db, "keep")
    db.execute("UPDATE withdrawal SET done = 0 WHERE request = ?", (request,))
    return row


@case
def choice_taken_back(db: sqlite3.Connection) -> list[Row]:
    request, row = one(db, "keep")
    db.execute("UPDATE withdrawal SET fate = NULL, done = 0 WHERE request = ?", (request,))
    return row


@case
def withdrawal_put_off(db: sqlite3.Connection) -> list[Row]:
    request, row = one(db, "destroy")
    db.execute("UPDATE withdrawal SET due_ms = due_ms + 1 WHERE request = ?", (request,))
    return row


@case
def withdrawal_at_another_time(db: sqlite3.Connection) -> list[Row]:
    request, row = one(db, "keep")
    db.execute("UPDATE withdrawal SET at_ms = at_ms - 1 WHERE request = ?", (request,))
    return row


@case
def withdrawal_about_another_recording(db: sqlite3.Connection) -> list[Row]:
    request, row = one(db, "keep")
    db.execute("UPDATE withdrawal SET recording = (SELECT id FROM recording "
               "WHERE request != ?) WHERE request = ?", (request, request))  # fmt: skip
    return row


@case
def withdrawal_of_somebody_else(db: sqlite3.Connection) -> list[Row]:
    request, _ = one(db, "destroy")
    db.execute("UPDATE withdrawal SET party = 'pty_x' WHERE request = ?", (request,))
    (subject,) = first(db, "SELECT pseudonym FROM party WHERE role = 'customer'")
    return [(7, f"withdrawal {request}/{subject}"), (7, f"withdrawal {request}/pty_x")]


@case
def withdrawal_deleted(db: sqlite3.Connection) -> list[Row]:
    request, _ = one(db, "destroy")
    db.execute("DELETE FROM withdrawal WHERE request = ?", (request,))
    (subject,) = first(db, "SELECT pseudonym FROM party WHERE role = 'customer'")
    return [(7, f"withdrawal {request}/{subject}")]


@case
def withdrawal_inserted(db: sqlite3.Connection) -> list[Row]:
    """Nobody withdrew, and the recording would be destroyed."""
    request, party = first(db, "SELECT request, party FROM withdrawal WHERE fate = 'keep'")
    (other,) = first(db, "SELECT id FROM party WHERE id != ?", party)
    db.execute("INSERT INTO withdrawal SELECT request, ?, recording, at_ms, due_ms, 'destroy', 0 "
               "FROM withdrawal WHERE request = ?", (other, request))  # fmt: skip
    return [(7, f"withdrawal {request}/{other}")]


@case
def withdrawal_of_no_request(db: sqlite3.Connection) -> list[Row]:
    request, _ = one(db, "keep")
    db.execute("INSERT INTO withdrawal SELECT 'req_x', party, recording, at_ms, due_ms, fate, done "
               "FROM withdrawal WHERE request = ?", (request,))  # fmt: skip
    return [(7, "withdrawal")]


@pytest.mark.parametrize("tamper", CASES.values(), ids=CASES.keys())
async def test_tampering_is_found_and_named(copy: Copy, tamper: Tamper) -> None:
    await must_be_named(copy, tamper)


async def found(world: World) -> list[str]:
    report = await evidence.verify(world.store, world.app.notary.key, world.app.notary.anchors)
    return [str(finding) for finding in report.findings]


async def withdrawn(world: World) -> str:
    """A sealed recording that the customer withdrew from; the request."""
    await world.sealed()
    request = world.recorder.grant.request
    await world.withdraw(world.customer, request)
    return request


async def test_while_nothing_is_chosen_and_when_nobody_chose_the_row_is_the_logs(
    world: World,
) -> None:
    await withdrawn(world)
    assert await found(world) == []
    await world.later(world.settings.consent.fate_s + 1)
    assert (await world.only(Withdrawal)).done
    *_, said = [one for one in await world.leaves() if one["kind"] == "privacy.requested"]
    assert (said["actor"], said["refs"]["fate"]) == ("server", "destroy")
    assert await found(world) == []


async def test_a_destruction_that_is_called_done_and_was_not_is_named(
    world: World, tmp_path: Path
) -> None:
    async def stuck(_: str) -> int:
        raise Unavailable

    request = await withdrawn(world)
    world.app.objects.remove = stuck  # type: ignore[method-assign,assignment]
    await world.choose(world.customer, request, "destroy")
    assert await found(world) == []
    with database(tmp_path) as db:
        # as somebody would who wants to keep it: nothing is under way, and all is called done
        db.execute("UPDATE recording SET state = 'sealed', reason = 'stopped'")
        db.execute("DELETE FROM certificate")
        db.execute("UPDATE track SET erased_ms = NULL")
        db.execute("UPDATE withdrawal SET done = 1")
    row = f"withdrawal {request}/{world.customer.id}"
    assert f"{row}: is called done, though nothing is destroyed" in await found(world)


async def test_an_erasure_keeps_the_withdrawal_under_nobodys_name(
    world: World, tmp_path: Path
) -> None:
    request = await withdrawn(world)
    await world.choose(world.customer, request, "destroy")
    await sessions.end_session(world.app, world.session, "test")
    await forget(world.app, world.customer.id)
    assert await found(world) == []
    with database(tmp_path) as db:
        db.execute("UPDATE withdrawal SET fate = 'keep'")
    (said,) = await found(world)
    assert said.endswith("says keep is chosen, the log says destroy")


async def test_who_was_forgotten_before_choosing_is_no_finding(world: World) -> None:
    await withdrawn(world)
    await sessions.end_session(world.app, world.session, "test")
    await forget(world.app, world.customer.id)
    assert await found(world) == []
    await world.later(world.settings.consent.fate_s + 1)
    assert (await world.only(Withdrawal)).done
    assert await found(world) == []


async def test_a_log_from_before_says_nothing_of_choices(copy: Copy) -> None:
    """Its rows are taken as they are; what the log does say of them counts."""
    with database(copy.folder) as db:
        request, row = one(db, "destroy")
        leaves = db.execute("SELECT number, CAST(data AS TEXT) FROM leaf WHERE kind IN "
                            "('consent.withdrawn', 'privacy.requested')").fetchall()  # fmt: skip
        for number, data in leaves:
            body = json.loads(data)
            body["refs"].pop("choice", None)
            if body["refs"].get("right") == "fate":
                body["refs"] = {"right": "access"}
            text = json.dumps(body, sort_keys=True, separators=(",", ":"))
            db.execute("UPDATE leaf SET data = CAST(? AS BLOB) WHERE number = ?", (text, number))
        db.execute("UPDATE withdrawal SET due_ms = 1, fate = 'keep' WHERE request = ?", (request,))
    found = await copy.rows()
    assert row[0] not in found
    assert {step for step, _ in found} == {2, 4}, "but for the leaves that this test changed"
