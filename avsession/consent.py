"""Consent, as a pure state machine: ``decide(state, event) -> Decision(state, effects)``.

The gate is open only in phase OPEN, and that means: every party present holds ``given`` for
this very request, there are at least two of them, it is known that they are there, and nobody
has paused. The caller must persist the returned state before it acts on an opening effect; it
may act on a closing one first. Guards raise; nothing is changed then.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from avsession.consent_events import (
    Answer,
    Ask,
    CloseGate,
    ConsentState,
    Decision,
    Effect,
    Ended,
    Event,
    Expired,
    Extended,
    Given,
    Interrupted,
    Joined,
    Left,
    Lost,
    OpenGate,
    Pause,
    PauseBegan,
    Paused,
    PauseOver,
    Phase,
    Refused,
    Regained,
    Request,
    Requested,
    RequestEnded,
    Resumed,
    Seat,
    Stopped,
    Withdrawn,
)
from avsession.errors import (
    AlreadyAnswered,
    AskingEnded,
    Conflict,
    NoticeMismatch,
    NotPermitted,
    PausedByOther,
    PurposesRefused,
    RequestOver,
    SessionOver,
)
from avsession.session import Presence

__all__ = [
    "MIN_PARTIES",
    "TABLE",
    "Answer",
    "Ask",
    "CloseGate",
    "ConsentState",
    "Decision",
    "Effect",
    "Ended",
    "Event",
    "Expired",
    "Extended",
    "Given",
    "Interrupted",
    "Joined",
    "Left",
    "Lost",
    "OpenGate",
    "Pause",
    "PauseBegan",
    "PauseOver",
    "Paused",
    "Phase",
    "Refused",
    "Regained",
    "Request",
    "RequestEnded",
    "Requested",
    "Resumed",
    "Seat",
    "Stopped",
    "Withdrawn",
    "decide",
]

MIN_PARTIES = 2
"""A call has two ends: with one party left there is nothing to record."""
MAX_RESUMED = 1_000
"""Pauses that may end under one request; the next one lasts until the recording is stopped."""


def decide(state: ConsentState, event: Event) -> Decision:
    """What follows from ``event``. Raises an AvsessionError when it is not acceptable."""
    return TABLE[state.phase, type(event)](state, event)


# --- the pieces that the table names


def _ignored(state: ConsentState, _event: Event) -> Decision:
    return Decision(state)


def _over(_state: ConsentState, _event: Event) -> Decision:
    raise SessionOver


def _no_request(_state: ConsentState, _event: Event) -> Decision:
    raise RequestOver


def _answered(_state: ConsentState, event: Event) -> Decision:
    if isinstance(event, (Given, Refused)):
        _live(_state, event.request)
    raise AlreadyAnswered


def _busy(_state: ConsentState, _event: Event) -> Decision:
    raise Conflict("A recording request is already live in this session.")


def _with_seat(state: ConsentState, seat: Seat) -> ConsentState:
    seats = tuple(seat if s.party == seat.party else s for s in state.seats)
    if seat not in seats:
        seats += (seat,)
    return msgspec.structs.replace(state, seats=seats)


def _live(state: ConsentState, request: str) -> Request:
    if state.request is None or state.request.id != request:
        raise RequestOver
    return state.request


def _in_time(state: ConsentState, request: str, now_ms: int) -> Request:
    """The live request, unless its time is over: silence until then was a no."""
    live = _live(state, request)
    if now_ms >= live.deadline_ms:
        raise RequestOver
    return live


def _seated(state: ConsentState, party: str) -> Seat:
    seat = state.seat(party)
    if seat is None:
        raise NotPermitted("Only a party of this session can do that.")
    return seat


def _closed(state: ConsentState, reason: str) -> tuple[ConsentState, tuple[Effect, ...]]:
    """The gate closed, if it was open; the generation rises so that late grants are dead."""
    if state.phase is not Phase.OPEN:
        return state, ()
    after = msgspec.structs.replace(state, phase=Phase.HELD, generation=state.generation + 1)
    return after, (CloseGate(state.generation, reason),)


def _finish(
    state: ConsentState, outcome: str, phase: Phase = Phase.IDLE, reason: str = ""
) -> Decision:
    """End the request, closing the gate first if it is open: for ``reason``, or the outcome."""
    request = state.request
    state, effects = _closed(state, reason or outcome)
    seats = tuple(Seat(seat.party, seat.presence) for seat in state.seats)
    pending = tuple(seat.party for seat in state.seats if seat.answer is Answer.PENDING)
    after = msgspec.structs.replace(state, phase=phase, seats=seats, request=None)
    if request is not None:
        effects += (RequestEnded(request.id, outcome, pending, request.recorded),)
    return Decision(after, effects)


def _settle(state: ConsentState, effects: tuple[Effect, ...] = ()) -> Decision:
    """Open the gate when everyone present has given; wait otherwise."""
    request = state.request
    if request is None or state.phase is Phase.OPEN:
        return Decision(state, effects)
    if len(state.seats) < MIN_PARTIES:
        decision = _finish(state, "left")
        return Decision(decision.state, effects + decision.effects)
    if any(seat.answer is not Answer.GIVEN for seat in state.seats):
        asking = msgspec.structs.replace(state, phase=Phase.ASKING)
        return Decision(asking, (*effects, Ask()))
    purposes = state.common_purposes
    if not purposes:
        decision = _finish(state, "no_common_purpose")
        return Decision(decision.state, effects + decision.effects)
    if request.pauses:
        return Decision(msgspec.structs.replace(state, phase=Phase.PAUSED), effects)
    if any(seat.presence is not Presence.PRESENT for seat in state.seats):
        return Decision(msgspec.structs.replace(state, phase=Phase.HELD), effects)
    after = msgspec.structs.replace(
        state,
        phase=Phase.OPEN,
        generation=state.generation + 1,
        request=msgspec.structs.replace(request, recorded=True),
    )
    return Decision(after, (*effects, OpenGate(after.generation, purposes)))


def _join(state: ConsentState, event: Joined) -> Decision:
    if (seat := state.seat(event.party)) is not None:
        return _regain(state, Regained(seat.party))
    state, effects = _closed(state, "party_joined")
    state = _with_seat(state, Seat(event.party))
    if state.request is None:
        return Decision(state, effects)
    fresh = msgspec.structs.replace(
        state.request, deadline_ms=max(event.deadline_ms, state.request.deadline_ms)
    )
    return _settle(msgspec.structs.replace(state, request=fresh), effects)


def _leave(state: ConsentState, event: Left) -> Decision:
    if state.seat(event.party) is None:
        return Decision(state)
    state, effects = _closed(state, "party_left")
    seats = tuple(seat for seat in state.seats if seat.party != event.party)
    return _settle(msgspec.structs.replace(state, seats=seats), effects)


def _lose(state: ConsentState, event: Lost) -> Decision:
    seat = state.seat(event.party)
    if seat is None or seat.presence is Presence.UNKNOWN:
        return Decision(state)
    state, effects = _closed(state, "presence_unknown")
    unknown = msgspec.structs.replace(seat, presence=Presence.UNKNOWN)
    return Decision(_with_seat(state, unknown), effects)


def _regain(state: ConsentState, event: Regained) -> Decision:
    seat = state.seat(event.party)
    if seat is None or seat.presence is Presence.PRESENT:
        return Decision(state)
    here = msgspec.structs.replace(seat, presence=Presence.PRESENT)
    return _settle(_with_seat(state, here))


def _request(state: ConsentState, event: Requested) -> Decision:
    _seated(state, event.request.by)
    if not state.may_ask:
        raise AskingEnded
    if len(state.seats) < MIN_PARTIES:
        raise Conflict("Nobody else is in the call yet.")
    if not event.request.purposes:
        raise PurposesRefused
    return Decision(
        msgspec.structs.replace(state, phase=Phase.ASKING, request=event.request), (Ask(),)
    )


def _give(state: ConsentState, event: Given) -> Decision:
    request = _in_time(state, event.request, event.now_ms)
    seat = _seated(state, event.party)
    if request.notices.get(event.language) != event.notice:
        raise NoticeMismatch
    if not event.purposes or not set(event.purposes) <= set(request.purposes):
        raise PurposesRefused
    if seat.answer is not Answer.PENDING:
        raise AlreadyAnswered
    given = Seat(seat.party, seat.presence, Answer.GIVEN, event.purposes)
    return _settle(_with_seat(state, given))


def _refuse(state: ConsentState, event: Refused) -> Decision:
    _live(state, event.request)
    if _seated(state, event.party).answer is not Answer.PENDING:
        raise AlreadyAnswered
    said = msgspec.structs.replace(_seated(state, event.party), answer=Answer.REFUSED)
    decision = _finish(_with_seat(state, said), "refused")
    counted = msgspec.structs.replace(decision.state, refusals=state.refusals + 1)
    return Decision(counted, decision.effects)


def _extend(state: ConsentState, event: Extended) -> Decision:
    request = _in_time(state, event.request, event.now_ms)
    _seated(state, event.party)
    if request.extensions >= state.max_extensions:
        raise Conflict("The time to answer cannot be extended again.")
    longer = msgspec.structs.replace(
        request,
        deadline_ms=max(request.deadline_ms, event.deadline_ms),
        extensions=request.extensions + 1,
    )
    return Decision(msgspec.structs.replace(state, request=longer), (Ask(),))


def _expire(state: ConsentState, event: Expired) -> Decision:
    request = state.request
    if request is None or request.id != event.request or event.now_ms < request.deadline_ms:
        return Decision(state)
    return _finish(state, "expired")


def _withdraw(state: ConsentState, event: Withdrawn) -> Decision:
    _live(state, event.request)
    seat = state.seat(event.party)
    if seat is not None and seat.answer is not Answer.GIVEN:
        raise Conflict("There is no consent of yours to withdraw here.")
    return _finish(state, "withdrawn")


def _stop(state: ConsentState, event: Stopped) -> Decision:
    _live(state, event.request)
    if event.party is not None:
        _seated(state, event.party)
    return _finish(state, "stopped", reason=event.reason)


def _pause(state: ConsentState, event: Paused) -> Decision:
    """Close, and stay closed until this party resumes.

    Said again it stands with a new number, so that a resuming that was on its way is dead.
    """
    request = _live(state, event.request)
    _seated(state, event.party)
    if state.phase is Phase.ASKING and not request.recorded:
        raise Conflict("Nothing is being recorded yet.")
    state, effects = _closed(state, "paused")
    generation = state.generation if effects else state.generation + 1
    if request.pause_of(event.party) is None:
        effects += (PauseBegan(event.party, request.id, generation),)
    others = tuple(pause for pause in request.pauses if pause.party != event.party)
    after = msgspec.structs.replace(
        state,
        phase=Phase.ASKING if state.phase is Phase.ASKING else Phase.PAUSED,
        generation=generation,
        request=msgspec.structs.replace(request, pauses=(*others, Pause(event.party, generation))),
    )
    return Decision(after, effects)


def _resume(state: ConsentState, event: Resumed) -> Decision:
    request = _live(state, event.request)
    _seated(state, event.party)
    pause = request.pause_of(event.party)
    if pause is None:
        if request.pauses:
            raise PausedByOther
        raise Conflict("The recording is not paused.")
    if pause.generation != event.generation:
        raise Conflict("The recording was paused again since.")
    if request.resumed >= MAX_RESUMED:
        raise Conflict("The recording was resumed too often; stop it and ask again.")
    others = tuple(other for other in request.pauses if other != pause)
    fresh = msgspec.structs.replace(request, pauses=others, resumed=request.resumed + 1)
    over = PauseOver(pause.party, request.id, pause.generation, last=not others)
    return _settle(msgspec.structs.replace(state, request=fresh), (over,))


def _interrupt(state: ConsentState, _event: Interrupted) -> Decision:
    state, effects = _closed(state, "recorder_lost")
    return _settle(state, effects)


def _end(state: ConsentState, _event: Ended) -> Decision:
    return _finish(state, "ended", Phase.ENDED)


_Handler = Callable[[ConsentState, "Event"], Decision]

_ROWS: dict[type[Event], tuple[Callable[..., Decision], ...]] = {
    # event:    IDLE         ASKING      OPEN         HELD         PAUSED       ENDED
    Joined:    (_join,       _join,      _join,       _join,       _join,       _over),
    Left:      (_leave,      _leave,     _leave,      _leave,      _leave,      _ignored),
    Lost:      (_lose,       _lose,      _lose,       _lose,       _lose,       _ignored),
    Regained:  (_regain,     _regain,    _regain,     _regain,     _regain,     _ignored),
    Requested: (_request,    _busy,      _busy,       _busy,       _busy,       _over),
    Given:     (_no_request, _give,      _answered,   _answered,   _answered,   _over),
    Refused:   (_no_request, _refuse,    _answered,   _answered,   _answered,   _over),
    Extended:  (_no_request, _extend,    _no_request, _no_request, _no_request, _over),
    Expired:   (_ignored,    _expire,    _ignored,    _ignored,    _ignored,    _ignored),
    Withdrawn: (_no_request, _withdraw,  _withdraw,   _withdraw,   _withdraw,   _over),
    Stopped:   (_no_request, _stop,      _stop,       _stop,       _stop,       _over),
    Paused:    (_no_request, _pause,     _pause,      _pause,      _pause,      _over),
    Resumed:   (_no_request, _resume,    _resume,     _resume,     _resume,     _over),
    Interrupted: (_ignored,  _ignored,   _interrupt,  _ignored,    _ignored,    _ignored),
    Ended:     (_end,        _end,       _end,        _end,        _end,        _ignored),
}  # fmt: skip

TABLE: dict[tuple[Phase, type[Event]], _Handler] = {
    (phase, kind): handler
    for kind, row in _ROWS.items()
    for phase, handler in zip(Phase, row, strict=True)
}
"""(phase, event) -> what to do; every pair is here, the ignored ones included."""
