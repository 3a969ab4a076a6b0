"""The gate in memory: which generation of which recording is live right now.

The database holds the same, but closing must not wait for it: a withdrawal closes the gate
here first, tells everyone, and only then commits. A recorder's heartbeat and every segment
are checked against this. After a restart it is empty, so every gate is closed.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable

from avsession.messages import WithdrawConsent
from avsession.signed import Enrolment

KEEP = 1000
"""Closed generations remembered until their closing is committed; older ones are forgotten."""
MAX_BARS = 64
"""Requests that one party may bar one by one; beyond that it bars all of them."""
MOST_UNWRITTEN = 10_000
"""Withdrawals that wait to be written down; beyond it only their pages say them again."""
ANY = ""
"""In a bar: whatever the request."""


def pause_of(request: str) -> str:
    """In a bar: this request's pausing, which neither lifts nor is lifted with another bar."""
    return f"pause {request}"


@dataclasses.dataclass(frozen=True, slots=True)
class OpenGate:
    """A live generation and who may capture under it."""

    session: str
    request: str
    recording: str
    generation: int
    worker: str
    fingerprint: str
    """The recorder's DTLS certificate, as the grant names it."""
    parties: frozenset[str]
    until_ms: int
    """Until when its grant may start legs."""


class Drains:
    """Recordings that are over and not finished: since when, and when that last moved on (ms).

    Counted anew with each start of the server.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int]] = {}

    def moved(self, recording: str, now_ms: int) -> None:
        """Its recorder has come back, or has sent an entry."""
        began_ms, _ = self.seen(recording, now_ms)
        self._known[recording] = (began_ms, now_ms)

    def seen(self, recording: str, now_ms: int) -> tuple[int, int]:
        """Since when, at the latest now, and when that last moved on."""
        return self._known.setdefault(recording, (now_ms, now_ms))

    def over(self, recording: str) -> None:
        """It is finished, or there is nothing of it to finish."""
        self._known.pop(recording, None)


class Lease:
    """For how long this server may take the database for its own.

    One that is cut off from its database cannot know whether another has taken over: once this has
    run out it acts as if one had. ``clock``: seconds, never set back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: float | None = None

    def now(self) -> float:
        """The time by its clock, in seconds."""
        return self._clock()

    def extend(self, until: float) -> None:
        """The database was this server's; it may act on that until then, by its clock."""
        self._until = until

    @property
    def held(self) -> bool:
        """Whether it may act; always, where nobody else can have the database."""
        return self._until is None or self._clock() < self._until


