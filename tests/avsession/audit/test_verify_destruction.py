"""Certificates: changed, deleted, inserted; named. What a destruction took is not."""

from __future__ import annotations

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


async def under_way(world: World) -> None:
    async def stuck(_: str) -> int:
        raise Unavailable

    world.app.objects.remove = stuck  # type: ignore[method-assign,assignment]
    await destroyed(world, "customer")


WAYS: tuple[Callable[[World], Awaitable[None]], ...] = (
    by_customer, by_agent, forgotten_customer, forgotten_agent, both_forgotten, under_way,
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
