"""A story to tamper with, and how to say what must be found."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pyrage

from avsession.audit import log
from avsession.audit.verify import Kept, Report
from avsession.privacy.requests import Right
from avsession.storage.engine import sqlite_url
from avsession.storage.sql import SqlStore
from avsession.usecases import (
    console,
    desk,
    disclosures,
    evidence,
    exports,
    holds,
    preparing,
    review,
    rights,
    staffrequests,
)
from avsession.usecases.notary import Notary
from tests.avsession.usecases.world import World, opened
from tests.support.tamper import database
from tests.support.world import notary

Row = tuple[int, str]
"""A step and the row that must be named in it."""


async def told(folder: Path) -> None:
    """The story, with checkpoints of its own log in between."""
    async with opened(folder) as world:
        watched = await world.sealed("quality")
        await review.open_recording(world.app, world.admin, watched, "a complaint", "quality")
        await given(world, watched)
        await evidence.checkpoint(world.app)
        again = await world.recorded()
        assert again
        await world.withdraw(world.customer, world.recorder.grant.request)
        await world.choose(world.customer, world.recorder.grant.request, "destroy")
        await evidence.checkpoint(world.app)
        assert await world.sealed()
        await world.withdraw(world.agent, world.recorder.grant.request)
        await world.choose(world.agent, world.recorder.grant.request, "keep")
        await held(world)
        await asked(world)
        await evidence.checkpoint(world.app)
        await some(world, 3)
        await evidence.checkpoint(world.app)
        (folder / "yesterday.db").write_bytes(b"")
        with database(folder) as db, sqlite3.connect(folder / "yesterday.db") as copy:
            db.backup(copy)
        copy.close()
        await some(world, 9)
        await evidence.checkpoint(world.app)
        await some(world, 2)


async def given(world: World, recording: str) -> None:
    """The recording taken out by an admin, disclosed, and its customer's part by the customer."""
    await console.take(world.app, "adam", recording, "quality", "training")
    await disclosures.make(
        world.app, world.admin, scope="recording", target=recording, category="authority",
        given_to="District Court", basis="order", basis_text="Order 12", reason="Case 12",
        parts=("records", "media"), recipient=str(pyrage.x25519.Identity.generate().to_public()),
    )  # fmt: skip
    assert await preparing.prepare_next(world.app)
    await exports.start(world.app, world.customer.data_secret, "en")
    assert await preparing.prepare_next(world.app)


async def held(world: World) -> None:
    """One hold that stands, and one that was released."""
    await hold(world, "claim")
    over = await hold(world, "order")
    await holds.release(world.app, world.admin, over, "the case is over")


async def asked(world: World) -> None:
    """Privacy requests in every state, and a restriction of each kind."""
    app, who = world.app, world.admin
    complaint = await ask(world, Right.COMPLAIN, "key-complaint-123")
    await desk.extend(
        app, who, await ask(world, Right.RECTIFY, "key-correction-1"), "There is much"
    )
    access = await ask(world, Right.ACCESS, "key-access-123456")
    await desk.extend(app, who, access, "It takes a while")
    await desk.answer(app, who, access, "Here is everything")
    taken = await ask(world, Right.COMPLAIN, "key-taken-back-12")
    await rights.withdraw_request(app, world.customer.data_secret, taken)
    restricted = await rights.restrict(app, world.customer.data_secret)
    await desk.lift(app, who, restricted["request"], "You asked us by telephone")
    await rights.restrict(app, world.customer.data_secret)
    upheld = await ask(world, Right.OBJECT, "key-objection-123", "quality")
    await desk.answer(app, who, upheld, "You are right")
    await desk.refuse(app, who, await ask(world, Right.OBJECT, "key-no-1234567", "evidence"), "No.")
    await desk.enter(app, who, world.customer.id, Right.ERASE, "by letter")
    assert complaint
    name = await staffrequests.ask(app, world.staff, Right.RECTIFY, "I have married", "Agnes Ada")
    await desk.carry_out(app, who, name["request"])
    mine = await staffrequests.ask(app, world.staff, Right.COMPLAIN, "Too many calls")
    await desk.extend(app, who, mine["request"], "There is much to look at")
    await desk.answer(app, who, mine["request"], "You are right")
    await staffrequests.ask(app, world.staff, Right.RECTIFY, "Again", "Agnes Bea")
    await staffrequests.enter(app, who, world.staff.account, Right.ERASE, "by letter")


async def ask(world: World, right: Right, key: str, *purposes: str) -> str:
    secret = world.customer.data_secret
    said = await rights.ask(world.app, secret, right, "Words of mine", purposes, key)
    return str(said["request"])


async def hold(world: World, category: holds.Category) -> str:
    placed = await holds.place(
        world.app, world.admin, scope="session", target=world.session, category=category,
        reason="a case", asked_by="a lawyer", review_ms=world.clock.now_ms() + 1000,
    )  # fmt: skip
    return str(placed["hold"])


async def some(world: World, n: int) -> None:
    async with world.store.write() as tx:
        for number in range(n):
            refs = {"page": number}
            await log.append(tx, world.clock, world.app.entropy, "audit.read", actor="a", refs=refs)


class Copy:
    """A copy of the story's database, with the log's public key and anchor."""

    def __init__(self, folder: Path, key: Notary) -> None:
        self.folder, self.notary = folder, key
        self.anchors = key.anchors

    async def verify(self, since: Kept | None = None) -> Report:
        store = SqlStore(sqlite_url(self.folder / "avsession.db"))
        await store.open()
        try:
            return await evidence.verify(store, self.notary.key, self.anchors, since=since)
        finally:
            await store.close()

    async def rows(self, since: Kept | None = None) -> list[Row]:
        return [(one.step, one.where) for one in (await self.verify(since)).findings]


def copied(story: Path, folder: Path) -> Copy:
    """A copy of the story in a folder of its own."""
    for name in ("avsession.db", "log.key", "yesterday.db"):
        shutil.copy(story / name, folder)
    shutil.copytree(story / "anchor", folder / "anchor")
    return Copy(folder, notary(folder))


Tamper = Callable[[sqlite3.Connection], list[Row]]
"""Changes the database and says which rows must be named."""


def first(db: sqlite3.Connection, query: str, *values: object) -> tuple[object, ...]:
    """The first row of a query; there must be one."""
    found: tuple[object, ...] = db.execute(query, values).fetchone()
    assert found is not None, query
    return found


async def must_be_named(copy: Copy, tamper: Tamper) -> None:
    """Change the copy, and find every row that was touched among those that are named."""
    with database(copy.folder) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        wanted = tamper(db)
    found = await copy.rows()
    assert wanted
    assert [row for row in wanted if row not in found] == [], found
