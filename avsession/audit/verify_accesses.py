"""Openings of recordings, against the leaves that speak of them, and the other way."""

from __future__ import annotations

from avsession.audit.findings import Findings, rows
from avsession.audit.verify_leaves import Body, read
from avsession.canonical import canonical
from avsession.ports import Reader
from avsession.records import Access, Detail, Leaf


async def accesses(tx: Reader, findings: Findings) -> None:
    """Check that every opening is in the log as it is in its row, and the other way."""
    spoken_of = set()
    async for leaf in rows(tx, Leaf, "index", kind="recording.accessed"):
        body, _ = read(leaf)
        if body is None:
            continue  # named with the leaf
        name = str(body.refs.get("access"))
        spoken_of.add(name)
        row = await tx.get(Access, name)
        if row is None:
            findings.add(7, f"access {name}", f"is gone, though leaf {body.index} speaks of it")
        elif not await _is_that(tx, row, body):
            findings.add(7, f"access {name}", f"is not the one of leaf {body.index}")
    async for one in rows(tx, Access, "id"):
        if one.id not in spoken_of:
            findings.add(7, f"access {one.id}", "no leaf speaks of it")


async def _is_that(tx: Reader, row: Access, body: Body) -> bool:
    """Whether a row is what was written down. A text that an erasure took is empty in it."""
    if row.recording != body.refs.get("recording"):
        return False
    for field in body.commitments:
        detail = await tx.get(Detail, body.index, field)
        said = getattr(row, field, None)
        said = said.hex() if isinstance(said, bytes) else said
        if detail is None and field == "reason" and said == "":
            continue
        if detail is not None and _canonical(said) != detail.value:
            return False
    return True


def _canonical(value: object) -> bytes:
    """As details are kept; empty for what cannot be."""
    try:
        return canonical(value)
    except ValueError:
        return b""
