"""Everything that is held about one person, as the document that an export holds.

:data:`HELD` names every kind of row that says something about a person, and where it stands in the
document; :data:`NOT_HELD` those that do not go along, each with its reason. A test compares the two
with the database's tables, so that nothing new is forgotten.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from avsession import export_records, records, signin_records
from avsession.audit import rows as audit_rows
from avsession.audit.log import rfc3339
from avsession.canonical import b64
from avsession.errors import AvsessionError, NotFound
from avsession.export_records import Disclosure, Export, Taken
from avsession.ports import Reader
from avsession.privacy import export as schema
from avsession.recording import State
from avsession.records import (
    Access,
    Certificate,
    ConsentEvent,
    Detail,
    Leaf,
    Notice,
    PartyKey,
    Recording,
    RecordingRequest,
    SegmentRecord,
    TrackRecord,
    Withdrawal,
)
from avsession.session import Party, Session
from avsession.staff_records import StaffRequest
from avsession.usecases import holds, told, tracks
from avsession.usecases.services import Services
from avsession.webhook_records import Delivery

MANY = 1_000_000
"""Rows of one session that are gone through at once."""

OTHER = "other"
"""The place of rows that are told as they are stored; they have a field ``party``."""

HELD: dict[type, str] = {
    Session: "call",
    Party: "person",
    RecordingRequest: "requests",
    Notice: "notices",
    ConsentEvent: "consents",
    Withdrawal: "recordings.withdrawn",
    PartyKey: "keys",
    Recording: "recordings",
    TrackRecord: "recordings.tracks",
    SegmentRecord: "recordings.tracks, and the files",
    records.EntryRecord: "recordings.tracks.gaps",
    Access: "accesses",
    Taken: "accesses",
    records.Hold: "holds",
    Disclosure: "disclosures",
    Certificate: "certificates",
    records.PrivacyRequest: OTHER,
    records.Restriction: OTHER,
    Leaf: "log",
    Detail: "log.details",
}
"""Kind of row -> where it stands in the document."""

NOT_HELD: dict[type, str] = {
    records.Account: "a member of staff's, not a party's",
    records.AuthSession: "a member of staff's, not a party's",
    records.SignInLink: "a member of staff's, not a party's",
    StaffRequest: "a member of staff's, not a party's",
    records.Ticket: "lives for seconds",
    records.Idempotent: "what was answered to a repeated click, for a day",
    records.ConsentState: "the consents say the same, event by event",
    records.GrantRecord: "signed for both parties together; the log has its digest",
    records.TreeNode: "hashes of the log; the receipts hold the proofs",
    signin_records.Identity: "a member of staff's, not a party's",
    signin_records.PendingSignIn: "a member of staff's, not a party's",
    signin_records.Passkey: "a member of staff's, not a party's",
    signin_records.StepUp: "a member of staff's, not a party's",
    Delivery: "repeats what the log says, for a few days",
    records.SignedHead: "heads of the log; the receipts hold the proofs",
    records.Serving: "which server runs; nobody's",
    records.QualityCount: "how many calls of a day were how good; nobody's in particular",
    export_records.Export: "this export itself",
}
"""Kind of row -> why it does not go along."""


TOLD: dict[str, frozenset[str]] = {
    "session.created": frozenset({"account"}),
    "access.granted": frozenset({"name", "language"}),
    "key.created": frozenset({"enrolment"}),
    "privacy.requested": frozenset({"text"}),
    "privacy.answered": frozenset({"told"}),
    "subject.rectified": frozenset({"old", "new"}),
    "subject.restricted": frozenset({"reason"}),
    "disclosure.made": frozenset({"given_to", "basis_text", "reason"}),
    **dict.fromkeys(audit_rows.EVENT_LEAVES.values(), frozenset({"document", "purposes"})),
}
"""Kind of leaf -> the details that its person is told; of every other kind none.

