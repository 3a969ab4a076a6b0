"""The Merkle tree of RFC 6962 section 2.1 over SHA-256. Pure: hashes in, hashes out.

Stored are only nodes that never change again: those over complete subtrees. Node ``(level, n)``
covers the leaves from ``n * 2**level`` up to ``(n + 1) * 2**level``, that one not included; level 0
has the leaves' own hashes. Everything else (roots, proofs) is folded from at most
``2 * log2(size)`` of them, so the functions here say *which* nodes are needed, and the caller
fetches them: a :data:`Part` is a run of nodes that :func:`fold` makes one hash of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""
HASH = 32
"""Bytes of a hash."""


class Node(NamedTuple):
    """The place of a node over a complete subtree."""

    level: int
    number: int


Part = tuple[Node, ...]
"""Adjoining complete subtrees, the largest first, whose hashes :func:`fold` makes one of."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf's bytes: a prefix keeps leaves and nodes apart."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over its two children's hashes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def edge(size: int, start: int = 0) -> Part:
    """The complete subtrees that ``size`` leaves from ``start`` on consist of, largest first.

    ``start`` must be a multiple of the largest of them, as it is wherever RFC 6962 splits.
    """
    parts = []
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            parts.append(Node(level, start >> level))
            start += 1 << level
    return tuple(parts)


def fold(hashes: Sequence[bytes]) -> bytes:
    """One hash of adjoining complete subtrees' hashes, largest first; none: the empty root."""
    if not hashes:
        return EMPTY_ROOT
    whole = hashes[-1]
    for left in reversed(hashes[:-1]):
        whole = node_hash(left, whole)
    return whole


def carries(size: int) -> Part:
    """The nodes that appending to a tree of ``size`` leaves needs: lowest first, often none."""
    found = []
    level = 0
    while size >> level & 1:
        found.append(Node(level, (size >> level) - 1))
        level += 1
    return tuple(found)


def append(size: int, leaf: bytes, carried: Iterable[bytes]) -> list[tuple[Node, bytes]]:
    """What a leaf with hash ``leaf`` adds to a tree of ``size`` leaves: every new node.

    ``carried`` are the hashes of :func:`carries` in its order.
    """
    added = [(Node(0, size), leaf)]
    for left in carried:
        (level, number), right = added[-1]
        added.append((Node(level + 1, number >> 1), node_hash(left, right)))
    return added


def _split(size: int) -> int:
    """The largest power of two that is less than ``size`` (2 or more)."""
    return 1 << (size - 1).bit_length() - 1


def inclusion(index: int, size: int) -> tuple[Part, ...]:
    """The proof that leaf ``index`` is in the tree of ``size`` leaves (RFC 6962 section 2.1.1).

    From the leaf's sibling up. Raises ValueError unless ``0 <= index < size``.
    """
    if not 0 <= index < size:
        raise ValueError("no such leaf in a tree of that size")
    parts: list[Part] = []
    start = 0
    while size > 1:
        left = _split(size)
        if index < left:
            parts.append(edge(size - left, start + left))
            size = left
        else:
            parts.append(edge(left, start))
            start, index, size = start + left, index - left, size - left
    return tuple(reversed(parts))


def consistency(old: int, size: int) -> tuple[Part, ...]:
    """The proof that the tree of ``old`` leaves begins the one of ``size`` (section 2.1.2).

    Empty for ``old`` 0 (the empty tree begins every tree) and for equal sizes. Raises ValueError
    unless ``0 <= old <= size``.
    """
    if not 0 <= old <= size:
        raise ValueError("the older tree must not be the larger one")
    if old in (0, size):
        return ()
    parts: list[Part] = []
    start, whole = 0, True
    while old != size:
        left = _split(size)
        if old <= left:
            parts.append(edge(size - left, start + left))
            size = left
        else:
            parts.append(edge(left, start))
            start, old, size, whole = start + left, old - left, size - left, False
    if not whole:
        parts.append(edge(size, start))
    return tuple(reversed(parts))


def root_of_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that a proof leads to from a leaf's hash; to be compared with a trusted one.

    Raises ValueError when the proof has not the length that this leaf needs in that tree.
    """
    if not 0 <= index < size:
        raise ValueError("no such leaf in a tree of that size")
    here, last, whole = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ValueError("the proof is too long")
        if here & 1 or here == last:
            whole = node_hash(sibling, whole)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            whole = node_hash(whole, sibling)
        here, last = here >> 1, last >> 1
    if last:
        raise ValueError("the proof is too short")
    return whole


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Whether the leaf with this hash is at ``index`` in the tree of ``size`` leaves and root."""
    try:
        return root_of_inclusion(leaf, index, size, proof) == root
    except ValueError:
        return False


def verify_consistency(
    old: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes
) -> bool:
    """Whether the tree of ``size`` leaves and ``root`` begins with the one of ``old`` leaves."""
    if not 0 <= old <= size:
        return False
    if old in (0, size):
        same = old_root == (root if old == size else EMPTY_ROOT)
        return same and not proof
    hashes = list(proof)
    if old & (old - 1) == 0:  # a complete tree is a node of the larger one, and is left out
        hashes.insert(0, old_root)
    if not hashes:
        return False
    here, last = old - 1, size - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    before = after = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        here, last = here >> 1, last >> 1
    return last == 0 and before == old_root and after == root
