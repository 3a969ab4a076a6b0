"""Rows beside the log, against the leaves that commit to them.

Forward, for each page of leaves: what a leaf commits to is there, and as it was. Backward, for
each table: no row is there that no leaf speaks of.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

import msgspec

from avsession import grant as grants
from avsession.audit import rows as digests
from avsession.audit import verify_keys, verify_signatures
from avsession.audit.absence import Absences
from avsession.audit.findings import Findings, rows
from avsession.audit.log import rfc3339
from avsession.audit.verify_leaves import Body
from avsession.audit.verify_people import People, is_then
from avsession.canonical import canonical, sha256_hex, unb64
from avsession.ports import Reader
from avsession.records import (
    ConsentEvent,
    Detail,
    GrantRecord,
    Leaf,
    Notice,
    PartyKey,
    Recording,
    RecordingRequest,
    TrackRecord,
)

DETAILS = 16
"""Details of one leaf; a page of them is read at once, and more are read leaf by leaf."""
EVENT_OF = {kind: event for event, kind in digests.EVENT_LEAVES.items()}
PUBLISHED = ("notice.published", "policy.published")


class Forward:
    """Checks pages of leaves in the log's order."""

    def __init__(self, tx: Reader, absences: Absences, people: People, findings: Findings) -> None:
        self._tx, self._absences, self._people = tx, absences, people
        self._findings = findings
        self._signing = False  # whether parties sign already: older leaves name no keys
        self.notices: set[str] = set()
        """Every notice that a leaf spoke of; there is one a version, not one a call."""

    async def page(self, bodies: Sequence[Body]) -> None:
        """Check what these leaves, in order and without a doubt their own, commit to."""
        if not bodies:
            return
        details = await self._details(bodies[0].index, bodies[-1].index)
        for body in bodies:
            await self._committed(body, details.pop(body.index, {}))
        for index, orphans in details.items():
            for field in orphans:
                self._findings.add(6, f"detail {index}/{field}", "there is no such leaf")
        await self._events([body for body in bodies if body.kind in EVENT_OF])
        await self._notices([body for body in bodies if body.kind in PUBLISHED])
        await self._grants([b for b in bodies if b.kind in ("grant.issued", "grant.revoked")])
        keys = [b for b in bodies if b.kind in ("key.created", "key.destroyed")]
        await self._tracks([body for body in keys if "track" in body.refs])
        enrolled = [body for body in keys if "key" in body.refs]
        gone = [self._allows(body, "enrolment") for body in enrolled]
        await verify_keys.enrolments(self._tx, self._people, enrolled, gone, self._findings)

    # --- details

    async def _details(self, first: int, last: int) -> dict[int, dict[str, Detail]]:
        limit = DETAILS * (last - first + 1)
        found = await self._tx.find(
            Detail, order="leaf", above=first - 1, below=last + 1, limit=limit
        )
        if len(found) == limit:  # somebody put in very many
            found = []
            for index in range(first, last + 1):
                found += await self._tx.find(Detail, leaf=index, limit=limit)
        by_leaf: dict[int, dict[str, Detail]] = {}
        for one in found:
            by_leaf.setdefault(one.leaf, {})[one.field] = one
        await self._people.load(one.party for one in found)
        return by_leaf

    async def _committed(self, body: Body, details: dict[str, Detail]) -> None:
        for field, commitment in body.commitments.items():
            row = f"detail {body.index}/{field}"
            detail = details.pop(field, None)
            may_go = self._allows(body, field)
            if detail is None:
                if not may_go:
                    self._findings.add(6, row, "is gone, and no erasure in the log says so")
            elif may_go:
                self._findings.add(6, row, "is still there after it was erased")
            elif _commitment(detail) != commitment:
                self._findings.add(6, row, "is not what the leaf committed to")
            elif not await self._people.is_whose(detail.party, body):
                self._findings.add(6, row, "is kept under somebody else's name")
        for field in details:
            self._findings.add(6, f"detail {body.index}/{field}", "its leaf has no such detail")

    def _allows(self, body: Body, field: str) -> bool:
        said = {"index": body.index, "kind": body.kind, "subject": body.subject}
        return self._absences.allows(said, field)

    # --- rows

    async def _events(self, bodies: list[Body]) -> None:
        ids = [str(body.refs.get("event")) for body in bodies]
        events = await self._tx.get_all(ConsentEvent, [(one,) for one in ids])
        wanted = [(str(body.refs.get("request")),) for body in bodies]
        requests = await self._tx.get_all(RecordingRequest, wanted)
        proofs = await self._tx.get_all(Detail, [(body.index, "document") for body in bodies])
        await self._people.load(event.party for event in events if event is not None)
        for body, name, event, request, proof in zip(
            bodies, ids, events, requests, proofs, strict=True
        ):
            row = f"consent_event {name}"
            erased = self._allows(body, "document")
            if event is None:
                if not erased:
                    self._findings.add(7, row, f"is gone, though leaf {body.index} speaks of it")
            elif wrong := _event_wrong(body, event, proof):
                self._findings.add(7, row, f"{wrong} (leaf {body.index})")
            elif not await self._people.is_whose(event.party, body):
                self._findings.add(7, row, f"is somebody else's (leaf {body.index})")
            elif not await self._people.is_in(event.session, body):
                self._findings.add(7, row, f"is of another session (leaf {body.index})")
            if body.kind == "recording.requested":
                await self._request(body, request)
        await self._signatures(bodies, events)

    async def _signatures(self, bodies: list[Body], events: list[ConsentEvent | None]) -> None:
        """A consent whose leaf names a key is signed by it; from the first one on, each is."""
        names = [str(body.refs.get("key")) for body in bodies]
        keys = await self._tx.get_all(PartyKey, [(name,) for name in names])
        numbers = [(-1 if key is None else key.leaf,) for key in keys]
        enrolled = await self._tx.get_all(Leaf, numbers)
        for body, event, key, leaf in zip(bodies, events, keys, enrolled, strict=True):
            if event is None or self._allows(body, "document"):
                continue
            row = f"consent_event {event.id}"
            if body.refs.get("key") is not None:
                self._signing = True
                if wrong := verify_signatures.wrong(body, event, key, leaf):
                    self._findings.add(7, row, f"{wrong} (leaf {body.index})")
            elif self._signing and body.kind == "consent.given":
                self._findings.add(7, row, f"is signed by nobody (leaf {body.index})")

    async def _request(self, body: Body, request: RecordingRequest | None) -> None:
        row, said = f"recording_request {body.refs.get('request')}", body.refs.get("asked")
        if request is None:
            if not self._allows(body, "document"):
                self._findings.add(7, row, f"is gone, though leaf {body.index} speaks of it")
        elif said is not None and _asked(request) != said:
            self._findings.add(7, row, f"is not what was asked (leaf {body.index})")
        elif not await self._people.is_whose(request.by, body):
            self._findings.add(7, row, f"was asked by somebody else (leaf {body.index})")
        elif not await self._people.is_in(request.session, body):
            self._findings.add(7, row, f"is of another session (leaf {body.index})")

    async def _notices(self, bodies: list[Body]) -> None:
        names = [str(body.refs.get("sha256")) for body in bodies]
        self.notices.update(names)
        for body, name, notice in zip(
            bodies, names, await self._tx.get_all(Notice, [(n,) for n in names]), strict=True
        ):
            row = f"notice {name}"
            if notice is None:
                self._findings.add(7, row, f"is gone, though leaf {body.index} published it")
                continue
            said: dict[str, Any] = {"sha256": sha256_hex(notice.text), "version": notice.version,
                    "language": notice.language, "id": notice.id}  # fmt: skip
            if body.kind == "policy.published":
                said["material"] = body.refs.get("material") is True  # only the leaf knows it
            if any(said.get(key) != value for key, value in body.refs.items()):
                self._findings.add(7, row, f"is not what was published (leaf {body.index})")
            elif not is_then(notice.at_ms, body):
                self._findings.add(7, row, f"was published at another time (leaf {body.index})")

    async def _grants(self, bodies: list[Body]) -> None:
        keys = [(str(b.refs.get("recording")), _number(b.refs.get("generation"))) for b in bodies]
        found = await self._tx.get_all(GrantRecord, keys)
        recordings = await self._tx.get_all(Recording, [(recording,) for recording, _ in keys])
        for body, (name, _), recording_row in zip(bodies, keys, recordings, strict=True):
            if recording_row is None and body.kind == "grant.issued":
                what = f"is gone, though leaf {body.index} granted it"
                self._findings.add(7, f"recording {name}", what)
        for body, (recording, generation), grant in zip(bodies, keys, found, strict=True):
            row = f"capture_grant {recording}/{generation}"
            if grant is None:
                self._findings.add(7, row, f"is gone, though leaf {body.index} speaks of it")
            elif body.kind == "grant.issued" and self._absences.allows_grant(recording):
                if grant.token:
                    self._findings.add(7, row, "its token is still there after it was erased")
                elif not is_then(grant.issued_ms, body):
                    self._findings.add(7, row, f"was issued at another time ({body.index})")
            elif body.kind == "grant.issued":
                if grants.digest(grant.token) != body.refs.get("grant"):
                    self._findings.add(7, row, f"its token is not the issued one ({body.index})")
                elif _issued(grant.token) != grant.issued_ms:
                    self._findings.add(7, row, "its time is not its token's")
            elif _closing(grant, body) != body.refs:
                self._findings.add(7, row, f"its end is not the one of leaf {body.index}")

    async def _tracks(self, bodies: list[Body]) -> None:
        tracks = await self._tx.get_all(TrackRecord, [(str(b.refs["track"]),) for b in bodies])
        for body, track in zip(bodies, tracks, strict=True):
            row = f"track {body.refs['track']}"
            if track is None:
                self._findings.add(7, row, f"is gone, though leaf {body.index} speaks of it")
            elif (track.recording, track.recipient) != (
                body.refs.get("recording"), body.refs.get("recipient")
            ):  # fmt: skip
                self._findings.add(7, row, f"is not the one of leaf {body.index}")
            elif body.kind == "key.destroyed" and track.erased_ms is None:
                self._findings.add(7, row, f"is not marked destroyed (leaf {body.index})")


