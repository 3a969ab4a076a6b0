"""A ZIP archive as arithmetic: where every byte of it is, before any of it is made. Pure.

All members are stored, not compressed (media does not get smaller), and their sizes and CRCs are
known, so that the archive's size is known too, and any range of it can be made again at any time:
the same members give the same bytes. APPNOTE.TXT 6.3.10; ZIP64 where a number does not fit.
"""

from __future__ import annotations

import bisect
import datetime
import itertools
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from avsession.errors import Invalid

MOST_MEMBERS = 20_000
"""Members of one archive."""
MAX_NAME = 200
"""Bytes of a member's name."""

_WIDE = 0xFFFFFFFF
_MANY = 0xFFFF
_UTF8 = 1 << 11
_UNIX = 3 << 8
_MODE = 0o100600 << 16
_EPOCH = datetime.datetime(1980, 1, 1, tzinfo=datetime.UTC)


class Member(msgspec.Struct, frozen=True):
    """A file in the archive: ``size`` in bytes, ``crc`` the CRC-32 of its bytes."""

    name: str
    size: int
    crc: int


class Piece(NamedTuple):
    """A part of the archive: bytes of its own, or a range of a member's."""

    data: bytes
    member: int = -1
    """The member's number; -1: ``data`` is the piece."""
    start: int = 0
    end: int = 0


class Archive:
    """The archive of these members, in their order. ``size`` is in bytes."""

    def __init__(self, members: Sequence[Member], at_ms: int) -> None:
        """``at_ms``: the time that every member gets (ms since the Unix epoch).

        Raises Invalid for names that are not plain, or there twice, and for too many members.
        """
        _check(members)
        self._members = tuple(members)
        time = _dos_time(at_ms)
        heads = [_local(member, time) for member in members]
        lengths = (len(head) + member.size for head, member in zip(heads, members, strict=True))
        places = list(itertools.accumulate(lengths, initial=0))
        self._heads, self._places = heads, places
        self._end = _end(members, places, time)
        self.size = places[-1] + len(self._end)

    def pieces(self, start: int, end: int) -> Iterator[Piece]:
        """What stands from byte ``start`` up to, not with, ``end``, in order.

        Raises ValueError outside 0 <= start <= end <= size.
        """
        if not 0 <= start <= end <= self.size:
            raise ValueError("the range is outside the archive")
        number = bisect.bisect_right(self._places, start) - 1
        for at in range(max(0, number), len(self._members)):
            place, head = self._places[at], self._heads[at]
            if place >= end:
                return
            if found := _cut(head, place, start, end):
                yield Piece(found)
            body = place + len(head)
            first, last = max(start, body) - body, min(end, body + self._members[at].size) - body
            if first < last:
                yield Piece(b"", at, first, last)
        if found := _cut(self._end, self._places[-1], start, end):
            yield Piece(found)


def _cut(data: bytes, place: int, start: int, end: int) -> bytes:
    return data[max(0, start - place) : max(0, end - place)]


def _check(members: Sequence[Member]) -> None:
    if len(members) > MOST_MEMBERS:
        raise Invalid(f"An archive has at most {MOST_MEMBERS} files.")
    names = [member.name for member in members]
    if len(set(names)) != len(names):
        raise Invalid("A file would be in the archive twice.")
    for name in names:
        parts = name.split("/")
        if not all(parts) or {".", ".."} & set(parts) or len(name.encode()) > MAX_NAME:
            raise Invalid("A file's name is not a plain one.")


def _dos_time(at_ms: int) -> int:
    """Date and time as two 16-bit words, UTC, to two seconds; none is before 1980."""
    when = max(datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC), _EPOCH)
    date = (when.year - 1980) << 9 | when.month << 5 | when.day
    return date << 16 | when.hour << 11 | when.minute << 5 | when.second // 2


def _needs(wide: bytes) -> int:
    """The version that is needed to extract: 4.5 for ZIP64."""
    return 45 if wide else 20


def _local(member: Member, time: int) -> bytes:
    name = member.name.encode()
    wide = b""
    size = member.size
    if size >= _WIDE:
        wide, size = struct.pack("<HHQQ", 1, 16, member.size, member.size), _WIDE
    return (
        struct.pack(
            "<4sHHHIIIIHH",
            b"PK\x03\x04", _needs(wide), _UTF8, 0, time, member.crc, size, size,
            len(name), len(wide),
        )
        + name
        + wide
    )  # fmt: skip


def _central(member: Member, place: int, time: int) -> bytes:
    name = member.name.encode()
    numbers = [n for n in (member.size, member.size, place) if n >= _WIDE]
    wide = struct.pack(f"<HH{len(numbers)}Q", 1, 8 * len(numbers), *numbers) if numbers else b""
    size = min(member.size, _WIDE)
    return (
        struct.pack(
            "<4sHHHHIIIIHHHHHII",
            b"PK\x01\x02", _UNIX | 45, _needs(wide), _UTF8, 0, time, member.crc, size, size,
            len(name), len(wide), 0, 0, 0, _MODE, min(place, _WIDE),
        )
        + name
        + wide
    )  # fmt: skip


def _end(members: Sequence[Member], places: Sequence[int], time: int) -> bytes:
    """The central directory, and what says where it is."""
    entries = [_central(m, place, time) for m, place in zip(members, places[:-1], strict=True)]
    directory = b"".join(entries)
    at, count, size = places[-1], len(entries), len(directory)
    wide = b""
    if at >= _WIDE or size >= _WIDE or count >= _MANY:
        wide = struct.pack(
            "<4sQHHIIQQQQ", b"PK\x06\x06", 44, _UNIX | 45, 45, 0, 0, count, count, size, at
        ) + struct.pack("<4sIQI", b"PK\x06\x07", 0, at + size, 1)
    short = min(count, _MANY)
    last = struct.pack(
        "<4sHHHHIIH", b"PK\x05\x06", 0, 0, short, short, min(size, _WIDE), min(at, _WIDE), 0
    )
    return directory + wide + last
