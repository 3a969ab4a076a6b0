"""Finding whoever wrote to the desk: the parties of that name or contact, session by session.

A person is a party of each session that they were in, so one letter may be about several. What was
looked for is kept nowhere.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from avsession.errors import Invalid
from avsession.ports import Reader
from avsession.session import Party, Session
from avsession.usecases.permissions import PRIVACY_DESK, Principal, require
from avsession.usecases.services import Services

MIN_TEXT = 2
MAX_TEXT = 200
"""Characters of what is looked for."""
LOOKED = 20_000
"""Parties that one answer looks through; it says from where to go on."""
FOUND = 100
"""Parties in one answer."""
AT_ONCE = 1000


async def people(app: Services, who: Principal, text: str, after: str = "") -> dict[str, Any]:
    """The parties whose name or contact has ``text`` in it, whatever the case; newest first.

    ``next``: where to go on, or None; what comes from there may be newer, too. Raises Invalid.
    """
    require(who, PRIVACY_DESK)
    wanted = _plain(text)
    if not MIN_TEXT <= len(wanted) <= MAX_TEXT:
        raise Invalid(f"Look for {MIN_TEXT} to {MAX_TEXT} characters.")
    found: list[Party] = []
    looked, last = 0, False
    async with app.store.read() as tx:
        while looked < LOOKED and not last and len(found) < FOUND:
            rows = await tx.find(Party, order="id", above=after, limit=AT_ONCE)
            last = len(rows) < AT_ONCE
            for row in rows:
                after, looked = row.id, looked + 1
                if wanted in _plain(row.name) or wanted in _plain(row.contact or ""):
                    found.append(row)
                    if len(found) == FOUND:
                        last = last and row is rows[-1]
                        break
        found.sort(key=lambda row: (-row.created_ms, row.id))
        seen = [await _view(tx, row) for row in found]
    return {"people": seen, "next": None if last else after}


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


async def _view(tx: Reader, row: Party) -> dict[str, Any]:
    session = await tx.get(Session, row.session)
    return {
        "party": row.id,
        "session": row.session,
        "name": row.name,
        "role": str(row.role),
        "contact": row.contact or "",
        "created_ms": session.created_ms if session else row.created_ms,
    }
