"""The journal of erasures: what it notes, and that a restore does it again on an older state."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

from avsession.recording import State
from avsession.records import Hold, Leaf, Recording, TrackRecord
from avsession.session import Session
from avsession.usecases import evidence, forgetting, holds, journal, replaying, sessions
from avsession.usecases.journal import Entry
from tests.avsession.usecases.world import World
from tests.support.engines import sqlite_only

COPIED = "it puts a copy of SQLite's file back; PostgreSQL is restored by its own tools"

REASON = "a claim that is now settled"


class Notes:
    """A journal in memory."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.size = 0

    async def upto(self) -> int:
        return self.size

    async def add(self, entries: Sequence[Entry], upto: int) -> None:
        self.entries += entries
        self.size = upto

    async def read(self) -> list[Entry]:
        return self.entries


class Older:
    """The deployment's state as it was; :meth:`back` brings it back, as a restore does."""

    def __init__(self, world: World) -> None:
        self.world, self.copy = world, world.folder.with_name(f"{world.folder.name}-copy")

    async def take(self) -> int:
        await evidence.checkpoint(self.world.app)
        await self.world.close()
        shutil.copytree(self.world.folder, self.copy)
        await self.world.start()
        return len(await self.world.find(Leaf))

    async def back(self) -> None:
        await self.world.close()
        shutil.rmtree(self.world.folder)
        shutil.copytree(self.copy, self.world.folder)
        await self.world.start()
        await replaying.end_all(self.world.app)


async def test_it_notes_what_must_not_come_back_once(world: World) -> None:
    await world.sealed("quality")
    await sessions.end_session(world.app, world.session, "left")
    notes = Notes()
    await journal.catch_up(world.app, notes)
    assert notes.entries == []
    await forgetting.forget(world.app, world.customer.id)
    await journal.catch_up(world.app, notes)
    assert [one.kind for one in notes.entries] == ["recording.erased", "subject.erased"]
    assert notes.size == len(await world.find(Leaf))
    assert await journal.catch_up(world.app, notes) == 0
    assert len(notes.entries) == 2
    assert world.customer.party.name not in str(notes.entries)


async def test_when_the_server_ends_the_last_leaves_are_in_it(world: World) -> None:
    began = asyncio.Event()

    class Waking(Notes):
        async def add(self, entries: Sequence[Entry], upto: int) -> None:
            await super().add(entries, upto)
            began.set()

    notes = Waking()
    keeping = world.meanwhile(journal.keep(world.app, notes))
    await began.wait()
    await evidence.adopt(world.app, "the last thing")
    assert notes.size < len(await world.find(Leaf))
    keeping.cancel()
    await asyncio.wait([keeping])
    assert notes.size == len(await world.find(Leaf))


@sqlite_only(COPIED)
async def test_a_person_and_their_recording_go_again(world: World, tmp_path: Path) -> None:
    recording = await world.sealed("quality")
    await sessions.end_session(world.app, world.session, "left")
    older, notes = Older(world), Notes()
    since = await older.take()
    await forgetting.forget(world.app, world.customer.id)
    await journal.catch_up(world.app, notes)
    await older.back()
    assert (await world.only(Recording)).state is State.SEALED, "it is back"
    done = await replaying.replay(world.app, notes.entries, since)
    assert (done.recordings, done.persons, done.failed) == (1, 1, [])
    assert (await world.only(Recording, id=recording)).state is State.ERASED
    assert world.files("keys") == []
    again = await replaying.replay(world.app, notes.entries, since)
    assert (again.recordings, again.persons) == (0, 0)


@sqlite_only(COPIED)
async def test_the_agents_own_track_goes_again_and_the_other_stays(world: World) -> None:
    await world.sealed("quality")
    await sessions.end_session(world.app, world.session, "left")
    older, notes = Older(world), Notes()
    since = await older.take()
    await forgetting.forget(world.app, world.agent.id)
    await journal.catch_up(world.app, notes)
    await older.back()
    done = await replaying.replay(world.app, notes.entries, since)
    assert done.failed == []
    left = [one.party for one in await world.find(TrackRecord) if one.erased_ms is None]
    assert left == [world.customer.id]
    assert len(world.files("keys")) == 1


@sqlite_only(COPIED)
async def test_a_hold_that_was_released_keeps_nothing_and_a_newer_one_is_told(
    world: World,
) -> None:
    recording = await world.sealed("quality")
    await sessions.end_session(world.app, world.session, "left")
    placed = await holds.place(
        world.app, world.admin, scope="recording", target=recording, category="claim",
        reason=REASON, asked_by="the court", review_ms=world.clock.ms + 86_400_000,
    )  # fmt: skip
    older, notes = Older(world), Notes()
    since = await older.take()
    await holds.release(world.app, world.admin, placed["hold"], REASON)
    await forgetting.forget(world.app, world.customer.id)
    await holds.place(
        world.app, world.admin, scope="session", target=world.session, category="claim",
        reason=REASON, asked_by="the court", review_ms=world.clock.ms + 86_400_000,
    )  # fmt: skip
    await journal.catch_up(world.app, notes)
    await older.back()
    done = await replaying.replay(world.app, notes.entries, since)
    assert (done.holds, done.recordings, done.persons, done.failed) == (1, 1, 1, [])
    assert (await world.only(Hold, id=placed["hold"])).released_ms is not None
    assert (await world.only(Hold, scope="session")).released_ms is None
    assert [(one["kind"], one["why"]) for one in done.by_hand] == [
        ("hold.placed", replaying.STANDS)
    ]


async def test_what_a_hold_keeps_is_said_and_not_passed_over(world: World) -> None:
    recording = await world.sealed("quality")
    await sessions.end_session(world.app, world.session, "left")
    await holds.place(
        world.app, world.admin, scope="recording", target=recording, category="claim",
        reason=REASON, asked_by="the court", review_ms=world.clock.ms + 86_400_000,
    )  # fmt: skip
    entry = Entry(
        leaf=9, kind="recording.erased", session=None, subject=None,
        refs={"recording": recording, "whole": True, "tracks": []},
    )  # fmt: skip
    done = await replaying.replay(world.app, [entry], 0)
    assert [one["why"] for one in done.failed] == ["hold.stands"]


async def test_calls_that_went_on_when_it_was_made_are_over(world: World) -> None:
    await world.recorded("quality")
    assert await replaying.end_all(world.app) == 1
    assert (await world.only(Session)).end_reason == "restored"
    assert (await world.only(Recording)).state is State.INTERRUPTED
