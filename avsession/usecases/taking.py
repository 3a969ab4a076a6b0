"""Taking media out: what is written down first, and what that allows to open.

``recording.exported`` is committed before any key is unwrapped, with the very tracks that it is
about; a row that the log does not speak of opens nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from avsession.audit.verify_exports import taken_refs
from avsession.errors import NotFound
from avsession.export_records import Taken
from avsession.ports import Reader, Writer
from avsession.records import Access, Leaf, Recording, TrackRecord
from avsession.sealing.open import VirtualFile
from avsession.session import Party, Session, new_id
from avsession.usecases import outgoing, restricting, tracks
from avsession.usecases.common import leaf
from avsession.usecases.grounds import names
from avsession.usecases.services import Services

KIND = "recording.exported"


async def take(  # noqa: PLR0913 - its leaf has this many parts
    app: Services,
    tx: Writer,
    recording: Recording,
    found: Sequence[TrackRecord],
    *,
    why: str,
    what: str | None = None,
    subject: Party | None = None,
    actor: str | None = None,
    account: str | None = None,
    purpose: str = "",
    reason: str = "",
) -> Taken:
    """Write down that these tracks are taken out, in the caller's transaction.

    ``why``: ``person`` (``subject`` takes their own export ``what``), ``admin`` or ``disclosure``
    (``account`` and ``actor`` say who). ``actor`` is a pseudonym or ``console``. Raises Restricted
    for an admin, while somebody in the recording has it restricted.
    """
    if why == outgoing.ADMIN:
        await restricting.check(tx, recording, purpose)
    name = new_id("tak", app.entropy)
    row = Taken(
        id=name,
        recording=recording.id,
        why=why,
        what=what or name,
        tracks=[track.id for track in found],
        account=account,
        purpose=purpose,
        reason=reason,
        at_ms=app.clock.now_ms(),
    )
    details = {"account": account, "purpose": purpose, "reason": reason} if account else None
    await leaf(
        app,
        tx,
        KIND,
        session=await tx.get(Session, recording.session),
        subject=subject,
        actor=actor,
        refs=taken_refs(row),
        details=details,
    )
    await tx.add(row)
    return row


async def track_file(app: Services, taken: str, track: str, until_ms: int) -> VirtualFile:
    """A track as a file, under what was written down; it closes at ``until_ms``.

    Raises NotFound when nothing was written down, or not this track; what ``outgoing.check`` raises
    when it may not be given out any more; what ``tracks.opened`` raises. Call it for every range.
    """
    async with app.store.read() as tx:
        row = await tx.get(Taken, taken)
        found = await tx.get(TrackRecord, track)
        if row is None or found is None or track not in row.tracks:
            raise NotFound
        recording = await tx.get(Recording, found.recording)
        index = await leaf_of(tx, recording, row) if recording else None
        if recording is None or index is None:
            raise NotFound
        await outgoing.check(app, tx, row, recording, found)
    # the same place as for players: an erasure closes it there, while it is being read
    access = Access(
        id=row.id,
        recording=recording.id,
        account="",
        auth=b"",
        purpose=row.purpose,
        reason="",
        at_ms=row.at_ms,
        expires_ms=until_ms,
    )
    return await app.opened.get(access, track, lambda: tracks.opened(app, recording, track, index))


async def leaf_of(tx: Reader, recording: Recording, row: Taken) -> int | None:
    """The leaf that speaks of this row, as it is; None: there is none."""
    owner = await tx.get(Session, recording.session)
    if owner is None or row.recording != recording.id:
        return None
    leaves = await tx.find(
        Leaf, session=owner.pseudonym, kind=KIND, order="-index", limit=tracks.MAX_ENTRIES
    )
    return next((one.index for one in leaves if names(one, taken_refs(row))), None)
