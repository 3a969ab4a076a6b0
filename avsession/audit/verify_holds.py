"""Legal holds, against the leaves that placed and released them, and the other way.

A hold that was taken away, moved or called released would let go what it keeps.
"""

from __future__ import annotations

from typing import Any

from avsession.audit.absence import TEXTS, Absences
from avsession.audit.findings import Findings, rows
from avsession.audit.verify_leaves import Body, bodies
from avsession.audit.verify_people import People, is_then
from avsession.canonical import canonical
from avsession.ports import Reader
from avsession.records import Detail, Hold, Recording


async def holds(tx: Reader, absences: Absences, people: People, findings: Findings) -> None:
    """Check every hold."""
    released = {str(one.refs.get("hold")): one async for one in bodies(tx, "hold.released")}
    placed = set()
    check = _Check(tx, absences, people)
    async for body in bodies(tx, "hold.placed"):
        name = str(body.refs.get("hold"))
        placed.add(name)
        hold = await tx.get(Hold, name)
        row = f"hold {name}"
        if hold is None:
            findings.add(7, row, f"is gone, though leaf {body.index} speaks of it")
        elif wrong := await check.placed(hold, body):
            findings.add(7, row, f"{wrong} leaf {body.index}")
        elif (hold.released_ms is not None) != (name in released):
            what = "released" if hold.released_ms is not None else "standing"
            findings.add(7, row, f"is marked {what}, the log says otherwise")
        elif name in released and not await check.released(hold, released[name]):
            findings.add(7, row, f"was released otherwise than leaf {released[name].index} says")
        elif name not in released and (hold.released_by, hold.release_reason) != (None, ""):
            findings.add(7, row, "says of a release what the log does not")
    async for one in rows(tx, Hold, "id"):
        if one.id not in placed:
            findings.add(7, f"hold {one.id}", "no leaf speaks of it")


class _Check:
    """One hold against its leaf."""

    def __init__(self, tx: Reader, absences: Absences, people: People) -> None:
        self._tx, self._absences, self._people = tx, absences, people

    async def placed(self, hold: Hold, body: Body) -> str:
        """What is wrong with it, before the leaf's name; empty when nothing is."""
        refs = body.refs
        said = {
            "account": hold.placed_by, "reason": hold.reason, "asked_by": hold.asked_by,
        }  # fmt: skip
        if (hold.scope, hold.category, hold.review_ms) != (
            refs.get("scope"), refs.get("category"), refs.get("review_ms")
        ) or refs.get("recording") not in (None, hold.target):  # fmt: skip
            return "is not the one of"
        if not await self._is_about(hold, body):
            return "is about something else than"
        if not await self._says(said, body):
            return "says something else than"
        return "" if is_then(hold.placed_ms, body) else "is of another time than"

    async def released(self, hold: Hold, body: Body) -> bool:
        """Whether a release is as it was written down."""
        said = {"account": hold.released_by, "reason": hold.release_reason}
        return is_then(hold.released_ms or 0, body) and await self._says(said, body)

    async def _says(self, said: dict[str, Any], body: Body) -> bool:
        """Whether columns are the leaf's details. What an erasure took is empty in them."""
        for field, value in said.items():
            detail = await self._tx.get(Detail, body.index, field)
            leaf = {"index": body.index, "kind": body.kind, "subject": body.subject}
            if self._absences.allows(leaf, field):
                if field in TEXTS and value != "":
                    return False
                continue  # whose account it was went only from beside the leaf
            if detail is not None and canonical(value) != detail.value:
                return False
        return True

    async def _is_about(self, hold: Hold, body: Body) -> bool:
        """Whether a hold keeps what its leaf says: a moved one keeps nothing of it.

        A party that was erased since stands under the name of one without.
        """
        if not await self._people.is_in(hold.session, body):
            return False
        if hold.scope == "session":
            return hold.target == hold.session
        if hold.scope == "recording":
            recording = await self._tx.get(Recording, hold.target)
            return recording is not None and recording.session == hold.session
        return await self._people.is_whose(hold.target, body)
