"""The words of the consent machine: its state, what can happen, and what should follow. Pure."""

from __future__ import annotations

import enum

import msgspec

from avsession.session import Presence


class Phase(enum.StrEnum):
    """Where the session stands."""

    IDLE = "idle"  # nothing is asked, nothing recorded
    ASKING = "asking"  # a request waits for answers; the gate is closed
    OPEN = "open"  # the gate is open
    HELD = "held"  # all have given, but somebody may not be there: the gate is closed
    PAUSED = "paused"  # all have given, but somebody has paused: the gate is closed
    ENDED = "ended"


class Answer(enum.StrEnum):
    """What a party said to the live request."""

    PENDING = "pending"
    GIVEN = "given"
    REFUSED = "refused"


class _Value(msgspec.Struct, frozen=True):
    """A frozen value."""


class Seat(_Value, frozen=True):
    """A party present, or perhaps present."""

    party: str
    presence: Presence = Presence.PRESENT
    answer: Answer = Answer.PENDING
    purposes: tuple[str, ...] = ()


class Pause(_Value, frozen=True):
    """A party has paused the recording; only it can resume, and it must name this generation."""

    party: str
    generation: int


class Request(_Value, frozen=True):
    """The live recording request. ``recorded``: the gate was open under it at least once.

    While anybody's pause stands the gate stays closed, also when that party is not there.
    """

    id: str
    by: str
    purposes: tuple[str, ...]
    notices: dict[str, str]
    """Language -> SHA-256 of the notice as rendered."""
    deadline_ms: int
    extensions: int = 0
    recorded: bool = False
    pauses: tuple[Pause, ...] = ()
    resumed: int = 0
    """How often a pause has ended."""

    def pause_of(self, party: str) -> Pause | None:
        """This party's pause, if it stands."""
        return next((pause for pause in self.pauses if pause.party == party), None)


class ConsentState(_Value, frozen=True):
    """Everything the decision depends on. ``generation`` rises with each change of the gate."""

    phase: Phase = Phase.IDLE
    generation: int = 0
    refusals: int = 0
    seats: tuple[Seat, ...] = ()
    request: Request | None = None
    max_refusals: int = 2
    max_extensions: int = 10

    def seat(self, party: str) -> Seat | None:
        """The party's seat, if it holds one."""
        return next((seat for seat in self.seats if seat.party == party), None)

    @property
    def may_ask(self) -> bool:
        """Whether recording may still be asked for in this session."""
        return self.phase is not Phase.ENDED and self.refusals < self.max_refusals

    @property
    def common_purposes(self) -> tuple[str, ...]:
        """What everyone allowed: the intersection, in the request's order."""
        if self.request is None or not self.seats:
            return ()
        return tuple(
            p for p in self.request.purposes if all(p in seat.purposes for seat in self.seats)
        )


# --- events


class Joined(_Value, frozen=True):
    """A party takes a seat. ``deadline_ms`` holds if it must be asked."""

    party: str
    deadline_ms: int


class Left(_Value, frozen=True):
    """A party gave up its seat, or the seat timed out."""

    party: str


class Lost(_Value, frozen=True):
    """It is not known whether the party is still there."""

    party: str


class Regained(_Value, frozen=True):
    """The party is there again."""

    party: str


class Requested(_Value, frozen=True):
    """Someone asks to record."""

    request: Request


class Given(_Value, frozen=True):
    """A party allows recording, for these purposes, having seen this notice."""

    party: str
    request: str
    notice: str
    language: str
    purposes: tuple[str, ...]
    now_ms: int


class Refused(_Value, frozen=True):
    """A party declines."""

    party: str
    request: str


class Extended(_Value, frozen=True):
    """A party needs more time."""

    party: str
    request: str
    deadline_ms: int
    now_ms: int


class Expired(_Value, frozen=True):
    """The time to answer may be over; ``now_ms`` decides."""

    request: str
    now_ms: int


class Withdrawn(_Value, frozen=True):
    """A party takes its consent back. One that has left its seat may too: the caller has checked
    that it gave."""

    party: str
    request: str


class Stopped(_Value, frozen=True):
    """A party ends the recording (or the asking) without withdrawing; None: the server does."""

    party: str | None
    request: str
    reason: str = "stopped"
    """Why the gate closes, a code; the request's outcome is ``stopped`` all the same."""


class Paused(_Value, frozen=True):
    """A party wants nothing to be recorded until it says so itself."""

    party: str
    request: str


class Resumed(_Value, frozen=True):
    """A party takes its own pause back: the one of this generation, and no later one."""

    party: str
    request: str
    generation: int


class Interrupted(_Value, frozen=True):
    """The recorder is gone. Consent stands; capture needs a new generation to go on."""


class Ended(_Value, frozen=True):
    """The session is over."""


Event = (
    Joined | Left | Lost | Regained | Requested | Given | Refused | Extended | Expired | Withdrawn
    | Stopped | Paused | Resumed | Interrupted | Ended
)  # fmt: skip


# --- effects


class Ask(_Value, frozen=True):
    """Show the request (again): it is new, or its deadline or an answer changed."""


class OpenGate(_Value, frozen=True):
    """Recording may begin under this generation."""

    generation: int
    purposes: tuple[str, ...]


class CloseGate(_Value, frozen=True):
    """Recording must stop; ``generation`` is the one that was live."""

    generation: int
    reason: str


class PauseBegan(_Value, frozen=True):
    """This party has paused; ``generation`` is what it must name to resume."""

    party: str
    request: str
    generation: int


class PauseOver(_Value, frozen=True):
    """This party's pause has ended; ``last``: no other pause stands."""

    party: str
    request: str
    generation: int
    last: bool


class RequestEnded(_Value, frozen=True):
    """The request is over; ``pending`` had not answered; ``recorded`` asks for finishing."""

    request: str
    outcome: str
    pending: tuple[str, ...]
    recorded: bool


Effect = Ask | OpenGate | CloseGate | PauseBegan | PauseOver | RequestEnded


class Decision(_Value, frozen=True):
    """The new state, and what should happen now, in this order."""

    state: ConsentState
    effects: tuple[Effect, ...] = ()
