"""The tree that rises page by page is the tree; what is wrong with the stored one is named once."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsession.audit import merkle, verify_tree
from avsession.audit.merkle import Node, leaf_hash, node_hash
from avsession.audit.verify_tree import Rising, Wrong, compare


def all_nodes(hashes: list[bytes]) -> dict[Node, bytes]:
    stored: dict[Node, bytes] = {}
    for size, one in enumerate(hashes):
        carried = [stored[node] for node in merkle.carries(size)]
        stored |= dict(merkle.append(size, one, carried))
    return stored


HASHES = [leaf_hash(b"%d" % n) for n in range(70)]
STORED = all_nodes(HASHES)


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 8, 16, 31, 32, 63, 64, 70])
def test_every_node_and_every_root_of_the_last_page(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(verify_tree, "LEVELS", 2)
    monkeypatch.setattr(verify_tree, "PAGE", 4)
    rising = Rising()
    seen: dict[Node, bytes] = {}
    start = 0
    while True:
        page = HASHES[start : min(start + 4, size)]
        for level, row in enumerate(rising.grow(page)):
            seen |= {Node(level, (start >> level) + n): one for n, one in enumerate(row)}
        seen |= dict(rising.above())
        for inside in range(start, start + len(page) + 1):
            whole = merkle.fold([STORED[node] for node in merkle.edge(inside)])
            assert rising.root(inside) == whole
        if len(page) < 4:
            break
        start += 4
    expected = {
        node: one for node, one in STORED.items() if (node.number + 1) << node.level <= size
    }
    assert seen == expected
    assert rising.size == size


def test_only_the_last_page_may_be_short() -> None:
    rising = Rising()
    rising.grow(HASHES[:3])
    with pytest.raises(ValueError, match="only the last page"):
        rising.grow(HASHES[:3])


def levels(hashes: list[bytes]) -> list[list[bytes]]:
    return Rising().grow(hashes)


@given(st.data())
@settings(deadline=None)
def test_one_node_that_was_changed_or_taken_away_is_the_one_that_is_named(
    data: st.DataObject,
) -> None:
    node = data.draw(st.sampled_from(sorted(STORED)))
    what = data.draw(st.sampled_from(["changed", "missing"]))
    stored = dict(STORED)
    if what == "missing":
        del stored[node]
    else:
        stored[node] = hashlib.sha256(b"other").digest()
    found = compare(0, levels(HASHES), stored)
    last = len(HASHES) - 1
    if node == Node(0, last) and last % 2 == 0 and what == "changed":
        what = "leaf"  # alone at the edge: nothing above it says which of the two is right
    assert found == [Wrong(node, what)]


@given(st.integers(0, 69))
def test_one_leaf_that_was_changed_is_the_one_that_is_named(index: int) -> None:
    hashes = [*HASHES[:index], leaf_hash(b"other"), *HASHES[index + 1 :]]
    assert compare(0, levels(hashes), STORED) == [Wrong(Node(0, index), "leaf")]


def test_a_leaf_changed_with_its_own_node_is_named_where_they_meet_the_rest() -> None:
    hashes = [*HASHES[:6], leaf_hash(b"other"), *HASHES[7:]]
    stored = STORED | {Node(0, 6): hashes[6]}
    assert compare(0, levels(hashes), stored) == [Wrong(Node(1, 3), "changed")]
    stored |= {Node(1, 3): node_hash(hashes[6], hashes[7])}
    assert compare(0, levels(hashes), stored) == [Wrong(Node(2, 1), "changed")]
