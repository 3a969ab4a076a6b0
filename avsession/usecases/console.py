"""An admin at the console takes a recording out: for a reason and a purpose that was consented to.

Whoever has the console could read the files anyway; what this does is to write it down first, in
the log and where the people in the recording see it, and to keep to what they agreed to.
"""

from __future__ import annotations

from typing import Any

from avsession.audit.log import rfc3339
from avsession.errors import Conflict, ConsentRequired, Erased, Invalid, NotFound, NotPermitted
from avsession.export_records import Taken
from avsession.privacy.recipe import File, Recipe, as_json, document, recipe
from avsession.recording import State
from avsession.records import Account, EntryRecord, Recording, TrackRecord
from avsession.sealing.open import VirtualFile
from avsession.session import Party
from avsession.usecases import outgoing, taking, tracks
from avsession.usecases.holds import MAX_REASON, MIN_REASON, checked_text
from avsession.usecases.packing import measured_all
from avsession.usecases.permissions import PERMISSIONS, RECORDING_EXPORT
from avsession.usecases.services import Services

SCHEMA = "avsession.recording.v1"
FOREVER_MS = 2**53
"""A command ends by itself; nothing closes its files before."""


async def take(app: Services, login: str, recording: str, purpose: str, reason: str) -> Taken:
    """Write down that ``login``, an admin, takes the recording out; nothing is opened before.

    Raises NotPermitted for who is no admin, NotFound, Invalid, Conflict while it still runs,
    Erased, ConsentRequired for a purpose that not everyone allowed, or once consent was taken back.
    """
    reason = checked_text(reason, MIN_REASON, MAX_REASON, "A reason")
    async with app.store.write() as tx:
        account = await tx.one(Account, login=login)
        if account is None or account.disabled:
            raise NotPermitted(f"There is no account {login}.")
        if RECORDING_EXPORT not in PERMISSIONS[account.role]:
            raise NotPermitted
        row = await tx.get(Recording, recording)
        if row is None:
            raise NotFound("There is no such recording.")
        if row.state is State.ERASED:
            raise Erased
        if row.state not in tracks.PLAYABLE:
            raise Conflict("The recording is not finished yet.")
        if purpose not in row.purposes:
            allowed = ", ".join(row.purposes) or "none"
            raise ConsentRequired(f"Not everyone consented to that purpose; to these: {allowed}.")
        found = await outgoing.for_admin(tx, row)
        if not found:
            raise ConsentRequired("Consent was taken back; it is not decided yet what is kept.")
        return await taking.take(
            app, tx, row, found,
            why="admin", actor="console", account=account.id, purpose=purpose, reason=reason,
        )  # fmt: skip


async def prepared(app: Services, taken: Taken) -> Recipe:
    """The archive of what was written down: tracks, the signed chain, what was agreed.

    Raises Invalid when nothing of it can be read.
    """
    async with app.store.read() as tx:
        row = await tx.get(Recording, taken.recording)
        if row is None:
            raise NotFound
        found = [await tx.get(TrackRecord, name) for name in taken.tracks]
        parties = [await tx.get(Party, track.party) if track else None for track in found]
        entries = await tx.find(EntryRecord, recording=row.id, order="n", limit=tracks.MAX_ENTRIES)
    opened: list[tuple[str, str, str, VirtualFile]] = []
    for track, party in zip(found, parties, strict=True):
        if track is not None:
            file = await taking.track_file(app, taken.id, track.id, FOREVER_MS)
            role = party.role if party else "nobody"
            opened.append((f"{role}-{track.id[4:12]}.webm", taken.id, track.id, file))
    media = await measured_all(app, taken.id, sorted(opened, key=lambda one: one[0]))
    if not media:
        raise Invalid("Nothing of this recording can be read.")
    said = as_json(_document(row, taken, media))
    chain = b"".join(entry.line + b"\n" for entry in entries)
    files = [
        document("recording.json", said, "application/json", SCHEMA),
        document("manifest.jsonl", chain, "application/jsonl"),
        *media,
    ]
    return recipe("recording", taken.id, taken.at_ms, files)


def _document(row: Recording, taken: Taken, media: list[File]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "recording": row.id,
        "session": row.session,
        "state": str(row.state),
        "created": rfc3339(row.created_ms),
        "duration_ms": row.duration_ms,
        "purposes": row.purposes,
        "recorder_key": row.recorder_key,
        "exported": rfc3339(taken.at_ms),
        "purpose": taken.purpose,
        "files": {file.track: file.name for file in media},
        "damaged": sorted(set(taken.tracks) - {file.track for file in media}),
    }
