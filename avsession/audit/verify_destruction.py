"""Certificates and legal holds, against the leaves that commit to them, and the other way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from avsession.audit import certificate as certificates
from avsession.audit.findings import Findings, rows
from avsession.ports import Reader
from avsession.records import Certificate, Hold, Leaf


async def destructions(tx: Reader, findings: Findings) -> None:
    """Check every certificate and every hold. One that is not done yet says nothing."""
    await _certificates(tx, findings)
    await _holds(tx, findings)


async def _refs(tx: Reader, kind: str) -> AsyncIterator[tuple[int, dict[str, Any]]]:
    """Number and references of every leaf of a kind; one that cannot be read is named elsewhere."""
    async for leaf in rows(tx, Leaf, "index", kind=kind):
        try:
            body = msgspec.json.decode(leaf.data)
            refs = body["refs"]
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
            continue
        if isinstance(refs, dict):
            yield leaf.index, refs


async def _certificates(tx: Reader, findings: Findings) -> None:
    spoken_of = set()
    async for index, refs in _refs(tx, "recording.erased"):
        name = str(refs.get("certificate"))
        spoken_of.add(name)
        row = await tx.get(Certificate, name)
        if row is None:
            findings.add(7, f"certificate {name}", f"is gone, though leaf {index} speaks of it")
        elif wrong := _certificate_wrong(row, index, refs):
            findings.add(7, f"certificate {name}", wrong)
    async for row in rows(tx, Certificate, "id"):
        if row.done_ms is not None and row.id not in spoken_of:
            findings.add(7, f"certificate {row.id}", "no leaf speaks of it")


def _certificate_wrong(row: Certificate, index: int, refs: dict[str, Any]) -> str:
    """What is wrong with a certificate; empty when nothing is."""
    if row.leaf != index or row.done_ms is None:
        return "names another leaf"
    try:
        digest = certificates.digest(row.document)
    except ValueError:
        digest = ""
    if digest != refs.get("sha256"):
        return f"is not what was certified (leaf {index})"
    said = (row.recording, row.whole, row.reason)
    if said != (refs.get("recording"), refs.get("whole"), refs.get("reason")):
        return "its columns are not what was certified"
    return ""


async def _holds(tx: Reader, findings: Findings) -> None:
    """A hold that was taken away or called released would let go what it keeps."""
    released = {str(refs.get("hold")): refs async for _, refs in _refs(tx, "hold.released")}
    placed = set()
    async for index, refs in _refs(tx, "hold.placed"):
        name = str(refs.get("hold"))
        placed.add(name)
        hold = await tx.get(Hold, name)
        row = f"hold {name}"
        if hold is None:
            findings.add(7, row, f"is gone, though leaf {index} speaks of it")
        elif (hold.scope, hold.category, hold.review_ms) != (
            refs.get("scope"), refs.get("category"), refs.get("review_ms")
        ) or refs.get("recording") not in (None, hold.target):  # fmt: skip
            findings.add(7, row, f"is not the one of leaf {index}")
        elif (hold.released_ms is not None) != (name in released):
            what = "released" if hold.released_ms is not None else "standing"
            findings.add(7, row, f"is marked {what}, the log says otherwise")
    async for one in rows(tx, Hold, "id"):
        if one.id not in placed:
            findings.add(7, f"hold {one.id}", "no leaf speaks of it")
