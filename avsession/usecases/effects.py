"""Carrying out what ``consent.decide`` said: rows and leaves inside the transaction, words after.

:func:`record` is called in the transaction that holds the decision; :func:`speak` once it has
committed. Opening the gate is a transaction of its own (``capture.open_gate``), because a
grant may be signed only after every ``given`` is committed.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from avsession.consent import (
    Ask,
    CloseGate,
    ConsentState,
    Decision,
    Effect,
    OpenGate,
    PauseBegan,
    PauseOver,
    RequestEnded,
)
from avsession.errors import AvsessionError, LogBroken, SignerFailed, Unavailable
from avsession.messages import (
    Asked,
    AskOver,
    Parties,
    RecordingChanged,
    RecordingFinished,
    RecordingStatus,
)
from avsession.messages import CloseGate as CloseGateMessage
from avsession.ports import Reader, Writer
from avsession.recording import PAUSED, Sealed, State, decode_line, may_become
from avsession.records import (
    EntryRecord,
    GrantRecord,
    Recording,
    RecordingRequest,
    SegmentRecord,
)
from avsession.session import Party, Session
from avsession.usecases import events, views
from avsession.usecases.closing import close_now
from avsession.usecases.common import leaf, load_state
from avsession.usecases.services import Services

log = logging.getLogger("avsession.effects")

RECENT = 200
"""Entries that are looked through for the last one that was accepted."""

Opener = Callable[[Services, str], Awaitable[None]]
"""``capture.open_gate``, given by the caller so that files import one way."""


@dataclasses.dataclass
class After:
    """What is to be said once the transaction has committed."""

    session: str
    reason: str = ""
    ask: bool = False
    opens: bool = False
    paused: bool = False
    """Who has paused has changed."""
    over: list[RequestEnded] = dataclasses.field(default_factory=list)
    closed: list[CloseGate] = dataclasses.field(default_factory=list)


async def record(app: Services, tx: Writer, session: Session, decision: Decision) -> After:
    """Rows and leaves of the decision's effects."""
    after = After(session.id)
    for effect in decision.effects:
        await _record_one(app, tx, session, effect, after)
    return after


async def _record_one(
    app: Services, tx: Writer, session: Session, effect: Effect, after: After
) -> None:
    match effect:
        case Ask():
            after.ask = True
        case OpenGate():
            after.opens = True
        case CloseGate():
            after.opens = False
            after.reason = effect.reason
            after.closed.append(effect)
            await _gate_closed(app, tx, session, effect)
        case PauseBegan():
            after.paused = True
            await _paused(app, tx, session, effect)
        case PauseOver():
            after.paused = True
            await _resumed(app, tx, session, effect)
        case RequestEnded():
            after.ask = after.opens = False
            after.reason = after.reason or effect.outcome
            after.over.append(effect)
            await _request_ended(app, tx, session, effect)


async def _gate_closed(app: Services, tx: Writer, session: Session, effect: CloseGate) -> None:
    """The generation ended: at the moment at which memory closed it, if it did so before.

    One that this process never held open was open when an earlier one died. What was said to that
    one and not written down is unknown, so it ended with the last thing that was accepted.
    """
    for recording in await tx.find(Recording, session=session.id):
        grant = await tx.get(GrantRecord, recording.id, effect.generation)
        if grant is None or grant.closed_ms is not None:
            continue
        closed = app.gate.closed_ms(recording.id, effect.generation)
        if closed is None and app.gate.live(recording.id, effect.generation) is not None:
            closed = app.clock.now_ms()
        if closed is None:
            closed = await _last_accepted(tx, recording.id, grant)
        await tx.put(replace(grant, closed_ms=closed, reason=effect.reason))
        refs = {
            "recording": recording.id,
            "generation": effect.generation,
            "reason": effect.reason,
            "closed_ms": closed,
        }
        await leaf(app, tx, "grant.revoked", session=session, refs=refs)
        if effect.reason == PAUSED:
            continue  # the pause itself follows, and says whose it is
        if may_become(recording.state, State.OFF):
            await tx.put(replace(recording, state=State.OFF, reason=effect.reason))
        await leaf(app, tx, "recording.off", session=session, refs=refs)


async def _paused(app: Services, tx: Writer, session: Session, effect: PauseBegan) -> None:
    recording = await tx.one(Recording, request=effect.request)
    if recording is not None and may_become(recording.state, State.PAUSED):
        await tx.put(replace(recording, state=State.PAUSED, reason=PAUSED))
    await _pause_leaf(app, tx, session, "recording.paused", effect, recording)


async def _resumed(app: Services, tx: Writer, session: Session, effect: PauseOver) -> None:
    recording = await tx.one(Recording, request=effect.request)
    if recording is not None and effect.last and may_become(recording.state, State.OFF):
        # until its gate opens, for which a recorder must be there
        await tx.put(replace(recording, state=State.OFF, reason="resumed"))
    await _pause_leaf(app, tx, session, "recording.resumed", effect, recording)


async def _pause_leaf(
    app: Services,
    tx: Writer,
    session: Session,
    kind: str,
    effect: PauseBegan | PauseOver,
    recording: Recording | None,
) -> None:
    """Whose pause it is, and its generation; no recording if none has begun under the request."""
    refs = {
        "request": effect.request,
        "recording": recording.id if recording else None,
        "generation": effect.generation,
    }
    party = await tx.get(Party, effect.party)
    await leaf(app, tx, kind, session=session, subject=party, refs=refs)