class Gate:
    """Live generations by session, and the moments at which others closed."""

    def __init__(self) -> None:
        self._open: dict[str, OpenGate] = {}
        self._closed: dict[tuple[str, int], int] = {}
        self.lease = Lease()
        self._opening: dict[str, OpenGate] = {}
        self._bars: dict[str, set[str]] = {}
        self._expected: dict[str, tuple[str, set[str]]] = {}
        self.waiting: dict[str, int] = {}
        """Sessions whose gate may open but that have no recorder yet, and since when (ms)."""
        self.drains = Drains()
        self.paused: dict[str, str] = {}
        """Recordings whose gate somebody's pause closed, and whose worker's they are. It opens
        anew, or they are finished: then they go."""
        self._unwritten: dict[tuple[str, str], tuple[WithdrawConsent, Enrolment | None]] = {}
        self.unstopped: dict[str, tuple[str, str]] = {}
        """Sessions whose request is over (which one, why), though that is not committed yet."""

    def prepare(self, gate: OpenGate) -> None:
        """A grant for this generation is being committed; :meth:`close` reaches it already."""
        self._opening[gate.session] = gate

    def open(self, gate: OpenGate) -> bool:
        """Make a prepared generation live; False when it was closed or barred meanwhile, or the
        lease has run out."""
        if self._opening.pop(gate.session, None) is not gate:
            return False
        if not self.lease.held or self.barred(gate.request, gate.parties):
            return False
        self._open[gate.session] = gate
        self.paused.pop(gate.recording, None)
        self.waiting.pop(gate.session, None)
        return True

    def abandon(self, session: str) -> None:
        """What was prepared could not be committed; it was never live."""
        self._opening.pop(session, None)

    def bar(self, party: str, request: str = ANY) -> bool:
        """From now on no gate opens with this party in it; False when that was so already.

        Somebody is taking consent back, or leaving, and it is not committed yet.
        """
        bars = self._bars.setdefault(party, set())
        if request in bars:
            return False
        bars.add(request if len(bars) < MAX_BARS else ANY)
        return True

    def unbar(self, party: str, request: str = ANY) -> None:
        """It is committed, or came to nothing."""
        bars = self._bars.get(party, set())
        bars.discard(request)
        if not bars:
            self._bars.pop(party, None)

    def unwritten(
        self, party: str, message: WithdrawConsent, enrolment: Enrolment | None = None
    ) -> None:
        """The party has taken this back, and nothing could be written: :meth:`taken_back`."""
        if len(self._unwritten) < MOST_UNWRITTEN:
            self._unwritten[party, message.key] = (message, enrolment)

    def written(self, party: str, message: WithdrawConsent) -> None:
        """That is written down, or never will be."""
        self._unwritten.pop((party, message.key), None)

    def taken_back(self) -> list[tuple[str, WithdrawConsent, Enrolment | None]]:
        """Who took what back that is not written down yet."""
        return [(party, *said) for (party, _), said in self._unwritten.items()]

    def forget(self, party: str) -> None:
        """The party's session has ended; nothing opens there any more."""
        self._bars.pop(party, None)
        self._expected.pop(party, None)

    def expect(self, session: str, party: str, keys: Iterable[str]) -> None:
        """The party's page says these changes again; till then no gate opens with it.

        What an earlier page of this party's had to say it will not say any more.
        """
        self._expected.pop(party, None)
        if waits := set(keys):
            self._expected[party] = (session, waits)

    def hold(self, session: str, party: str, key: str) -> None:
        """This change of the party's is here and has no answer yet; till then no gate opens with
        it. One page holds :data:`MAX_BARS` at most: those bar until each has its answer."""
        _, waits = self._expected.setdefault(party, (session, set()))
        if len(waits) < MAX_BARS:
            waits.add(key)

    def heard(self, party: str, key: str, now_ms: int) -> None:
        """That change has its answer. After the last of them the gate may open: it is waited for
        with the others."""
        session, waits = self._expected.get(party, ("", set()))
        if key in waits:
            waits.remove(key)
            if not waits:
                del self._expected[party]
                self.waiting.setdefault(session, now_ms)

    def barred(self, request: str, parties: Iterable[str]) -> bool:
        """Whether somebody's bar keeps this request's gate from opening."""
        bars = {ANY, request, pause_of(request)}
        return any(
            party in self._expected or not bars.isdisjoint(self._bars.get(party, ()))
            for party in parties
        )

    def close(self, session: str, now_ms: int, generation: int | None = None) -> OpenGate | None:
        """Close the session's gate at ``now_ms``; returns what was open, or about to be.

        With ``generation`` only that one: a newer one stays open.
        """
        found = None
        for gates in (self._open, self._opening):
            gate = gates.get(session)
            if gate is None or generation not in (None, gate.generation):
                continue
            del gates[session]
            while len(self._closed) >= KEEP:
                del self._closed[next(iter(self._closed))]
            self._closed[gate.recording, gate.generation] = now_ms
            found = gate
        if session not in self._open and session not in self._opening:
            self.waiting.pop(session, None)
        return found

    def sessions(self) -> tuple[str, ...]:
        """The sessions with a gate that is open, or about to be."""
        return tuple({**self._opening, **self._open})

    def of_session(self, session: str) -> OpenGate | None:
        """The session's live generation, if its gate is open."""
        return self._open.get(session)

    def of_party(self, party: str) -> OpenGate | None:
        """The generation, live or about to be, under which this party is recorded."""
        gates = (*self._opening.values(), *self._open.values())
        return next((gate for gate in gates if party in gate.parties), None)

    def live(self, recording: str, generation: int) -> OpenGate | None:
        """The gate, when exactly this generation of this recording is live."""
        for gate in self._open.values():
            if gate.recording == recording and gate.generation == generation:
                return gate
        return None

    def of_worker(self, worker: str) -> list[OpenGate]:
        """Everything this worker may capture right now; nothing once the lease has run out."""
        if not self.lease.held:
            return []
        return [gate for gate in self._open.values() if gate.worker == worker]

    def meant_for(self, worker: str) -> list[OpenGate]:
        """As :meth:`of_worker`, and what is about to be."""
        gates = {**self._opening, **self._open}
        return [gate for gate in gates.values() if gate.worker == worker]

    def closed_ms(self, recording: str, generation: int) -> int | None:
        """When a generation closed, if that was not long ago."""
        return self._closed.get((recording, generation))
