"""Certificates: changed, deleted, inserted; named. What a destruction took is not."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from avsession.errors import Unavailable
from avsession.usecases import evidence, sessions
from avsession.usecases.forgetting import forget
from tests.avsession.audit.tampering import Copy, Row, Tamper, first, must_be_named
from tests.avsession.usecases.world import World, opened
from tests.support.tamper import database

CASES: dict[str, Tamper] = {}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path) as made:
        yield made


def case(tamper: Tamper) -> Tamper:
    CASES[tamper.__name__] = tamper
    return tamper


def one(db: sqlite3.Connection) -> tuple[str, list[Row]]:
    (name,) = first(db, "SELECT id FROM certificate")
    return str(name), [(7, f"certificate {name}")]


@case
def certificate_changed(db: sqlite3.Connection) -> list[Row]:
    name, row = one(db)
    db.execute("UPDATE certificate SET document = replace(document, 'withdrawn', 'retention') "
               "WHERE id = ?", (name,))  # fmt: skip
    return row


@case
def certificate_of_another_recording(db: sqlite3.Connection) -> list[Row]:
    name, row = one(db)
    (other,) = first(db, "SELECT id FROM recording WHERE state = 'sealed'")
    db.execute("UPDATE certificate SET recording = ? WHERE id = ?", (other, name))
    return row


@case
def certificate_not_done(db: sqlite3.Connection) -> list[Row]:
    name, row = one(db)
    db.execute("UPDATE certificate SET done_ms = NULL WHERE id = ?", (name,))
    return row


@case
def certificate_deleted(db: sqlite3.Connection) -> list[Row]:
    name, row = one(db)
    db.execute("DELETE FROM certificate WHERE id = ?", (name,))
    return row


@case
def certificate_inserted(db: sqlite3.Connection) -> list[Row]:
    name, _ = one(db)
    db.execute("INSERT INTO certificate SELECT 'cer_x', recording, party, reason, whole, "
               "decided_ms, document, done_ms, leaf FROM certificate WHERE id = ?",
               (name,))  # fmt: skip
    return [(7, "certificate cer_x")]


@case
def destruction_that_nobody_decided(db: sqlite3.Connection) -> list[Row]:
    name, _ = one(db)
    (other,) = first(db, "SELECT id FROM recording WHERE state = 'sealed'")
    db.execute("INSERT INTO certificate SELECT 'cer_y', ?, party, reason, whole, "
               "decided_ms, document, NULL, NULL FROM certificate WHERE id = ?",
               (other, name))  # fmt: skip
    return [(7, "certificate cer_y")]


@case
def destruction_that_a_hold_kept(db: sqlite3.Connection) -> list[Row]:
    """Called one by time, which needs nobody's word."""
    name, _ = one(db)
    (other,) = first(db, "SELECT id FROM recording WHERE state = 'sealed'")
    db.execute("INSERT INTO certificate SELECT 'cer_z', ?, NULL, 'retention', whole, "
               "1, document, NULL, NULL FROM certificate WHERE id = ?",
               (other, name))  # fmt: skip
    return [(7, "certificate cer_z")]


@pytest.mark.parametrize("tamper", CASES.values(), ids=CASES.keys())
async def test_tampering_is_found_and_named(copy: Copy, tamper: Tamper) -> None:
    await must_be_named(copy, tamper)


async def found(world: World) -> list[str]:
    report = await evidence.verify(world.store, world.app.notary.key, world.app.notary.anchors)
    return [str(finding) for finding in report.findings]


async def destroyed(world: World, who: str) -> str:
    """A sealed recording of which ``who`` had their part destroyed."""
    recording = await world.sealed()
    person, request = getattr(world, who), world.recorder.grant.request
    await world.withdraw(person, request)
    await world.choose(person, request, "destroy")
    return recording


async def by_customer(world: World) -> None:
    await destroyed(world, "customer")


async def by_agent(world: World) -> None:
    await destroyed(world, "agent")


async def forgotten_customer(world: World) -> None:
    await world.sealed()
    await sessions.end_session(world.app, world.session, "test")
    await forget(world.app, world.customer.id)


async def forgotten_agent(world: World) -> None:
    await world.sealed()
    await sessions.end_session(world.app, world.session, "test")
    await forget(world.app, world.agent.id)


async def both_forgotten(world: World) -> None:
    await forgotten_agent(world)
    await forget(world.app, world.customer.id)


def stuck(world: World) -> None:
    """What is decided is not gone through with."""

    async def fails(_: str) -> int:
        raise Unavailable

    world.app.objects.remove = fails  # type: ignore[method-assign,assignment]


async def under_way(world: World) -> None:
    stuck(world)
    await destroyed(world, "customer")


async def by_time(world: World) -> None:
    await world.sealed("quality")
    await world.later(31 * 86_400)


