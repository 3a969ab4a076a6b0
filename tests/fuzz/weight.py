"""What an object and everything it holds weighs: how tests see that memory is bounded."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Mapping

CONTAINERS = (list, tuple, set, frozenset, deque)
OURS = ("recorder.", "avsession.")


def weight(*roots: object) -> int:
    """Bytes of these and of all that is in them, each thing once. Only our own objects, and the
    containers, numbers and bytes in them, are looked into."""
    seen: set[int] = set()
    waiting = list(roots)
    total = 0
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        total += sys.getsizeof(each)
        waiting.extend(_inside(each))
    return total


def _inside(each: object) -> Iterator[object]:
    if isinstance(each, Mapping):
        yield from each.keys()
        yield from each.values()
    elif isinstance(each, CONTAINERS):
        yield from each
    elif type(each).__module__.startswith(OURS):
        yield from getattr(each, "__dict__", {}).values()
        for kind in type(each).__mro__:
            for name in getattr(kind, "__slots__", ()):
                if hasattr(each, name):
                    yield getattr(each, name)
