"""Closing the gate: speaks first, records then.

No database stands between a withdrawal and its effect: everything here is synchronous and in
memory. What it says is true whatever the commit that follows does, because an open gate that
nobody may use any more is closed all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from avsession.errors import AvsessionError, Unavailable
from avsession.messages import CloseGate, RecordingChanged, RecordingStatus
from avsession.recording import PAUSED
from avsession.session import Party
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
    if pauser:
        app.gate.paused[gate.recording] = gate.worker
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


def expect(app: Services, party: Party, keys: Iterable[str]) -> None:
    """The party's page has changes to say again that close the gate, with these idempotency keys.

    The server that it told them to may have died before they were written down, or they were lost
    on a connection that only seemed to stand. A gate that is open closes now, and until each has
    had its answer none opens.
    """
    waits = tuple(keys)
    app.gate.expect(party.session, party.id, waits)
    if waits and (gate := app.gate.of_party(party.id)) is not None:
        close_now(app, gate.session, "presence_unknown", final=False)


def hold(app: Services, party: Party, key: str) -> None:
    """The party's change with this key did not fit what is there yet, and is tried again soon.

    It may have overtaken the very consent that it takes back: until it has its answer no gate
    opens with this party. Closes nothing; what it closes was closed when it was tried.
    """
    app.gate.hold(party.session, party.id, key)


class Change(Protocol):
    """What of a party's message is needed here."""

    @property
    def request(self) -> str: ...
    @property
    def key(self) -> str: ...


def ending(app: Services, party: str, change: Change, reason: str) -> AbstractContextManager[None]:
    """Close the gate that ``party`` is recorded under by the change's request, if it is open;
    record it in the block.

    A grant that is just being committed is met too, and while the block runs none is opened.
    When the block fails, what was closed stays closed until the party's repeat succeeds.
    """
    return _closing(app, party, change, change.request, reason)


def pausing(app: Services, party: str, change: Change) -> AbstractContextManager[None]:
    """As :func:`ending`, but consent and request stand: another generation may follow."""
    return _closing(app, party, change, pause_of(change.request), PAUSED)


@contextmanager
def _closing(app: Services, party: str, change: Change, bar: str, reason: str) -> Iterator[None]:
    gate = app.gate.of_party(party)
    if gate is not None and gate.request != change.request:
        gate = None
    if gate is not None:
        pauser = party if reason == PAUSED else None
        close_now(app, gate.session, reason, final=pauser is None, pauser=pauser)
    first = app.gate.bar(party, bar)
    try:
        yield
    except Unavailable:
        raise
    except AvsessionError:
        if first and gate is None:
            app.gate.unbar(party, bar)
        app.gate.heard(party, change.key, app.clock.now_ms())
        raise
    app.gate.unbar(party, bar)
    app.gate.heard(party, change.key, app.clock.now_ms())


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
