"""What a party can see and do with its private link, in the call and after it.

Only the link's hash is stored. Whoever holds the link is the party: that is what it is for.
"""

from __future__ import annotations

from typing import Any

import msgspec

from avsession.canonical import sha256_hex
from avsession.errors import LinkSpent, TooMany
from avsession.export_records import Taken
from avsession.messages import ChooseFate, WithdrawConsent
from avsession.ports import Reader
from avsession.recording import State
from avsession.records import (
    Access,
    ConsentEvent,
    Leaf,
    Notice,
    Recording,
    RecordingRequest,
    TrackRecord,
    Withdrawal,
)
from avsession.session import Party, Session
from avsession.signed import Enrolment, Signed
from avsession.usecases import (
    certificates,
    consent,
    holds,
    keys,
    outgoing,
    requests,
    restricting,
    told,
)
from avsession.usecases.common import leaf
from avsession.usecases.services import Services
from avsession.usecases.tokens import new_secret, secret_hash
from avsession.usecases.withdrawals import may_withdraw

RECEIPTS, LINK = "receipts", "private_link"
"""How the leaves call the ways in: by receipts, and by the private link."""


async def _holder(tx: Reader, secret: str) -> tuple[Session, Party]:
    party = await tx.one(Party, data_hash=secret_hash(secret))
    session = await tx.get(Session, party.session) if party else None
    if party is None or session is None:
        raise LinkSpent
    return session, party


async def holder(app: Services, secret: str) -> Party:
    """Whose private link this is; raises LinkSpent."""
    async with app.store.read() as tx:
        _, party = await _holder(tx, secret)
    return party


async def renew_link(app: Services, party: Party) -> str:
    """A new private link for a seated party; the old one stops working, and so does what was
    prepared under it: its download key may be in wrong hands, too. Raises TooMany."""
    if not app.limits.links.take(party.id, app.clock.now_ms()):
        raise TooMany
    secret = new_secret(app.entropy)
    async with app.store.write() as tx:
        fresh = await tx.get(Party, party.id)
        session = await tx.get(Session, fresh.session) if fresh is not None else None
        if fresh is None or session is None:
            raise LinkSpent
        await tx.put(msgspec.structs.replace(fresh, data_hash=secret_hash(secret)))
        # a restore of a backup must know that the one before opens nothing any more
        refs = {"what": LINK, "method": "seat"}
        await leaf(app, tx, "access.granted", session=session, subject=fresh, refs=refs)
        dropped = await outgoing.drop_exports(tx, party.id)
    await outgoing.gone(app, dropped)
    return secret


async def my_data(app: Services, secret: str) -> dict[str, Any]:
    """What is kept about this party, as its page shows it; raises LinkSpent for an unknown link.

    The export holds more: every row of it, with the log's entries, the browser's keys and the gaps
    of the tracks (:data:`~.gathering.HELD`).
    """
    async with app.store.read() as tx:
        session, party = await _holder(tx, secret)
        events = await tx.find(ConsentEvent, session=session.id, party=party.id, order="leaf")
        recordings = await tx.find(Recording, session=session.id, order="created_ms")
        return {
            "name": party.name,
            "role": str(party.role),
            "preferences": {"language": party.language, "contact": party.contact or ""},
            "seat": {"joined_ms": party.joined_ms, "left_ms": party.left_ms},
            "session": {
                "session": session.id,
                "created_ms": session.created_ms,
                "ended_ms": session.ended_ms,
            },
            "signing": {"party": party.id, "challenge": keys.challenge(app, party.id)},
            "controller": msgspec.to_builtins(app.settings.controller),
            "events": [event_view(event) for event in events],
            "notices": await _notices(tx, session.id),
            "recordings": [await _recording(tx, party, row) for row in recordings],
            "held": holds.told(await holds.on_party(tx, party)),
            "accesses": [view for row in recordings for view in await _accesses(tx, row)],
            "requests": await requests.views(tx, party.id),
            "restrictions": await restricting.told(tx, party),
            "links": await _links(tx, session, party, "receipt"),
            "renewed": await _links(tx, session, party, "link"),
            "handed": await _links(tx, session, party, "desk"),
            "receipts": "closed" if await receipts_closed(tx, session, party) else "open",
            "disclosures": await _disclosures(app, tx, party),
        }


async def _links(tx: Reader, session: Session, party: Party, method: str) -> list[int]:
    """When a new private link was had with a receipt, with the link before, or from the desk: the
    holder sees if that was not them."""
    leaves = await tx.find(Leaf, session=session.pseudonym, kind="access.granted", order="index")
    bodies = [(leaf.at_ms, msgspec.json.decode(leaf.data)) for leaf in leaves]
    return [
        at_ms
        for at_ms, body in bodies
        if body["subject"] == party.pseudonym
        and body["refs"].get("what") == LINK
        and body["refs"].get("method") == method
    ]


