"""What a withdrawal opens, and what was chosen: rows against the leaves, and the other way.

``consent.withdrawn`` says until when there is a choice; a ``privacy.requested`` whose right is
:data:`avsession.audit.rows.FATE` says what was chosen, or that nobody did in time.
"""

from __future__ import annotations

from typing import Any

from avsession.audit.findings import Findings, rows
from avsession.audit.rows import FATE
from avsession.audit.verify_leaves import Body, read
from avsession.audit.verify_people import People
from avsession.ports import Reader
from avsession.recording import State
from avsession.records import Leaf, Recording, RecordingRequest, TrackRecord, Withdrawal
from avsession.session import Party, Role, Session

MOST = 10_000
"""Withdrawals of one request, and choices in one session, that are looked through."""


async def withdrawals(tx: Reader, people: People, findings: Findings) -> None:
    """Check every withdrawal that opened a choice, and that no row is there without one."""
    seen = 0
    async for request in rows(tx, RecordingRequest, "id"):
        found = await tx.find(Withdrawal, request=request.id, limit=MOST)
        session = await tx.get(Session, request.session)
        if session is None:
            continue  # named with the request
        seen += len(found)
        await _Request(tx, people, findings, request.id, session.pseudonym).run(found)
    strays = await tx.count(Withdrawal) - seen
    if strays > 0 and not findings.unread("withdrawal"):
        findings.add(7, "withdrawal", f"{strays} rows are of no request")


class _Request:
    """The withdrawals of one request."""

    def __init__(
        self, tx: Reader, people: People, findings: Findings, request: str, session: str
    ) -> None:
        self._tx, self._people, self._findings = tx, people, findings
        self._request, self._session = request, session

    async def run(self, found: list[Withdrawal]) -> None:
        taken = await self._bodies("consent.withdrawn")
        chosen = [b for b in await self._bodies("privacy.requested") if b.refs.get("right") == FATE]
        left = list(found)
        for body in taken:
            row = await self._row(body, left)
            if row is not None:
                left.remove(row)
                await self._check(row, body, chosen)
            elif body.refs.get("choice") is not None:
                name = f"withdrawal {self._request}/{body.subject}"
                self._findings.add(7, name, f"is gone, though leaf {body.index} opened it")
        for row in left:
            self._findings.add(7, f"withdrawal {row.request}/{row.party}", "no leaf speaks of it")

    async def _bodies(self, kind: str) -> list[Body]:
        leaves = await self._tx.find(
            Leaf, order="index", session=self._session, kind=kind, limit=MOST
        )
        bodies = [body for leaf in leaves if (body := read(leaf)[0]) is not None]
        return [body for body in bodies if body.refs.get("request") == self._request]

    async def _row(self, body: Body, found: list[Withdrawal]) -> Withdrawal | None:
        """The row that a withdrawal opened; of two that were erased the one that fits, if any."""
        mine = [row for row in found if await self._people.is_whose(row.party, body)]
        fits = [row for row in mine if body.refs.get("choice") == _opened(row)]
        return next(iter([*fits, *mine]), None)

    async def _check(self, row: Withdrawal, body: Body, chosen: list[Body]) -> None:
        name = f"withdrawal {row.request}/{row.party}"
        if "choice" in body.refs and body.refs["choice"] != _opened(row):
            self._findings.add(7, name, f"is not the one that leaf {body.index} opened")
        fates = [one for one in chosen if await self._is_of(one, row, body)]
        fate = fates[-1].refs.get("fate") if fates else None
        # an older log does not say what was chosen
        if row.fate != fate and (fates or "choice" in body.refs):
            text = f"says {row.fate or 'nothing'} is chosen, the log says {fate or 'nothing'}"
            self._findings.add(7, name, text)
        elif any(one.refs.get("recording") != row.recording for one in fates):
            self._findings.add(7, name, "is about another recording than was chosen for")
        elif row.fate == "keep" and not row.done:
            self._findings.add(7, name, "is kept, and still to be decided")
        elif row.done and row.fate is None:
            self._findings.add(7, name, "is called done, though nothing is decided")
        elif row.done and row.fate == "destroy" and not await self._is_destroyed(row):
            self._findings.add(7, name, "is called done, though nothing is destroyed")

    async def _is_of(self, fate: Body, row: Withdrawal, body: Body) -> bool:
        """Whether a choice is this one's; after an erasure it is made for who stands for them."""
        return fate.subject == body.subject or await self._people.is_whose(row.party, fate)

    async def _is_destroyed(self, row: Withdrawal) -> bool:
        """A customer's choice is about the whole recording, an agent's about their own track."""
        recording = await self._tx.get(Recording, row.recording) if row.recording else None
        party = await self._tx.get(Party, row.party)
        if recording is None or party is None or recording.state is State.ERASED:
            return True  # the recording is compared with the log by itself
        if party.role is Role.CUSTOMER:
            return False
        track = await self._tx.one(TrackRecord, recording=recording.id, party=party.id)
        return track is None or track.erased_ms is not None


def _opened(row: Withdrawal) -> dict[str, Any]:
    """The choice that a row is, as ``consent.withdrawn`` says it."""
    return {"recording": row.recording, "at_ms": row.at_ms, "due_ms": row.due_ms}
