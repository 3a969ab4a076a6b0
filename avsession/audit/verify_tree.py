"""The tree, recomputed from the leaves page by page and compared with what is stored. Pure.

Only one page and the growing edge are held in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from avsession.audit import merkle
from avsession.audit.merkle import Node, node_hash

LEVELS = 12
PAGE = 1 << LEVELS
"""Leaves a page; a whole page is one complete subtree."""


class Wrong(msgspec.Struct, frozen=True):
    """A node that is not stored as it should be. Below it everything agrees."""

    node: Node
    what: str
    """``changed``, ``missing``, or ``leaf``: the leaf under it was changed."""


class Rising:
    """The tree so far. Feed it the leaves' hashes, page by page; every page but the last whole."""

    def __init__(self) -> None:
        self.size = 0
        self._stack: list[tuple[Node, bytes]] = []
        self._page: list[list[bytes]] = []
        self._page_start = 0

    def grow(self, hashes: Sequence[bytes]) -> list[list[bytes]]:
        """Add a page; the nodes over it, level by level, leaves first."""
        if self.size % PAGE:
            raise ValueError("only the last page may be short")
        self._settle()
        levels = [list(hashes)]
        while len(levels[-1]) > 1:
            row = levels[-1]
            levels.append([node_hash(row[n], row[n + 1]) for n in range(0, len(row) - 1, 2)])
        self._page, self._page_start = levels, self.size
        self.size += len(hashes)
        return levels

    def _settle(self) -> None:
        """Put the page, which is whole, on the stack."""
        if self._page and self._page[0]:
            node = Node(LEVELS, self._page_start >> LEVELS)
            self._stack.append((node, self._page[LEVELS][0]))
            self._merge()
        self._page = []

    def _merge(self) -> None:
        while len(self._stack) > 1 and self._stack[-1][0].level == self._stack[-2][0].level:
            (_, right), (left_node, left) = self._stack.pop(), self._stack.pop()
            node = Node(left_node.level + 1, left_node.number >> 1)
            self._stack.append((node, node_hash(left, right)))

    def above(self) -> list[tuple[Node, bytes]]:
        """The nodes over several pages that the page just added completes, lowest first."""
        if self.size % PAGE or not (self._page and self._page[0]):
            return []
        found: list[tuple[Node, bytes]] = []
        right = self._page[LEVELS][0]
        number = self._page_start >> LEVELS
        level = LEVELS
        for node, left in reversed(self._stack):
            if node.level != level:
                break
            right, number, level = node_hash(left, right), number >> 1, level + 1
            found.append((Node(level, number), right))
        return found

    def root(self, size: int) -> bytes:
        """The root over the first ``size`` leaves: within the last page, or just before it."""
        inside = size - self._page_start
        edge = [self._page[node.level][node.number] for node in merkle.edge(inside)]
        return merkle.fold([*(found for _, found in self._stack), *edge])


def compare(
    first: int, levels: Sequence[Sequence[bytes]], stored: Mapping[Node, bytes]
) -> list[Wrong]:
    """What is wrong with the stored nodes of a page whose first leaf is ``first``.

    A node that only follows from a wrong one below it is not named.
    """
    wrong = []
    for level, row in enumerate(levels):
        start = first >> level
        for number, right in enumerate(row, start):
            node = Node(level, number)
            found = stored.get(node)
            if found != right and (what := _judge(node, found, right, levels, first, stored)):
                wrong.append(Wrong(node, what))
    return wrong


def _judge(
    node: Node,
    found: bytes | None,
    right: bytes,
    levels: Sequence[Sequence[bytes]],
    first: int,
    stored: Mapping[Node, bytes],
) -> str:
    """Why a stored node is not the computed one; empty when it only follows from others."""
    if found is None:
        return "missing"
    level, number = node
    if level and found == _over(stored, node):
        return ""
    if level:
        return "changed"
    # The leaf, or its stored hash? The node above was made of the one that was logged.
    parent = stored.get(Node(1, number >> 1))
    sibling = number ^ 1
    if parent is None or not 0 <= sibling - first < len(levels[0]):
        return "leaf"
    other = levels[0][sibling - first]
    pair = (other, right) if number & 1 else (right, other)
    return "changed" if node_hash(*pair) == parent else "leaf"


def _over(stored: Mapping[Node, bytes], node: Node) -> bytes | None:
    """The hash over a node's two stored children."""
    left = stored.get(Node(node.level - 1, node.number * 2))
    right = stored.get(Node(node.level - 1, node.number * 2 + 1))
    return node_hash(left, right) if left is not None and right is not None else None