async def receipts_closed(tx: Reader, session: Session, party: Party) -> bool:
    """Whether this party lets no receipt open their page (:mod:`~.waysin`): the last leaf about it
    says."""
    last, closed = -1, False
    for kind in ("access.granted", "access.revoked"):
        for row in await tx.find(Leaf, session=session.pseudonym, kind=kind, order="index"):
            body = msgspec.json.decode(row.data)
            about = body["subject"] == party.pseudonym and body["refs"].get("what") == RECEIPTS
            if about and row.index > last:
                last, closed = row.index, kind == "access.revoked"
    return closed


def event_view(event: ConsentEvent) -> dict[str, Any]:
    """The parts of an event that a list shows."""
    document: dict[str, Any] = event.document
    notice = document.get("notice") or {}
    return {
        "event": event.id,
        "kind": event.kind,
        "at_ms": event.at_ms,
        "party": event.party,
        "request": event.request,
        "purposes": [
            p["id"] for p in document["purposes"] if event.kind == "requested" or p["answer"]
        ],
        "notice": notice.get("sha256"),
        "language": notice.get("language"),
        "leaf": event.leaf,
    }


async def _notices(tx: Reader, session: str) -> dict[str, str]:
    texts = {}
    for request in await tx.find(RecordingRequest, session=session):
        for sha256 in request.notices.values():
            if (notice := await tx.get(Notice, sha256)) is not None:
                texts[sha256] = notice.text.decode()
    return texts


async def _recording(tx: Reader, party: Party, row: Recording) -> dict[str, Any]:
    track = await tx.one(TrackRecord, recording=row.id, party=party.id)
    withdrawal = await tx.get(Withdrawal, row.request, party.id)
    erased = row.state is State.ERASED
    return {
        "recording": row.id,
        "request": row.request,
        "state": await certificates.state_of(tx, row),
        "duration_ms": row.duration_ms,
        "created_ms": row.created_ms,
        "mine_erased": track is not None and track.erased_ms is not None,
        "purposes": row.purposes,
        "can_withdraw": not erased and await may_withdraw(tx, party.id, row.request),
        "withdrawn": withdrawal is not None,
        "fate": withdrawal.fate if withdrawal else None,
        "held": None if erased else holds.told(await holds.on_recording(tx, row)),
        "certificates": await certificates.of_recording(tx, row.id),
    }


async def certificate(app: Services, secret: str, certificate_id: str) -> dict[str, Any]:
    """A certificate of destruction of the session that the link's holder was in.

    Raises LinkSpent for an unknown link, NotFound.
    """
    async with app.store.read() as tx:
        _session, party = await _holder(tx, secret)
        return await certificates.for_party(tx, party, certificate_id)


async def _accesses(tx: Reader, row: Recording) -> list[dict[str, Any]]:
    """Who watched it, and who exported it, and why; oldest first."""
    watched = await tx.find(Access, recording=row.id)
    taken = await tx.find(Taken, recording=row.id, why="admin")
    rows = [(one, "reviewer") for one in watched] + [(one, "admin") for one in taken]
    return [
        {"at_ms": one.at_ms, "reason": one.reason, "purpose": one.purpose, "by": by}
        for one, by in sorted(rows, key=lambda row: row[0].at_ms)
    ]


async def _disclosures(app: Services, tx: Reader, party: Party) -> list[dict[str, Any]]:
    """To whom something of theirs was given; what the law forbids to tell comes later."""
    return [
        {
            "disclosure": one.id,
            "at_ms": one.made_ms,
            "category": one.category,
            "given_to": one.given_to,
            "basis": one.basis,
            "basis_text": one.basis_text,
            "reason": one.reason,
            "parts": one.parts,
        }
        for one in await told.disclosed(tx, party, app.clock.now_ms())
    ]


def _key(key: str, what: str) -> str:
    """One click is two changes; each has a key of its own that is made from the click's."""
    return sha256_hex(f"{what} {key}".encode())


async def withdraw(
    app: Services,
    secret: str,
    request: str,
    fate: str | None,
    key: str,
    enrolment: Enrolment | None = None,
    signed: Signed | None = None,
) -> dict[str, str]:
    """Take consent back; without ``fate`` the choice stays open until it is due.

    Where nothing was recorded there is nothing to choose, and ``fate`` is passed over.

    ``enrolment`` and ``signed`` are the page's key and signature; without them, or when they do
    not hold, the withdrawal holds all the same and its record says so.

    A second call with another ``key`` may bring the choice. Raises what the use cases of
    ``consent`` raise.
    """
    async with app.store.read() as tx:
        _session, party = await _holder(tx, secret)
        open_choice = await tx.get(Withdrawal, request, party.id)
        withdrawn = not await may_withdraw(tx, party.id, request)
    if not (withdrawn and open_choice is not None):
        message = WithdrawConsent(request=request, key=_key(key, "withdraw"), signed=signed)
        await consent.withdraw(app, party.id, message, enrolment)
    async with app.store.read() as tx:
        recorded = await tx.get(Withdrawal, request, party.id) is not None
    if fate is not None and recorded:
        chosen = ChooseFate(request=request, fate=fate, key=_key(key, "fate"))
        await consent.choose_fate(app, party.id, chosen)
    return {"state": "withdrawn", "fate": fate or ""}