A hold's reason may be about somebody else, and who of the staff did something is not the person's
own. ``session.created`` is about the agent who made it, whose account it names.
"""


def when(ms: int | None) -> str | None:
    """A time of a row as the document has it."""
    return None if ms is None else rfc3339(ms)


async def document(
    app: Services, tx: Reader, export: Export, files: dict[str, str]
) -> schema.Document:
    """The document. ``files``: track -> its name in the archive. Raises NotFound."""
    party = await tx.get(Party, export.party)
    session = await tx.get(Session, party.session) if party else None
    if party is None or session is None:
        raise NotFound
    rows = await tx.find(Recording, session=session.id, order="created_ms", limit=MANY)
    return schema.Document(
        schema=schema.SCHEMA,
        export=export.id,
        made=rfc3339(app.clock.now_ms()),
        language=export.language,
        controller=msgspec.to_builtins(app.settings.controller),
        log_key=app.notary.key.text,
        person=_person(party),
        call=schema.Call(
            session=session.id,
            pseudonym=session.pseudonym,
            created=rfc3339(session.created_ms),
            ended=when(session.ended_ms),
            end_reason=session.end_reason,
        ),
        requests=[
            schema.Request(
                request=one.id,
                at=rfc3339(one.at_ms),
                purposes=one.purposes,
                notices=one.notices,
                outcome=one.outcome,
            )
            for one in await tx.find(RecordingRequest, session=session.id, order="at_ms")
        ],
        notices=await _notices(tx, session.id),
        consents=[
            schema.Consent(
                event=one.id,
                kind=one.kind,
                at=rfc3339(one.at_ms),
                leaf=one.leaf,
                document=one.document,
            )
            for one in await tx.find(ConsentEvent, party=party.id, order="leaf", limit=MANY)
        ],
        keys=[
            schema.Key(id=one.id, public_key=one.public_key, at=rfc3339(one.at_ms), leaf=one.leaf)
            for one in await tx.find(PartyKey, party=party.id, order="at_ms", limit=MANY)
        ],
        recordings=[await _recorded(tx, party, row, files) for row in rows],
        accesses=sorted(
            [access for row in rows for access in await _accesses(tx, row)], key=lambda a: a.at
        ),
        holds=[
            schema.Held(category=one.category, review=rfc3339(one.review_ms))
            for one in await holds.on_party(tx, party)
        ],
        disclosures=[
            _disclosed(one) for one in await told.disclosed(tx, party, app.clock.now_ms())
        ],
        certificates=[
            schema.Certificate(certificate=one.id, leaf=one.leaf, document=one.document)
            for row in rows
            for one in await tx.find(Certificate, recording=row.id, order="decided_ms")
            if one.done_ms is not None
        ],
        log=await _log(tx, session, party, app.clock.now_ms()),
        other=await _other(tx, party),
    )


async def _other(tx: Reader, party: Party) -> dict[str, list[dict[str, Any]]]:
    """Rows of the kinds that have no place of their own, as they are stored; bytes in base64."""
    found: dict[str, list[dict[str, Any]]] = {}
    for kind in [kind for kind, where in HELD.items() if where == OTHER]:
        rows: list[Any] = await tx.find(kind, party=party.id, limit=MANY)
        found[kind.__name__] = [msgspec.to_builtins(row) for row in rows]
    return found


def _person(party: Party) -> schema.Person:
    return schema.Person(
        party=party.id,
        pseudonym=party.pseudonym,
        role=str(party.role),
        name=party.name,
        language=party.language,
        account=party.account,
        created=rfc3339(party.created_ms),
        joined=when(party.joined_ms),
        left=when(party.left_ms),
        contact=party.contact or None,
    )


async def _notices(tx: Reader, session: str) -> list[schema.Notice]:
    names = {
        sha256: None
        for request in await tx.find(RecordingRequest, session=session, order="at_ms")
        for sha256 in request.notices.values()
    }
    found = await tx.get_all(Notice, [(sha256,) for sha256 in names])
    return [
        schema.Notice(
            sha256=one.sha256,
            id=one.id,
            version=one.version,
            language=one.language,
            text=one.text.decode(),
        )
        for one in found
        if one is not None
    ]


async def _recorded(
    tx: Reader, party: Party, row: Recording, files: dict[str, str]
) -> schema.Recorded:
    found = await tx.find(TrackRecord, recording=row.id)
    withdrawal = await tx.get(Withdrawal, row.request, party.id)
    return schema.Recorded(
        recording=row.id,
        request=row.request,
        state=str(row.state),
        purposes=row.purposes,
        created=rfc3339(row.created_ms),
        closed=when(row.closed_ms),
        duration_ms=row.duration_ms,
        keep_until=when(row.keep_until_ms),
        withdrawn=None
        if withdrawal is None
        else schema.Withdrawn(
            at=rfc3339(withdrawal.at_ms), fate=withdrawal.fate, done=withdrawal.done
        ),
        tracks=[await _track(tx, party, row, track, files.get(track.id)) for track in found],
    )


async def _track(
    tx: Reader, party: Party, row: Recording, track: TrackRecord, file: str | None
) -> schema.Track:
    own = track.party == party.id
    owner = await tx.get(Party, track.party)
    segments = await tx.find(SegmentRecord, track=track.id, limit=MANY) if own or file else []
    return schema.Track(
        track=track.id,
        role=str(owner.role) if owner else "",
        erased=when(track.erased_ms),
        segments=len(segments),
        bytes=sum(segment.size for segment in segments),
        gaps=await _gaps(tx, row, track) if own or file else [],
        file=file,
        why_not=None if file else _why_not(row, track, own=own, stored=bool(segments)),
    )


def _why_not(row: Recording, track: TrackRecord, *, own: bool, stored: bool) -> str:
    if track.erased_ms is not None or row.state is State.ERASED:
        return "erased"
    if not own:
        return "others"
    if row.state not in tracks.PLAYABLE:
        return "running"
    return "damaged" if stored else "empty"


async def _gaps(tx: Reader, row: Recording, track: TrackRecord) -> list[schema.Gap]:
    if row.state not in tracks.PLAYABLE:
        return []
    try:
        manifest = await tracks.kept(tx, await tracks.manifest_of(tx, row), track.id)
    except AvsessionError:
        return []  # a damaged one tells nothing that could be relied on
    return [
        schema.Gap(start_ms=gap.start_ms, end_ms=gap.end_ms, reason=gap.reason)
        for gap in manifest.gaps(track.id)
    ]


async def _accesses(tx: Reader, row: Recording) -> list[schema.Access]:
    watched = [
        schema.Access(
            recording=row.id,
            at=rfc3339(one.at_ms),
            how="watched",
            by="reviewer",
            purpose=one.purpose,
            reason=one.reason,
        )
        for one in await tx.find(Access, recording=row.id, limit=MANY)
    ]
    return watched + [
        schema.Access(
            recording=row.id,
            at=rfc3339(one.at_ms),
            how="exported",
            by="admin",
            purpose=one.purpose,
            reason=one.reason,
        )
        for one in await tx.find(Taken, recording=row.id, why="admin", limit=MANY)
    ]


def _disclosed(one: Disclosure) -> schema.Disclosed:
    """A disclosure as its person is told of it."""
    return schema.Disclosed(
        disclosure=one.id,
        at=rfc3339(one.made_ms),
        category=one.category,
        given_to=one.given_to,
        basis=one.basis,
        basis_text=one.basis_text,
        reason=one.reason,
        parts=one.parts,
        package_sha256=one.sha256,
        leaf=one.leaf,
    )


async def _log(tx: Reader, session: Session, party: Party, now_ms: int) -> list[schema.Entry]:
    """The leaves about this person, with the details that are theirs."""
    silent = {
        one.id
        for one in await tx.find(Disclosure, session=session.id, limit=MANY)
        if told.is_silent(one, now_ms)
    }
    entries = []
    for row in await tx.find(Leaf, session=session.pseudonym, order="index", limit=MANY):
        body: dict[str, Any] = json.loads(row.data)
        if body["subject"] != party.pseudonym or silent & set(map(str, body["refs"].values())):
            continue
        details = await tx.find(Detail, leaf=row.index, party=party.id)
        entries.append(
            schema.Entry(
                leaf=row.index,
                time=body["time"],
                kind=row.kind,
                entry=row.data.decode(),
                details=[
                    schema.Detail(field=d.field, value=json.loads(d.value), salt=b64(d.salt))
                    for d in details
                    if d.field in TOLD.get(row.kind, ())
                ],
            )
        )
    return entries
