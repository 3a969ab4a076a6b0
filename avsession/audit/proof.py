"""A leaf's proof in a file of its own: C2SP tlog-proof, which verifies offline.

The text holds the leaf's index, the hashes from it to the root, and the signed checkpoint; the
leaf itself travels beside it.
"""

from __future__ import annotations

import msgspec

from avsession.audit import checkpoint, merkle
from avsession.audit.checkpoint import Checkpoint, VerifierKey
from avsession.errors import CheckpointInvalid, ProofInvalid

HEADER = "c2sp.org/tlog-proof@v1"
MAX_HASHES = 64
"""Hashes of a proof: enough for a tree of 2**64 leaves."""
MAX_EXTRA = 16 * 1024
"""Bytes of the extra data. We write none; it is not authenticated."""


class Proof(msgspec.Struct, frozen=True):
    """That ``leaf`` is leaf number ``index`` of the log whose signed head is in ``note``."""

    leaf: bytes
    """The leaf's own bytes, canonical JSON."""
    index: int
    hashes: tuple[bytes, ...]
    """From the leaf's sibling up to the root's child (RFC 6962 section 2.1.1)."""
    note: str
    """The checkpoint, signed."""
    extra: bytes = b""

    @property
    def text(self) -> str:
        """The proof as tlog-proof text, without the leaf."""
        extra = [f"extra {checkpoint.b64(self.extra)}"] if self.extra else []
        hashes = [checkpoint.b64(one) for one in self.hashes]
        return "\n".join([HEADER, *extra, f"index {self.index}", *hashes, "", self.note])

    @property
    def checkpoint(self) -> Checkpoint:
        """What the note says, not verified; raises CheckpointInvalid."""
        return checkpoint.parse(self.note)


def parse(text: str, leaf: bytes) -> Proof:
    """The proof in a tlog-proof text, for the leaf that came beside it. Raises ProofInvalid.

    Nothing is verified yet: see :func:`verify`.
    """
    if len(text) > checkpoint.MAX_NOTE + MAX_EXTRA * 2:
        raise ProofInvalid("The proof is too long.")
    head, gap, note = text.partition("\n\n")
    lines = head.split("\n")
    if not gap or lines.pop(0) != HEADER:
        raise ProofInvalid("That is not a tlog-proof.")
    try:
        extra = b""
        if lines and lines[0].startswith("extra "):
            extra = checkpoint.unb64(lines.pop(0).removeprefix("extra "))
        if not lines or not lines[0].startswith("index "):
            raise ProofInvalid("The proof names no index.")
        index = checkpoint.number(lines.pop(0).removeprefix("index "))
        hashes = tuple(checkpoint.unb64(line) for line in lines)
        checkpoint.parse(note)
    except CheckpointInvalid as error:
        raise ProofInvalid(f"The proof is not well-formed: {error}") from error
    if len(extra) > MAX_EXTRA or len(hashes) > MAX_HASHES:
        raise ProofInvalid("The proof is too long.")
    if any(len(one) != merkle.HASH for one in hashes):
        raise ProofInvalid("A hash of the proof is not a SHA-256 hash.")
    return Proof(leaf, index, hashes, note, extra)


def verify(proof: Proof, key: VerifierKey) -> Checkpoint:
    """The checkpoint that the leaf is proven to be in.

    Raises CheckpointInvalid when it is not signed by ``key``, ProofInvalid when the leaf is not
    the one at that index in it.
    """
    checkpoint.verify(proof.note, key)
    return included(proof)


def included(proof: Proof) -> Checkpoint:
    """The checkpoint that the leaf is in, whoever signed it.

    Raises CheckpointInvalid when it is none, ProofInvalid when the leaf is not in it there.
    """
    head = checkpoint.parse(proof.note)
    leaf = merkle.leaf_hash(proof.leaf)
    if not merkle.verify_inclusion(leaf, proof.index, head.size, proof.hashes, head.root):
        raise ProofInvalid("The leaf is not in the log at that place.")
    return head
