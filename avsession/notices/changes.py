"""What changed between two texts: paragraph by paragraph, and in a changed one word by word."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator, Sequence

import msgspec

ALIKE = 0.5
"""From here on two paragraphs are the same one, reworded; below it one went and another came."""
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


class Part(msgspec.Struct, frozen=True):
    """A stretch of a paragraph. ``kind``: ``same``, ``removed`` or ``added``."""

    kind: str
    text: str


Block = tuple[Part, ...]
"""A paragraph, of the old text, the new one, or both."""


@functools.lru_cache(maxsize=64)
def changes(old: str, new: str) -> tuple[Block, ...]:
    """Every paragraph (line that is not empty) of both, in order.

    The parts that are not ``added``, joined, are the old paragraphs; those that are not
    ``removed`` the new ones.
    """
    before, after = _paragraphs(old), _paragraphs(new)
    blocks: list[Block] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for what, i1, i2, j1, j2 in matcher.get_opcodes():
        if what == "equal":
            blocks += [(Part("same", line),) for line in before[i1:i2]]
        else:
            blocks += _replaced(before[i1:i2], after[j1:j2])
    return tuple(blocks)


def _paragraphs(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def _replaced(old: Sequence[str], new: Sequence[str]) -> Iterator[Block]:
    """The most alike pair is compared by word; what stands before and after it likewise."""
    best, place = ALIKE, None
    for i, line in enumerate(old):
        for j, other in enumerate(new):
            matcher = difflib.SequenceMatcher(None, _words(line), _words(other), autojunk=False)
            if matcher.quick_ratio() > best and (found := matcher.ratio()) > best:
                best, place = found, (i, j)
    if place is None:
        yield from ((Part("removed", line),) for line in old)
        yield from ((Part("added", line),) for line in new)
        return
    i, j = place
    yield from _replaced(old[:i], new[:j])
    yield tuple(_reworded(_words(old[i]), _words(new[j])))
    yield from _replaced(old[i + 1 :], new[j + 1 :])


def _words(line: str) -> list[str]:
    return _WORDS.findall(line)


def _reworded(old: list[str], new: list[str]) -> Iterator[Part]:
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for what, i1, i2, j1, j2 in matcher.get_opcodes():
        if what == "equal":
            yield Part("same", "".join(old[i1:i2]))
            continue
        if i2 > i1:
            yield Part("removed", "".join(old[i1:i2]))
        if j2 > j1:
            yield Part("added", "".join(new[j1:j2]))
