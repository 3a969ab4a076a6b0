"""A recording's story as one picture: who was there, what they had agreed to, what was stored.

Made of the session's leaves, the manifest and the names of the sealed files; no key that opens
media. The verdict is ``audit.media``'s, without the files' digests: those take as long as reading
the whole recording, and ``avsession recording verify`` does it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from avsession.audit import intervals
from avsession.audit.intervals import Span, Story
from avsession.audit.media_proof import STEPS, Proof
from avsession.errors import ManifestBroken, NotFound, Restricted, Unavailable
from avsession.recording import AnyEntry, Begin, Gap, Sealed, decode_line
from avsession.records import Recording
from avsession.session import Party, Session
from avsession.usecases import binding, restricting
from avsession.usecases.binding import Gathered
from avsession.usecases.permissions import REVIEW_READ, Principal, require
from avsession.usecases.services import Services

MOST_SPANS = 2000
"""Spans of one kind and party that are told; a picture of more shows nothing."""
MOST_FINDINGS = 20
"""Findings that are told."""
TOGETHER_MS = 1500
"""Stored segments that are less than this apart are one interval in the picture."""


async def timeline(app: Services, who: Principal, recording_id: str) -> dict[str, Any]:
    """The picture of one recording, with its verdict. Times: ms since the Unix epoch.

    Raises NotFound, Restricted, Unavailable (also when the log has something that is no leaf).
    """
    require(who, REVIEW_READ)
    async with app.store.read() as tx:
        row = await tx.get(Recording, recording_id)
        session = await tx.get(Session, row.session) if row is not None else None
        if row is None or session is None:
            raise NotFound
        if await restricting.is_shut(tx, row):
            raise Restricted
        parties = await tx.find(Party, session=session.id, order="created_ms")
        try:
            gathered = await binding.gather(
                tx, app.objects, row.id, session.pseudonym, reading=False
            )
        except ValueError as error:
            raise Unavailable("The audit log has something that is no leaf.") from error
    proof = await binding.prove(gathered)
    story = gathered.story
    entries = _entries(gathered)
    start, end = _frame(story, row, app.clock.now_ms())
    return {
        "recording": row.id,
        "session": session.id,
        "from_ms": start,
        "to_ms": end,
        **_verdict(proof),
        "parties": [_party(one, story, entries) for one in parties],
        "pauses": [
            {**_span(span), "party": _id_of(parties, pseudonym)}
            for pseudonym, span in intervals.pauses(story.leaves, story.request, None)
        ][:MOST_SPANS],
        "open": [
            {
                "from_ms": one.from_ms,
                "to_ms": one.to_ms,
                "generation": one.number,
                "leaf": one.leaf,
                "closed_by": one.closed_by,
            }
            for one in story.generations.values()
        ][:MOST_SPANS],
    }


def _verdict(proof: Proof) -> dict[str, Any]:
    return {
        "ok": proof.ok,
        "finished": proof.finished,
        "erased": proof.erased,
        "segments": proof.segments,
        "steps": [
            {"step": step, "wrong": proof.counts[step], "skipped": step in proof.skipped}
            for step in STEPS
        ],
        "findings": [
            {"step": one.step, "where": one.where, "what": one.what}
            for one in proof.findings[:MOST_FINDINGS]
        ],
    }


def _party(party: Party, story: Story, entries: list[AnyEntry]) -> dict[str, Any]:
    tracks = {
        track
        for one in story.generations.values()
        for track, owner in one.tracks.items()
        if owner == party.pseudonym
    }
    presence = intervals.presence(story.leaves, party.pseudonym)
    answers = intervals.consent(story.leaves, party.pseudonym, story.request)
    return {
        "party": party.id,
        "role": str(party.role),
        "name": party.name,
        "presence": [_span(span) for span in presence][:MOST_SPANS],
        "consent": [{**_span(span), "what": span.what} for span in answers][:MOST_SPANS],
        "stored": [_span(span) for span in _stored(entries, tracks)][:MOST_SPANS],
        "gaps": [{**_span(span), "reason": span.what} for span in _gaps(entries, tracks)][
            :MOST_SPANS
        ],
    }


def _span(span: Span) -> dict[str, Any]:
    return {"from_ms": span.from_ms, "to_ms": span.to_ms}


def _id_of(parties: Iterable[Party], pseudonym: str) -> str | None:
    return next((one.id for one in parties if one.pseudonym == pseudonym), None)


def _entries(gathered: Gathered) -> list[AnyEntry]:
    """The manifest's entries that can be read, without segments that are not kept."""
    found: list[AnyEntry] = []
    for line in gathered.lines:
        try:
            entry = decode_line(line).entry
        except ManifestBroken:
            break  # the verdict says so
        if not isinstance(entry, Sealed) or (entry.track, entry.index) in (gathered.files or {}):
            found.append(entry)
    return found


def _epoch(entries: list[AnyEntry]) -> int:
    return next((one.epoch_ms for one in entries if isinstance(one, Begin)), 0)


def _stored(entries: list[AnyEntry], tracks: set[str]) -> list[Span]:
    """Segments that follow one another under one generation, as one."""
    epoch, found, generation = _epoch(entries), list[Span](), 0
    for one in entries:
        if not isinstance(one, Sealed) or one.track not in tracks:
            continue
        start, end = epoch + one.start_ms, epoch + one.end_ms
        last = found[-1] if found else None
        near = last is not None and start - (last.to_ms or 0) < TOGETHER_MS
        if last is not None and near and generation == one.generation:
            found[-1] = Span(last.from_ms, max(end, last.to_ms or 0))
        else:
            found.append(Span(start, end))
        generation = one.generation
    return found


def _gaps(entries: list[AnyEntry], tracks: set[str]) -> list[Span]:
    epoch = _epoch(entries)
    return [
        Span(epoch + one.start_ms, epoch + one.end_ms, one.reason)
        for one in entries
        if isinstance(one, Gap) and one.track in tracks
    ]


def _frame(story: Story, row: Recording, now: int) -> tuple[int, int]:
    """From when until when the picture reaches: from the asking to the end of what was recorded.

    What came days later (a withdrawal, a destruction) stands in the list, and would make
    everything else too small to see.
    """
    asked = [
        one.at_ms
        for one in story.leaves
        if one.kind == "recording.requested" and one.ref("request") == row.request
    ]
    ends = [one.to_ms for one in story.generations.values()]
    start = min([*asked, row.created_ms])
    end = now if None in ends else max([one for one in ends if one], default=row.created_ms)
    over = story.of("recording.sealed", "recording.interrupted")
    end = max(end, over[0].at_ms) if over and over[0].at_ms - end < 60_000 else end
    return start, max(end, start + 1000)
