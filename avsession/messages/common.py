"""What all messages share: limits, field types, the base class."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from avsession.grant import MAX_TOKEN
from avsession.recording import MAX_LINE
from avsession.session import ID

PARTY_SUBPROTOCOL = "avsession.v1"
RECORDER_SUBPROTOCOL = "avsession.recorder.v1"

MAX_DEPTH = 8
"""Nesting of arrays and objects in a message."""
MAX_MESSAGE = 65_536
"""Bytes of a party's message."""
MAX_RECORDER_MESSAGE = 2 * MAX_LINE
"""Bytes of a recorder's message: a manifest line, quoted."""
MAX_SDP = 20_000

Id = Annotated[str, Meta(pattern=ID)]
Sdp = Annotated[str, Meta(min_length=10, max_length=MAX_SDP)]
Candidate = Annotated[str, Meta(max_length=512)]
Mid = Annotated[str, Meta(max_length=16)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
Purpose = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,31}$(?!\n)")]
Purposes = Annotated[tuple[Purpose, ...], Meta(max_length=16)]
Language = Annotated[str, Meta(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$(?!\n)")]
Key = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{16,64}$(?!\n)")]
"""An idempotency key: the same key again changes nothing and is acknowledged again."""
Run = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{16,64}$(?!\n)")]
"""One page's numbering of what it says to one other party: made anew by every page."""
RESUME = r"^[0-9]{13,15}-[0-9a-f]{32}$(?!\n)"
"""When a page took its seat (ms since 1970, server's clock), and chance."""
Number = Annotated[int, Meta(ge=1, lt=2**31)]
Token = Annotated[str, Meta(max_length=MAX_TOKEN)]
Generation = Annotated[int, Meta(ge=0, lt=2**53)]
Reason = Annotated[str, Meta(max_length=64, pattern=r"^[a-z0-9 ._-]*$(?!\n)")]
"""A code, no text of somebody's own: it is logged, and passed on."""


class Message(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True
):
    """One message. ``type`` on the wire is the tag."""


class IceServer(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """As RTCIceServer."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


class ErrorReply(Message, frozen=True, kw_only=True, tag="error"):
    """Something was refused. ``code`` is stable, ``message`` is for a person."""

    code: str
    message: str
    key: str | None = None
