"""What was erased or taken back since a backup must not come back with it.

A running server copies each leaf that says so into a journal beside the log's anchor: a small file
without names, to be copied elsewhere often. A restore goes through it (:mod:`~.replaying`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from avsession.errors import AvsessionError
from avsession.ports import Reader
from avsession.records import Detail, Leaf
from avsession.usecases import mydata
from avsession.usecases.services import Services

log = logging.getLogger("avsession.journal")

ERASED, FORGOTTEN, RELEASED = "recording.erased", "subject.erased", "hold.released"
WITHDRAWN, RESTRICTED = "consent.withdrawn", "subject.restricted"
REVOKED, GRANTED, ASKED = "access.revoked", "access.granted", "privacy.requested"
REPEATED = (ERASED, FORGOTTEN, RELEASED, WITHDRAWN, RESTRICTED)
"""Leaves that a restore does again, whatever they say."""
PLACED = "hold.placed"
BY_HAND = (PLACED, "subject.rectified", "key.rotated")
"""Leaves that a restore cannot repeat, or not in full: they are told."""
ACCOUNT, PASSKEY = "account", "passkey"
WHAT = {
    REVOKED: frozenset({ACCOUNT, PASSKEY, mydata.RECEIPTS, mydata.LINK}),
    GRANTED: frozenset({mydata.RECEIPTS, mydata.LINK}),
}
"""Of these only what they are about makes them worth a line. A fresh link voids the one before."""
KINDS = frozenset({*REPEATED, *BY_HAND, *WHAT, ASKED})
"""Kinds of leaf of which at least some are in the journal."""
WHOLE = "journal.whole"
"""Not a leaf: a line saying that all of these were looked for from the first leaf on. A journal
without it is of an older version."""
RESTORED = "journal.restored"
"""Not a leaf: a line that says where a restore began its own log; what stands before it in the
journal is of the log that was lost, and may have the same numbers."""
EVERY_S = 1.0
"""How often the journal catches up with the log."""
BATCH = 1000
"""Leaves that are read at once."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A leaf that a restore must know. Pseudonyms and identifiers, as in the log."""

    leaf: int
    kind: str
    session: str | None
    subject: str | None
    refs: dict[str, Any]


class Journal(Protocol):
    """Where entries are kept, apart from the database."""

    async def upto(self) -> int:
        """How many leaves were gone through. Raises Unavailable."""

    async def add(self, entries: Sequence[Entry], upto: int) -> None:
        """Keep these, durably, and how far that is. Raises Unavailable."""

    async def read(self) -> list[Entry]:
        """All of it, the oldest first; an entry may be there twice."""


class _Body(msgspec.Struct):
    session: str | None
    subject: str | None
    refs: dict[str, Any]


async def catch_up(app: Services, journal: Journal) -> int:
    """Bring the journal up to the log; how many leaves were gone through. Raises Unavailable."""
    upto = begun = await journal.upto()
    while True:
        async with app.store.read() as tx:
            rows = await tx.find(Leaf, order="index", above=upto - 1, limit=BATCH)
            found = [await _entry(tx, row) for row in rows if row.kind in KINDS]
        if not rows:
            return upto - begun
        upto = rows[-1].index + 1
        await journal.add([one for one in found if one is not None], upto)


async def _entry(tx: Reader, row: Leaf) -> Entry | None:
    """The leaf as the journal keeps it; None: not at all."""
    body = msgspec.json.decode(row.data, type=_Body)
    refs = body.refs
    if row.kind in WHAT and refs.get("what") not in WHAT[row.kind]:
        return None
    if row.kind == PLACED or (row.kind == REVOKED and refs.get("what") == ACCOUNT):
        # whose account it was the log only commits to: its identifier, which is no name
        detail = await tx.get(Detail, row.index, "account")
        refs = refs | ({"account": msgspec.json.decode(detail.value)} if detail else {})
    return Entry(
        leaf=row.index, kind=row.kind, session=body.session, subject=body.subject, refs=refs
    )


async def make_whole(app: Services, journal: Journal) -> None:
    """Go through the whole log once more if an older version began this journal: it left out what
    this one needs. Raises Unavailable; SettingsInvalid for what is no journal."""
    if is_whole(await journal.read()):
        return
    # first back to the start: cut short here, it is done anew, and no restore takes it for newer
    await journal.add([], 0)
    await catch_up(app, journal)
    mark = Entry(leaf=-1, kind=WHOLE, session=None, subject=None, refs={})
    await journal.add([mark], await journal.upto())


def is_whole(entries: Sequence[Entry]) -> bool:
    """Whether the journal tells all that a restore of this version does again."""
    return any(one.kind == WHOLE for one in entries)


async def restored(tx: Reader, leaves: int) -> Entry:
    """The mark of a restore of so many leaves; the leaf after these, its own, must be there."""
    return Entry(
        leaf=leaves,
        kind=RESTORED,
        session=None,
        subject=None,
        refs={"sha256": await _sha(tx, leaves)},
    )


async def knows(tx: Reader, mark: Entry) -> bool:
    """Whether the restore that left this mark is in the past of the log as it is now."""
    return await _sha(tx, mark.leaf) == mark.refs.get("sha256")


async def _sha(tx: Reader, index: int) -> str | None:
    row = await tx.get(Leaf, index)
    return None if row is None else hashlib.sha256(row.data).hexdigest()


async def keep(app: Services, journal: Journal) -> None:
    """Keep the journal up with the log for as long as this runs, and once more when it ends: a
    restore refuses a journal that ends before the log did. The store must be open until then."""
    whole = False
    try:
        while True:
            whole = await _turn(app, journal, whole=whole)
            await asyncio.sleep(EVERY_S)
    finally:
        await _turn(app, journal, whole=whole)


async def _turn(app: Services, journal: Journal, *, whole: bool) -> bool:
    """Whether the journal is whole now."""
    try:
        if not whole:
            await make_whole(app, journal)
            whole = True
        await catch_up(app, journal)
    except AvsessionError as error:
        log.warning("the journal of erasures waits for its next turn: %s", error.code)
    except Exception:
        log.exception("the journal of erasures failed")
    return whole
