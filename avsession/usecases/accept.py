"""Accepting what a recorder stored, entry by entry.

A sealed segment is provisional until here: it is accepted only if its generation was live and
its last frame, clock uncertainty added, arrived no later than the moment the gate closed. The
entry of a refused segment stays in the chain; the segment itself is deleted.
"""

from __future__ import annotations

import dataclasses
import logging

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec.structs import replace

from avsession.audit import rows as rows_of
from avsession.canonical import unb64
from avsession.consent import Stopped
from avsession.errors import (
    Conflict,
    Erased,
    ManifestBroken,
    NotPermitted,
    RecordingTruncated,
    SegmentRefused,
    ServerStopping,
    Unavailable,
)
from avsession.logs import SESSION
from avsession.messages import EntryAccepted, EntryRefused, ManifestLine
from avsession.ports import Reader, Writer
from avsession.recording import (
    AnyEntry,
    Attach,
    Begin,
    End,
    Line,
    Sealed,
    State,
    check_next,
    decode_line,
    encode_line,
    entry_digest,
    may_become,
)
from avsession.records import (
    EntryRecord,
    GrantRecord,
    Recording,
    SegmentRecord,
    TrackRecord,
)
from avsession.session import Session
from avsession.usecases import denials, effects
from avsession.usecases.capture import open_gate
from avsession.usecases.common import advance, leaf, load_state
from avsession.usecases.keeping import keep_until
from avsession.usecases.services import Services
from avsession.usecases.stopping import stop_one

log = logging.getLogger("avsession.capture")

EARLY_MS = 2000
"""How much before its grant a segment may claim to begin: clocks are estimates."""
CLOCK_SLACK_MS = 5000
"""What is allowed besides for a clock's estimate that is off: after a hiccup it is, for a while."""
MAX_LENGTH_MS = 1000 + CLOCK_SLACK_MS
"""How long a segment may be: it is cut each second, unless frames are late."""
MAX_UNSURE_MS = 10_000
"""How unsure of the server's clock a recorder may be; one that is less sure keeps nothing."""
MAX_ENTRIES = 1_000_000
"""Manifest entries of one recording that are read at once."""


@dataclasses.dataclass
class _Outcome:
    """What the transaction decided."""

    recording: Recording
    refused: Sealed | None = None
    finished: bool = False
    after: effects.After | None = None


async def manifest_line(
    app: Services, worker: str, message: ManifestLine
) -> EntryAccepted | EntryRefused:
    """Take the next entry of a recording's manifest from the worker that captures it.

    The same entry again is accepted again. An entry that must not enter the chain is refused,
    and its recording is over, because nothing can follow. Raises ManifestBroken for what is no
    entry, NotPermitted for an entry of a recording that is not this worker's, Unavailable when
    nothing can be stored: the recording is over then, too, but the entry may come again.
    """
    try:
        return await _manifest_line(app, worker, message)
    except ServerStopping:
        raise  # another server has taken over: whether the recording goes on is said there
    except Unavailable:
        for gate in app.gate.of_worker(worker):
            if gate.recording == message.recording:
                about = {"recording": gate.recording, "session": gate.session}
                log.error("nothing can be stored", extra=about)
                await stop_one(app, gate.session, "storage_failed", gate.request)
        raise


async def _manifest_line(
    app: Services, worker: str, message: ManifestLine
) -> EntryAccepted | EntryRefused:
    line = decode_line(message.line)
    entry = line.entry
    if not _canonical(line, message.line):
        # it is stored as it came: one line for anybody's tools, with nothing beside the entry
        raise ManifestBroken("An entry must be canonical JSON.")
    if entry.recording != message.recording:
        raise ManifestBroken("The entry belongs to another recording.")
    async with app.store.read() as tx:
        recording = await tx.get(Recording, message.recording)
        if recording is None or recording.worker != worker:
            raise NotPermitted("That recording is not this recorder's.")
    SESSION.set(recording.session)  # of its lane's task
    told = {"recording": recording.id}
    try:
        outcome = await _accept(app, recording.id, line, message.line.encode())
    except (ManifestBroken, RecordingTruncated, Conflict) as error:
        log.warning("entry refused: %s", error.code, extra=told)
        if not isinstance(error, Erased):
            await stop_one(app, recording.session, "recorder_failed", recording.request)
        await denials.refused(app, error.code, worker=worker)
        return EntryRefused(recording=recording.id, n=entry.n, code=error.code)
    if outcome.refused is not None:
        await _discard(app, recording.id, outcome.refused)
        log.warning("segment refused: outside the gate", extra=told)
        await denials.refused(app, SegmentRefused.code, worker=worker)
        return EntryRefused(recording=recording.id, n=entry.n, code=SegmentRefused.code)
    if outcome.after is not None:
        await effects.speak(app, outcome.after, open_gate)
    if outcome.finished:
        finished(app, outcome.recording)
    elif recording.state is State.CLOSING:
        app.gate.drains.moved(recording.id, app.clock.now_ms())
    return EntryAccepted(recording=recording.id, n=entry.n)


