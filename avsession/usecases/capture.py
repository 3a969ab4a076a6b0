"""Capture: granting it, passing its legs on, and accepting what was stored.

The domain's lock: a grant is signed only when the database shows a committed ``given`` event
of every party present for this very request, whatever the state machine says (``consents``), and
each of them is covered by a signed checkpoint of the audit log.
"""

from __future__ import annotations

import logging

import msgspec
from msgspec.structs import replace

from avsession import grant as grants
from avsession.canonical import unb64
from avsession.consent import ConsentState, Interrupted, Phase, Request
from avsession.errors import (
    AvsessionError,
    ConsentRequired,
    SignatureInvalid,
    SignerFailed,
    Unavailable,
)
from avsession.logs import about
from avsession.messages import Capture, Granted, Parties, RecordingChanged, RecordingStatus
from avsession.ports import Reader, WorkerInfo, Writer
from avsession.recording import GOING_ON, State, may_become
from avsession.records import (
    ConsentEvent,
    EntryRecord,
    GrantRecord,
    Recording,
    TrackRecord,
)
from avsession.session import Party, Session, new_id
from avsession.usecases import consents as consents_of
from avsession.usecases import effects, evidence, relay, views
from avsession.usecases.common import advance, leaf, load_state
from avsession.usecases.gate import OpenGate
from avsession.usecases.services import Services

log = logging.getLogger("avsession.capture")

EVIDENCE_TURNS = 4
"""How often consents that came meanwhile may ask for one more checkpoint, before it waits."""


class _Ready(msgspec.Struct, frozen=True):
    """A grant that is being committed, and how many manifest entries there are already."""

    gate: OpenGate
    token: str
    entries: int


async def open_gate(app: Services, session_id: str) -> None:
    """Sign and hand out a grant, if the session's consent state says that the gate is open.

    Without a recorder the session waits (``gate.waiting``) and everyone is told; the call goes
    on. Does nothing when the state has changed meanwhile. Raises ConsentRequired when the
    database does not bear the state out, Unavailable when it is to be tried again.
    """
    if not app.gate.lease.held:  # another server may have the database, and open it there
        app.gate.waiting.setdefault(session_id, app.clock.now_ms())
        return
    ready: _Ready | None = None
    try:
        for _ in range(EVIDENCE_TURNS):
            async with app.store.write() as tx:
                found = await _may_open(app, tx, session_id)
                if found is None:
                    app.gate.waiting.pop(session_id, None)
                    return
                session, state, request = found
                consents = await consents_of.committed(tx, state, request)
                newest = max((event.leaf for event in consents), default=-1)
                if covered := await evidence.covered(app, tx, newest):
                    ready = await _ready(app, tx, session, state, request, consents)
                    if ready is not None:
                        app.gate.prepare(ready.gate)
            if covered:
                break
            # outside the write: nobody waits for the signer who does not need it
            await evidence.checkpoint(app, newest)
        else:
            raise SignerFailed("The consents are in no signed checkpoint.")
    except BaseException as error:
        app.gate.abandon(session_id)
        if isinstance(error, Unavailable):
            app.gate.waiting.setdefault(session_id, app.clock.now_ms())
        raise
    if ready is not None and _there(app, ready.gate):
        if app.gate.open(ready.gate):
            await _announce(app, ready)
        else:
            # closed while it was committed: if what closed it lets it, the next turn opens anew
            app.gate.waiting[session_id] = app.clock.now_ms()
        return
    app.gate.abandon(session_id)
    if session_id not in app.gate.waiting:
        app.gate.waiting[session_id] = app.clock.now_ms()
        off = RecordingStatus(
            state="off",
            reason="recorder_unavailable",
            request=request.id,
            generation=state.generation,
        )
        app.bus.tell_session(session_id, RecordingChanged(recording=off))


def _there(app: Services, gate: OpenGate) -> bool:
    """Whether the recorder that the grant names has not gone while it was made."""
    meant = (gate.worker, gate.fingerprint)
    return any((worker.worker, worker.fingerprint) == meant for worker in app.bus.workers())


