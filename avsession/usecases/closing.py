"""Closing the gate: speaks first, records then.

No database stands between a withdrawal and its effect: everything here is synchronous and in
memory. What it says is true whatever the commit that follows does, because an open gate that
nobody may use any more is closed all the same.
"""

from __future__ import annotations

from avsession.messages import CloseGate, RecordingChanged, RecordingStatus
from avsession.usecases.gate import OpenGate
from avsession.usecases.services import Services


def close_now(app: Services, session: str, reason: str, *, final: bool) -> OpenGate | None:
    """Close the session's gate in memory and tell the recorder and everyone; None if closed.

    ``final``: the recording is over. Otherwise another generation may follow.
    """
    now = app.clock.now_ms()
    gate = app.gate.close(session, now)
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
                state="off",
                reason=reason,
                request=None if final else gate.request,
                recording=gate.recording,
                generation=gate.generation + 1,
            )
        ),
    )
    return gate
