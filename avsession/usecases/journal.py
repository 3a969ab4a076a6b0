"""What was erased or taken back since a backup must not come back with it.

A running server copies each leaf that says so into a journal beside the log's anchor: a small file
without names, to be copied elsewhere often. A restore goes through it: first it takes back again
what was taken back (:mod:`~.repeating`: accounts, ways in, consent), then it erases again whatever
the backup still holds: recordings, tracks, persons. What cannot be done again from the log alone
(a correction's words, a new hold's reason) is told to whoever restores.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from avsession.audit.rows import FATE
from avsession.errors import (
    AvsessionError,
    Conflict,
    Held,
    NotFound,
    SessionLive,
    TooMany,
    Unavailable,
)
from avsession.ports import Reader, Writer
from avsession.recording import GOING_ON, State
from avsession.records import Detail, Hold, Leaf, Recording, Restriction, TrackRecord
from avsession.session import Party, Session
from avsession.usecases import erasure, forgetting, mydata, repeating
from avsession.usecases.accept import finish, finished
from avsession.usecases.common import leaf
from avsession.usecases.services import Services
from avsession.usecases.sessions import end_session

log = logging.getLogger("avsession.journal")

ERASED, FORGOTTEN, RELEASED = "recording.erased", "subject.erased", "hold.released"
WITHDRAWN, RESTRICTED = "consent.withdrawn", "subject.restricted"
REVOKED, GRANTED, ASKED = "access.revoked", "access.granted", "privacy.requested"
REPEATED = (ERASED, FORGOTTEN, RELEASED, WITHDRAWN, RESTRICTED)
"""Leaves that a restore does again, whatever they say."""
BY_HAND = ("hold.placed", "subject.rectified")
"""Leaves that a restore cannot repeat: they are told."""
ACCOUNT, PASSKEY = "account", "passkey"
WHAT = {
    REVOKED: frozenset({ACCOUNT, PASSKEY, mydata.RECEIPTS, mydata.LINK}),
    GRANTED: frozenset({mydata.RECEIPTS, mydata.LINK}),
}
"""Of these only what they are about makes them worth a line. A fresh link voids the one before."""
TO_THE_DESK = frozenset({"access", "rectify", "object", "complain", "erase"})
"""Rights that somebody may still be waiting for."""
KINDS = frozenset({*REPEATED, *BY_HAND, *WHAT, ASKED})
"""Kinds of leaf of which at least some are in the journal."""
WHOLE = "journal.whole"
"""Not a leaf: a line saying that all of these were looked for from the first leaf on. A journal
without it is of an older version."""
OLDER = (
    "The journal is of an older version: which accounts were disabled, links replaced, receipts "
    "shut out and passkeys removed since the backup is not in it."
)
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
            found = [await _entry(tx, row) for row in rows if row.kind in KINDS]
        if not rows:
            return upto - begun
        upto = rows[-1].index + 1
        await journal.add([one for one in found if one is not None], upto)


async def _entry(tx: Reader, row: Leaf) -> Entry | None:
    """The leaf as the journal keeps it; None: not at all."""
    body = msgspec.json.decode(row.data, type=_Body)
    refs = body.refs
    if row.kind in WHAT and refs.get("what") not in WHAT[row.kind]:
        return None
    if row.kind == REVOKED and refs.get("what") == ACCOUNT:
        # which account it was the log only commits to: its identifier, which is no name
        detail = await tx.get(Detail, row.index, "account")
        refs = refs | ({"account": msgspec.json.decode(detail.value)} if detail else {})
    return Entry(
        leaf=row.index, kind=row.kind, session=body.session, subject=body.subject, refs=refs
    )


async def make_whole(app: Services, journal: Journal) -> None:
    """Go through the whole log once more if an older version began this journal: it left out what
    this one needs. Raises Unavailable; SettingsInvalid for what is no journal."""
    if is_whole(await journal.read()):
        return
    # first back to the start: cut short here, it is done anew, and no restore takes it for newer
    await journal.add([], 0)
    await catch_up(app, journal)
    mark = Entry(leaf=-1, kind=WHOLE, session=None, subject=None, refs={})
    await journal.add([mark], await journal.upto())


def is_whole(entries: Sequence[Entry]) -> bool:
    """Whether the journal tells all that a restore of this version does again."""
    return any(one.kind == WHOLE for one in entries)


async def keep(app: Services, journal: Journal) -> None:
    """Keep the journal up with the log for as long as this runs, and once more when it ends: a
    restore refuses a journal that ends before the log did. The store must be open until then."""
    whole = False
    try:
        while True:
            whole = await _turn(app, journal, whole=whole)
            await asyncio.sleep(EVERY_S)
    finally:
        await _turn(app, journal, whole=whole)


async def _turn(app: Services, journal: Journal, *, whole: bool) -> bool:
    """Whether the journal is whole now."""
    try:
        if not whole:
            await make_whole(app, journal)
            whole = True
        await catch_up(app, journal)
    except AvsessionError as error:
        log.warning("the journal of erasures waits for its next turn: %s", error.code)
    except Exception:
        log.exception("the journal of erasures failed")
    return whole


# --- after a restore


class Replayed(msgspec.Struct, kw_only=True):
    """What a restore did again, and what it could not do."""

    recordings: int = 0
    persons: int = 0
    holds: int = 0
    revoked: int = 0
    """Accounts, passkeys and ways to one's own page."""
    withdrawn: int = 0
    chosen: int = 0
    """Withdrawn recordings of which somebody had decided what becomes of them."""
    restricted: int = 0
    ended: int = 0
    """Calls that went on when the backup was made."""
    sign_ins: int = 0
    """Sign-ins that the backup had."""
    by_hand: list[dict[str, Any]] = []
    """What must be looked at: kind, leaf and session of each."""
    failed: list[dict[str, Any]] = []
    """What is still there though it was erased or taken back. Empty, or the restore does not
    count."""


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
    """Do again what the entries say was erased or taken back; harmless for what is so already.

    ``since``: leaves that the backup's log has: what is taken back again, and told to be done by
    hand, is newer. Nothing may run beside this, and no call may be going on (:func:`end_all`).
    """
    done = Replayed()
    # an entry may be there twice
    once = {msgspec.json.encode(one, order="deterministic"): one for one in entries}
    ordered = sorted(once.values(), key=lambda one: one.leaf)
    newer = [one for one in ordered if one.leaf >= since]
    await _each(app, done, "holds", _released, _of(ordered, RELEASED))
    await _take_back(app, done, newer)
    await _each(app, done, "recordings", _recording, _of(ordered, ERASED))
    await _each(app, done, "persons", _person, _of(ordered, FORGOTTEN))
    await _each(app, done, "recordings", _chosen, _of(newer, ASKED))
    done.by_hand.sort(key=lambda one: one["leaf"])
    return done


