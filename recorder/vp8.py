"""VP8 in RTP (RFC 7741): packets of one timestamp into one frame. Pure."""

from __future__ import annotations

from typing import NamedTuple


class Piece(NamedTuple):
    """The VP8 part of one packet."""

    begins_frame: bool
    """S = 1 and PID = 0: the first packet of a frame (RFC 7741 section 4.2)."""
    data: bytes


BEGINS_MASK, BEGINS = 0x17, 0x10
"""Of a descriptor's first byte; see `Piece.begins_frame`."""


def depacketise(payload: bytes) -> Piece | None:
    """Strip the payload descriptor (RFC 7741 section 4.2); None when it is malformed or empty."""
    if not payload:
        return None
    first = payload[0]
    position = 1
    if first & 0x80:
        if len(payload) < 2:
            return None
        extension = payload[1]
        position = 2
        if extension & 0x80:  # I: picture id of 7 or 15 bits
            if len(payload) <= position:
                return None
            position += 2 if payload[position] & 0x80 else 1
        if extension & 0x40:  # L: TL0PICIDX
            position += 1
        if extension & 0x30:  # T or K: one byte for both
            position += 1
    if len(payload) <= position:
        return None
    return Piece(first & BEGINS_MASK == BEGINS, payload[position:])


def is_keyframe(frame: bytes | bytearray) -> bool:
    """Whether a whole frame is a keyframe: P bit clear (RFC 6386 section 9.1)."""
    return bool(frame) and not frame[0] & 0x01


MAX_PIXELS = 1 << 25
"""Of one picture; 8K has 33.2 million. A few bytes can claim 16383x16383, which whoever plays the
recording would have to find 400 MB for."""


def begins_keyframe(payload: bytes) -> bool:
    """Whether a packet's payload is the first of a keyframe."""
    piece = depacketise(payload)
    return piece is not None and piece.begins_frame and is_keyframe(piece.data)


def dimensions(frame: bytes) -> tuple[int, int] | None:
    """Width and height of a keyframe in pixels; None when its start code or size is wrong."""
    if len(frame) < 10 or frame[3:6] != b"\x9d\x01\x2a":
        return None
    width = int.from_bytes(frame[6:8], "little") & 0x3FFF
    height = int.from_bytes(frame[8:10], "little") & 0x3FFF
    return (width, height) if 0 < width * height <= MAX_PIXELS else None


def readable(payload: bytes) -> bool:
    """Whether an RTP payload is a piece of VP8, or padding, which is none."""
    return not payload or depacketise(payload) is not None