async def _may_open(
    app: Services, tx: Writer, session_id: str
) -> tuple[Session, ConsentState, Request] | None:
    """The session and its state, if its gate should be open and is not."""
    session = await tx.get(Session, session_id)
    state = await load_state(tx, app, session_id)
    if session is None or not _should_open(app, state):
        return None
    if app.gate.of_session(session_id) is not None:
        return None
    for recording in await tx.find(Recording, session=session_id):
        if await tx.get(GrantRecord, recording.id, state.generation) is not None:
            # Granted, but closed in memory: only a new generation may open.
            decision = await advance(app, tx, session_id, Interrupted())
            await effects.record(app, tx, session, decision)
            state = decision.state
    request = state.request
    return (session, state, request) if request and _should_open(app, state) else None


def _should_open(app: Services, state: ConsentState) -> bool:
    if state.phase is not Phase.OPEN or state.request is None:
        return False
    if any(request == state.request.id for request, _ in app.gate.unstopped.values()):
        return False
    return not app.gate.barred(state.request.id, (seat.party for seat in state.seats))


async def _ready(
    app: Services,
    tx: Writer,
    session: Session,
    state: ConsentState,
    request: Request,
    consents: list[ConsentEvent],
) -> _Ready | None:
    """The grant, its recording and its tracks; None when there is no recorder for it."""
    recording = await tx.one(Recording, request=request.id)
    worker = await choose_worker(app, tx, recording)
    if worker is None:
        return None
    recording = await _recording(app, tx, session, state, request, recording, worker)
    tracks = await _tracks(app, tx, session, recording, state)
    token, until_ms = await _grant(app, tx, session, state, recording, tracks, worker, consents)
    gate = OpenGate(
        session=session.id,
        request=request.id,
        recording=recording.id,
        generation=state.generation,
        worker=worker.worker,
        fingerprint=worker.fingerprint,
        parties=frozenset(seat.party for seat in state.seats),
        until_ms=until_ms,
    )
    return _Ready(gate, token, await tx.count(EntryRecord, recording=recording.id))


async def _announce(app: Services, ready: _Ready) -> None:
    """Tell everyone that recording is on, then the recorder that it may."""
    gate = ready.gate
    app.notary.hurried = True
    on = RecordingStatus(
        state="on", request=gate.request, recording=gate.recording, generation=gate.generation
    )
    app.bus.tell_session(gate.session, RecordingChanged(recording=on))
    app.bus.tell_session(gate.session, Granted(grant=ready.token))
    servers = relay.for_recorder(app, gate.session)
    order = Capture(grant=ready.token, resume=ready.entries, ice_servers=servers)
    app.bus.tell_worker(gate.worker, order)
    async with app.store.read() as tx:
        parties = await views.parties(app, tx, gate.session)
    app.bus.tell_session(gate.session, Parties(parties=parties))


async def choose_worker(
    app: Services, tx: Reader, recording: Recording | None
) -> WorkerInfo | None:
    """The recorder that holds the recording's spool, or the least loaded for a new one.

    A recording that waits for its gate to open again keeps its place: that counts as load. A
    recorder that has said that it has no room is asked only if no other is free: it says why.
    """
    workers = app.bus.workers()
    if recording is not None and recording.worker is not None:
        holder = (recording.worker, recording.recorder_key)
        return next((w for w in workers if (w.worker, w.recorder_key) == holder), None)
    free = []
    for worker in workers:
        held = [await tx.count(Recording, worker=worker.worker, state=state) for state in GOING_ON]
        if sum(held) < worker.capacity:
            full = not app.figures.taking(worker.worker)
            free.append((full, sum(held) / worker.capacity, worker))
    return min(free, key=lambda found: found[:2], default=(True, 1.0, None))[2]


async def _recording(
    app: Services,
    tx: Writer,
    session: Session,
    state: ConsentState,
    request: Request,
    recording: Recording | None,
    worker: WorkerInfo,
) -> Recording:
    """The recording of this request, made at its first grant."""
    now = app.clock.now_ms()
    if recording is None:
        recording = Recording(
            id=new_id("rec", app.entropy),
            session=session.id,
            request=request.id,
            state=State.ON,
            reason="",
            purposes=list(state.common_purposes),
            epoch_ms=now,
            generation=0,
            worker=worker.worker,
            recorder_key=worker.recorder_key,
            created_ms=now,
        )
    elif not may_become(recording.state, State.ON):
        raise ConsentRequired("That recording is over.")
    # Narrowed over all generations: whoever left once and allowed less is in it, too.
    purposes = [p for p in recording.purposes if p in state.common_purposes]
    if not purposes:
        raise ConsentRequired("Nothing is left that everyone allowed.")
    recording = replace(
        recording,
        state=State.ON,
        reason="",
        purposes=purposes,
        generation=state.generation,
    )
    await tx.put(recording)
    return recording


