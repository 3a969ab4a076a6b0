"""Review: what an admin may see, and what must be written down before anything is shown."""

from __future__ import annotations

from typing import Any

from avsession.errors import (
    Conflict,
    ConsentRequired,
    Erased,
    Invalid,
    NotFound,
    PurposeExpired,
)
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
)
from avsession.sealing.open import VirtualFile
from avsession.session import Party, Session, new_id
from avsession.usecases import certificates, holds, keeping, restricting, stepup, tracks
from avsession.usecases.common import leaf
from avsession.usecases.grounds import names
from avsession.usecases.mydata import event_view
from avsession.usecases.permissions import RECORDING_PLAY, REVIEW_READ, Principal, require
from avsession.usecases.services import Services
from avsession.usecases.tracks import MAX_ENTRIES, PLAYABLE
from avsession.usecases.withdrawals import withheld

MIN_REASON = 3
MAX_REASON = 500
"""Characters of a stated reason."""
WITHHELD = "Consent was taken back; it is not decided yet what is kept."
NEVER_MS = 2**53 - 1


async def sessions(app: Services, who: Principal, before: int, limit: int) -> list[dict[str, Any]]:
    """Sessions made before ``before`` (ms), newest first."""
    require(who, REVIEW_READ)
    async with app.store.read() as tx:
        rows = await tx.find(Session, order="-created_ms", below=before, limit=limit)
        return [
            {
                **_session(row),
                "parties": [_party(p) for p in await _parties(tx, row.id)],
                "requests": await tx.count(RecordingRequest, session=row.id),
                "recordings": await tx.count(Recording, session=row.id),
            }
            for row in rows
        ]


async def session(app: Services, who: Principal, session_id: str) -> dict[str, Any]:
    """One session's story: parties, consent events in the log's order, requests, recordings."""
    require(who, REVIEW_READ)
    async with app.store.read() as tx:
        row = await tx.get(Session, session_id)
        if row is None:
            raise NotFound
        parties = await _parties(tx, row.id)
        requests = await tx.find(RecordingRequest, session=row.id, order="at_ms")
        return {
            **_session(row),
            "parties": [
                {
                    **_party(p),
                    "language": p.language,
                    "joined_ms": p.joined_ms,
                    "left_ms": p.left_ms,
                }
                for p in parties
            ],
            "events": [
                event_view(e) for e in await tx.find(ConsentEvent, session=row.id, order="leaf")
            ],
            "requests": [
                {
                    "request": r.id,
                    "by": r.by,
                    "purposes": r.purposes,
                    "at_ms": r.at_ms,
                    "outcome": r.outcome,
                }
                for r in requests
            ],
            "recordings": [
                await _recording(tx, r, app.clock.now_ms())
                for r in await tx.find(Recording, session=row.id, order="created_ms")
            ],
            "holds": await holds.views(tx, row.id),
        }


async def event(app: Services, who: Principal, event_id: str) -> dict[str, Any]:
    """A consent event's whole record."""
    require(who, REVIEW_READ)
    async with app.store.read() as tx:
        row = await tx.get(ConsentEvent, event_id)
    if row is None:
        raise NotFound
    return row.document


async def notice(app: Services, who: Principal, sha256: str) -> bytes:
    """The archived bytes of a notice."""
    require(who, REVIEW_READ)
    async with app.store.read() as tx:
        row = await tx.get(Notice, sha256)
    if row is None:
        raise NotFound
    return row.text


async def recordings(
    app: Services, who: Principal, before: int, limit: int
) -> list[dict[str, Any]]:
    """Recordings made before ``before`` (ms), newest first."""
    require(who, REVIEW_READ)
    async with app.store.read() as tx:
        rows = await tx.find(Recording, order="-created_ms", below=before, limit=limit)
        return [await _recording(tx, row, app.clock.now_ms()) for row in rows]


def _session(row: Session) -> dict[str, Any]:
    return {
        "session": row.id,
        "created_ms": row.created_ms,
        "ended_ms": row.ended_ms,
        "end_reason": row.end_reason,
    }


def _party(row: Party) -> dict[str, Any]:
    return {"party": row.id, "role": str(row.role), "name": row.name}


async def _parties(tx: Reader, session_id: str) -> list[Party]:
    return await tx.find(Party, session=session_id, order="created_ms")


async def _recording(tx: Reader, row: Recording, now: int) -> dict[str, Any]:
    tracks = {t.party: t for t in await tx.find(TrackRecord, recording=row.id)}
    parties = [p for p in await _parties(tx, row.session) if p.id in tracks]
    hidden = await withheld(tx, row)
    over = await keeping.expired(tx, row, now)
    left = any(t.erased_ms is None and t.party not in hidden for t in tracks.values())
    restricted = await restricting.is_shut(tx, row)
    return {
        "recording": row.id,
        "session": row.session,
        "request": row.request,
        "state": await certificates.state_of(tx, row),
        "reason": row.reason,
        "created_ms": row.created_ms,
        "duration_ms": row.duration_ms,
        "purposes": row.purposes,
        "expired": [purpose for purpose in row.purposes if purpose in over],
        "parties": [{**_party(p), "erased": tracks[p.id].erased_ms is not None} for p in parties],
        "playable": (
            row.state in PLAYABLE and left and not restricted and not over.issuperset(row.purposes)
        ),
        "restricted": restricted,
        "held": bool(await holds.on_recording(tx, row)),
        "certificates": await certificates.of_recording(tx, row.id),
    }


