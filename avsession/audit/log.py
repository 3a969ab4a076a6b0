"""Appending leaves. One leaf an event, in the transaction that makes it true.

A leaf also names the signed heads that were stored since the one before it.

With the leaf go the nodes that it adds to the Merkle tree: one on average beside its own hash.
Writes are serialised by the store, whoever writes, so the tree never forks and never skips.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from avsession.audit import merkle
from avsession.audit.merkle import Part
from avsession.canonical import canonical, commitment
from avsession.errors import LogBroken
from avsession.ports import Clock, Reader, Writer
from avsession.records import Detail, Leaf, SignedHead, TreeNode
from avsession.session import Entropy

_KINDS = """
    session.created session.ended party.joined party.left notice.published policy.published
    recording.requested consent.shown consent.given consent.refused consent.withdrawn
    consent.expired grant.issued grant.revoked recording.on recording.paused recording.resumed
    recording.off recording.sealed recording.interrupted recording.accessed recording.exported
    recording.erased hold.placed hold.released key.created key.wrapped key.rotated key.destroyed
    privacy.requested privacy.answered subject.rectified subject.restricted subject.erased
    disclosure.made retention.applied preference.set access.granted access.denied access.revoked
    audit.read log.started
"""
KINDS = frozenset(_KINDS.split())
"""Every kind of leaf there is. Adding one is a change of the design's table."""

SALT = 32
"""Bytes of salt a field: 256 bits."""
HEADS = 64
"""Signed heads that one leaf names; the next one names the rest."""


class _Heads(msgspec.Struct):
    """What is read of the leaf before."""

    heads: list[int] = []


def rfc3339(ms: int) -> str:
    """Milliseconds since the Unix epoch as RFC 3339 in UTC, with milliseconds."""
    moment = datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def append(  # noqa: PLR0913 - a leaf has this many parts
    tx: Writer,
    clock: Clock,
    entropy: Entropy,
    kind: str,
    *,
    session: str | None = None,
    actor: str | None = None,
    subject: str | None = None,
    refs: Mapping[str, Any] | None = None,
    details: Mapping[str, Any] | None = None,
    party: str | None = None,
) -> int:
    """Append one leaf and return its index.

    ``session``, ``actor`` and ``subject`` are pseudonyms, never names or account ids. ``refs``
    stand in the leaf as they are: opaque identifiers, digests, counts and codes only.
    ``details`` are committed to, each with a salt of its own, and kept in a table beside;
    ``party`` says whose they are, so that erasure finds them. Raises ValueError for a kind
    that is not in :data:`KINDS`, LogBroken when the tree so far is not whole.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of leaf: {kind}")
    last = await _last(tx)
    index = last.index + 1 if last else 0
    now = clock.now_ms()
    salts = {field: entropy(SALT) for field in details or {}}
    body: dict[str, Any] = {
        "v": 1,
        "index": index,
        "time": rfc3339(now),
        "kind": kind,
        "session": session,
        "actor": actor,
        "subject": subject,
        "refs": dict(refs or {}),
        "commitments": {
            field: commitment(salts[field], field, value)
            for field, value in (details or {}).items()
        },
    }
    if heads := await _heads(tx, last):
        body["heads"] = heads
    data = canonical(body)
    await tx.add(Leaf(index=index, kind=kind, session=session, at_ms=now, data=data))
    await _grow(tx, index, data)
    await tx.add_all(
        [
            Detail(leaf=index, field=field, value=canonical(value), salt=salts[field], party=party)
            for field, value in (details or {}).items()
        ]
    )
    return index


async def _heads(tx: Reader, last: Leaf | None) -> list[int]:
    """The newest signed head that the leaf before names, and those that were signed since.

    So a head that somebody takes away is missed, the oldest one too. Empty while none was signed.
    """
    known = _named(last)
    above = known[-1] if known else -1
    found = await tx.find(SignedHead, order="size", above=above, limit=HEADS)
    return [*known[-1:], *(head.size for head in found)]


def _named(leaf: Leaf | None) -> list[int]:
    """The heads that a leaf names; older leaves name none. Raises LogBroken when it is none."""
    if leaf is None:
        return []
    try:
        return msgspec.json.decode(leaf.data, type=_Heads).heads
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LogBroken from error


async def _grow(tx: Writer, index: int, data: bytes) -> None:
    """Add the leaf's nodes to the tree."""
    carried = await nodes(tx, merkle.carries(index))
    added = merkle.append(index, merkle.leaf_hash(data), carried)
    await tx.add_all(
        [TreeNode(level=node.level, index=node.number, hash=found) for node, found in added]
    )


async def _last(tx: Reader) -> Leaf | None:
    found = await tx.find(Leaf, order="-index", limit=1)
    return found[0] if found else None


async def size(tx: Reader) -> int:
    """How many leaves there are."""
    last = await _last(tx)
    return last.index + 1 if last else 0


async def nodes(tx: Reader, part: Part) -> list[bytes]:
    """The hashes of these nodes; raises LogBroken when one is not there."""
    if not part:
        return []
    found = await tx.get_all(TreeNode, part)
    return [_hash(node) for node in found]


def _hash(node: TreeNode | None) -> bytes:
    if node is None or len(node.hash) != merkle.HASH:
        raise LogBroken
    return node.hash


async def root(tx: Reader, size: int) -> bytes:
    """The root over the first ``size`` leaves, from the stored nodes. Raises LogBroken."""
    return merkle.fold(await nodes(tx, merkle.edge(size)))


async def hashes(tx: Reader, parts: Sequence[Part]) -> tuple[bytes, ...]:
    """A proof's hashes, in one question. Raises LogBroken."""
    found = iter(await nodes(tx, tuple(node for part in parts for node in part)))
    return tuple(merkle.fold([next(found) for _ in part]) for part in parts)
