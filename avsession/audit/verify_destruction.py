"""Certificates of destruction, against the leaves that commit to them, and the other way."""

from __future__ import annotations

from typing import Any

import msgspec

from avsession.audit import certificate as certificates
from avsession.audit import verify_grants
from avsession.audit.certificate import Destroyed
from avsession.audit.findings import Findings, rows
from avsession.audit.log import rfc3339
from avsession.audit.rows import FATE
from avsession.audit.verify_leaves import Body, bodies
from avsession.audit.verify_people import People
from avsession.ports import Reader
from avsession.records import Certificate, Hold, Recording, TrackRecord
from avsession.session import Party, Session

LED = {
    "withdrawn": "consent.withdrawn",
    "forgotten": "session.ended",
    "objected": "subject.restricted",
}
"""Why something is destroyed -> the leaf that leads to it; what goes by time has none."""


async def destructions(tx: Reader, people: People, findings: Findings) -> None:
    """Check every certificate; of one that is not done yet, that it can have been decided."""
    spoken_of = set()
    async for body in bodies(tx, "recording.erased"):
        index, refs = body.index, body.refs
        name = str(refs.get("certificate"))
        spoken_of.add(name)
        row = await tx.get(Certificate, name)
        if row is None:
            findings.add(7, f"certificate {name}", f"is gone, though leaf {index} speaks of it")
        elif wrong := _certificate_wrong(row, index, refs):
            findings.add(7, f"certificate {name}", wrong)
        elif not await people.is_whose(row.party, body):
            findings.add(7, f"certificate {name}", f"was decided by somebody else (leaf {index})")
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
    one; by an objection that was upheld, which has one; or by time. None of them while a hold
    stood.
    """
    recording = await tx.get(Recording, row.recording)
    session = await tx.get(Session, recording.session) if recording is not None else None
    if recording is None or session is None:
        return "is about no recording"
    party = await tx.get(Party, row.party) if row.party is not None else None
    kind = LED.get(row.reason)
    if (party is None) != (kind is None):
        return "says of somebody else that they decided it"
    if kind is not None:
        led = [body async for body in bodies(tx, kind, session=session.pseudonym)]
        if kind == "consent.withdrawn" and party is not None:
            led = await _chosen(tx, _of(led, party, recording), party, recording, session)
        if kind == "subject.restricted" and party is not None:
            led = [
                body for body in led
                if (body.subject, body.refs.get("what")) == (party.pseudonym, "narrowed")
            ]  # fmt: skip
        if not led:
            return f"is under way, and no {kind} led to it"
    elif wrong := await _early(tx, row, recording):
        return wrong
    tracks = await tx.find(TrackRecord, recording=recording.id)
    if wrong := _others(row, tracks):
        return wrong
    covered = {recording.id, recording.session, *(track.party for track in tracks)}
    for hold in await tx.find(Hold, session=session.id, released_ms=None):
        early = row.decided_ms < recording.created_ms or hold.placed_ms < row.decided_ms
        if hold.target in covered and early:
            return f"is under way, though hold {hold.id} stood before"
    return ""


def _of(found: list[Body], party: Party, recording: Recording) -> list[Body]:
    """Those about this party and the recording's request."""
    said = (party.pseudonym, recording.request)
    return [one for one in found if (one.subject, one.refs.get("request")) == said]


async def _chosen(
    tx: Reader, taken: list[Body], party: Party, recording: Recording, session: Session
) -> list[Body]:
    """Those withdrawals after which destroying was chosen; older ones do not say so."""
    asked = [one async for one in bodies(tx, "privacy.requested", session=session.pseudonym)]
    fates = [one.refs.get("fate") for one in _of(asked, party, recording)
             if one.refs.get("right") == FATE]  # fmt: skip
    return [one for one in taken if "choice" not in one.refs or "destroy" in fates]


async def _early(tx: Reader, row: Certificate, recording: Recording) -> str:
    """Why a destruction by time cannot be due: before the longest time that was told has passed."""
    if recording.closed_ms is None:
        return "is under way because a time has passed, and its recording is not over"
    days = await verify_grants.days(tx, recording)
    due_ms = None if days is None else recording.closed_ms + days * certificates.DAY_MS
    if due_ms is not None and row.decided_ms < due_ms:
        return f"is under way before the {days} days that were told have passed"
    return ""


def _others(row: Certificate, tracks: list[TrackRecord]) -> str:
    """Whether a destruction under way is about other tracks than were marked for it."""
    try:
        named = msgspec.convert(row.document["tracks"], list[Destroyed])
    except (KeyError, msgspec.ValidationError):
        return "does not say what is to be destroyed"
    marked = {(t.id, t.recipient) for t in tracks if t.erased_ms == row.decided_ms}
    if not {(one.track, one.recipient) for one in named} <= marked:
        return "is about tracks that were not marked for it"
    if row.whole != all(track.erased_ms is not None for track in tracks):
        return "is not about what is left"
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
    when: Any = row.document.get("when")
    times = {"decided": _time(row.decided_ms), "done": _time(row.done_ms)}
    if not isinstance(when, dict) or {name: when.get(name) for name in times} != times:
        return "its times are not what was certified"
    return ""


def _time(ms: int) -> str:
    """A time as certificates have it; empty for none."""
    try:
        return rfc3339(ms)
    except (ValueError, OverflowError, OSError):
        return ""