async def _discard(app: Services, recording: str, entry: Sealed) -> None:
    """Delete a refused segment, and what was adopted of it by a commit that then failed."""
    # in a write: nothing is adopted meanwhile
    async with app.store.write() as tx:
        kept = await tx.get(SegmentRecord, entry.track, entry.index) is not None
        await app.objects.discard(recording, entry.track, entry.index, adopted=not kept)


def _canonical(line: Line, text: str) -> bool:
    try:
        return encode_line(line).decode() == text
    except ValueError:  # a number that JSON cannot hold exactly
        return False


async def _accept(app: Services, recording_id: str, line: Line, data: bytes) -> _Outcome:
    async with app.store.write() as tx:
        recording = await tx.get(Recording, recording_id)
        if recording is None or recording.state is State.ERASED:
            raise Erased
        return await _take(app, tx, recording, line, data)


async def _take(
    app: Services, tx: Writer, recording: Recording, line: Line, data: bytes
) -> _Outcome:
    entry = line.entry
    count = await tx.count(EntryRecord, recording=recording.id)
    if entry.n < count:
        known = await tx.get(EntryRecord, recording.id, entry.n)
        if known is None or known.line != data:
            raise ManifestBroken("Another entry stands in that place.")
        if isinstance(entry, Sealed):
            kept = await tx.get(SegmentRecord, entry.track, entry.index)
            return _Outcome(recording, None if kept else entry)
        return _Outcome(recording)
    if not may_become(recording.state, State.SEALED):
        raise ManifestBroken("The recording is over.")
    previous = await _entry(tx, recording.id, count - 1)
    check_next(line, previous, Ed25519PublicKey.from_public_bytes(unb64(recording.recorder_key)))
    refused_segment = None
    match entry:
        case Begin():
            await _check_begin(tx, recording, entry)
        case Attach() if not 0 <= entry.clock_uncertainty_ms <= MAX_UNSURE_MS:
            raise ManifestBroken("The recorder does not know the server's clock.")
        case Sealed():
            if await _inside_the_gate(app, tx, recording, entry):
                await _adopt(app, tx, recording, entry)
            else:
                refused_segment = entry
        case _:
            pass
    await tx.add(EntryRecord(recording=recording.id, n=entry.n, line=data))
    if not isinstance(entry, End):
        return _Outcome(recording, refused_segment)
    after = await _over(app, tx, recording)
    state = State.SEALED if entry.state == "sealed" else State.INTERRUPTED
    done = await finish(app, tx, await tx.get(Recording, recording.id) or recording, state)
    return _Outcome(done, finished=True, after=after)


async def _over(app: Services, tx: Writer, recording: Recording) -> effects.After | None:
    """The recorder ended what nobody had ended: the request is over, too."""
    session = await tx.get(Session, recording.session)
    state = await load_state(tx, app, recording.session)
    if session is None or state.request is None or state.request.id != recording.request:
        return None
    decision = await advance(
        app, tx, session.id, Stopped(None, recording.request, "recorder_failed")
    )
    after = await effects.record(app, tx, session, decision)
    after.reason = "recorder_failed"
    return after


async def _entry(tx: Reader, recording: str, n: int) -> AnyEntry | None:
    row = await tx.get(EntryRecord, recording, n) if n >= 0 else None
    return decode_line(row.line).entry if row else None


async def _check_begin(tx: Reader, recording: Recording, entry: Begin) -> None:
    tracks = await tx.find(TrackRecord, recording=recording.id)
    named = {(t.track, t.party, t.recipient) for t in entry.tracks}
    if (
        entry.epoch_ms != recording.epoch_ms
        or entry.recorder_key != recording.recorder_key
        or not named <= {(t.id, t.party, t.recipient) for t in tracks}
    ):
        raise ManifestBroken("The beginning does not agree with the grant.")