async def open_recording(
    app: Services, who: Principal, recording_id: str, reason: str, purpose: str
) -> dict[str, Any]:
    """Allow ``who`` to watch, for a stated reason and a consented purpose.

    ``recording.accessed`` is committed before anything can be seen. Raises ConsentRequired for
    a purpose that not everyone allowed, PurposeExpired when the time that was told for it is over,
    Restricted when somebody in it has it restricted, Erased, Conflict while the recording still
    runs. The opening ends with the purpose.
    """
    require(who, RECORDING_PLAY)
    reason = " ".join(reason.split())
    if not MIN_REASON <= len(reason) <= MAX_REASON:
        raise Invalid(f"State a reason of {MIN_REASON} to {MAX_REASON} characters.")
    now = app.clock.now_ms()
    async with app.store.write() as tx:
        row = await tx.get(Recording, recording_id)
        if row is None:
            raise NotFound
        if row.state is State.ERASED:
            raise Erased
        if row.state not in PLAYABLE:
            raise Conflict("The recording is not finished yet.")
        if purpose not in row.purposes:
            raise ConsentRequired("Not everyone consented to that purpose.")
        await restricting.check(tx, row, purpose)
        end = await keeping.end_of(tx, row, purpose)
        if end is not None and end <= now:
            raise PurposeExpired
        hidden = await withheld(tx, row)
        if hidden >= {t.party for t in await tx.find(TrackRecord, recording=row.id)}:
            raise ConsentRequired(WITHHELD)
        owner = await tx.get(Session, row.session)
        await stepup.spend(app, tx, who, stepup.PLAY, row.id)
        access = Access(
            id=new_id("acs", app.entropy),
            recording=row.id,
            account=who.account,
            auth=who.auth,
            purpose=purpose,
            reason=reason,
            at_ms=now,
            expires_ms=min(now + app.settings.signin.access_s * 1000, end or NEVER_MS),
        )
        await tx.add(access)
        await leaf(
            app,
            tx,
            "recording.accessed",
            session=owner,
            actor=who.pseudonym,
            refs={"recording": row.id, "access": access.id},
            details={
                "account": who.account,
                "reason": reason,
                "purpose": purpose,
                # who may watch, and until when, is no less than why
                "auth": who.auth.hex(),
                "at_ms": now,
                "expires_ms": access.expires_ms,
            },
        )
        manifest = await tracks.manifest_of(tx, row)
        found = await tx.find(TrackRecord, recording=row.id)
        for track in found:
            manifest = await tracks.kept(tx, manifest, track.id)
        parties = {p.id: p for p in await _parties(tx, row.session)}
    return {
        "access": access.id,
        "expires_ms": access.expires_ms,
        "duration_ms": row.duration_ms,
        "tracks": [
            {
                "track": track.id,
                **_party(parties[track.party]),
                "url": f"/api/admin/access/{access.id}/tracks/{track.id}.webm",
                "gaps": [
                    {"start_ms": g.start_ms, "end_ms": g.end_ms, "reason": g.reason}
                    for g in manifest.gaps(track.id)
                ],
            }
            for track in found
            if track.erased_ms is None and track.party not in hidden and manifest.segments(track.id)
        ],
    }


async def track_file(app: Services, who: Principal, access_id: str, track_id: str) -> VirtualFile:
    """One track as a seekable WebM file, for whoever opened it and as long as that holds."""
    require(who, RECORDING_PLAY)
    async with app.store.read() as tx:
        access = await tx.get(Access, access_id)
        track = await tx.get(TrackRecord, track_id)
        if access is None or track is None or track.recording != access.recording:
            raise NotFound
        if access.auth != who.auth:
            raise NotFound
        if access.expires_ms <= app.clock.now_ms():
            app.opened.expire(app.clock.now_ms())
            raise NotFound
        row = await tx.get(Recording, track.recording)
        hidden = await withheld(tx, row) if row is not None else frozenset()
        if row is not None:
            await restricting.check(tx, row, access.purpose)
    if row is None or row.state is State.ERASED or track.erased_ms is not None:
        app.opened.forget(track.id)
        raise Erased
    if track.party in hidden:
        raise ConsentRequired(WITHHELD)
    return await app.opened.get(access, track.id, lambda: _open(app, row, track, access))


async def _leaf_of(tx: Reader, row: Recording, access: Access) -> int | None:
    """The leaf that speaks of this opening: a row alone, which anybody put in, opens nothing."""
    owner = await tx.get(Session, row.session)
    if owner is None:
        return None
    leaves = await tx.find(
        Leaf, session=owner.pseudonym, kind="recording.accessed", order="-index", limit=MAX_ENTRIES
    )
    wanted = {"recording": row.id, "access": access.id}
    return next((one.index for one in leaves if names(one, wanted)), None)


async def _open(app: Services, row: Recording, track: TrackRecord, access: Access) -> VirtualFile:
    """As ``tracks.opened``; raises NotFound when the log does not speak of this opening."""
    async with app.store.read() as tx:
        found = await _leaf_of(tx, row, access)
    if found is None:
        raise NotFound
    return await tracks.opened(app, row, track.id, found)