async def _last_accepted(tx: Reader, recording: str, grant: GrantRecord) -> int:
    """When the last frame was captured that was accepted under this grant (server time, ms)."""
    rows = await tx.find(EntryRecord, recording=recording, order="-n", limit=RECENT)
    entries = [decode_line(row.line).entry for row in rows]
    last = grant.issued_ms
    for entry in entries:
        if not isinstance(entry, Sealed) or entry.generation != grant.generation:
            continue
        if await tx.get(SegmentRecord, entry.track, entry.index) is not None:
            last = max(last, math.ceil(entry.captured_ms + entry.uncertainty_ms))
    return last


async def _request_ended(app: Services, tx: Writer, session: Session, effect: RequestEnded) -> None:
    request = await tx.get(RecordingRequest, effect.request)
    if request is None:
        return
    await tx.put(replace(request, outcome=effect.outcome))
    if effect.outcome == "expired":
        for party_id in effect.pending:
            party = await tx.get(Party, party_id)
            if party is not None:
                await events.add(app, tx, session, party, request, "expired", actor="server")
    recording = await tx.one(Recording, request=request.id)
    if recording is not None and may_become(recording.state, State.CLOSING):
        now = app.clock.now_ms()
        await tx.put(replace(recording, state=State.CLOSING, reason=effect.outcome, closed_ms=now))


async def speak(app: Services, after: After, opener: Opener) -> None:
    """Tell everyone what has become true, then open the gate if it may open.

    What is said here is committed: a failure to say it, or to open the gate, is no failure of
    the change. It never raises an AvsessionError; a gate that does not open stays closed.
    """
    app.notary.hurried |= bool(after.closed or after.over or after.paused)
    for closed in after.closed:
        final = bool(after.over)
        close_now(app, after.session, closed.reason, final=final, generation=closed.generation)
    try:
        state = await _tell(app, after)
        if after.opens:
            await _open(app, after.session, state, opener)
    except AvsessionError as error:
        log.warning("committed, but not said: %s", error.code, extra={"session": after.session})


async def _open(app: Services, session: str, state: ConsentState, opener: Opener) -> None:
    request = state.request.id if state.request else None
    if request is not None:
        app.bus.tell_session(session, AskOver(request=request, outcome="given"))
    try:
        await opener(app, session)
    except AvsessionError as error:
        log.warning("the gate stays closed: %s", error.code, extra={"session": session})
        off = RecordingStatus(
            state="off",
            reason=_why(error),
            request=request,
            generation=state.generation,
        )
        app.bus.tell_session(session, RecordingChanged(recording=off))


def _why(error: AvsessionError) -> str:
    """What a page is told when the gate stays closed; the first two are tried again."""
    if isinstance(error, SignerFailed | LogBroken):
        return "log_unavailable"
    return "recorder_unavailable" if isinstance(error, Unavailable) else error.code


async def _tell(app: Services, after: After) -> ConsentState:
    async with app.store.read() as tx:
        state = await load_state(tx, app, after.session)
        status = await views.status(app, tx, after.session, state, after.reason)
        parties = await views.parties(app, tx, after.session)
        ask = await views.ask(app, tx, state)
        finals = await _finals(tx, after)
    for worker, message in finals:
        app.bus.tell_worker(worker, message)
    # a pause that ends with the gate's opening is told by that
    if after.closed or after.over or (after.paused and not after.opens):
        app.bus.tell_session(after.session, RecordingChanged(recording=status))
        app.bus.tell_session(after.session, Parties(parties=parties))
    for ended in after.over:
        app.bus.tell_session(after.session, AskOver(request=ended.request, outcome=ended.outcome))
    if ask is not None and after.ask:
        app.bus.tell_session(after.session, Asked(ask=ask))
    return state


async def _finals(tx: Reader, after: After) -> list[tuple[str, CloseGateMessage]]:
    """The recorder's last word for each recording that is over, said again if said before."""
    found = []
    for ended in after.over:
        recording = await tx.one(Recording, request=ended.request)
        if recording is not None and recording.worker is not None:
            found.append((recording.worker, await final_message(tx, recording)))
    return found


def finished(app: Services, recording: Recording, certificate: str | None = None) -> None:
    """A recording has come to its end, or was destroyed with this certificate; it is committed.

    Everyone is told, and what the log says of it is signed with the next tick.
    """
    app.notary.hurried = True
    app.gate.paused.pop(recording.id, None)
    erased = recording.state is State.ERASED
    app.bus.tell_session(
        recording.session,
        RecordingFinished(
            recording=recording.id,
            request=recording.request,
            state=str(recording.state),
            duration_ms=0 if erased else recording.duration_ms,
            certificate=certificate,
        ),
    )


async def final_message(tx: Reader, recording: Recording) -> CloseGateMessage:
    """``recorder.close`` for a recording that is over."""
    grant = await tx.get(GrantRecord, recording.id, recording.generation)
    closed = grant.closed_ms if grant and grant.closed_ms is not None else recording.closed_ms
    return CloseGateMessage(
        recording=recording.id,
        generation=recording.generation,
        closed_ms=closed or recording.created_ms,
        reason=recording.reason,
        final=True,
        erase=recording.state is State.ERASED,
    )
