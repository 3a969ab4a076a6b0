"""A model of consent, far simpler than the machine, and the machine checked against it.

The model keeps who is there, who has given what, who has paused, and which request lives. From
these alone follows whether the gate may be open; how the machine gets there is its own affair.
"""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from avsession.consent import (
    Ask,
    CloseGate,
    ConsentState,
    Effect,
    Event,
    OpenGate,
    PauseBegan,
    PauseOver,
    Phase,
    RequestEnded,
    decide,
)
from avsession.errors import AvsessionError


@dataclasses.dataclass
class Asked:
    """The live request, as the model sees it."""

    id: str
    purposes: tuple[str, ...]
    deadline: int
    extensions: int = 0
    recorded: bool = False


class Model:
    """What should be, and the machine's state beside it.

    The caller first moves the model, then has the event said to the machine: `follows` when it
    is acceptable, `turned_away` when it is not.
    """

    def __init__(self, state: ConsentState) -> None:
        self.state = state
        self.there: dict[str, bool] = {}  # seated -> known to be there
        self.given: dict[str, frozenset[str]] = {}
        self.paused: dict[str, int] = {}  # who has paused -> what it must name to resume
        self.live: Asked | None = None
        self.over: list[str] = []
        self.refusals = 0
        self.ended = False
        self.gate: int | None = None  # the generation that the effects have left open
        self.highest = 0

    @property
    def pending(self) -> list[str]:
        return [party for party in self.there if party not in self.given]

    @property
    def common(self) -> tuple[str, ...]:
        assert self.live
        return tuple(
            purpose
            for purpose in self.live.purposes
            if all(purpose in self.given[party] for party in self.there)
        )

    @property
    def phase(self) -> Phase:
        if self.ended:
            return Phase.ENDED
        if self.live is None:
            return Phase.IDLE
        if self.pending:
            return Phase.ASKING
        if self.paused:
            return Phase.PAUSED
        return Phase.OPEN if all(self.there.values()) else Phase.HELD

    def _ends_by_itself(self) -> str | None:
        """Why the request is over though nobody ended it."""
        if self.live and len(self.there) < 2:
            return "left"
        if self.live and not self.pending and not self.common:
            return "no_common_purpose"
        return None

    def follows(
        self,
        event: Event,
        *,
        outcome: str | None = None,
        fence: bool = False,
        raised: bool = False,
    ) -> tuple[Effect, ...]:
        """The machine accepts the event and does what the model says; its effects.

        ``outcome``: the event itself ends the request. ``fence``: an open gate must not stay
        open under the same generation. ``raised``: the generation rises though no gate changes.
        """
        before, pending, asked = self.gate, tuple(self.pending), self.live
        outcome = outcome if self.live and outcome else self._ends_by_itself()
        if self.live and outcome:
            self.over.append(self.live.id)
            self.live = None
            self.given.clear()
            self.paused.clear()
        decision = decide(self.state, event)
        ends = []
        for effect in decision.effects:
            if isinstance(effect, Ask):
                assert self.phase is Phase.ASKING
            elif isinstance(effect, OpenGate):
                self._opened(effect)
            elif isinstance(effect, CloseGate):
                assert effect.generation == self.gate
                self.gate = None
            elif isinstance(effect, PauseBegan | PauseOver):
                assert self.live
                assert effect.request == self.live.id
            else:
                assert self.gate is None
                ends.append(effect)
        if outcome and asked:
            assert ends == [RequestEnded(asked.id, outcome, pending, asked.recorded)]
        else:
            assert not ends
        assert before is None or self.gate != before or not fence
        changes = sum(isinstance(effect, OpenGate | CloseGate) for effect in decision.effects)
        assert decision.state.generation == self.state.generation + changes + raised
        kept = msgspec.json.encode(decision.state)
        self.state = msgspec.json.decode(kept, type=ConsentState)
        assert self.state == decision.state
        return decision.effects

    def _opened(self, effect: OpenGate) -> None:
        assert self.gate is None
        assert effect.generation > self.highest
        assert self.phase is Phase.OPEN
        assert self.live
        assert self.live.id not in self.over
        assert effect.purposes == self.common
        self.gate = self.highest = effect.generation
        self.live.recorded = True

    def turned_away(self, event: Event) -> None:
        """The machine raises, and has changed nothing."""
        before = msgspec.json.encode(self.state)
        with pytest.raises(AvsessionError):
            decide(self.state, event)
        assert msgspec.json.encode(self.state) == before

    def check(self) -> None:
        """What holds after every event."""
        assert self.state.phase is self.phase
        assert self.state.refusals == self.refusals
        live = self.state.request
        assert live is None or (live.id, live.purposes, live.deadline_ms) == (
            self.live and (self.live.id, self.live.purposes, self.live.deadline)
        )
        assert (live is None) == (self.live is None)
        assert {p.party: p.generation for p in live.pauses} == self.paused if live else True
        if self.gate is None:
            assert self.phase is not Phase.OPEN
            return
        # said once more in full, without the model's shorthands
        assert self.gate == self.state.generation
        assert self.live
        assert len(self.there) >= 2
        assert all(self.there.values())
        assert all(self.given.get(party) for party in self.there)
        assert not self.paused
        assert self.state.common_purposes == self.common != ()
