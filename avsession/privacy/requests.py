"""A privacy request's life: who may ask for what, by when it is answered, and what may follow.

Pure: states and times in, states and times out. The law behind the times is GDPR Art. 12(3): an
answer within one month of receipt, which may be put off once, by two further months, and only if
the person is told so, with the reason, within the first month.
"""

from __future__ import annotations

import calendar
import datetime
import enum

from avsession.errors import Conflict


class Right(enum.StrEnum):
    """What is asked for (GDPR Art. 15, 20, 16, 18, 21, 17, 77)."""

    ACCESS = "access"
    EXPORT = "export"
    RECTIFY = "rectify"
    RESTRICT = "restrict"
    OBJECT = "object"
    ERASE = "erase"
    COMPLAIN = "complain"


class State(enum.StrEnum):
    """Where a request stands. The last three are its end."""

    OPEN = "open"
    VERIFYING = "verifying"
    """Whoever asks has not shown yet who they are."""
    EXTENDED = "extended"
    ANSWERED = "answered"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Step(enum.StrEnum):
    """What can happen to a request."""

    VERIFIED = "verified"
    EXTEND = "extend"
    ANSWER = "answer"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"


WAITING = (State.VERIFYING, State.OPEN, State.EXTENDED)
"""States in which somebody waits for an answer."""

_O, _V, _E = State.OPEN, State.VERIFYING, State.EXTENDED
_A, _R, _W = State.ANSWERED, State.REFUSED, State.WITHDRAWN

TABLE: dict[tuple[State, Step], State] = {
    (_V, Step.VERIFIED): _O,
    (_V, Step.REFUSE): _R,    # it stayed open who it was
    (_V, Step.WITHDRAW): _W,
    (_O, Step.EXTEND): _E,
    (_O, Step.ANSWER): _A,
    (_O, Step.REFUSE): _R,
    (_O, Step.WITHDRAW): _W,
    (_E, Step.ANSWER): _A,
    (_E, Step.REFUSE): _R,
    (_E, Step.WITHDRAW): _W,
}  # fmt: skip
"""(state, step) -> the next state. What is not in it does not happen: an answer to somebody whose
identity is open, a second extension, anything after the end."""

MONTHS = 1
EXTENDED_MONTHS = 3
"""Calendar months after receipt: at first, and once extended."""


def advance(state: State, step: Step) -> State:
    """The state after ``step``; raises Conflict when it cannot happen now."""
    try:
        return TABLE[state, step]
    except KeyError:
        raise Conflict(f"A request that is {state} cannot go on with: {step}.") from None


def due_ms(received_ms: int, *, extended: bool = False) -> int:
    """When the answer is due: the same day and time of a later month, UTC (ms).

    In a month that has no such day, its last one (Regulation 1182/71 Art. 3(2)(c)).
    """
    start = datetime.datetime.fromtimestamp(received_ms / 1000, datetime.UTC)
    months = start.month - 1 + (EXTENDED_MONTHS if extended else MONTHS)
    year, month = start.year + months // 12, months % 12 + 1
    day = min(start.day, calendar.monthrange(year, month)[1])
    due = start.replace(year=year, month=month, day=day, microsecond=0)
    return round(due.timestamp()) * 1000 + received_ms % 1000


def may_extend(received_ms: int, now_ms: int) -> bool:
    """Whether there is still time to tell the person of an extension."""
    return now_ms < due_ms(received_ms)


def is_late(state: State, due: int, now_ms: int) -> bool:
    """Whether an answer is owed and its time has passed."""
    return state in WAITING and due <= now_ms
