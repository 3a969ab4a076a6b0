"""A session, its parties, and whether they are there. Frozen values, no behaviour but checks."""

from __future__ import annotations

import base64
import enum
import re
from collections.abc import Callable

import msgspec

Entropy = Callable[[int], bytes]
"""Gives n random bytes; ``secrets.token_bytes`` in production, seeded in tests."""

ID = r"^[a-z]{3}_[a-z2-7]{26}$(?!\n)"
"""An identifier: three letters that say of what, and 128 random bits in base32.

``$(?!\\n)``: a plain ``$`` would let a newline at the end through.
"""

SEAT_TIMEOUT_MS = 30_000
"""How long a party without signaling keeps its seat."""


def new_id(prefix: str, entropy: Entropy) -> str:
    """A fresh identifier, such as ``ses_…`` (session), ``pty_…`` (party), ``rec_…`` (recording)."""
    return f"{prefix}_{base64.b32encode(entropy(16)).decode().rstrip('=').lower()}"


def is_id(text: str) -> bool:
    """Whether ``text`` has the shape of an identifier."""
    return re.match(ID, text) is not None


class Role(enum.StrEnum):
    """What a party is in the session. The recorder is a participant, never a party."""

    CUSTOMER = "customer"
    AGENT = "agent"


class Presence(enum.StrEnum):
    """Whether a seated party is there. While it is unknown, the gate is closed."""

    PRESENT = "present"
    UNKNOWN = "unknown"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One call. Times are milliseconds since the Unix epoch, UTC."""

    id: str
    pseudonym: str
    created_ms: int
    created_by: str
    invitation_hash: bytes
    invitation_expires_ms: int
    invitation_state: str = "open"  # open, claimed, revoked; closed: nothing leads there any more
    ended_ms: int | None = None
    end_reason: str | None = None
    child_ms: int | None = None
    """When an admin said that its customer is a child, who is to be erased at once; None again
    when that was done."""
    forgotten_ms: int | None = None
    """When its persons went because their time was over: figures are what is left of it."""


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """A person in a session. ``token_hash``: customer's seat; ``data_hash``: the private link.

    ``contact``: where they wish to be told of answers, if they said so.
    """

    id: str
    session: str
    pseudonym: str
    role: Role
    name: str
    language: str
    account: str | None = None
    token_hash: bytes | None = None
    data_hash: bytes | None = None
    created_ms: int
    joined_ms: int | None = None
    left_ms: int | None = None
    presence: Presence | None = None
    seat_deadline_ms: int | None = None
    contact: str | None = None
