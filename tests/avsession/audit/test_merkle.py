"""The tree against a reference that follows RFC 6962 section 2.1 word by word, and its vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsession.audit import merkle
from avsession.audit.merkle import Node, Part

# --- the reference: recursive, as the RFC writes it, over the leaves themselves


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def k_of(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(d: Sequence[bytes]) -> bytes:
    n = len(d)
    if n == 0:
        return sha256(b"")
    if n == 1:
        return sha256(b"\x00" + d[0])
    k = k_of(n)
    return sha256(b"\x01" + mth(d[:k]) + mth(d[k:]))


def path(m: int, d: Sequence[bytes]) -> list[bytes]:
    n = len(d)
    if n == 1:
        return []
    k = k_of(n)
    if m < k:
        return [*path(m, d[:k]), mth(d[k:])]
    return [*path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: Sequence[bytes], b: bool) -> list[bytes]:
    n = len(d)
    if m == n:
        return [] if b else [mth(d)]
    k = k_of(n)
    if m <= k:
        return [*subproof(m, d[:k], b), mth(d[k:])]
    return [*subproof(m - k, d[k:], False), mth(d[:k])]


# --- the same, as the product does it: appending, and folding what is stored


class Stored:
    """A node table."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.nodes: dict[Node, bytes] = {}
        for size, data in enumerate(leaves):
            carried = [self.nodes[node] for node in merkle.carries(size)]
            for node, found in merkle.append(size, merkle.leaf_hash(data), carried):
                assert node not in self.nodes, "no node is ever written twice"
                self.nodes[node] = found

    def fold(self, part: Part) -> bytes:
        return merkle.fold([self.nodes[node] for node in part])

    def all(self, parts: Sequence[Part]) -> list[bytes]:
        return [self.fold(part) for part in parts]


def leaves(n: int) -> list[bytes]:
    return [b"leaf %d" % i for i in range(n)]


MANY = leaves(3000)
STORED = Stored(MANY)
SIZES = st.integers(0, len(MANY))


@given(SIZES)
@settings(max_examples=60, deadline=None)
def test_roots_agree(size: int) -> None:
    assert STORED.fold(merkle.edge(size)) == mth(MANY[:size])


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_inclusion_agrees_and_verifies(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(MANY)))
    index = data.draw(st.integers(0, size - 1))
    proof = STORED.all(merkle.inclusion(index, size))
    assert proof == path(index, MANY[:size])
    leaf, root = merkle.leaf_hash(MANY[index]), mth(MANY[:size])
    assert merkle.verify_inclusion(leaf, index, size, proof, root)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_consistency_agrees_and_verifies(data: st.DataObject) -> None:
    size = data.draw(st.integers(0, len(MANY)))
    old = data.draw(st.integers(0, size))
    proof = STORED.all(merkle.consistency(old, size))
    if 0 < old < size:  # the RFC defines it there only
        assert proof == subproof(old, MANY[:size], True)
    else:
        assert proof == []
    roots = mth(MANY[:old]), mth(MANY[:size])
    assert merkle.verify_consistency(old, size, proof, *roots)


def test_every_proof_of_every_small_tree() -> None:
    for size in range(34):
        d = MANY[:size]
        root = mth(d)
        for old in range(size + 1):
            proof = STORED.all(merkle.consistency(old, size))
            assert merkle.verify_consistency(old, size, proof, mth(d[:old]), root)
        for index in range(size):
            proof = STORED.all(merkle.inclusion(index, size))
            assert proof == path(index, d)
            assert merkle.verify_inclusion(merkle.leaf_hash(d[index]), index, size, proof, root)


def test_the_vectors_that_everybody_uses() -> None:
    """From the reference tests of certificate transparency."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
              "606162636465666768696a6b6c6d6e6f"]  # fmt: skip
    stored = Stored([bytes.fromhex(text) for text in inputs])
    roots = {
        0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    for size, root in roots.items():
        assert stored.fold(merkle.edge(size)).hex() == root


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_nothing_else_verifies(data: st.DataObject) -> None:
    """Another leaf, place, size, root, or a proof with a bit, a hash more or less."""
    size = data.draw(st.integers(2, 300))
    index = data.draw(st.integers(0, size - 1))
    proof = STORED.all(merkle.inclusion(index, size))
    leaf, root = merkle.leaf_hash(MANY[index]), mth(MANY[:size])
    hurt = list(proof)
    place = data.draw(st.integers(0, len(proof) - 1))
    hurt[place] = bytes([hurt[place][0] ^ 1]) + hurt[place][1:]
    assert not merkle.verify_inclusion(leaf, index, size, hurt, root)
    assert not merkle.verify_inclusion(leaf, index, size, proof[:-1], root)
    assert not merkle.verify_inclusion(leaf, index, size, [*proof, root], root)
    assert not merkle.verify_inclusion(merkle.leaf_hash(b"other"), index, size, proof, root)
    assert not merkle.verify_inclusion(leaf, index, size, proof, leaf)
    other = data.draw(st.integers(0, size - 1).filter(lambda n: n != index))
    assert not merkle.verify_inclusion(leaf, other, size, proof, root)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_no_other_history_is_consistent(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 300))
    old = data.draw(st.integers(1, size - 1))
    changed = data.draw(st.integers(0, old - 1))
    before = [*MANY[:changed], b"another", *MANY[changed + 1 : old]]
    proof = STORED.all(merkle.consistency(old, size))
    now = mth(MANY[:size])
    assert not merkle.verify_consistency(old, size, proof, mth(before), now)
    assert not merkle.verify_consistency(old, size, proof, mth(MANY[:old]), mth(before))
    assert not merkle.verify_consistency(old, size, [*proof, now], mth(MANY[:old]), now)
    assert not merkle.verify_consistency(old, size, proof[:-1], mth(MANY[:old]), now)


def test_a_shrunken_tree_is_consistent_with_nothing() -> None:
    assert not merkle.verify_consistency(3, 2, [], mth(MANY[:3]), mth(MANY[:2]))
    assert not merkle.verify_consistency(2, 2, [], mth(MANY[:2]), mth(MANY[1:3]))
    assert not merkle.verify_consistency(0, 2, [], mth(MANY[:1]), mth(MANY[:2]))
    assert not merkle.verify_consistency(-1, 2, [], mth(MANY[:1]), mth(MANY[:2]))


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3), (5, 4)])
def test_there_is_no_proof_of_what_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no such leaf"):
        merkle.inclusion(index, size)
    assert not merkle.verify_inclusion(merkle.EMPTY_ROOT, index, size, [], merkle.EMPTY_ROOT)


def test_the_older_tree_is_not_the_larger_one() -> None:
    for old, size in ((1, 0), (-1, 3)):
        with pytest.raises(ValueError, match="older tree"):
            merkle.consistency(old, size)


def test_little_is_read_and_written() -> None:
    """O(log n): nothing that an append or a proof needs grows with the log."""
    big = 2**40 - 1
    assert len(merkle.carries(big)) == 40
    assert sum(map(len, merkle.inclusion(12345, big))) <= 80
    assert sum(map(len, merkle.consistency(big // 3, big))) <= 80
    written = sum(len(merkle.carries(n)) + 1 for n in range(1024))
    assert written < 2 * 1024
