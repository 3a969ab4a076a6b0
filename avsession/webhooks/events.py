"""What other systems are told: one table, and the message that a leaf becomes.

A message holds identifiers, codes and counts that stand in the leaf anyway. A field that the table
does not name, or a value of another shape, is left out: so no name, contact, typed text or media
can come into one by mistake.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from avsession.audit.log import rfc3339

TEST = "webhook.test"
"""The kind that only says that the way is open; it is about nothing and has no leaf."""

_CODE = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
"""What a text in a message may look like: an identifier, or one of our own codes."""
_RECORDING = ("recording", "reason", "generation")
_FINISHED = ("recording", "reason", "duration_ms")

EVENTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "session.created": ("A session and its invitation were made.", ()),
    "session.ended": ("A session is over; `reason` says how.", ("reason",)),
    "recording.requested": ("The agent asked to record.", ("request",)),
    "consent.shown": ("A party was shown the notice.", ("request",)),
    "consent.given": ("A party allowed recording.", ("request",)),
    "consent.refused": ("A party declined.", ("request",)),
    "consent.withdrawn": ("A party withdrew its consent.", ("request",)),
    "consent.expired": ("A party did not answer in time, which means no.", ("request",)),
    "recording.on": ("Recording began, or goes on.", ("recording", "generation")),
    "recording.paused": (
        "A party paused; `recording` is null while none has begun.",
        ("recording", "request", "generation"),
    ),
    "recording.resumed": (
        "The party that paused resumed; `recording` is null while none has begun.",
        ("recording", "request", "generation"),
    ),
    "recording.off": ("Recording stopped; `reason` says why.", _RECORDING),
    "recording.sealed": ("A recording is finished.", _FINISHED),
    "recording.interrupted": ("A recording ended without its recorder.", _FINISHED),
    "recording.accessed": ("Somebody opened a recording to watch it.", ("recording",)),
    "recording.exported": ("A recording was taken out.", ("recording",)),
    "recording.erased": (
        "A recording, or a part of it, was destroyed.",
        ("recording", "reason", "certificate"),
    ),
}
"""Kind of leaf -> what it means, and which of its references the message repeats."""

GROUPS = tuple(sorted({kind.partition(".")[0] for kind in EVENTS}))
"""What comes before the dot: an endpoint may ask for a whole group."""


class Body(msgspec.Struct, frozen=True):
    """A message as it is sent: Standard Webhooks' recommended three fields."""

    type: str
    timestamp: str
    """When it happened, RFC 3339 in UTC; the same in every attempt."""
    data: dict[str, Any]


def wanted(asked: Sequence[str], kind: str) -> bool:
    """Whether an endpoint that asked for these kinds and groups wants ``kind``; empty: all."""
    return not asked or kind in asked or kind.partition(".")[0] in asked


def unknown(asked: Sequence[str]) -> list[str]:
    """What in ``asked`` is neither a kind nor a group."""
    return [one for one in asked if one not in EVENTS and one not in GROUPS]


def body(
    kind: str, leaf: int | None, session: str | None, refs: Mapping[str, Any], at_ms: int
) -> bytes:
    """The message of a leaf of ``kind``, as the bytes that are signed and sent.

    ``session`` is its pseudonym. Raises KeyError for a kind that nobody is told of.
    """
    fields = () if kind == TEST else EVENTS[kind][1]
    data: dict[str, Any] = {"leaf": leaf, "session": session}
    data |= {name: _plain(refs.get(name)) for name in fields}
    return msgspec.json.encode(Body(type=kind, timestamp=rfc3339(at_ms), data=data))


def _plain(value: object) -> str | int | None:
    """A number or a code; anything else is not for others."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None
