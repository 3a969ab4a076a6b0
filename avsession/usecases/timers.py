"""What happens because time passed. All of it is found in the database, so restarts lose none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

import msgspec

from avsession.consent import ConsentState
from avsession.errors import AvsessionError
from avsession.recording import State
from avsession.records import ConsentState as ConsentRow
from avsession.records import Recording, Withdrawal
from avsession.session import Party, Session
from avsession.usecases import (
    consent,
    disclosures,
    erasing,
    erasure,
    evidence,
    exports,
    holds,
    leaving,
    relay,
    resetting,
    retention,
    withdrawals,
)
from avsession.usecases.accept import finish, finished
from avsession.usecases.capture import retry_waiting
from avsession.usecases.presence import timed_out
from avsession.usecases.services import Services
from avsession.usecases.sessions import end_session
from avsession.usecases.stopping import stop_again

log = logging.getLogger("avsession.timers")

EVERY_S = 0.5
"""How often :func:`tick` should be called."""
DRAIN_MS = 30_000
"""How long a connected recorder may take to finish a recording that is over."""
ABSENT_MS = 600_000
"""How long an absent recorder may take to come back and finish one."""
LONGEST_MS = 1_800_000
"""How long it may take in all: one that lies, or hangs, can send entries for ever."""
BATCH = 200
"""How many due things of a kind one tick handles; the rest waits for the next."""
WAITING = 10_000
"""Decided erasures that are looked through while there is a legal hold anywhere."""


async def tick(app: Services) -> None:
    """Carry out everything that is due. One failing thing does not keep the others from it."""
    app.opened.expire(app.clock.now_ms())
    steps = (
        resetting.follow, stop_again, consent.withdraw_again, _answers, _seats, _choices,
        _erasures, _drains, leaving.follow, retention.apply, erasure.resume, erasing.carry_on,
        exports.expire, disclosures.expire, relay.renew, _scrub, _invitations,
        evidence.keep_signing,
    )  # fmt: skip
    for step in steps:
        await _guarded(step(app))
    await _guarded(retry_waiting(app))


async def keep_ticking(app: Services) -> None:
    """:func:`tick` for as long as this runs."""
    while True:
        await tick(app)
        await asyncio.sleep(EVERY_S)


async def _guarded(work: Awaitable[None]) -> None:
    """One due thing, or one step: what goes wrong in it is noted, and the others go on."""
    try:
        await work
    except AvsessionError as error:
        log.warning("a timer waits for its next turn: %s", error.code)
    except Exception:
        log.exception("a timer failed")


async def _answers(app: Services) -> None:
    """Silence is no."""
    async with app.store.read() as tx:
        due = await tx.find(
            ConsentRow, order="deadline_ms", below=app.clock.now_ms() + 1, limit=BATCH
        )
    for row in due:
        await _guarded(_expire(app, row))


async def _expire(app: Services, row: ConsentRow) -> None:
    await consent.expire(app, row.session, msgspec.json.decode(row.state, type=ConsentState))


async def _seats(app: Services) -> None:
    """A seat without signaling for 30 s is given up."""
    async with app.store.read() as tx:
        due = await tx.find(
            Party, order="seat_deadline_ms", below=app.clock.now_ms() + 1, limit=BATCH
        )
    for party in due:
        await _guarded(timed_out(app, party.id))


async def _choices(app: Services) -> None:
    """No choice means destroy."""
    now = app.clock.now_ms()
    async with app.store.read() as tx:
        due = await tx.find(
            Withdrawal, order="due_ms", below=now + 1, fate=None, done=False, limit=BATCH
        )
    for row in due:
        await _guarded(_default(app, row))


async def _default(app: Services, row: Withdrawal) -> None:
    async with app.store.write() as tx:
        await withdrawals.by_default(app, tx, row)


async def _erasures(app: Services) -> None:
    """What withdrawals decided. Those that a hold keeps stay in the list, so all of it is read."""
    async with app.store.read() as tx:
        limit = WAITING if await holds.any_standing(tx) else BATCH
        due = await tx.find(Withdrawal, fate="destroy", done=False, limit=limit)
    for request in dict.fromkeys(row.request for row in due):
        await _guarded(erasure.carry_out(app, request))


async def _scrub(app: Services) -> None:
    await app.leftovers.again(app.store)


async def _drains(app: Services) -> None:
    """A recording whose recorder does not finish it is ended as interrupted, and says so.

    What was accepted by then stays, whatever comes later is refused. The patience begins anew when
    the recorder comes back or sends an entry, though not for longer than LONGEST_MS, and with each
    start of the server: it counts time in which the recorder could have spoken.
    """
    now = app.clock.now_ms()
    connected = {worker.worker for worker in app.bus.workers()}
    async with app.store.read() as tx:
        rows = await tx.find(Recording, state=State.CLOSING, limit=BATCH)
    for row in rows:
        patience = DRAIN_MS if row.worker in connected else ABSENT_MS
        began_ms, moved_ms = app.gate.drains.seen(row.id, now)
        if now >= min(moved_ms + patience, began_ms + LONGEST_MS):
            about = {"recording": row.id, "session": row.session}
            log.warning("a recorder did not finish a recording", extra=about)
            await _guarded(_interrupt(app, row.id))


async def _interrupt(app: Services, recording_id: str) -> None:
    async with app.store.write() as tx:
        recording = await tx.get(Recording, recording_id)
        if recording is None or recording.state is not State.CLOSING:
            app.gate.drains.over(recording_id)
            return
        done = await finish(app, tx, recording, State.INTERRUPTED)
    finished(app, done)


async def _invitations(app: Services) -> None:
    """A session that nobody can enter any more and nobody is in has ended."""
    now = app.clock.now_ms()
    async with app.store.read() as tx:
        due = await tx.find(
            Session, order="invitation_expires_ms", below=now + 1, ended_ms=None, limit=BATCH
        )
        empty = []
        for session in due:
            parties = await tx.find(Party, session=session.id)
            seats_end = max((p.created_ms for p in parties), default=0)
            seats_end += app.settings.signin.seat_s * 1000
            over = session.invitation_state != "claimed" or seats_end <= now
            if over and all(p.presence is None for p in parties):
                empty.append(session.id)
    for session_id in empty:
        await _guarded(end_session(app, session_id, "expired"))
