"""Recorder workers: coming, going, and staying in touch."""

from __future__ import annotations

from typing import Protocol

from avsession.consent import Interrupted
from avsession.messages import Heartbeat, HeartbeatReply, Live, WorkerWelcome
from avsession.ports import Reader
from avsession.recording import GOING_ON, State
from avsession.records import EntryRecord, Recording
from avsession.session import Session
from avsession.usecases import effects
from avsession.usecases.capture import open_gate, retry_waiting
from avsession.usecases.closing import close_now
from avsession.usecases.common import advance
from avsession.usecases.services import Services

NOT_KEPT = -1
"""Tells a worker to delete its spool of a recording: it is unknown, over, or erased."""


class Hello(Protocol):
    """What of ``worker.hello`` is needed here."""

    @property
    def worker(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def recordings(self) -> tuple[str, ...]: ...


async def worker_joined(app: Services, hello: Hello) -> WorkerWelcome:
    """A worker is connected: what the domain knows of the recordings in its spool.

    One that was started anew before its old connection was seen to be dead has a new certificate
    and none of its legs: what was live for it is over first.
    """
    if any(gate.fingerprint != hello.fingerprint for gate in app.gate.meant_for(hello.worker)):
        await worker_gone(app, hello.worker)
    async with app.store.read() as tx:
        known = {rec: await _known(app, tx, hello.worker, rec) for rec in hello.recordings}
    media = app.settings.media
    return WorkerWelcome(
        ice_servers=media.recorder_ice_servers, relay_only=media.relay_only, known=known
    )


async def _known(app: Services, tx: Reader, worker: str, recording_id: str) -> int:
    recording = await tx.get(Recording, recording_id)
    if recording is None or recording.worker != worker:
        return NOT_KEPT
    if recording.state not in (*GOING_ON, State.CLOSING):
        return NOT_KEPT
    if recording.state is State.PAUSED:  # what it was told of that may be lost
        app.gate.paused[recording_id] = worker
    return await tx.count(EntryRecord, recording=recording_id)


async def worker_ready(app: Services, worker: str) -> None:
    """After the welcome was sent: finish what is over, begin what has waited."""
    async with app.store.read() as tx:
        rows = await tx.find(Recording, worker=worker, state=State.CLOSING)
        finals = [await effects.final_message(tx, row) for row in rows]
    for message in finals:
        app.gate.drains.moved(message.recording, app.clock.now_ms())
        app.bus.tell_worker(worker, message)
    await retry_waiting(app)


async def worker_gone(app: Services, worker: str) -> None:
    """A worker's connection ended. Its gates close; consent stands, so new ones may open.

    May be repeated when it raises: what is still to be recorded is found in the database.
    """
    app.figures.forget(worker)
    for gate in app.gate.meant_for(worker):
        close_now(app, gate.session, "recorder_lost", final=False)
    async with app.store.read() as tx:
        rows = await tx.find(Recording, worker=worker, state=State.ON)
    for session_id in {row.session for row in rows}:
        async with app.store.write() as tx:
            session = await tx.get(Session, session_id)
            if session is None or app.gate.of_session(session_id) is not None:
                continue
            decision = await advance(app, tx, session_id, Interrupted())
            after = await effects.record(app, tx, session, decision)
        await effects.speak(app, after, open_gate)


def heartbeat(app: Services, worker: str, message: Heartbeat) -> HeartbeatReply:
    """What is live for this worker right now; from memory, so that it can never lag behind."""
    app.figures.take(worker, message.figures)
    return HeartbeatReply(
        sent=message.sent,
        server_ms=app.clock.now_ms(),
        live=tuple(
            Live(recording=gate.recording, generation=gate.generation)
            for gate in app.gate.of_worker(worker)
        ),
        paused=tuple(rec for rec, owner in app.gate.paused.items() if owner == worker),
    )