def _commitment(detail: Detail) -> str:
    """As ``canonical.commitment``, over the stored bytes, which must be canonical to agree."""
    data = b"[" + canonical(detail.field) + b"," + detail.value + b"]"
    return hmac.digest(detail.salt, data, hashlib.sha256).hex()


def _number(value: Any) -> int:
    return value if isinstance(value, int) and abs(value) < 2**63 else -1


def _event_wrong(body: Body, event: ConsentEvent, proof: Detail | None) -> str:
    """What is wrong with a consent event; empty when nothing is."""
    document: dict[str, Any] = dict(event.document)
    held = document.pop("proof", None)
    if event.leaf != body.index or held != {"leaf": body.index}:
        return "names another leaf"
    if (event.kind, event.request) != (EVENT_OF[body.kind], body.refs.get("request")):
        return "is of another kind or request"
    if proof is not None:
        try:
            digest = sha256_hex(canonical(document))
        except ValueError:
            digest = ""
        if canonical(digest) != proof.value:
            return "its document is not what was committed to"
        said = (document.get("event_id"), document.get("event_time"))
        if said != (event.id, _time(event.at_ms)):
            return "its columns are not its document's"
    return "" if is_then(event.at_ms, body) else "is of another time"


def _asked(request: RecordingRequest) -> str:
    """The digest of what was asked; empty when a number in it is none of ours."""
    try:
        return digests.asked(request)
    except ValueError:
        return ""


