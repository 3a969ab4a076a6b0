"""A conversation with the consent machine, for tests that read like one."""

from __future__ import annotations

import msgspec
import pytest

from avsession.consent import (
    ConsentState,
    Effect,
    Event,
    Given,
    Joined,
    Phase,
    Request,
    Requested,
    decide,
)
from avsession.errors import AvsessionError

AGENT, CUSTOMER, GUEST = "agent", "customer", "guest"
QUALITY, EVIDENCE = "quality", "evidence"
BOTH = (QUALITY, EVIDENCE)
LATER = 1_000_000


def asks(request: str = "first", purposes: tuple[str, ...] = BOTH, by: str = AGENT) -> Requested:
    """A request with its own notice in two languages, expiring at 60 s."""
    notices = {language: f"{request}/{language}" for language in ("en", "de")}
    return Requested(Request(request, by, purposes, notices, deadline_ms=60_000))


def gives(party: str, *purposes: str, request: str = "first", at: int = 0) -> Given:
    """The party ticks these purposes, or both, having read the German notice."""
    return Given(party, request, f"{request}/de", "de", purposes or BOTH, now_ms=at)


class Talk:
    """Says one event after another to the machine, and remembers where that led."""

    def __init__(self, *parties: str) -> None:
        self.state = ConsentState()
        self.say(*(Joined(party, 0) for party in parties))

    def say(self, *events: Event) -> tuple[Effect, ...]:
        """The effects of the last of the events."""
        effects: tuple[Effect, ...] = ()
        for event in events:
            decision = decide(self.state, event)
            self.state, effects = decision.state, decision.effects
        return effects

    def refuses(self, event: Event, error: type[AvsessionError]) -> None:
        """The event is turned away with exactly this error, and nothing is changed."""
        before = msgspec.json.encode(self.state)
        with pytest.raises(AvsessionError) as refusal:
            decide(self.state, event)
        assert type(refusal.value) is error
        assert msgspec.json.encode(self.state) == before

    @property
    def phase(self) -> Phase:
        return self.state.phase


def recorded(*parties: str) -> Talk:
    """A call in which everyone has allowed both purposes: the gate is open."""
    talk = Talk(*parties)
    talk.say(asks(), *(gives(party) for party in parties))
    assert talk.phase is Phase.OPEN
    return talk
