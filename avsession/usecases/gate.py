"""The gate in memory: which generation of which recording is live right now.

The database holds the same, but closing must not wait for it: a withdrawal closes the gate
here first, tells everyone, and only then commits. A recorder's heartbeat and every segment
are checked against this. After a restart it is empty, so every gate is closed.
"""

from __future__ import annotations

import dataclasses

KEEP = 1000
"""Closed generations remembered until their closing is committed; older ones are forgotten."""


@dataclasses.dataclass(frozen=True, slots=True)
class OpenGate:
    """A live generation and who may capture under it."""

    session: str
    request: str
    recording: str
    generation: int
    worker: str
    parties: frozenset[str]


class Gate:
    """Live generations by session, and the moments at which others closed."""

    def __init__(self) -> None:
        self._open: dict[str, OpenGate] = {}
        self._closed: dict[tuple[str, int], int] = {}
        self._opening: dict[str, OpenGate] = {}
        self.waiting: dict[str, int] = {}
        """Sessions whose gate may open but that have no recorder yet, and since when (ms)."""

    def prepare(self, gate: OpenGate) -> None:
        """A grant for this generation is being committed; :meth:`close` reaches it already."""
        self._opening[gate.session] = gate

    def open(self, gate: OpenGate) -> bool:
        """Make a prepared generation live; False when it was closed in the meantime."""
        if self._opening.pop(gate.session, None) is not gate:
            return False
        self._open[gate.session] = gate
        self.waiting.pop(gate.session, None)
        return True

    def close(self, session: str, now_ms: int) -> OpenGate | None:
        """Close the session's gate at ``now_ms``; returns what was open, or about to be."""
        self.waiting.pop(session, None)
        gate = self._opening.pop(session, None) or self._open.pop(session, None)
        if gate is not None:
            while len(self._closed) >= KEEP:
                del self._closed[next(iter(self._closed))]
            self._closed[gate.recording, gate.generation] = now_ms
        return gate

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
        """Everything this worker may capture right now."""
        return [gate for gate in self._open.values() if gate.worker == worker]

    def closed_ms(self, recording: str, generation: int) -> int | None:
        """When a generation closed, if that was not long ago."""
        return self._closed.get((recording, generation))
