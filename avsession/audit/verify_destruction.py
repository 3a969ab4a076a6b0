"""Certificates and legal holds, against the leaves that commit to them, and the other way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from avsession.audit import certificate as certificates
from avsession.audit.findings import Findings, rows
from avsession.audit.verify_leaves import Body, read
from avsession.ports import Reader
from avsession.records import Certificate, Hold, Leaf, Recording, TrackRecord
from avsession.session import Party, Session


async def destructions(tx: Reader, findings: Findings) -> None:
    """Check every certificate and every hold. One that is not done yet says nothing."""
    await _certificates(tx, findings)
    await _holds(tx, findings)


async def _leaves(tx: Reader, kind: str, **where: Any) -> AsyncIterator[Body]:
    """Every leaf of a kind; one that cannot be read is named elsewhere."""
    async for leaf in rows(tx, Leaf, "index", kind=kind, **where):
        body, _ = read(leaf)
        if body is not None:
            yield body


async def _certificates(tx: Reader, findings: Findings) -> None:
    spoken_of = set()
    async for body in _leaves(tx, "recording.erased"):
        index, refs = body.index, body.refs
        name = str(refs.get("certificate"))
        spoken_of.add(name)
        row = await tx.get(Certificate, name)
        if row is None:
            findings.add(7, f"certificate {name}", f"is gone, though leaf {index} speaks of it")
        elif wrong := _certificate_wrong(row, index, refs):
            findings.add(7, f"certificate {name}", wrong)
    async for row in rows(tx, Certificate, "id"):
        if row.id in spoken_of:
            continue
        if row.done_ms is not None:
            findings.add(7, f"certificate {row.id}", "no leaf speaks of it")
        elif wrong := await _undecided(tx, row):
            findings.add(7, f"certificate {row.id}", wrong)


async def _undecided(tx: Reader, row: Certificate) -> str:
    """Why a destruction under way cannot have been decided; empty when it can.

    By a withdrawal, which has its leaf; for who is forgotten, after the session's end, which has
    one; or by time. None of them while a hold stood.
    """
    recording = await tx.get(Recording, row.recording)
    session = await tx.get(Session, recording.session) if recording is not None else None
    if recording is None or session is None:
        return "is about no recording"
    party = await tx.get(Party, row.party) if row.party is not None else None
    kind = {"withdrawn": "consent.withdrawn", "forgotten": "session.ended"}.get(row.reason)
    if (party is None) != (kind is None):
        return "says of somebody else that they decided it"
    if kind is not None:
        bodies = [body async for body in _leaves(tx, kind, session=session.pseudonym)]
        if kind == "consent.withdrawn" and party is not None:
            bodies = [
                one
                for one in bodies
                if (one.subject, one.refs.get("request")) == (party.pseudonym, recording.request)
            ]
        if not bodies:
            return f"is under way, and no {kind} led to it"
    tracks = await tx.find(TrackRecord, recording=recording.id)
    covered = {recording.id, recording.session, *(track.party for track in tracks)}
    for hold in await tx.find(Hold, session=session.id, released_ms=None):
        early = row.decided_ms < recording.created_ms or hold.placed_ms < row.decided_ms
        if hold.target in covered and early:
            return f"is under way, though hold {hold.id} stood before"
    return ""


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
    released = {str(one.refs.get("hold")) async for one in _leaves(tx, "hold.released")}
    erased = {one.refs.get("party"): one.index async for one in _leaves(tx, "subject.erased")}
    placed = set()
    async for body in _leaves(tx, "hold.placed"):
        index, refs = body.index, body.refs
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
        elif not await _is_about(tx, hold, body, erased.get(body.subject, -1) > index):
            findings.add(7, row, f"is about something else than leaf {index}")
        elif (hold.released_ms is not None) != (name in released):
            what = "released" if hold.released_ms is not None else "standing"
            findings.add(7, row, f"is marked {what}, the log says otherwise")
    async for one in rows(tx, Hold, "id"):
        if one.id not in placed:
            findings.add(7, f"hold {one.id}", "no leaf speaks of it")


async def _is_about(tx: Reader, hold: Hold, body: Body, erased: bool) -> bool:
    """Whether a hold keeps what its leaf says: a moved one keeps nothing of it.

    ``erased``: whether the party that it is about was erased since. Then it stands under the
    name of a party without one.
    """
    session = await tx.get(Session, hold.session)
    if session is None or session.pseudonym != body.session:
        return False
    if hold.scope == "session":
        return hold.target == hold.session
    if hold.scope == "recording":
        recording = await tx.get(Recording, hold.target)
        return recording is not None and recording.session == hold.session
    party = await tx.get(Party, hold.target)
    if party is None or party.session != hold.session:
        return False
    return party.pseudonym == body.subject or (erased and party.name == "")
