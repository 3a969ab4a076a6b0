"""Destroying a recording, or one party's track of it, for good, and proving it afterwards.

In this order, each step harmless to repeat, so that a crash anywhere is mended by going on:

1. It is decided, in one transaction (:func:`decide`): from then on nothing of it is played or
   accepted, no hold can be placed any more, and what the database knew beside the media (the
   manifest, which says when somebody spoke, and the segments' rows) is removed.
2. The keys go: from then on the segments are noise, wherever copies of them lie.
3. The segments and the manifest's file go, and packages of disclosures that hold any of it.
4. What the database's files keep behind what was removed goes.
5. Only then it is done: ``key.destroyed``, ``recording.erased`` and the certificate that it
   commits to, in one transaction; and everyone is told.

A legal hold keeps the first step from being taken. What was decided by a withdrawal or by time
waits for its release.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from msgspec.structs import replace

from avsession.audit import certificate as certificates
from avsession.audit.certificate import Destroyed
from avsession.errors import AvsessionError, Held
from avsession.logs import about
from avsession.ports import Reader, Writer
from avsession.privacy import retention as rules
from avsession.recording import State, decode_line, entry_digest
from avsession.records import (
    Certificate,
    EntryRecord,
    Recording,
    SegmentRecord,
    TrackRecord,
    Withdrawal,
)
from avsession.session import Party, Role, Session, new_id
from avsession.usecases import effects, holds, outgoing
from avsession.usecases.common import leaf
from avsession.usecases.keeping import is_due
from avsession.usecases.services import Services

log = logging.getLogger("avsession.erasure")

FINAL = (State.SEALED, State.INTERRUPTED)
MAX_SEGMENTS = 1_000_000
"""Segments of one track that are read at once."""
BATCH = 200
"""Destructions that are taken up again in one turn; the rest waits for the next."""


async def carry_out(app: Services, request: str) -> None:
    """Do what the request's withdrawals decided.

    A customer's choice covers the whole recording and is done at once. An agent's covers its
    own track, and waits until the recorder has written its last entry. Either waits for a hold.
    """
    async with app.store.read() as tx:
        rows = [
            row
            for row in await tx.find(Withdrawal, request=request, fate="destroy", done=False)
            if not await _is_held(tx, row)
        ]
    for row in rows:
        await _carry_out_one(app, row)


async def _is_held(tx: Reader, row: Withdrawal) -> bool:
    recording = await tx.get(Recording, row.recording) if row.recording else None
    return recording is not None and bool(await holds.on_recording(tx, recording))


async def begin(app: Services, request: str) -> None:
    """As :func:`carry_out`, for who has just decided: a failure is the timer's to mend."""
    try:
        await carry_out(app, request)
    except AvsessionError as error:
        log.warning("an erasure waits for its next turn: %s", error.code)


async def _carry_out_one(app: Services, row: Withdrawal) -> None:
    """Decide what the withdrawal says, go through with it, and only then call it done."""
    async with app.store.write() as tx:
        party = await tx.get(Party, row.party)
        recording = await tx.get(Recording, row.recording) if row.recording else None
        if recording is not None and party is not None:
            whole = party.role is Role.CUSTOMER
            if not whole and recording.state not in (*FINAL, State.ERASED):
                return
            try:
                await decide(app, tx, recording, party, "withdrawn", whole=whole)
            except Held:
                return
    if recording is not None:
        await go_on(app, recording.id)
    async with app.store.write() as tx:
        fresh = await tx.get(Withdrawal, row.request, row.party)
        if fresh is not None:
            await tx.put(replace(fresh, done=True))


async def decide(
    app: Services,
    tx: Writer,
    recording: Recording,
    party: Party | None,
    reason: str,
    *,
    whole: bool,
) -> str | None:
    """Decide to destroy the whole recording, or ``party``'s track only; the certificate's id.

    ``party`` is who decided it; None: the server, because the time has passed. None when there
    is nothing left to destroy. After the commit call :func:`go_on`. Raises Held.
    """
    tracks = await tx.find(TrackRecord, recording=recording.id)
    gone = [
        track
        for track in tracks
        if track.erased_ms is None and (whole or (party is not None and track.party == party.id))
    ]
    if recording.state is State.ERASED or not (gone or whole):
        return None
    if await holds.on_recording(tx, recording):
        raise Held
    now = app.clock.now_ms()
    left = [t for t in tracks if t.erased_ms is None and t not in gone]
    row = Certificate(
        id=new_id("cer", app.entropy),
        recording=recording.id,
        party=party.id if party else None,
        reason=reason,
        whole=not left,
        decided_ms=now,
        document={
            "tracks": [msgspec.to_builtins(await _destroyed(tx, track)) for track in gone],
            "manifest": await _manifest(tx, recording),
        },
    )
    await tx.add(row)
    for track in gone:
        await tx.remove(SegmentRecord, track=track.id)
        await tx.put(replace(track, erased_ms=now))
    if not left:
        await tx.remove(EntryRecord, recording=recording.id)
        await tx.put(replace(recording, state=State.ERASED, reason=reason, keep_until_ms=None))
    return row.id


async def _destroyed(tx: Reader, track: TrackRecord) -> Destroyed:
    segments = await tx.find(SegmentRecord, track=track.id, order="index", limit=MAX_SEGMENTS)
    party = await tx.get(Party, track.party)
    return Destroyed(
        track=track.id,
        recipient=track.recipient,
        role=str(party.role) if party else "",
        segments=tuple(segment.sha256 for segment in segments),
    )


