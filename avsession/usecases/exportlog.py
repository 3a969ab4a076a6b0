"""What the log says of a person's export, held against its row before it is made or given out.

Whoever can write to the database alone could otherwise call an export waiting once more, and name a
key of their own: the server would seal it to them, under leaves that are there already.
"""

from __future__ import annotations

import json
from typing import Any

from avsession.audit.verify_exports import asked_refs
from avsession.errors import NotFound
from avsession.export_records import Export
from avsession.ports import Reader
from avsession.records import Leaf
from avsession.session import Party, Session

MANY = 1_000_000
"""Leaves of one kind that are read of a session's."""


class ExportUnbound(NotFound):
    """The log does not speak of this export as it stands: its row was changed behind the server, or
    is from before the log named the keys that an export is for."""

    code = "export.unbound"
    sentence = "This export is not the one that was asked for. Ask for a new one."


async def check_waiting(tx: Reader, row: Export) -> None:
    """Raise ExportUnbound unless it was asked for just so, and was never answered."""
    if await _of(tx, row, "privacy.requested") != [asked_refs(row)]:
        raise ExportUnbound
    if await _of(tx, row, "privacy.answered"):
        raise ExportUnbound


async def check_ready(tx: Reader, row: Export) -> None:
    """Raise ExportUnbound unless it was asked for just so, and answered once, with this content.

    What a leaf from before does not say is not compared.
    """
    whole = asked_refs(row)
    before = {name: whole[name] for name in whole if name != "sealed_to"}
    if await _of(tx, row, "privacy.requested") not in ([whole], [before]):
        raise ExportUnbound
    answered = {"right": "export", "export": row.id, "state": row.state, "digest": row.digest}
    if await _of(tx, row, "privacy.answered") != [answered]:
        raise ExportUnbound


async def _of(tx: Reader, row: Export, kind: str) -> list[dict[str, Any]]:
    """What the leaves of that kind say of this export, in the log of its person's session."""
    party = await tx.get(Party, row.party)
    session = await tx.get(Session, party.session) if party else None
    if session is None:
        return []
    leaves = await tx.find(Leaf, session=session.pseudonym, kind=kind, order="index", limit=MANY)
    said = [json.loads(one.data)["refs"] for one in leaves]
    return [refs for refs in said if refs.get("export") == row.id]