async def _inside_the_gate(app: Services, tx: Reader, recording: Recording, entry: Sealed) -> bool:
    """Whether everything in the segment was captured while its generation was live."""
    track = await tx.get(TrackRecord, entry.track)
    grant = await tx.get(GrantRecord, recording.id, entry.generation)
    if track is None or track.recording != recording.id or grant is None:
        return False
    if track.erased_ms is not None:
        return False
    if not _plausible(entry, recording.epoch_ms, grant.issued_ms, app.clock.now_ms()):
        return False
    if entry.captured_ms + entry.uncertainty_ms < grant.issued_ms - EARLY_MS:
        return False
    closed = app.gate.closed_ms(recording.id, entry.generation)
    if closed is None:
        closed = grant.closed_ms
    if closed is None:
        return app.gate.live(recording.id, entry.generation) is not None
    return entry.captured_ms + entry.uncertainty_ms <= closed


def _plausible(entry: Sealed, epoch_ms: int, issued_ms: int, now_ms: int) -> bool:
    """Whether the segment's times can be those of something captured under that grant by now."""
    if not 0 <= entry.uncertainty_ms <= MAX_UNSURE_MS:
        return False
    length = entry.end_ms - entry.start_ms
    if not 0 <= length <= MAX_LENGTH_MS:
        return False
    # the timeline is the recorder's: if the server's clock was set, only the capture tells
    start = max(epoch_ms + entry.start_ms, entry.captured_ms - length)
    if start < issued_ms - CLOCK_SLACK_MS:
        return False
    return entry.captured_ms <= now_ms + entry.uncertainty_ms + CLOCK_SLACK_MS


async def _adopt(app: Services, tx: Writer, recording: Recording, entry: Sealed) -> None:
    await app.objects.adopt(recording.id, entry.track, entry.index, entry.sha256, entry.size)
    await tx.add(
        SegmentRecord(
            track=entry.track,
            index=entry.index,
            recording=recording.id,
            sha256=entry.sha256,
            size=entry.size,
        )
    )


async def finish(app: Services, tx: Writer, recording: Recording, state: State) -> Recording:
    """End the recording as ``sealed`` or ``interrupted``, with its leaf and its manifest's file.

    The caller tells everyone by :func:`finished` once it is committed.
    """
    rows = await tx.find(EntryRecord, recording=recording.id, order="n", limit=MAX_ENTRIES)
    entries = [decode_line(row.line).entry for row in rows]
    last = entries[-1] if entries else None
    head = entry_digest(last) if last is not None else None
    duration = last.duration_ms if isinstance(last, End) else await _last_end(tx, entries)
    closed_ms = recording.closed_ms or app.clock.now_ms()
    done = replace(
        recording,
        state=state,
        duration_ms=duration,
        manifest_head=head,
        keep_until_ms=await keep_until(tx, recording, closed_ms),
        closed_ms=closed_ms,
    )
    await tx.put(done)
    session = await tx.get(Session, recording.session)
    refs = {
        "recording": recording.id,
        "manifest": head,
        "entries": len(entries),
        "segments": rows_of.kept(await _kept(tx, recording)),
        "reason": done.reason,
        "closed_ms": done.closed_ms,
        "duration_ms": duration,
    }
    kind = f"recording.{state}"
    await leaf(app, tx, kind, session=session, actor="recorder", refs=refs)
    # Inside the transaction: an erasure that follows must find it, or it would outlive it.
    lines = b"".join(row.line + b"\n" for row in rows)
    await app.objects.put(f"{recording.id}/manifest.jsonl", lines)
    return done


async def _kept(tx: Reader, recording: Recording) -> list[SegmentRecord]:
    """The segments that were accepted, by track, then by index."""
    found = await tx.find(SegmentRecord, recording=recording.id, limit=MAX_ENTRIES)
    return sorted(found, key=lambda one: (one.track, one.index))


async def _last_end(tx: Reader, entries: list[AnyEntry]) -> int:
    """The end of the last segment that was accepted, on the timeline (ms)."""
    ends = [0]
    for entry in entries:
        if not isinstance(entry, Sealed):
            continue
        if await tx.get(SegmentRecord, entry.track, entry.index) is not None:
            ends.append(entry.end_ms)
    return max(ends)


def finished(app: Services, recording: Recording) -> None:
    """After the commit: everyone is told."""
    app.gate.drains.over(recording.id)
    effects.finished(app, recording)
