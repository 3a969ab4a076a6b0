"""Restriction (GDPR Art. 18): the recordings that a person is in are kept, and nothing else.

While one stands nobody opens, plays or takes away what it covers, and time does not destroy it
either: the person may need it (Art. 18(1)(c)), and destroying is processing, too. What the person
decides goes on: withdrawing, erasing, taking one's own data. A legal hold stands beside it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from avsession.errors import AvsessionError, Restricted
from avsession.ports import Reader, Writer
from avsession.records import PrivacyRequest, Recording, Restriction, TrackRecord
from avsession.session import Party, Session, new_id
from avsession.usecases.common import leaf
from avsession.usecases.permissions import Principal
from avsession.usecases.services import Services

log = logging.getLogger("avsession.restricting")

ASKED, OBJECTION, KEPT = "asked", "objection", "kept"
"""Why: the person asked for it; objected, which is being decided; what a hold keeps of somebody
who is to be erased."""


async def any_standing(tx: Reader) -> bool:
    """Whether there is any at all: when not, nobody need look further."""
    return bool(await tx.find(Restriction, lifted_ms=None, limit=1))


async def of_party(tx: Reader, party: str) -> list[Restriction]:
    """What stands for this party, oldest first."""
    return await tx.find(Restriction, party=party, lifted_ms=None, order="placed_ms")


async def of_request(tx: Reader, request: str) -> list[Restriction]:
    """What stands because of this request."""
    return await tx.find(Restriction, request=request, lifted_ms=None, order="placed_ms")


async def on_recording(tx: Reader, recording: Recording) -> list[Restriction]:
    """What stands for anybody whose track of this recording is there, and is about it."""
    standing = await tx.find(Restriction, session=recording.session, lifted_ms=None)
    if not standing:
        return []
    tracks = await tx.find(TrackRecord, recording=recording.id)
    there = {track.party for track in tracks if track.erased_ms is None}
    return [row for row in standing if row.party in there and _covers(row, recording)]


def _covers(row: Restriction, recording: Recording) -> bool:
    return not row.purposes or not set(row.purposes).isdisjoint(recording.purposes)


async def is_shut(tx: Reader, recording: Recording) -> bool:
    """Whether the recording may be kept and nothing else, whatever for."""
    left = set(recording.purposes)
    for row in await on_recording(tx, recording):
        if row.whole:
            return True
        left -= set(row.purposes)
    return bool(recording.purposes) and not left


async def keeps(tx: Reader, recording: Recording) -> bool:
    """Whether a restriction keeps it from being destroyed because a time has passed."""
    return any(row.whole for row in await on_recording(tx, recording))


async def check(tx: Reader, recording: Recording, purpose: str) -> None:
    """Raise Restricted when the recording may not be used for this purpose now."""
    for row in await on_recording(tx, recording):
        if row.whole or purpose in row.purposes:
            raise Restricted


async def place(
    app: Services,
    tx: Writer,
    request: PrivacyRequest,
    why: str,
    *,
    purposes: Sequence[str] = (),
    who: Principal | None = None,
    actor: str | None = None,
) -> Restriction:
    """Restrict what the request's party is in: all of it, or what ``purposes`` may use.

    After the commit call :func:`hide`.
    """
    row = Restriction(
        id=new_id("rst", app.entropy),
        session=request.session,
        party=request.party,
        request=request.id,
        why=why,
        purposes=list(purposes),
        whole=True,
        placed_ms=app.clock.now_ms(),
    )
    await tx.add(row)
    await _leaf(app, tx, row, "placed", who=who, actor=actor)
    return row


async def narrow(app: Services, tx: Writer, row: Restriction, who: Principal) -> None:
    """An objection is upheld: the purposes objected to stay shut, the others are free again."""
    row = replace(row, whole=False)
    await tx.put(row)
    await _leaf(app, tx, row, "narrowed", who=who)


async def lift(
    app: Services,
    tx: Writer,
    row: Restriction,
    *,
    who: Principal | None = None,
    actor: str | None = None,
    told: str = "",
) -> None:
    """End it: by ``who`` with a reason, by the server (``actor``), or else by the person."""
    by = "staff" if who else "server" if actor else "party"
    row = replace(row, lifted_ms=app.clock.now_ms(), lifted_by=by, lift_reason=told)
    await tx.put(row)
    await _leaf(app, tx, row, "lifted", who=who, actor=actor, told=told)


async def _leaf(
    app: Services,
    tx: Writer,
    row: Restriction,
    what: str,
    *,
    who: Principal | None = None,
    actor: str | None = None,
    told: str = "",
) -> None:
    details = ({"reason": told} if told else {}) | ({"account": who.account} if who else {})
    refs: dict[str, Any] = {
        "restriction": row.id,
        "privacy_request": row.request,
        "what": what,
        "why": row.why,
        "purposes": row.purposes,
    }
    await leaf(
        app,
        tx,
        "subject.restricted",
        session=await tx.get(Session, row.session),
        subject=await tx.get(Party, row.party),
        actor=who.pseudonym if who else actor,
        refs=refs,
        details=details,
    )


async def hide(app: Services, party: str) -> None:
    """After the commit: whoever watches something that is now shut sees no more of it."""
    try:
        async with app.store.read() as tx:
            shut = await _tracks(tx, party)
    except AvsessionError as error:
        log.warning("open players end with their next request: %s", error.code)
        return
    for track_id in shut:
        app.opened.forget(track_id)


async def _tracks(tx: Reader, party: str) -> list[str]:
    """Every track of the recordings that something stands on and this party is in."""
    found = []
    for track in await tx.find(TrackRecord, party=party):
        recording = await tx.get(Recording, track.recording)
        if recording is not None and await on_recording(tx, recording):
            found += [one.id for one in await tx.find(TrackRecord, recording=recording.id)]
    return found


async def told(tx: Reader, party: Party) -> list[dict[str, Any]]:
    """What a party is told of its restrictions, those that are over among them."""
    return [
        {
            "why": row.why,
            "purposes": row.purposes,
            "whole": row.whole,
            "request": row.request,
            "placed_ms": row.placed_ms,
            "lifted_ms": row.lifted_ms,
            "lifted_by": row.lifted_by,
            "reason": row.lift_reason,
        }
        for row in await tx.find(Restriction, party=party.id, order="placed_ms")
    ]


async def forget(app: Services, tx: Writer, party: Party, nobody: Party) -> None:
    """The person is erased: nothing of theirs is left to be kept back from others."""
    for row in await tx.find(Restriction, party=party.id):
        if row.lifted_ms is None:
            await lift(app, tx, row, actor="server")
        fresh = await tx.get(Restriction, row.id)
        if fresh is not None:
            await tx.put(replace(fresh, party=nobody.id, lift_reason=""))
