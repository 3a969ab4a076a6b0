"""What the server and the custody process say to one another: one question, one answer.

A frame is its length in four bytes, big-endian, and that many bytes of JSON. Whoever asks opens
a connection for each question; whoever answers closes it.
"""

from __future__ import annotations

import struct
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from avsession.errors import MessageInvalid
from avsession.messages.common import Id

VERSION: Final = 1
MAX_FRAME = 256 * 1024
"""Bytes of a frame: a checkpoint's note (64 KiB at most), its proofs and a leaf, with room."""
MAX_HASHES = 64
"""Hashes of a proof: enough for a tree of 2**64 leaves."""

_LENGTH = struct.Struct(">I")
HEADER = _LENGTH.size
"""Bytes before the JSON."""

Hashes = Annotated[tuple[bytes, ...], Meta(max_length=MAX_HASHES)]
Size = Annotated[int, Meta(ge=0, le=2**53)]


class Shown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a key may be unwrapped: a leaf of the log, proven.

    ``note`` is a signed checkpoint in which ``leaf`` has the place ``index``; ``extends`` shows
    that its log begins with the ``since`` leaves that custody saw last (RFC 6962 section 2.1.2).
    """

    leaf: Annotated[bytes, Meta(max_length=65_536)]
    index: Size
    hashes: Hashes
    note: Annotated[str, Meta(max_length=65_536)]
    since: Size
    extends: Hashes
    until_ms: Size | None = None
    """What the leaf commits to under ``expires_ms``, with its salt; None: it commits to none."""
    salt: Annotated[bytes, Meta(max_length=64)] = b""


class Question(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="ask", forbid_unknown_fields=True
):
    """What every question carries: the version, and the public key of the log that is served."""

    log: Annotated[str, Meta(min_length=1, max_length=512)]
    session: Id | None = None
    """For which session it is asked: for custody's lines alone, nothing is decided by it."""
    v: Literal[1] = VERSION


class AskHead(Question, frozen=True, kw_only=True, tag="head"):
    """Which checkpoint custody saw last, and to which key it wraps."""


class AskCreate(Question, frozen=True, kw_only=True, tag="create"):
    """A new key pair for a track."""

    recording: Id
    track: Id


class AskUnwrap(Question, frozen=True, kw_only=True, tag="unwrap"):
    """A track's private key, on these grounds."""

    recording: Id
    track: Id
    grounds: Shown


class AskDestroy(Question, frozen=True, kw_only=True, tag="destroy"):
    """Destroy a track's private key."""

    track: Id


AnyQuestion = AskHead | AskCreate | AskUnwrap | AskDestroy


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``error`` is an error's stable code, or empty; then what was asked for stands in the rest."""

    error: Annotated[str, Meta(max_length=64)] = ""
    sentence: Annotated[str, Meta(max_length=500)] = ""
    recipient: Annotated[str, Meta(max_length=200)] = ""
    """The track's, or the custodian's, age recipient."""
    identity: Annotated[str, Meta(max_length=200)] = ""
    destroyed: bool = False
    head: Annotated[str, Meta(max_length=65_536)] | None = None
    """The note of the checkpoint that custody saw last."""


_QUESTION: msgspec.json.Decoder[AnyQuestion] = msgspec.json.Decoder(AnyQuestion)
_ANSWER: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


def frame(message: AnyQuestion | Answer) -> bytes:
    """The message as it goes over the socket. Raises MessageInvalid when it is too long."""
    data = msgspec.json.encode(message)
    if len(data) > MAX_FRAME:
        raise MessageInvalid(f"A message may have {MAX_FRAME} bytes at most.")
    return _LENGTH.pack(len(data)) + data


def length(header: bytes) -> int:
    """How many bytes follow ``header``. Raises MessageInvalid when they are too many."""
    (size,) = _LENGTH.unpack(header)
    if size > MAX_FRAME:
        raise MessageInvalid(f"A message may have {MAX_FRAME} bytes at most.")
    return int(size)


def question(data: bytes) -> AnyQuestion:
    """A question; raises MessageInvalid."""
    try:
        return _QUESTION.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # not what it says: an answer is told of it, and a log
        raise MessageInvalid("Not a question of this protocol.") from error


def answer(data: bytes) -> Answer:
    """An answer; raises MessageInvalid."""
    try:
        return _ANSWER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageInvalid("Not an answer of this protocol.") from error
