"""What was erased since a backup must not come back with it.

A running server copies each leaf that says so into a journal beside the log's anchor: a small file
without names, to be copied elsewhere often. A restore goes through it and erases again whatever the
backup still holds: recordings, tracks, persons. What cannot be done again from the log alone
(a correction's words, a new hold's reason) is told to whoever restores.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from avsession.errors import AvsessionError, Conflict, Held, NotFound, SessionLive, Unavailable
from avsession.ports import Writer
from avsession.recording import GOING_ON, State
from avsession.records import Hold, Leaf, Recording, TrackRecord
from avsession.session import Party, Session
from avsession.usecases import erasure, forgetting
from avsession.usecases.accept import finish, finished
from avsession.usecases.common import leaf
from avsession.usecases.services import Services
from avsession.usecases.sessions import end_session

log = logging.getLogger("avsession.journal")

ERASED, FORGOTTEN, RELEASED = "recording.erased", "subject.erased", "hold.released"
BY_HAND = ("hold.placed", "consent.withdrawn", "subject.restricted", "subject.rectified")
"""Leaves that a restore cannot repeat: they are told."""
KINDS = frozenset({ERASED, FORGOTTEN, RELEASED, *BY_HAND})
EVERY_S = 1.0
"""How often the journal catches up with the log."""
BATCH = 1000
"""Leaves that are read at once."""
SERVER = "server"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A leaf that a restore must know. Pseudonyms and identifiers, as in the log."""

    leaf: int
    kind: str
    session: str | None
    subject: str | None
    refs: dict[str, Any]


class Journal(Protocol):
    """Where entries are kept, apart from the database."""

    async def upto(self) -> int:
        """How many leaves were gone through. Raises Unavailable."""

    async def add(self, entries: Sequence[Entry], upto: int) -> None:
        """Keep these, durably, and how far that is. Raises Unavailable."""

    async def read(self) -> list[Entry]:
        """All of it, the oldest first; an entry may be there twice."""


class _Body(msgspec.Struct):
    session: str | None
    subject: str | None
    refs: dict[str, Any]


async def catch_up(app: Services, journal: Journal) -> int:
    """Bring the journal up to the log; how many leaves were gone through. Raises Unavailable."""
    upto = begun = await journal.upto()
    while True:
        async with app.store.read() as tx:
            rows = await tx.find(Leaf, order="index", above=upto - 1, limit=BATCH)
        if not rows:
            return upto - begun
        upto = rows[-1].index + 1
        await journal.add([_entry(row) for row in rows if row.kind in KINDS], upto)


def _entry(row: Leaf) -> Entry:
    body = msgspec.json.decode(row.data, type=_Body)
    return Entry(
        leaf=row.index, kind=row.kind, session=body.session, subject=body.subject, refs=body.refs
    )


async def keep(app: Services, journal: Journal) -> None:
    """Keep the journal up with the log for as long as this runs, and once more when it ends: a
    restore refuses a journal that ends before the log did. The store must be open until then."""
    try:
        while True:
            await _turn(app, journal)
            await asyncio.sleep(EVERY_S)
    finally:
        await _turn(app, journal)


async def _turn(app: Services, journal: Journal) -> None:
    try:
        await catch_up(app, journal)
    except AvsessionError as error:
        log.warning("the journal of erasures waits for its next turn: %s", error.code)
    except Exception:
        log.exception("the journal of erasures failed")


# --- after a restore


class Replayed(msgspec.Struct, kw_only=True):
    """What a restore did again, and what it could not do."""

    recordings: int = 0
    persons: int = 0
    holds: int = 0
    ended: int = 0
    """Calls that went on when the backup was made."""
    by_hand: list[dict[str, Any]] = []
    """What must be looked at: kind, leaf and session of each."""
    failed: list[dict[str, Any]] = []
    """What is still there though it was erased. Empty, or the restore does not count."""


