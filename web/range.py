"""Which bytes of a file a player asked for (RFC 9110 section 14). Pure.

One range at most. What RFC 9110 lets a server reject is rejected: several ranges, and anything
that is not spelled exactly as its grammar says. A unit that is not ``bytes`` is ignored, as it
asks. ``If-Range`` with anything but the file's own validator gets the whole.
"""

from __future__ import annotations

import re

_RANGE = re.compile(r"(?P<first>[0-9]{1,19})?-(?P<last>[0-9]{1,19})?")


class RangeRefused(ValueError):
    """No byte of the file is in the range, or it is not one plain range: answer 416."""


def parse_range(header: str | None, size: int, *, if_range: bool = False) -> tuple[int, int] | None:
    """The first byte asked for and the one after the last; None means the whole file.

    ``header`` is the value of ``Range``, ``size`` the file's length in bytes, ``if_range`` says
    that there is an ``If-Range`` which names another state of the file. Raises RangeRefused.
    """
    if header is None or if_range:
        return None
    unit, equals, spec = header.partition("=")
    if not equals:
        raise RangeRefused("no unit")
    if unit.strip().lower() != "bytes":
        return None
    match = _RANGE.fullmatch(spec.strip(" \t"))
    if match is None:
        raise RangeRefused("not one plain range")
    first, last = match["first"], match["last"]
    if first is None:
        return _suffix(last, size)
    start = int(first)
    if last is not None and int(last) < start:
        raise RangeRefused("ends before it begins")
    if start >= size:
        raise RangeRefused("begins after the end")
    return start, size if last is None else min(int(last) + 1, size)


def _suffix(length: str | None, size: int) -> tuple[int, int]:
    if length is None:
        raise RangeRefused("neither first nor last byte")
    if int(length) == 0 or size == 0:
        raise RangeRefused("no bytes")
    return max(0, size - int(length)), size
