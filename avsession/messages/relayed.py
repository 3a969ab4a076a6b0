"""What two pages of a session say to each other through the server: relayed, never stored.

They number it, so that what a lost connection took with it is said again, and nothing is taken
twice: each page its own sentences to each other party, from 1 without a gap. Unnumbered ones are
relayed as they are.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from avsession.messages.common import MAX_SDP, Candidate, Id, Message, Mid, Number, Run

# --- a party's page speaks


class Describe(Message, frozen=True, kw_only=True, tag="describe"):
    """An SDP offer or answer for another party of the session; relayed, never stored.

    ``run``, ``n``: the page's own numbering of what it says to this party, from 1 without a gap.
    """

    to: Id
    kind: Annotated[str, Meta(pattern=r"^(offer|answer|rollback)$(?!\n)")]
    sdp: Annotated[str, Meta(max_length=MAX_SDP)] = ""
    run: Run | None = None
    n: Number | None = None


class Trickle(Message, frozen=True, kw_only=True, tag="trickle"):
    """An ICE candidate for another party; an empty one ends the list. Relayed, never stored."""

    to: Id
    candidate: Candidate
    mid: Mid | None = None
    line: Annotated[int, Meta(ge=0, le=16)] | None = None
    run: Run | None = None
    n: Number | None = None


class Confirm(Message, frozen=True, kw_only=True, tag="confirm"):
    """How much of the other party's ``run`` this page has: everything up to ``n``, or nothing
    at 0. ``again``: say what follows once more. Relayed, never stored."""

    to: Id
    run: Run
    n: Annotated[int, Meta(ge=0, lt=2**31)]
    again: bool = False


# --- a party's page is told


class Described(Message, frozen=True, kw_only=True, omit_defaults=True, tag="described"):
    """Another party's SDP. ``run`` and ``n`` as it gave them."""

    sender: str
    kind: str
    sdp: str
    run: str | None = None
    n: int | None = None


class Trickled(Message, frozen=True, kw_only=True, omit_defaults=True, tag="trickled"):
    """Another party's ICE candidate. ``run`` and ``n`` as it gave them."""

    sender: str
    candidate: str
    mid: str | None = None
    line: int | None = None
    run: str | None = None
    n: int | None = None


class Confirmed(Message, frozen=True, kw_only=True, tag="confirmed"):
    """How much of this page's ``run`` another party has: everything up to ``n``. ``again``: say
    what follows once more."""

    sender: str
    run: str
    n: int
    again: bool