async def _tracks(
    app: Services, tx: Writer, session: Session, recording: Recording, state: ConsentState
) -> list[TrackRecord]:
    """A track with a key pair of its own for every party present."""
    tracks = []
    for seat in state.seats:
        track = await tx.one(TrackRecord, recording=recording.id, party=seat.party)
        if track is None:
            track_id = new_id("trk", app.entropy)
            with about(session.id):
                recipient = await app.custody.create(recording.id, track_id)
            track = TrackRecord(
                id=track_id, recording=recording.id, party=seat.party, recipient=recipient
            )
            await tx.add(track)
            refs = {"recording": recording.id, "track": track_id, "recipient": recipient}
            await leaf(app, tx, "key.created", session=session, actor="server", refs=refs)
            await leaf(app, tx, "key.wrapped", session=session, actor="server", refs=refs)
        tracks.append(track)
    return tracks


async def _grant(
    app: Services,
    tx: Writer,
    session: Session,
    state: ConsentState,
    recording: Recording,
    tracks: list[TrackRecord],
    worker: WorkerInfo,
    events: list[ConsentEvent],
) -> tuple[str, int]:
    """Sign the grant; its row and the leaves that say so. Returns it, and when it ends."""
    now = app.clock.now_ms()
    media = app.settings.media
    grant = grants.Grant(
        id=new_id("grt", app.entropy),
        session=session.id,
        request=recording.request,
        recording=recording.id,
        generation=state.generation,
        epoch_ms=recording.epoch_ms,
        issued_ms=now,
        expires_ms=now + grants.LIFETIME_MS,
        worker=worker.worker,
        fingerprint=worker.fingerprint,
        recorder_key=worker.recorder_key,
        purposes=tuple(recording.purposes),
        consents=tuple(map(consents_of.signed, events)),
        legs=tuple(grants.GrantedLeg(t.party, t.id, t.recipient) for t in tracks),
        max_height=media.max_height,
        max_bitrate=media.max_bitrate,
        delay_ms=media.delay_ms,
    )
    try:
        grants.check_consents(grant)
    except SignatureInvalid as error:
        raise ConsentRequired("A party's signature does not hold.") from error
    token = grants.sign(grant, app.grant_key)
    await tx.add(
        GrantRecord(recording=recording.id, generation=state.generation, token=token, issued_ms=now)
    )
    refs = {
        "recording": recording.id,
        "generation": state.generation,
        "grant": grants.digest(token),
    }
    await leaf(
        app,
        tx,
        "grant.issued",
        session=session,
        actor="server",
        refs={
            **refs,
            "consents": [event.id for event in events],
            # what a manifest is held against, without the database: whose key, whose track
            "recorder_key": unb64(worker.recorder_key).hex(),
            "tracks": [track.id for track in tracks],
            "owners": [await _pseudonym(tx, track.party) for track in tracks],
        },
        details={"purposes": recording.purposes},
    )
    await leaf(app, tx, "recording.on", session=session, actor="server", refs=refs)
    return token, grant.expires_ms


async def _pseudonym(tx: Reader, party_id: str) -> str:
    party = await tx.get(Party, party_id)
    return party.pseudonym if party else ""


async def retry_waiting(app: Services) -> None:
    """Try again for the sessions that wait for a recorder."""
    if not app.bus.workers():
        return
    for session_id in list(app.gate.waiting):
        told = {"session": session_id}
        try:
            await open_gate(app, session_id)
        except Unavailable as error:
            log.warning("the gate stays closed for now: %s", error.code, extra=told)
        except AvsessionError as error:
            app.gate.waiting.pop(session_id, None)
            log.warning("the gate stays closed: %s", error.code, extra=told)
