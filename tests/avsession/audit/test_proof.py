"""Proofs as text: the published format, back and forth, and no other leaf or place."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from avsession.audit import checkpoint, merkle, proof
from avsession.audit.proof import Proof
from avsession.errors import CheckpointInvalid, ProofInvalid
from tests.avsession.audit.notes import ORIGIN, Signer, key

LEAVES = [b"one", b"two", b"three"]


async def made(index: int = 0) -> Proof:
    """A proof in a log of three leaves, put together by hand."""
    one, two, three = (merkle.leaf_hash(data) for data in LEAVES)
    left = merkle.node_hash(one, two)
    paths = [(two, three), (one, three), (left,)]
    head = await checkpoint.sign(ORIGIN, 3, merkle.node_hash(left, three), Signer())
    return Proof(LEAVES[index], index, paths[index], head.note)


async def test_a_text_is_these_lines() -> None:
    found = await made(0)
    hashes = [base64.b64encode(one).decode() for one in found.hashes]
    lines = ["c2sp.org/tlog-proof@v1", "index 0", *hashes, ""]
    assert found.text == "\n".join(lines) + "\n" + found.note
    extra = replace(found, extra=b"\x00\x01")
    assert extra.text.split("\n")[1:3] == ["extra AAE=", "index 0"]


@pytest.mark.parametrize("index", [0, 1, 2])
async def test_it_comes_back_as_it_went_and_verifies(index: int) -> None:
    found = await made(index)
    again = proof.parse(found.text, found.leaf)
    assert again == found
    assert proof.verify(again, key()) == found.checkpoint
    more = replace(found, extra=b"more")
    assert proof.parse(more.text, found.leaf) == more


async def test_a_log_of_one_leaf_needs_no_hashes() -> None:
    head = await checkpoint.sign(ORIGIN, 1, merkle.leaf_hash(b"only"), Signer())
    text = f"c2sp.org/tlog-proof@v1\nindex 0\n\n{head.note}"
    assert proof.verify(proof.parse(text, b"only"), key()).size == 1


async def test_another_leaf_place_or_key_is_no_proof() -> None:
    found = await made(1)
    for other in (
        replace(found, leaf=b"one"), replace(found, index=0), replace(found, index=3),
        replace(found, hashes=found.hashes[:1]), replace(found, hashes=found.hashes[::-1]),
    ):  # fmt: skip
        with pytest.raises(ProofInvalid):
            proof.verify(other, key())
    with pytest.raises(CheckpointInvalid):
        proof.verify(found, key(2))


@given(st.data())
@settings(max_examples=200)
async def test_no_character_can_be_changed(data: st.DataObject) -> None:
    found = await made(1)
    text = found.text
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda c: c != text[place]))
    with pytest.raises((ProofInvalid, CheckpointInvalid)):
        proof.verify(proof.parse(text[:place] + other + text[place + 1 :], found.leaf), key())


@pytest.mark.parametrize(
    ("old", "new"),
    [("tlog-proof@v1", "tlog-proof@v2"), ("index 1", "index 01"), ("index 1", "index"),
     ("index 1\n", ""), ("index 1", "extra \nindex 1\nextra AA=="), ("index 1", "index 1\nAA=="),
     ("\n\n", "\n")],
)  # fmt: skip
async def test_what_is_no_proof(old: str, new: str) -> None:
    text = (await made(1)).text
    with pytest.raises(ProofInvalid):
        proof.parse(text.replace(old, new, 1), b"two")


async def test_limits() -> None:
    found = await made(1)
    for long in (
        replace(found, hashes=found.hashes * 40),
        replace(found, extra=bytes(proof.MAX_EXTRA + 1)),
        replace(found, extra=bytes(proof.MAX_EXTRA * 9)),
    ):
        with pytest.raises(ProofInvalid, match="too long"):
            proof.parse(long.text, b"two")
