"""What staff typed about a session (why it was watched, held, given away), when a person is erased.

Such a text goes when it is about the person, when it names them, and when nobody is left in the
session whose data it could be as well. What is about the other party, or about the call, stays:
it is the other's data, too. A hold that stands keeps its words whomever they name: its purpose is
what keeps them (GDPR Art. 17(3)), and it never is the erased person's own, which had kept them.

An entry's texts go together with those of its row, and ``subject.erased`` names their leaves.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable

from msgspec.structs import replace

from avsession.audit import absence
from avsession.export_records import Disclosure, Taken
from avsession.ports import Reader, Writer
from avsession.records import Access, Detail, Hold, Leaf, Recording, TrackRecord
from avsession.session import Party, Session

MANY = 1_000_000
"""Rows of one session that are gone through at once."""
KINDS = {
    "recording.accessed": "access", "recording.exported": "taken", "hold.placed": "hold",
    "hold.released": "hold", "disclosure.made": "disclosure",
}  # fmt: skip
"""Leaves whose details hold what somebody typed -> the reference that names the row."""
READ, FILTER = "audit.read", "filter"
"""The leaf of a search of the log, and its detail that holds what was looked for."""
NAMES = ("name", "old", "new", "contact")
"""Fields of a person's details that hold what they were called, or where they were told."""
LEAST = 3
"""Letters of a part of a name that it is known by."""
ENDING = 2
"""Letters that a language may put at a name's end, as in `Kundigs`."""
DIGITS = 7
"""Last digits of a telephone number that it is known by, however it begins."""
UNSPACED = "\u2e80"
"""From here on scripts are written without spaces between words."""

Row = Access | Taken | Hold | Disclosure


class Names:
    """What one person was called and reached by; whether a text names them."""

    def __init__(self, said: Iterable[str]) -> None:
        self._whole: set[tuple[str, ...]] = set()
        self._parts: set[str] = set()
        self._inside: set[str] = set()
        for one in said:
            words = _words(one)
            digits = "".join(filter(str.isdigit, one))
            if "@" in one:
                self._inside.add(_plain(one).strip())
            elif len(digits) >= DIGITS:
                self._inside.add(digits[-DIGITS:])
            elif any(letter >= UNSPACED for letter in one):
                self._inside |= {word for word in words if len(word) > 1}
            else:
                self._parts |= {word for word in words if len(word) >= LEAST}
                if sum(map(len, words)) > 1:
                    self._whole.add(tuple(words))

    def are_in(self, text: str) -> bool:
        """Whether the text names them: by name, a part of it, an address, a number."""
        words = _words(text)
        if any(_is(word, part) for word in words for part in self._parts):
            return True
        for whole in self._whole:
            starts = range(len(words) - len(whole) + 1)
            if any(tuple(words[n : n + len(whole)]) == whole for n in starts):
                return True
        plain = _plain(text)
        digits = "".join(filter(str.isdigit, plain))
        return any(one in plain or (one.isdigit() and one in digits) for one in self._inside)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", _plain(text))


def _is(word: str, part: str) -> bool:
    return word.startswith(part) and len(word) - len(part) <= ENDING


async def names_of(tx: Reader, party: Party) -> Names:
    """What this party is called, and what the log's details say that it was called before."""
    said = [party.name, party.contact or ""]
    for detail in await tx.find(Detail, party=party.id, limit=MANY):
        if detail.field in NAMES:
            value = json.loads(detail.value)
            said += [value] if isinstance(value, str) else []
    return Names(said)


async def forget(tx: Writer, session: Session, party: Party, names: Names) -> list[int]:
    """Remove what goes with this party; the numbers of the leaves beside which something went."""
    others = await tx.find(Party, session=session.id)
    alone = not any(other.name for other in others if other.id != party.id)
    kept = set()
    for row, about in await _rows(tx, session):
        stands = isinstance(row, Hold) and row.released_ms is None
        if stands or not (alone or about == party.id or names.are_in("\n".join(_texts(row)))):
            kept.add(row.id)
        else:
            await tx.put(_emptied(row))
    emptied = []
    for kind, name in KINDS.items():
        for leaf in await tx.find(Leaf, kind=kind, session=session.pseudonym, limit=MANY):
            body = json.loads(leaf.data)
            fields = absence.TEXTS & body["commitments"].keys()
            if fields and body["refs"].get(name) not in kept:
                for field in fields:
                    await tx.remove(Detail, leaf=leaf.index, field=field)
                emptied.append(leaf.index)
    return sorted(emptied + await _looked_for(tx, party))


async def _looked_for(tx: Writer, party: Party) -> list[int]:
    """Searches of the log by a name that led to several people, this one among them: what is left
    of those would say that this pseudonym, too, was called so. The leaves beside which they stood.
    """
    leaves = await tx.find(Leaf, kind=READ, order="index", limit=MANY)
    emptied = []
    for row in await tx.get_all(Detail, [(leaf.index, FILTER) for leaf in leaves]):
        people = json.loads(row.value).get("people") if row else None
        if row and people and party.pseudonym in people and len(people) > 1:
            await tx.remove(Detail, leaf=row.leaf, field=FILTER)
            emptied.append(row.leaf)
    return emptied


async def _rows(tx: Reader, session: Session) -> list[tuple[Row, str | None]]:
    """Every row of the session with a text, and the party that it is about, if about one."""
    acts: list[Hold | Disclosure] = [*await tx.find(Hold, session=session.id, limit=MANY)]
    acts += await tx.find(Disclosure, session=session.id, limit=MANY)
    about = {one.id: one.target if one.scope == "party" else None for one in acts}
    found: list[tuple[Row, str | None]] = [(one, about[one.id]) for one in acts]
    for recording in await tx.find(Recording, session=session.id, limit=MANY):
        tracks = {one.id: one.party for one in await tx.find(TrackRecord, recording=recording.id)}
        seen = await tx.find(Access, recording=recording.id, limit=MANY)
        found += [(one, None) for one in seen]
        for taken in await tx.find(Taken, recording=recording.id, limit=MANY):
            parties = {tracks.get(track) for track in taken.tracks}
            whose = parties.pop() if len(parties) == 1 else None
            found.append((taken, about.get(taken.what, whose)))
    return found


def _texts(row: Row) -> tuple[str, ...]:
    if isinstance(row, Hold):
        return row.reason, row.asked_by, row.release_reason
    if isinstance(row, Disclosure):
        return row.reason, row.basis_text
    return (row.reason,)


def _emptied(row: Row) -> Row:
    if isinstance(row, Hold):
        return replace(row, reason="", asked_by="", release_reason="")
    if isinstance(row, Disclosure):
        return replace(row, reason="", basis_text="")
    return replace(row, reason="")