async def end_all(app: Services) -> int:
    """End the calls that went on when the backup was made, and their recordings."""
    async with app.store.read() as tx:
        live = await tx.find(Session, ended_ms=None, limit=100_000)
    for session in live:
        await end_session(app, session.id, "restored")
    for state in (*GOING_ON, State.CLOSING):
        async with app.store.read() as tx:
            rows = await tx.find(Recording, state=state, limit=100_000)
        for row in rows:
            async with app.store.write() as tx:
                fresh = await tx.get(Recording, row.id)
                if fresh is None:
                    continue
                done = await finish(app, tx, fresh, State.INTERRUPTED)
            finished(app, done)
    return len(live)


async def replay(app: Services, entries: Sequence[Entry], since: int) -> Replayed:
    """Erase again what the entries say was erased; harmless for what is gone already.

    ``since``: leaves that the backup's log has: what is told to be done by hand is newer. Nothing
    may run beside this, and no call may be going on (:func:`end_all`).
    """
    done = Replayed()
    by_kind = {kind: [one for one in entries if one.kind == kind] for kind in KINDS}
    for entry in by_kind[RELEASED]:
        done.holds += await _released(app, entry)
    steps = ((ERASED, _recording, "recordings"), (FORGOTTEN, _person, "persons"))
    for kind, again, field in steps:
        for entry in by_kind[kind]:
            try:
                count = await again(app, entry)
                setattr(done, field, getattr(done, field) + count)
            except (Held, Conflict, SessionLive, Unavailable) as error:
                done.failed.append(_told(entry) | {"why": error.code})
    done.by_hand = [
        _told(entry)
        for entry in sorted(entries, key=lambda one: one.leaf)
        if entry.kind in BY_HAND and entry.leaf >= since
    ]
    return done


def _told(entry: Entry) -> dict[str, Any]:
    return {"kind": entry.kind, "leaf": entry.leaf, "session": entry.session}


async def _recording(app: Services, entry: Entry) -> int:
    recording_id, whole = str(entry.refs.get("recording")), entry.refs.get("whole") is True
    named = [str(one["track"]) for one in entry.refs.get("tracks", [])]
    async with app.store.write() as tx:
        recording = await tx.get(Recording, recording_id)
        if recording is None or recording.state is State.ERASED:
            return 0
        if whole:
            decided = [await erasure.decide(app, tx, recording, None, "restored", whole=True)]
        else:
            tracks = [await tx.get(TrackRecord, name) for name in named]
            parties = [await tx.get(Party, one.party) for one in tracks if one is not None]
            decided = [
                await erasure.decide(app, tx, recording, party, "forgotten", whole=False)
                for party in parties
                if party is not None
            ]
    await erasure.go_on(app, recording_id)
    return int(any(decided))


async def _person(app: Services, entry: Entry) -> int:
    pseudonym = entry.refs.get("party") or entry.subject
    async with app.store.read() as tx:
        party = await tx.one(Party, pseudonym=pseudonym) if pseudonym else None
    if party is None:
        return 0
    try:
        await forgetting.forget(app, party.id)
    except NotFound:
        return 0
    return 1


async def _released(app: Services, entry: Entry) -> int:
    """A hold that was released since would keep what was erased after that."""
    async with app.store.write() as tx:
        hold = await tx.get(Hold, str(entry.refs.get("hold")))
        if hold is None or hold.released_ms is not None:
            return 0
        await _release(app, tx, hold)
    return 1


async def _release(app: Services, tx: Writer, hold: Hold) -> None:
    reason = "It was released before the restore of a backup."
    # nobody here is known to have released it: it stands under who placed it, and says why
    released = replace(
        hold, released_by=hold.placed_by, released_ms=app.clock.now_ms(), release_reason=reason
    )
    await tx.put(released)
    party = await tx.get(Party, hold.target) if hold.scope == "party" else None
    await leaf(
        app, tx, "hold.released", session=await tx.get(Session, hold.session), subject=party,
        actor=SERVER, refs={"hold": hold.id, "scope": hold.scope},
        details={"account": hold.placed_by, "reason": reason},
    )  # fmt: skip
