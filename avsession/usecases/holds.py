"""Legal holds: while one stands, nothing that it covers is destroyed, whoever decided that.

Withdrawing still closes the gate and hides the playback at once; only the destruction waits. It
stays decided, and happens by itself once the last hold on it is released. The person is told
that there is a hold, its category and when it is reviewed, but not what was written down as the
reason: that may be about somebody else.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec.structs import replace

from avsession.errors import Conflict, Erased, Invalid, NotFound
from avsession.ports import Reader
from avsession.recording import State
from avsession.records import Hold, Recording, TrackRecord
from avsession.session import Party, Session, new_id
from avsession.usecases.common import leaf
from avsession.usecases.permissions import HOLD, Principal, require
from avsession.usecases.services import Services

Scope = Literal["recording", "session", "party"]
Category = Literal["claim", "order", "duty"]
"""Why in general words: to establish or defend a legal claim (GDPR Art. 17(3)(e)), an order of
a court or an authority, another duty by law (Art. 17(3)(b))."""

MIN_REASON = 3
MAX_REASON = 500
"""Characters of a stated reason."""
MAX_ASKED_BY = 200
MAX_REVIEW_MS = 366 * 86_400_000
"""A hold is looked at again within a year."""
LISTED = 500
"""Standing holds in one list."""
MAX_HOLDS = 50
"""Standing holds of one session."""


def checked_text(text: str, least: int, most: int, what: str) -> str:
    """One line of ``least`` to ``most`` characters; raises Invalid."""
    text = " ".join(text.split())
    if not least <= len(text) <= most:
        raise Invalid(f"{what} has {least} to {most} characters.")
    return text


async def place(
    app: Services,
    who: Principal,
    *,
    scope: Scope,
    target: str,
    category: Category,
    reason: str,
    asked_by: str,
    review_ms: int,
) -> dict[str, Any]:
    """Place a hold on a recording, a session or a party; the hold as admins see it.

    ``review_ms``: when it must be looked at again, within a year (ms since the Unix epoch).
    Raises Invalid, NotFound, Erased when the recording is destroyed or about to be,
    Conflict when there are too many.
    """
    require(who, HOLD)
    reason = checked_text(reason, MIN_REASON, MAX_REASON, "A reason")
    asked_by = checked_text(asked_by, 1, MAX_ASKED_BY, "Who asked for it")
    now = app.clock.now_ms()
    if not now < review_ms <= now + MAX_REVIEW_MS:
        raise Invalid("The review lies in the future, at most a year from now.")
    async with app.store.write() as tx:
        session, party = await target_of(tx, scope, target)
        if await tx.count(Hold, session=session.id, released_ms=None) >= MAX_HOLDS:
            raise Conflict("There are too many holds on this session.")
        hold = Hold(
            id=new_id("hld", app.entropy),
            scope=scope,
            target=target,
            session=session.id,
            category=category,
            reason=reason,
            asked_by=asked_by,
            review_ms=review_ms,
            placed_by=who.account,
            placed_ms=now,
        )
        await tx.add(hold)
        await leaf(
            app,
            tx,
            "hold.placed",
            session=session,
            subject=party,
            actor=who.pseudonym,
            refs={
                "hold": hold.id,
                "scope": scope,
                "recording": target if scope == "recording" else None,
                "category": category,
                "review_ms": review_ms,
            },
            details={"account": who.account, "reason": reason, "asked_by": asked_by},
        )
    return view(hold)


async def target_of(tx: Reader, scope: str, target: str) -> tuple[Session, Party | None]:
    """The session that something is about, and the party if it is about one.

    Raises NotFound, Erased for a recording that is destroyed.
    """
    party: Party | None = None
    session_id = target
    if scope == "recording":
        recording = await tx.get(Recording, target)
        if recording is None:
            raise NotFound
        if recording.state is State.ERASED:
            raise Erased
        session_id = recording.session
    elif scope == "party":
        party = await tx.get(Party, target)
        if party is None:
            raise NotFound
        session_id = party.session
    session = await tx.get(Session, session_id)
    if session is None:
        raise NotFound
    return session, party


async def release(app: Services, who: Principal, hold_id: str, reason: str) -> dict[str, Any]:
    """Release a hold; what was decided meanwhile happens with the next turn of the timers.

    Raises Invalid, NotFound, Conflict when it was released before.
    """
    require(who, HOLD)
    reason = checked_text(reason, MIN_REASON, MAX_REASON, "A reason")
    async with app.store.write() as tx:
        hold = await tx.get(Hold, hold_id)
        if hold is None:
            raise NotFound
        if hold.released_ms is not None:
            raise Conflict("That hold was released already.")
        hold = replace(
            hold,
            released_by=who.account,
            released_ms=app.clock.now_ms(),
            release_reason=reason,
        )
        await tx.put(hold)
        party = await tx.get(Party, hold.target) if hold.scope == "party" else None
        await leaf(
            app,
            tx,
            "hold.released",
            session=await tx.get(Session, hold.session),
            subject=party,
            actor=who.pseudonym,
            refs={"hold": hold.id, "scope": hold.scope},
            details={"account": who.account, "reason": reason},
        )
    return view(hold)


async def standing(app: Services, who: Principal) -> list[dict[str, Any]]:
    """Every standing hold with its session, the one to be reviewed first in front; at most
    :data:`LISTED`. ``due``: its review is owed."""
    require(who, HOLD)
    now = app.clock.now_ms()
    async with app.store.read() as tx:
        rows = await tx.find(Hold, released_ms=None, order="review_ms", limit=LISTED)
    return [{**view(row), "session": row.session, "due": row.review_ms <= now} for row in rows]


async def any_standing(tx: Reader) -> bool:
    """Whether there is any hold at all: when not, nobody need look further."""
    return bool(await tx.find(Hold, released_ms=None, limit=1))


async def of_session(tx: Reader, session: str) -> list[Hold]:
    """Every standing hold that is about this session or something in it, oldest first."""
    return await tx.find(Hold, session=session, released_ms=None, order="placed_ms")


async def on_recording(tx: Reader, recording: Recording) -> list[Hold]:
    """The standing holds that keep this recording: its own, its session's, its parties'."""
    holds = await of_session(tx, recording.session)
    if not holds:
        return []
    tracks = await tx.find(TrackRecord, recording=recording.id)
    covered = {recording.id, recording.session, *(track.party for track in tracks)}
    return [hold for hold in holds if hold.target in covered]


async def on_party(tx: Reader, party: Party) -> list[Hold]:
    """The standing holds that keep what is known of this party: its own, its session's, and
    those on each recording of it that is not destroyed, as :func:`on_recording` finds them.
    """
    holds = await of_session(tx, party.session)
    if not holds:
        return []
    kept = {hold.id for hold in holds if hold.target in (party.id, party.session)}
    for track in await tx.find(TrackRecord, party=party.id):
        recording = await tx.get(Recording, track.recording)
        if recording is not None and recording.state is not State.ERASED:
            kept |= {hold.id for hold in await on_recording(tx, recording)}
    return [hold for hold in holds if hold.id in kept]


def told(holds: list[Hold]) -> dict[str, Any] | None:
    """What a party is told of the holds on something: why in general, and until when."""
    if not holds:
        return None
    last = max(holds, key=lambda hold: hold.review_ms)
    return {"category": last.category, "review_ms": last.review_ms}


def view(hold: Hold) -> dict[str, Any]:
    """A hold as admins see it."""
    return {
        "hold": hold.id,
        "scope": hold.scope,
        "target": hold.target,
        "category": hold.category,
        "reason": hold.reason,
        "asked_by": hold.asked_by,
        "review_ms": hold.review_ms,
        "placed_ms": hold.placed_ms,
        "released_ms": hold.released_ms,
        "release_reason": hold.release_reason,
    }


async def views(tx: Reader, session: str) -> list[dict[str, Any]]:
    """Every hold of a session, released ones too, oldest first."""
    return [view(hold) for hold in await tx.find(Hold, session=session, order="placed_ms")]
