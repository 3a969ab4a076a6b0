"""Closing the gate: speaks first, records then.

No database stands between a withdrawal and its effect: everything here is synchronous and in
memory. What it says is true whatever the commit that follows does, because an open gate that
nobody may use any more is closed all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from avsession.errors import AvsessionError, Unavailable
from avsession.messages import CloseGate, RecordingChanged, RecordingStatus
from avsession.recording import PAUSED
from avsession.usecases.gate import OpenGate, pause_of
from avsession.usecases.services import Services


def close_now(
    app: Services,
    session: str,
    reason: str,
    *,
    final: bool,
    generation: int | None = None,
    pauser: str | None = None,
) -> OpenGate | None:
    """Close the session's gate in memory and tell the recorder and everyone; None if closed.

    ``final``: the recording is over. Otherwise another generation may follow. With
    ``generation`` only that one is closed. ``pauser``: it is closed because this party pauses.
    """
    now = app.clock.now_ms()
    gate = app.gate.close(session, now, generation)
    if gate is None:
        return None
    app.bus.tell_worker(
        gate.worker,
        CloseGate(
            recording=gate.recording,
            generation=gate.generation,
            closed_ms=now,
            reason=reason,
            final=final,
        ),
    )
    app.bus.tell_session(
        session,
        RecordingChanged(
            recording=RecordingStatus(
                state="paused" if pauser else "off",
                reason=reason,
                request=None if final else gate.request,
                recording=gate.recording,
                generation=gate.generation + 1,
                paused={pauser: gate.generation + 1} if pauser else {},
            )
        ),
    )
    return gate


@contextmanager
def ending(app: Services, party: str, request: str, reason: str) -> Iterator[None]:
    """Close the gate that ``party`` is recorded under by ``request``; record it in the block.

    A grant that is just being committed is met too, and while the block runs none is opened.
    When the block fails, what was closed stays closed until the party's repeat succeeds.
    """
    gate = app.gate.of_party(party)
    closed = gate is not None and gate.request == request
    if gate is not None and closed:
        close_now(app, gate.session, reason, final=True)
    first = app.gate.bar(party, request)
    try:
        yield
    except AvsessionError as error:
        if first and not closed and not isinstance(error, Unavailable):
            app.gate.unbar(party, request)
        raise
    app.gate.unbar(party, request)


@contextmanager
def pausing(app: Services, party: str, request: str) -> Iterator[None]:
    """Close the gate that ``party`` is recorded under by ``request``; record it in the block.

    As :func:`ending`, but consent and request stand: another generation may follow.
    """
    gate = app.gate.of_party(party)
    closed = gate is not None and gate.request == request
    if gate is not None and closed:
        close_now(app, gate.session, PAUSED, final=False, pauser=party)
    first = app.gate.bar(party, pause_of(request))
    try:
        yield
    except AvsessionError as error:
        if first and not closed and not isinstance(error, Unavailable):
            app.gate.unbar(party, pause_of(request))
        raise
    app.gate.unbar(party, pause_of(request))


@contextmanager
def going(app: Services, party: str, reason: str) -> Iterator[None]:
    """Close the gate that ``party`` is recorded under: it is not there. Record it in the block.

    When the block fails, no gate opens with this party until it has joined again.
    """
    gate = app.gate.of_party(party)
    if gate is not None:
        close_now(app, gate.session, reason, final=False)
    app.gate.bar(party)
    yield
    app.gate.unbar(party)
