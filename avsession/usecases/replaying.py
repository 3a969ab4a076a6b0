"""Going through the journal after a restore: what is said there is so again.

First what was taken back is taken back (:mod:`~.repeating`: accounts, ways in, consent), then what
was erased is erased, whatever the backup still holds of it. What cannot be done from the log alone
(a correction's words, a hold's reason) is told to whoever restores.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from avsession.audit.rows import FATE
from avsession.errors import Conflict, Held, NotFound, SessionLive, TooMany, Unavailable
from avsession.ports import Writer
from avsession.recording import GOING_ON, State
from avsession.records import Account, Hold, Recording, Restriction, TrackRecord
from avsession.session import Party, Session
from avsession.usecases import erasure, forgetting, journal, mydata, repeating
from avsession.usecases.accept import finish, finished
from avsession.usecases.common import leaf
from avsession.usecases.journal import (
    ACCOUNT,
    ASKED,
    BY_HAND,
    ERASED,
    FORGOTTEN,
    GRANTED,
    PASSKEY,
    PLACED,
    RELEASED,
    RESTORED,
    RESTRICTED,
    REVOKED,
    WHAT,
    WITHDRAWN,
    Entry,
)
from avsession.usecases.services import Services
from avsession.usecases.sessions import end_session

SERVER = "server"
TO_THE_DESK = frozenset({"access", "rectify", "object", "complain", "erase"})
"""Rights that somebody may still be waiting for."""
CHILD = "child"
OLDER = (
    "The journal is of an older version: which accounts were disabled, links replaced, receipts "
    "shut out and passkeys removed since the backup is not in it."
)
STANDS = "It stands again, but why, and who asked for it, is lost: release it and place it anew."
ELSEWHERE = (
    "The account was made since the backup: whoever signs in through the company has a new one, "
    "which is not disabled."
)


class Replayed(msgspec.Struct, kw_only=True):
    """What a restore did again, and what it could not do."""

    recordings: int = 0
    persons: int = 0
    holds: int = 0
    """Holds that were released."""
    placed: int = 0
    """Holds that were placed."""
    revoked: int = 0
    """Accounts, passkeys and ways to one's own page."""
    withdrawn: int = 0
    chosen: int = 0
    """Withdrawn recordings of which somebody had decided what becomes of them."""
    restricted: int = 0
    children: int = 0
    """Children who were to be erased, and are gone on with."""
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
    ordered, newer = await _in_order(app, entries, since)
    await _each(app, done, "holds", _released, _of(ordered, RELEASED))
    await _take_back(app, done, newer)
    await _each(app, done, "recordings", _recording, _of(ordered, ERASED))
    await _each(app, done, "persons", _person, _of(ordered, FORGOTTEN))
    await _each(app, done, "children", _child, _asked_for(newer, CHILD))
    # after what was erased before it was placed, and before what it kept
    gone = {one.refs.get("hold") for one in _of(ordered, RELEASED)}
    for entry in _of(newer, PLACED):
        if entry.refs.get("hold") not in gone:
            await _stands(app, done, entry)
    await _each(app, done, "recordings", _chosen, _asked_for(newer, FATE))
    done.by_hand.sort(key=lambda one: one["leaf"])
    return done


async def _in_order(
    app: Services, entries: Sequence[Entry], since: int
) -> tuple[list[Entry], list[Entry]]:
    """All of it, each once, the oldest first; and what of that is newer than the backup.

    A restore begins a log of its own where its backup ends, and leaves a mark (``RESTORED``). If
    the backup is of the log after the mark, it knows all that stands before it. If not, everything
    from where that log began to differ is new to it.
    """
    log, known, cut = 0, 0, since
    found: dict[bytes, tuple[int, bool, Entry]] = {}
    for one in entries:
        if one.kind != RESTORED:
            # an entry may be there twice; the later time is when it was so
            found[msgspec.json.encode(one, order="deterministic")] = (log, one.leaf >= cut, one)
            continue
        log += 1
        async with app.store.read() as tx:
            if await journal.knows(tx, one):
                known, cut = log, since
            else:
                cut = min(cut, one.leaf)
    ordered = sorted(found.values(), key=lambda one: (one[0], one[2].leaf))
    newer = [one for number, late, one in ordered if late and number >= known]
    return [one for _, _, one in ordered], newer


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


def _asked_for(entries: Sequence[Entry], right: str) -> list[Entry]:
    return [one for one in _of(entries, ASKED) if one.refs.get("right") == right]


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
            if what == ACCOUNT and (why := await _out_of_reach(app, entry)) is not None:
                done.by_hand.append(_told(entry) | why)
            elif again and (entry.subject is None or last[entry.subject, what] is entry):
                await _each(app, done, "revoked", _by(again), [entry])
        elif entry.kind == WITHDRAWN:
            await _each(app, done, "withdrawn", _by(repeating.withdraw), [entry])
        elif entry.kind == ASKED and entry.refs.get("right") == FATE:
            await _each(app, done, "chosen", _by(repeating.choose), [entry])
        elif entry.kind == RESTRICTED and entry.subject not in gone:
            await _restricted(app, done, entry, newer)
        elif entry.kind == PLACED:
            continue  # later: what was erased before it was placed is erased first
        elif entry.kind in BY_HAND or (entry.kind == ASKED and _waits(entry, newer, gone)):
            done.by_hand.append(_told(entry))


async def _out_of_reach(app: Services, entry: Entry) -> dict[str, Any] | None:
    """What is told of an account that cannot be disabled here; None: it can, or need not be."""
    if "account" not in entry.refs:
        return {}
    async with app.store.read() as tx:
        there = await tx.get(Account, str(entry.refs["account"])) is not None
    return None if there or app.settings.company.issuer is None else {"why": ELSEWHERE}


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
    if entry.refs.get("fate") == "destroy":
        await erasure.carry_out(app, str(entry.refs.get("request")))
    return 0


async def _child(app: Services, entry: Entry) -> int:
    return await repeating.child(app, entry.session)


async def _stands(app: Services, done: Replayed, entry: Entry) -> None:
    """Place a hold again; what it said is lost, and so is what was not in the backup: told."""
    before = done.placed
    await _each(app, done, "placed", _placed, [entry])
    async with app.store.read() as tx:
        there = await tx.get(Hold, str(entry.refs.get("hold"))) is not None
    if done.placed > before:
        done.by_hand.append(_told(entry) | {"why": STANDS})
    elif not there:
        done.by_hand.append(_told(entry))


async def _placed(app: Services, entry: Entry) -> int:
    return await repeating.hold(app, entry.session, entry.subject, entry.refs)


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