Again = Callable[[Services, Entry], Awaitable[int]]
Repeat = Callable[[Services, str | None, dict[str, Any]], Awaitable[int]]
TAKEN_BACK: dict[tuple[str, Any], Repeat] = {
    (REVOKED, ACCOUNT): repeating.disable,
    (REVOKED, PASSKEY): repeating.remove_passkey,
    (REVOKED, mydata.LINK): repeating.void_link,
    (GRANTED, mydata.LINK): repeating.void_link,
    (REVOKED, mydata.RECEIPTS): repeating.close_receipts,
}


async def _each(
    app: Services, done: Replayed, field: str, again: Again, entries: Sequence[Entry]
) -> None:
    for entry in entries:
        try:
            count = await again(app, entry)
            setattr(done, field, getattr(done, field) + count)
        except (Held, Conflict, SessionLive, TooMany, Unavailable) as error:
            done.failed.append(_told(entry) | {"why": error.code})


def _of(entries: Sequence[Entry], kind: str) -> list[Entry]:
    return [one for one in entries if one.kind == kind]


def _told(entry: Entry) -> dict[str, Any]:
    about = {name: entry.refs[name] for name in ("what", "right") if name in entry.refs}
    return {"kind": entry.kind, "leaf": entry.leaf, "session": entry.session} | about


def older(leaves: int) -> dict[str, Any]:
    """What is told when the journal is of an older version: look at it all since the backup."""
    return {"kind": REVOKED, "leaf": leaves, "session": None, "why": OLDER}


async def _take_back(app: Services, done: Replayed, newer: Sequence[Entry]) -> None:
    """What was taken back since, in the order in which it was; what cannot be is told."""
    # the last word about somebody's receipts, or their link, is what holds
    last = {(one.subject, one.refs.get("what")): one for one in newer if one.kind in WHAT}
    gone = {one.refs.get("party") or one.subject for one in _of(newer, FORGOTTEN)}
    for entry in newer:
        what = entry.refs.get("what")
        if entry.kind in WHAT:
            again = TAKEN_BACK.get((entry.kind, what))
            if what == ACCOUNT and "account" not in entry.refs:
                done.by_hand.append(_told(entry))
            elif again and (entry.subject is None or last[entry.subject, what] is entry):
                await _each(app, done, "revoked", _by(again), [entry])
        elif entry.kind == WITHDRAWN:
            await _each(app, done, "withdrawn", _by(repeating.withdraw), [entry])
        elif entry.kind == ASKED and entry.refs.get("right") == FATE:
            await _each(app, done, "chosen", _by(repeating.choose), [entry])
        elif entry.kind == RESTRICTED and entry.subject not in gone:
            await _restricted(app, done, entry, newer)
        elif entry.kind in BY_HAND or (entry.kind == ASKED and _waits(entry, newer, gone)):
            done.by_hand.append(_told(entry))


def _by(again: Repeat) -> Again:
    async def one(app: Services, entry: Entry) -> int:
        return await again(app, entry.subject, entry.refs)

    return one


async def _restricted(app: Services, done: Replayed, entry: Entry, newer: Sequence[Entry]) -> None:
    """Place it again if it stood at the end; nothing is opened again, that is told."""
    name = entry.refs.get("restriction")
    lifted = any(
        one.refs.get("what") == "lifted" and one.refs.get("restriction") == name
        for one in _of(newer, RESTRICTED)
    )
    async with app.store.read() as tx:
        stood = await tx.get(Restriction, str(name)) is not None
    placed = entry.refs.get("what") == "placed"
    if placed and not (stood or lifted) and entry.refs.get("why") in repeating.RIGHTS:
        await _each(app, done, "restricted", _by(repeating.restrict), [entry])
    elif placed and stood:
        return  # in the backup, or twice in the journal
    elif stood or not lifted:
        done.by_hand.append(_told(entry))


def _waits(entry: Entry, newer: Sequence[Entry], gone: Collection[str | None]) -> bool:
    """Whether somebody may still wait for what they asked for."""
    if "staff_request" in entry.refs:
        return True
    named = entry.refs.get("privacy_request")
    placed = {one.refs.get("privacy_request") for one in _of(newer, RESTRICTED)}
    desk = named is not None and entry.refs.get("right") in TO_THE_DESK
    return desk and named not in placed and entry.subject not in gone


async def _chosen(app: Services, entry: Entry) -> int:
    """What was to be destroyed is: it waits for a hold, as ever."""
    if entry.refs.get("right") == FATE and entry.refs.get("fate") == "destroy":
        await erasure.carry_out(app, str(entry.refs.get("request")))
    return 0


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
