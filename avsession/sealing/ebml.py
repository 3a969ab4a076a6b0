"""EBML, as much as a WebM header needs: ids, sizes, numbers, floats (RFC 8794), and their ids
in WebM (RFC 9559). Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

EBML = 0x1A45DFA3
SEGMENT = 0x18538067
SEEK_HEAD, SEEK, SEEK_ID, SEEK_POSITION = 0x114D9B74, 0x4DBB, 0x53AB, 0x53AC
INFO, TIMESTAMP_SCALE, DURATION = 0x1549A966, 0x2AD7B1, 0x4489
MUXING_APP, WRITING_APP = 0x4D80, 0x5741
TRACKS, TRACK_ENTRY, TRACK_NUMBER, TRACK_TYPE = 0x1654AE6B, 0xAE, 0xD7, 0x83
CUES, CUE_POINT, CUE_TIME = 0x1C53BB6B, 0xBB, 0xB3
CUE_TRACK_POSITIONS, CUE_TRACK, CUE_CLUSTER_POSITION = 0xB7, 0xF7, 0xF1
CLUSTER = 0x1F43B675


class Element(NamedTuple):
    """An element found in bytes: where it begins, where its payload is."""

    id: int
    start: int
    payload: int
    end: int | None
    """None: of unknown size, which only a Segment or Cluster may have."""


def encode_id(identifier: int) -> bytes:
    """An element id; its length marker is part of it."""
    return identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")


def encode_size(value: int, length: int = 0) -> bytes:
    """A size in ``length`` bytes, or in as few as it needs (0). Raises ValueError if too large."""
    for n in [length] if length else range(1, 9):
        # all ones is reserved for "unknown"
        if 0 <= value < (1 << (7 * n)) - 1:
            return (value | 1 << (7 * n)).to_bytes(n, "big")
    raise ValueError("the size does not fit")


def element(identifier: int, *parts: bytes) -> bytes:
    """An element with what it holds."""
    payload = b"".join(parts)
    return encode_id(identifier) + encode_size(len(payload)) + payload


def unsigned(identifier: int, value: int, length: int = 0) -> bytes:
    """An unsigned integer, in ``length`` bytes or in as few as it needs (0)."""
    return element(
        identifier, value.to_bytes(length or max(1, (value.bit_length() + 7) // 8), "big")
    )


def double(identifier: int, value: float) -> bytes:
    """A float of 8 bytes."""
    return element(identifier, struct.pack(">d", value))


def read_element(data: bytes, start: int) -> Element:
    """The element at ``start``; raises ValueError when there is no whole id and size."""
    marker = data[start] if start < len(data) else 0
    length = 9 - marker.bit_length()
    if length > 4 or start + length >= len(data):
        raise ValueError("no element id")
    identifier = int.from_bytes(data[start : start + length], "big")
    at = start + length
    length = 9 - data[at].bit_length()
    if length > 8 or at + length > len(data):
        raise ValueError("no element size")
    value = int.from_bytes(data[at : at + length], "big") & ((1 << (7 * length)) - 1)
    unknown = value == (1 << (7 * length)) - 1
    payload = at + length
    return Element(identifier, start, payload, None if unknown else payload + value)


def children(data: bytes, start: int, end: int) -> Iterator[Element]:
    """The elements between; raises ValueError when one does not end where it should."""
    while start < end:
        found = read_element(data, start)
        if found.end is None or found.end > end:
            raise ValueError("an element is cut")
        yield found
        start = found.end


def read_unsigned(data: bytes, found: Element) -> int:
    """The number that an element of known size holds."""
    return int.from_bytes(data[found.payload : found.end], "big")
