"""Destroying a recording, or one party's track of it, for good.

The keys go first: from then on the segments are noise, wherever copies of them lie. Repeating
it is harmless, so a crash in the middle is mended by doing it again.
"""

from __future__ import annotations

import hashlib
import logging

from msgspec.structs import replace

from avsession.errors import AvsessionError
from avsession.messages import RecordingFinished
from avsession.ports import Writer
from avsession.recording import State
from avsession.records import Recording, SegmentRecord, TrackRecord, Withdrawal
from avsession.session import Party, Role, Session
from avsession.usecases import effects
from avsession.usecases.common import leaf
from avsession.usecases.services import Services

log = logging.getLogger("avsession.erasure")

FINAL = (State.SEALED, State.INTERRUPTED)


async def carry_out(app: Services, request: str) -> None:
    """Do what the request's withdrawals decided.

    A customer's choice covers the whole recording and is done at once. An agent's covers its
    own track, and waits until the recorder has written its last entry.
    """
    async with app.store.read() as tx:
        rows = await tx.find(Withdrawal, request=request, fate="destroy", done=False)
    for row in rows:
        await _carry_out_one(app, row)


async def begin(app: Services, request: str) -> None:
    """As :func:`carry_out`, for who has just decided: a failure is the timer's to mend."""
    try:
        await carry_out(app, request)
    except AvsessionError as error:
        log.warning("an erasure waits for its next turn: %s", error.code)


async def _carry_out_one(app: Services, row: Withdrawal) -> None:
    """Keys and rows in one transaction, then the objects, and only then it is done."""
    async with app.store.write() as tx:
        party = await tx.get(Party, row.party)
        recording = await tx.get(Recording, row.recording) if row.recording else None
        if recording is None or party is None:
            await tx.put(replace(row, done=True))
            return
        before = recording.state
        whole = party.role is Role.CUSTOMER
        if not whole and before not in (*FINAL, State.ERASED):
            return
        mine = await tx.one(TrackRecord, recording=recording.id, party=party.id)
        if before is not State.ERASED and (whole or (mine and mine.erased_ms is None)):
            recording = await destroy(app, tx, recording, party, "withdrawn", whole=whole)
        final = await effects.final_message(tx, recording)
    erased = recording.state is State.ERASED
    if erased and recording.worker is not None:
        app.bus.tell_worker(recording.worker, final)
    if erased and before is not State.ERASED:
        app.gate.progress.pop(recording.id, None)
        app.bus.tell_session(
            recording.session,
            RecordingFinished(
                recording=recording.id, request=recording.request, state="erased", duration_ms=0
            ),
        )
    if erased:
        await app.objects.remove(recording.id)
    elif mine is not None:
        await app.objects.remove(f"{recording.id}/{mine.id}")
    async with app.store.write() as tx:
        await tx.put(replace(row, done=True))


async def destroy(
    app: Services,
    tx: Writer,
    recording: Recording,
    party: Party | None,
    reason: str,
    *,
    whole: bool,
) -> Recording:
    """Destroy keys and segments of the whole recording, or of ``party``'s track only.

    ``party`` is who decided it; None: the server, because the time has passed.
    """
    session = await tx.get(Session, recording.session)
    tracks = await tx.find(TrackRecord, recording=recording.id)
    gone = []
    for track in tracks:
        if track.erased_ms is not None or not (whole or (party and track.party == party.id)):
            continue
        await app.custody.destroy(track.id)
        app.opened.forget(track.id)
        gone.append(await _forget(app, tx, session, party, track))
    everything = all(
        t.erased_ms is not None for t in await tx.find(TrackRecord, recording=recording.id)
    )
    after = replace(recording, state=State.ERASED, reason=reason) if everything else recording
    await tx.put(after)
    refs = {"recording": recording.id, "whole": everything, "reason": reason, "tracks": gone}
    actor = None if party else "server"
    await leaf(app, tx, "recording.erased", session=session, subject=party, actor=actor, refs=refs)
    return after


async def _forget(
    app: Services, tx: Writer, session: Session | None, party: Party | None, track: TrackRecord
) -> dict[str, object]:
    """Mark one track destroyed; returns what the log says of it."""
    segments = await tx.find(SegmentRecord, track=track.id, order="index", limit=1_000_000)
    digest = hashlib.sha256("".join(s.sha256 for s in segments).encode()).hexdigest()
    for segment in segments:
        await tx.put(replace(segment, erased=True))
    await tx.put(replace(track, erased_ms=app.clock.now_ms()))
    refs = {"recording": track.recording, "track": track.id, "recipient": track.recipient}
    await leaf(app, tx, "key.destroyed", session=session, subject=party, actor="server", refs=refs)
    return {"track": track.id, "segments": len(segments), "digest": digest}
