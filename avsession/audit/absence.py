"""Which details may be missing beside the log, and which were taken away without a word.

A leaf commits to details that are kept beside it. Erasing a person destroys those details with
their salts, and says so with a ``subject.erased`` leaf, whose references are the rule:

- ``party``: the pseudonym of who was erased. Every detail of a leaf about it (``subject``) that
  stands before the erasure may be missing, and none may be left.
- ``grants``: recordings that are destroyed, whose grants' texts went, too: they name parties.
- ``texts``: the numbers of leaves whose free text (:data:`TEXTS`) went with it, because somebody
  wrote of that person there, or looked for people of that name.

What goes because its time is over is said by ``retention.applied``, whose ``texts`` are the numbers
of leaves beside which a login, or what a member of staff asked (:data:`LOGINS`), went.

Any other missing detail was taken away by somebody who did not say so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec

ERASED = "subject.erased"
TEXTS = frozenset({"reason", "asked_by", "basis_text", "filter"})
"""Fields of details that hold what somebody typed, or looked for."""
APPLIED = "retention.applied"
LOGINS = frozenset({"login", "text", "wanted", "told"})
"""Fields of details that name a member of staff, or hold the words of a request of theirs."""
SAYING = (ERASED, APPLIED)
"""The kinds of leaves that say what may be missing."""


class Fault(msgspec.Struct, frozen=True, order=True):
    """A detail that is not as the log says."""

    leaf: int
    field: str
    what: str
    """``missing``: gone without an erasure. ``left``: still there after one."""


class Absences:
    """What the erasures in a log allow. Feed it every leaf of :data:`SAYING`, in any order."""

    def __init__(self) -> None:
        self._parties: dict[str, int] = {}
        self._texts: set[int] = set()
        self._logins: set[int] = set()
        self._grants: set[str] = set()

    def add(self, body: dict[str, Any]) -> None:
        """Take a leaf's body into account; one of another kind says nothing."""
        index, refs = body["index"], body["refs"]
        if body["kind"] == APPLIED:
            self._logins |= _before(refs, index)
        if body["kind"] != ERASED:
            return
        party = refs.get("party")
        if isinstance(party, str):
            self._parties[party] = max(index, self._parties.get(party, -1))
        self._grants |= {one for one in _list(refs.get("grants")) if isinstance(one, str)}
        self._texts |= _before(refs, index)

    def allows(self, body: dict[str, Any], field: str) -> bool:
        """Whether this leaf's detail may be missing."""
        index = body["index"]
        typed = index in self._texts and field in TEXTS
        return self._of_party(body) or typed or (index in self._logins and field in LOGINS)

    def erased(self, party: str, index: int) -> bool:
        """Whether this pseudonym's party was erased after that leaf."""
        return index < self._parties.get(party, -1)

    def allows_grant(self, recording: str) -> bool:
        """Whether the texts of this recording's grants may be missing; then all of them are."""
        return recording in self._grants

    def _of_party(self, body: dict[str, Any]) -> bool:
        return self.erased(body["subject"] or "", body["index"])


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _before(refs: dict[str, Any], index: int) -> set[int]:
    """The leaves whose texts went, as far as they stand before the one that says so."""
    return {n for n in _list(refs.get("texts")) if isinstance(n, int) and n < index}


def faults(leaves: Iterable[bytes], details: Iterable[tuple[int, str]]) -> list[Fault]:
    """What is missing without an erasure, or is left after one, in the log's order.

    ``leaves`` are the leaves' bytes, ``details`` the leaf's number and the field of each detail
    that is there. Holds every leaf that commits to anything in memory.
    """
    absences, committed = Absences(), []
    for data in leaves:
        body = json.loads(data)
        absences.add(body)
        if body["commitments"]:
            committed.append(body)
    there = set(details)
    found = []
    for body in committed:
        for field in body["commitments"]:
            gone, may_go = (body["index"], field) not in there, absences.allows(body, field)
            if gone != may_go:
                found.append(Fault(body["index"], field, "missing" if gone else "left"))
    return sorted(found)
