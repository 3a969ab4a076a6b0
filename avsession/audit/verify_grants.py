"""A recording's columns and tracks against the tokens of its grants, which leaves commit to."""

from __future__ import annotations

from typing import Any

import msgspec

from avsession import grant as grants
from avsession.audit.findings import Findings, rows
from avsession.canonical import unb64
from avsession.grant import Grant
from avsession.ports import Reader
from avsession.privacy.retention import DAY_MS, told_days
from avsession.recording import State
from avsession.records import ConsentEvent, GrantRecord, Leaf, Recording, TrackRecord
from avsession.session import Party

SLACK_MS = 60_000
"""How far two readings of a clock that was set meanwhile may lie apart."""

Said = dict[str, list[dict[str, Any]]]


def read(token: str) -> Grant | None:
    """What a token grants, its signature unchecked; None when it is none."""
    try:
        return msgspec.json.decode(unb64(token.partition(".")[0]), type=Grant)
    except (ValueError, msgspec.DecodeError):
        return None


async def against_grants(
    tx: Reader, recording: Recording, session: str, said: Said, findings: Findings
) -> None:
    """Check what a recording's row repeats of its grants; ``session``: the pseudonym.

    ``said``: the references of the leaves about it, by kind. A token that was erased, or is not
    the one that was issued, says nothing here: that is found with its leaf.
    """
    row = f"recording {recording.id}"
    digests = {one.get("generation"): one.get("grant") for one in said["grant.issued"]}
    newest: Grant | None = None
    async for stored in rows(tx, GrantRecord, "generation", recording=recording.id):
        if not stored.token or grants.digest(stored.token) != digests.get(stored.generation):
            continue
        grant = newest = read(stored.token)
        if grant is None:
            continue
        if (grant.epoch_ms, grant.request, grant.session, grant.worker) != (
            recording.epoch_ms, recording.request, recording.session, recording.worker,
        ) or recording.created_ms != grant.epoch_ms:  # fmt: skip
            findings.add(7, row, f"is not the one of its grant {stored.generation}")
            break
        await _tracks(tx, grant, session, findings)
    last = max((n for n in digests if isinstance(n, int)), default=None)
    if last is not None and last != recording.generation:
        findings.add(7, row, f"its generation is not the newest that was granted, {last}")
    elif (
        newest is not None
        and newest.generation == last
        and list(newest.purposes) != recording.purposes
    ):
        findings.add(7, row, "its purposes are not those of its newest grant")


async def _tracks(tx: Reader, grant: Grant, session: str, findings: Findings) -> None:
    """Whose each track is. One whose party was erased may stand under nobody's name."""
    for leg in grant.legs:
        track = await tx.get(TrackRecord, leg.track)
        if track is None or track.recording != grant.recording:
            continue  # found with the leaf of its key
        if track.recipient != leg.recipient:
            findings.add(7, f"track {track.id}", "its recipient is not the granted one")
        elif track.party != leg.party and not (
            track.erased_ms is not None
            and await tx.get(Party, leg.party) is None
            and await tx.find(Leaf, kind="subject.erased", session=session, limit=1)
        ):
            findings.add(7, f"track {track.id}", "is under somebody else's name than was granted")


async def against_time(
    tx: Reader, recording: Recording, finished: Leaf | None, said: Said, findings: Findings
) -> None:
    """Check until when a recording is kept: as long as its consents' documents say.

    ``finished``: the leaf that says that it is over.
    """
    row = f"recording {recording.id}"
    if recording.state not in (State.SEALED, State.INTERRUPTED):
        if recording.keep_until_ms is not None:
            findings.add(7, row, "is to be destroyed at a time, though it is not finished")
        return
    if recording.keep_until_ms is None or recording.closed_ms is None:
        findings.add(7, row, "is finished, and is never to be destroyed")
        return
    told = await days(tx, recording)
    if told is not None and recording.keep_until_ms != recording.closed_ms + told * DAY_MS:
        findings.add(7, row, f"is not kept for the {told} days that were told")
    ends = [one.get("closed_ms") for one in said["grant.revoked"]]
    first = max((end for end in ends if isinstance(end, int)), default=recording.epoch_ms)
    last = finished.at_ms if finished is not None else recording.closed_ms
    # the server's clock may have been set between the two, forward or back
    if not min(first, last) - SLACK_MS <= recording.closed_ms <= max(first, last) + SLACK_MS:
        findings.add(7, row, "was not over when it says")


async def days(tx: Reader, recording: Recording) -> int | None:
    """The longest time that was told for a recording's purposes, in days.

    None when a document does not say it in a readable way.
    """
    given = await tx.find(ConsentEvent, request=recording.request, kind="given")
    # one that is not readable is found with its own leaf
    told = told_days((event.document for event in given), recording.purposes)
    return None if told is None else max(told.values(), default=0)
