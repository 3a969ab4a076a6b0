"""Text frames to messages and back, within limits."""

from __future__ import annotations

from typing import Any

import msgspec

from avsession.errors import MessageInvalid
from avsession.messages.common import MAX_DEPTH, MAX_MESSAGE, MAX_RECORDER_MESSAGE, Message
from avsession.messages.party import FromParty, ToParty
from avsession.messages.recorder import FromRecorder, ToRecorder

MAX_TOLD = 200
"""Characters of what was wrong with a message that its sender is told."""


def _told(error: Exception) -> str:
    """The error's text, cut and without control characters: it may quote the sender."""
    text = str(error)[:MAX_TOLD]
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def depth_of(text: str | bytes) -> int:
    """How deep arrays and objects nest in JSON ``text``; strings are skipped over."""
    data = text.encode() if isinstance(text, str) else text
    depth = deepest = 0
    in_string = escaped = False
    for byte in data:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in (0x5B, 0x7B):
            depth += 1
            deepest = max(deepest, depth)
        elif byte in (0x5D, 0x7D):
            depth -= 1
    return deepest


class Codec:
    """Decodes one direction's messages, within a size."""

    def __init__(self, union: Any, limit: int) -> None:
        self.limit = limit
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(union)

    def decode(self, frame: str | bytes) -> Any:
        """The message in a text frame; raises MessageInvalid saying what is wrong with it."""
        if isinstance(frame, bytes):
            raise MessageInvalid("Binary frames are not part of this protocol.")
        if len(frame.encode()) > self.limit:
            raise MessageInvalid(f"A message may have {self.limit} bytes at most.")
        if depth_of(frame) > MAX_DEPTH:
            raise MessageInvalid(f"A message may nest {MAX_DEPTH} deep at most.")
        try:
            return self._decoder.decode(frame)
        except (msgspec.DecodeError, RecursionError) as error:
            raise MessageInvalid(f"Not a message of this protocol: {_told(error)}") from error


FROM_PARTY = Codec(FromParty, MAX_MESSAGE)
FROM_RECORDER = Codec(FromRecorder, MAX_RECORDER_MESSAGE)
TO_RECORDER = Codec(ToRecorder, MAX_RECORDER_MESSAGE)
TO_PARTY = Codec(ToParty, MAX_RECORDER_MESSAGE)


def encode(message: Message) -> str:
    """The message as a text frame."""
    return msgspec.json.encode(message).decode()