async def by_time_under_way(world: World) -> None:
    await world.sealed("quality")
    stuck(world)
    await world.later(31 * 86_400)


WAYS: tuple[Callable[[World], Awaitable[None]], ...] = (
    by_customer, by_agent, forgotten_customer, forgotten_agent, both_forgotten, under_way,
    by_time, by_time_under_way,
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_what_a_destruction_or_an_erasure_took_is_no_finding(
    world: World, way: Callable[[World], Awaitable[None]]
) -> None:
    await way(world)
    assert await found(world) == []


async def test_the_other_track_is_compared_all_the_same(world: World, tmp_path: Path) -> None:
    await by_agent(world)
    with database(tmp_path) as db:
        track, number = first(db, "SELECT track, number FROM segment")
        db.execute("DELETE FROM segment WHERE track = ? AND number = ?", (track, number))
    assert await found(world) == [f"segment {track}/{number}: is gone"]


async def test_segments_that_outlived_their_destruction_are_named(
    world: World, tmp_path: Path
) -> None:
    await by_agent(world)
    with database(tmp_path) as db:
        (track,) = first(db, "SELECT id FROM track WHERE erased_ms IS NOT NULL")
        db.execute("UPDATE segment SET track = ?", (track,))
    assert f"segments of track {track}: are still there after it was destroyed" in await found(
        world
    )


async def test_a_grants_text_that_went_without_an_erasure_is_named(
    world: World, tmp_path: Path
) -> None:
    await by_customer(world)
    with database(tmp_path) as db:
        recording, generation = first(db, "SELECT recording, generation FROM capture_grant")
        db.execute("UPDATE capture_grant SET token = ''")
    (said,) = await found(world)
    assert said.startswith(f"capture_grant {recording}/{generation}: its token is not the issued")


async def test_a_destruction_by_time_before_that_time_is_named_and_not_gone_through_with(
    world: World, tmp_path: Path
) -> None:
    """Nobody holds it: only what was told about its purposes says that it is early."""
    recording = await world.sealed("quality")
    certificate = early(tmp_path, recording, world.clock.now_ms())
    said = await found(world)
    assert f"certificate {certificate}: is under way before the 30 days that were told" in said[-1]
    await world.later(1)
    assert len(world.files("keys")) == 2, "it waits"
    await world.later(30 * 86_400)
    assert world.files("keys") == [], "now it is due"


def early(folder: Path, recording: str, now_ms: int) -> str:
    """A destruction by time as the product writes it, but too early."""
    with database(folder) as db:
        tracks = db.execute("SELECT id, recipient FROM track").fetchall()
        document = {
            "tracks": [
                {"track": track, "recipient": recipient, "role": "agent", "segments": []}
                for track, recipient in tracks
            ],
            "manifest": {"head": None, "entries": 0},
        }
        db.execute("INSERT INTO certificate VALUES ('cer_x', ?, NULL, 'retention', 1, ?, ?, "
                   "NULL, NULL)", (recording, now_ms, json.dumps(document)))  # fmt: skip
        db.execute("UPDATE track SET erased_ms = ?", (now_ms,))
        db.execute("UPDATE recording SET state = 'erased', reason = 'retention', "
                   "keep_until_ms = NULL")  # fmt: skip
    return "cer_x"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE recording SET closed_ms = closed_ms - 3000000000", "its closed_ms is not"),
        ("UPDATE certificate SET document = '{}'", "does not say what is to be destroyed"),
        ("UPDATE certificate SET document = replace(document, 'trk_', 'trx_')", "not marked"),
        ("UPDATE certificate SET whole = 0", "is not about what is left"),
        ("UPDATE track SET erased_ms = erased_ms + 1", "not marked for it"),
    ],
)
async def test_one_under_way_is_about_what_was_marked_for_it(
    world: World, tmp_path: Path, change: str, what: str
) -> None:
    await by_time_under_way(world)
    with database(tmp_path) as db:
        db.execute(change)
    said = await found(world)
    assert any(what in one for one in said), said


async def test_one_that_was_kept_by_choice_is_not_under_way_by_withdrawal(
    world: World, tmp_path: Path
) -> None:
    stuck(world)
    await destroyed(world, "customer")
    with database(tmp_path) as db:
        fates = db.execute("SELECT number, CAST(data AS TEXT) FROM leaf "
                           "WHERE kind = 'privacy.requested'").fetchall()  # fmt: skip
        ((number, data),) = fates
        kept = data.replace('"fate":"destroy"', '"fate":"keep"')
        db.execute("UPDATE leaf SET data = CAST(? AS BLOB) WHERE number = ?", (kept, number))
    said = await found(world)
    assert any("is under way, and no consent.withdrawn led to it" in one for one in said), said
