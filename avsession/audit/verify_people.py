"""Whose a row is: the party that its leaf is about, or who stands for it once it was erased."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from avsession.audit.absence import Absences
from avsession.audit.verify_leaves import Body
from avsession.ports import Reader
from avsession.session import Party, Session

MOST = 10_000
"""Parties that are remembered at once."""
SLACK_MS = 60_000
"""How far a row's time and its leaf's may lie apart: the clock may be set between the two."""


class Owner(msgspec.Struct, frozen=True):
    """What is known of a party."""

    pseudonym: str
    session: str
    """The session's pseudonym; empty when it has none."""
    named: bool
    """Somebody who was erased is followed by one without a name."""


class People:
    """Parties and their sessions, read many at once and remembered for a while."""

    def __init__(self, tx: Reader, absences: Absences) -> None:
        self._tx, self._absences = tx, absences
        self._known: dict[str, Owner | None] = {}
        self._sessions: dict[str, str] = {}

    async def load(self, parties: Iterable[str | None]) -> None:
        """Read those that are not known yet, in two questions."""
        if len(self._known) > MOST:
            self._known, self._sessions = {}, {}
        wanted = sorted({one for one in parties if one is not None} - self._known.keys())
        found = await self._tx.get_all(Party, [(one,) for one in wanted])
        await self.sessions(party.session for party in found if party is not None)
        for name, party in zip(wanted, found, strict=True):
            known = None
            if party is not None:
                session = self._sessions[party.session]
                known = Owner(party.pseudonym, session, party.name != "")
            self._known[name] = known

    async def sessions(self, sessions: Iterable[str]) -> None:
        """The same for sessions."""
        wanted = sorted(set(sessions) - self._sessions.keys())
        found = await self._tx.get_all(Session, [(one,) for one in wanted])
        for name, session in zip(wanted, found, strict=True):
            self._sessions[name] = session.pseudonym if session is not None else ""

    async def is_whose(self, party: str | None, body: Body) -> bool:
        """Whether that party is the one that the leaf is about."""
        if party is None or body.subject is None:
            return party is None and body.subject is None
        await self.load([party])
        owner = self._known[party]
        if owner is None or owner.session != body.session:
            return False
        if owner.pseudonym == body.subject:
            return True
        return not owner.named and self._absences.erased(body.subject, body.index)

    async def is_in(self, session: str, body: Body) -> bool:
        """Whether that session is the one that the leaf is about."""
        await self.sessions([session])
        return self._sessions[session] == (body.session or "")


def is_then(at_ms: int, body: Body) -> bool:
    """Whether a row's time is its leaf's, as well as clocks go."""
    try:
        return abs(at_ms - body.at_ms) <= SLACK_MS
    except (ValueError, TypeError):
        return True  # the leaf's own time is none, which is said with the leaf