async def _manifest(tx: Reader, recording: Recording) -> dict[str, Any]:
    """The manifest's head and length; the head of an unfinished one is its last entry so far."""
    count = await tx.count(EntryRecord, recording=recording.id)
    last = await tx.get(EntryRecord, recording.id, count - 1) if count else None
    head = recording.manifest_head
    if head is None and last is not None:
        head = entry_digest(decode_line(last.line).entry)
    return {"head": head, "entries": count}


async def resume(app: Services) -> None:
    """Go on with every destruction that was decided and is not done."""
    async with app.store.read() as tx:
        rows = await tx.find(Certificate, done_ms=None, order="decided_ms", limit=BATCH)
    for row in rows:
        try:
            await _complete(app, row.id)
        except AvsessionError as error:
            log.warning("an erasure waits for its next turn: %s", error.code)
        except Exception:
            log.exception("an erasure failed")


async def go_on(app: Services, recording: str) -> None:
    """Go on with what was decided about this recording, to the end.

    Raises Unavailable when a part of it cannot be done now; :func:`resume` mends that.
    """
    async with app.store.read() as tx:
        rows = await tx.find(Certificate, recording=recording, done_ms=None, order="decided_ms")
    for row in rows:
        await _complete(app, row.id)


async def _complete(app: Services, certificate: str) -> None:
    """Steps 2 to 5 of one destruction."""
    async with app.store.read() as tx:
        row = await tx.get(Certificate, certificate)
        recording = await tx.get(Recording, row.recording) if row else None
        if row is None or recording is None or row.done_ms is not None:
            return
        await _not_held(app, tx, row, recording)
        if row.reason == "retention" and not await is_due(tx, recording, app.clock.now_ms()):
            # then nobody decided it: somebody wrote it into the database
            told = {"recording": recording.id, "session": recording.session}
            log.error("a destruction by time is not due", extra=told)
            return
        final = await effects.final_message(tx, recording)
    tracks = msgspec.convert(row.document["tracks"], list[Destroyed])
    with about(recording.session):
        for track in tracks:
            app.opened.forget(track.track)
            await app.custody.destroy(track.track)
    keys_ms = app.clock.now_ms()
    await outgoing.drop_packages(app, recording.id, [track.track for track in tracks])
    if row.whole:
        app.gate.drains.over(recording.id)
        if recording.worker is not None:
            app.bus.tell_worker(recording.worker, final)
        await app.objects.remove(recording.id)
    else:
        for track in tracks:
            await app.objects.remove(f"{recording.id}/{track.track}")
    scrubbed = await app.leftovers.scrub(app.store)
    if await _done(app, row, tracks, keys_ms, scrubbed=scrubbed):
        effects.finished(app, recording, row.id)


async def _not_held(app: Services, tx: Reader, row: Certificate, recording: Recording) -> None:
    """Raise Held when a hold stood before this was decided: then it never was, somebody wrote it.

    What says that it was decided before there was a recording counts as decided now.
    """
    decided = row.decided_ms
    if decided < recording.created_ms:
        decided = app.clock.now_ms() + 1
    if any(one.placed_ms < decided for one in await holds.on_recording(tx, recording)):
        raise Held


async def _done(
    app: Services, row: Certificate, tracks: list[Destroyed], keys_ms: int, *, scrubbed: bool
) -> bool:
    """Everything is gone: say so in the log, with the certificate. False when that was said."""
    async with app.store.write() as tx:
        fresh = await tx.get(Certificate, row.id)
        recording = await tx.get(Recording, row.recording)
        if fresh is None or recording is None or fresh.done_ms is not None:
            return False
        session = await tx.get(Session, recording.session)
        party = await tx.get(Party, row.party) if row.party else None
        now = app.clock.now_ms()
        document = certificates.build(
            app.settings,
            certificate=row.id,
            recording=recording.id,
            session=session.pseudonym if session else None,
            whole=row.whole,
            reason=row.reason,
            by={"role": str(party.role), "pseudonym": party.pseudonym}
            if party
            else {"role": "server"},
            tracks=tracks,
            manifest=msgspec.convert(row.document["manifest"], dict[str, Any]),
            decided_ms=row.decided_ms,
            keys_ms=keys_ms,
            done_ms=now,
            scrubbed=scrubbed,
        )
        for track in tracks:
            refs: dict[str, Any] = {
                "recording": recording.id, "track": track.track, "recipient": track.recipient,
            }  # fmt: skip
            await leaf(
                app, tx, "key.destroyed", session=session, subject=party, actor="server", refs=refs
            )
        refs = {
            "recording": recording.id,
            "whole": row.whole,
            "reason": row.reason,
            "certificate": row.id,
            "sha256": certificates.digest(document),
            "tracks": [
                {
                    "track": track.track,
                    "segments": len(track.segments),
                    "digest": certificates.segments_digest(track.segments),
                }
                for track in tracks
            ],
        }
        index = await leaf(
            app, tx, "recording.erased", session=session, subject=party,
            actor=None if party else "server", refs=refs,
        )  # fmt: skip
        if row.reason == "retention":
            refs = {
                "what": rules.RECORDINGS, "how": rules.DESTROYED, "count": 1,
                "recording": recording.id,
            }  # fmt: skip
            await leaf(app, tx, "retention.applied", session=session, actor="server", refs=refs)
        await tx.put(replace(fresh, document=document, done_ms=now, leaf=index))
    return True