def _time(ms: int) -> str:
    """A time as documents have it; empty for none."""
    try:
        return rfc3339(ms)
    except (ValueError, OverflowError, OSError):
        return ""


def _closing(grant: GrantRecord, body: Body) -> dict[str, Any]:
    """The references that a ``grant.revoked`` leaf of this row has, as far as this one has them."""
    said = {
        "recording": grant.recording, "generation": grant.generation, "reason": grant.reason,
        "closed_ms": grant.closed_ms,
    }  # fmt: skip
    return {key: said.get(key, value) for key, value in body.refs.items()}


def _issued(token: str) -> int | None:
    """When the grant in a token was issued; None when it is none."""
    try:
        body = unb64(token.split(".", maxsplit=1)[0])
        return msgspec.json.decode(body, type=grants.Grant).issued_ms
    except (ValueError, msgspec.DecodeError):
        return None


async def backward(tx: Reader, forward: Forward, findings: Findings, size: int) -> None:
    """Find the rows that no leaf speaks of: details, consent events, keys, requests, notices."""
    for where in ({"above": size - 1}, {"below": 0}):
        for detail in await tx.find(Detail, order="leaf", limit=100, **where):
            findings.add(6, f"detail {detail.leaf}/{detail.field}", "there is no such leaf")
    page: list[ConsentEvent] = []
    async for event in rows(tx, ConsentEvent, "id"):
        page.append(event)
        if len(page) == DETAILS * DETAILS:
            await _known(tx, page, findings)
            page = []
    await _known(tx, page, findings)
    await verify_keys.unspoken(tx, findings)
    async for request in rows(tx, RecordingRequest, "id"):
        if await tx.one(ConsentEvent, request=request.id, kind="requested") is None:
            findings.add(7, f"recording_request {request.id}", "no leaf speaks of it")
        for event in await verify_signatures.used_again(tx, request.id):
            findings.add(7, f"consent_event {event.id}", "shows what was signed for another one")
    async for notice in rows(tx, Notice, "sha256"):
        if notice.sha256 not in forward.notices:
            findings.add(7, f"notice {notice.sha256}", "no leaf published it")


async def _known(tx: Reader, events: list[ConsentEvent], findings: Findings) -> None:
    leaves = await tx.get_all(Leaf, [(event.leaf,) for event in events])
    for event, leaf in zip(events, leaves, strict=True):
        if leaf is None or f'"event":"{event.id}"'.encode() not in leaf.data:
            findings.add(7, f"consent_event {event.id}", "no leaf speaks of it")
