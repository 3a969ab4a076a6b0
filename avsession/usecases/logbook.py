"""The admin's log: searching the leaves, seeing one with its proof, exporting. Each reading is
itself a leaf.

What was looked for is committed to with a salt of its own and kept beside the leaf; a person's
name that was looked for is not: only the pseudonyms that it led to. The same page asked for again
by the same sign-in within ``readings.AGAIN_MS`` is not written down again.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from avsession.audit import merkle, verify_leaves
from avsession.audit import proof as proofs
from avsession.audit.log import KINDS
from avsession.audit.proof import Proof
from avsession.canonical import canonical, commitment, sha256_hex
from avsession.errors import (
    CheckpointInvalid,
    Invalid,
    LogBroken,
    NotFound,
    ProofInvalid,
    SignerFailed,
)
from avsession.ports import Reader
from avsession.records import Account, AuthSession, Detail, Leaf
from avsession.session import Party, Session
from avsession.usecases import evidence
from avsession.usecases.common import leaf
from avsession.usecases.permissions import LOG_READ, Principal, require
from avsession.usecases.services import Services

PAGE = 50
"""Leaves in one answer."""
LOOKED = 20_000
"""Leaves that one answer looks through; it says from where to go on."""
EXPORT = 200_000
"""Leaves in one export; it says in its last line if there are more."""
AT_ONCE = 1000
NEWEST = 2**53 - 1
"""Above every leaf: where the first page begins."""
MAX_PEOPLE = 200
"""Parties and sign-ins that one name may lead to."""

_PSEUDONYM = re.compile("psn_[a-z2-7]{26}")


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for; empty: everything. ``person``: a pseudonym, or a name as it is written
    where it still is."""

    session: str = ""
    person: str = ""
    kind: str = ""
    from_ms: int = 0
    to_ms: int = NEWEST


@dataclasses.dataclass(frozen=True)
class _Wanted:
    """A filter whose names were looked up."""

    sessions: frozenset[str] | None
    people: frozenset[str] | None
    kind: str
    from_ms: int
    to_ms: int

    def takes(self, row: Leaf, body: dict[str, Any]) -> bool:
        """Whether the leaf is looked for."""
        if not self.from_ms <= row.at_ms <= self.to_ms:
            return False
        if self.kind and row.kind != self.kind:
            return False
        if self.sessions is not None and row.session not in self.sessions:
            return False
        return self.people is None or not self.people.isdisjoint((body["subject"], body["actor"]))

    def said(self) -> dict[str, Any]:
        """As it is kept beside the leaf that says that somebody looked: no name in it."""
        return {
            "sessions": _pseudonyms(self.sessions),
            "people": _pseudonyms(self.people),
            "kind": self.kind,
            "from_ms": self.from_ms,
            "to_ms": self.to_ms,
        }


def _pseudonyms(given: frozenset[str] | None) -> list[str] | None:
    """Those of what was looked for that are pseudonyms: whatever else was typed may be a name.

    By their shape, since a pseudonym outlives in the log the person whose details were erased.
    """
    return None if given is None else sorted(one for one in given if _PSEUDONYM.fullmatch(one))


async def _look_up(app: Services, given: Filter) -> _Wanted:
    async with app.store.read() as tx:
        sessions = people = None
        if given.session:
            row = await tx.get(Session, given.session)
            sessions = frozenset({row.pseudonym if row else given.session})
        if given.person:
            people = await _people(tx, given.person)
    return _Wanted(sessions, people, given.kind, given.from_ms, given.to_ms)


async def _people(tx: Reader, person: str) -> frozenset[str]:
    """The pseudonyms of whoever is called that, or that pseudonym itself."""
    found = {one.pseudonym for one in await tx.find(Party, name=person, limit=MAX_PEOPLE)}
    for account in await tx.find(Account, name=person, limit=MAX_PEOPLE):
        signed_in = await tx.find(AuthSession, account=account.id, limit=MAX_PEOPLE)
        found |= {one.pseudonym for one in signed_in}
    return frozenset(found or {person})


async def _note(
    app: Services, who: Principal, what: str, wanted: _Wanted | None, **refs: Any
) -> None:
    """Write the reading down, before anything is shown. Raises Unavailable: nothing is, then."""
    said = wanted.said() if wanted else None
    key = sha256_hex(canonical([what, said, refs]))
    if not app.readings.fresh(who.pseudonym, key, app.clock.now_ms()):
        return
    details = {"filter": said} if said is not None else None
    async with app.store.write() as tx:
        await leaf(
            app, tx, "audit.read", actor=who.pseudonym, refs={"what": what, **refs}, details=details
        )


def state(app: Services, who: Principal) -> dict[str, Any]:
    """Whether the log verifies, as ``watch`` has it; and the kinds of leaves there are."""
    require(who, LOG_READ)
    return {**app.watch.state(), "kinds": sorted(KINDS)}


async def search(app: Services, who: Principal, given: Filter, below: int) -> dict[str, Any]:
    """Leaves before number ``below`` that match, newest first.

    ``next``: where to go on, or None. A page may be short though there is more: it looks through
    at most :data:`LOOKED` leaves.
    """
    require(who, LOG_READ)
    wanted = await _look_up(app, given)
    below = min(below, NEWEST)
    await _note(app, who, "page", wanted, **({} if below == NEWEST else {"below": below}))
    found: list[dict[str, Any]] = []
    at, looked, last = below, 0, False
    async with app.store.read() as tx:
        while len(found) < PAGE and looked < LOOKED and not last:
            rows = await _rows(tx, wanted, order="-index", below=at)
            last = len(rows) < AT_ONCE
            for row in rows:
                at, looked = row.index, looked + 1
                body = _body(row)
                if wanted.takes(row, body):
                    found.append(_line(row, body))
                    if len(found) == PAGE:
                        last = False
                        break
    return {"leaves": found, "next": None if last or at == 0 else at}


async def _rows(tx: Reader, wanted: _Wanted, **where: Any) -> list[Leaf]:
    if wanted.kind:
        where["kind"] = wanted.kind
    if wanted.sessions is not None and len(wanted.sessions) == 1:
        where["session"] = next(iter(wanted.sessions))
    return await tx.find(Leaf, limit=AT_ONCE, **where)


def _line(row: Leaf, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "leaf": row.index,
        "at_ms": row.at_ms,
        "kind": row.kind,
        "session": row.session,
        "actor": body["actor"],
        "subject": body["subject"],
        "refs": json.dumps(body["refs"], sort_keys=True),
    }


async def one(app: Services, who: Principal, index: int) -> dict[str, Any]:
    """A leaf's own bytes, its details as far as they are there, and its proof.

    Where the log does not hold there is no proof, and ``problem`` says why: the code and the
    sentence. Raises NotFound.
    """
    require(who, LOG_READ)
    async with app.store.read() as tx:
        row = await tx.get(Leaf, index)
        details = {d.field: d for d in await tx.find(Detail, leaf=index)}
    if row is None:
        raise NotFound("There is no such leaf.")
    await _note(app, who, "leaf", None, leaf=index)
    body = _body(row)
    return {
        **_line(row, body),
        "data": row.data.decode(errors="backslashreplace"),
        "hash": merkle.leaf_hash(row.data).hex(),
        "details": [_detail(field, said, details) for field, said in body["commitments"].items()],
        **await _proof(app, index),
    }


async def proof_of(app: Services, who: Principal, index: int) -> str:
    """The leaf's proof as a file; reading it is written down, too. Raises NotFound, and what is
    under LogBroken when there is none."""
    require(who, LOG_READ)
    await _note(app, who, "leaf", None, leaf=index)
    return (await _proven(app, index)).text


async def _proof(app: Services, index: int) -> dict[str, Any]:
    try:
        proof = await _proven(app, index)
    except (LogBroken, SignerFailed) as error:
        problem = {"code": error.code, "sentence": str(error)}
        return {"checkpoint": None, "size": None, "proof": None, "problem": problem}
    return {
        "checkpoint": proof.note,
        "size": proof.checkpoint.size,
        "proof": proof.text,
        "problem": None,
    }


async def _proven(app: Services, index: int) -> Proof:
    """A proof that holds; raises LogBroken for one that does not, because of the rows it is of."""
    found = await evidence.proof(app, index)
    try:
        proofs.verify(found, app.notary.key)
    except (ProofInvalid, CheckpointInvalid) as error:
        raise LogBroken(f"The leaf is not the one that was signed: {error}") from error
    return found


def _body(row: Leaf) -> dict[str, Any]:
    """What a leaf says; nothing, if somebody made its bytes something else."""
    try:
        body = verify_leaves.decode(row.data)
    except ValueError:
        return {"actor": None, "subject": None, "refs": {}, "commitments": {}, "time": ""}
    return msgspec.structs.asdict(body)


def _detail(field: str, committed: str, there: dict[str, Detail]) -> dict[str, Any]:
    """A detail that the leaf commits to: its value if it is there, and whether it is that one."""
    found = there.get(field)
    if found is None:
        return {"field": field, "value": None, "state": "gone"}
    try:
        value = json.loads(found.value)
        good = commitment(found.salt, field, value) == committed
    except ValueError:
        text = found.value.decode(errors="backslashreplace")
        return {"field": field, "value": text, "state": "wrong"}
    return {"field": field, "value": json.dumps(value), "state": "ok" if good else "wrong"}


# --- export

FORMATS = ("jsonl", "csv")
COLUMNS = ("leaf", "time", "kind", "session", "actor", "subject", "refs", "commitments")


async def export(app: Services, who: Principal, given: Filter, form: str) -> AsyncIterator[bytes]:
    """Every leaf that matches, oldest first, as it is asked for: JSON Lines of the leaves' own
    bytes, or CSV that no spreadsheet takes for a formula.

    At most :data:`EXPORT` leaves; a last line says if there are more. The reading is written down
    before this returns. Raises Invalid for another format.
    """
    require(who, LOG_READ)
    if form not in FORMATS:
        raise Invalid("An export is jsonl or csv.")
    wanted = await _look_up(app, given)
    await _note(app, who, "export", wanted, format=form)
    return _lines(app, wanted, form)


async def _lines(app: Services, wanted: _Wanted, form: str) -> AsyncIterator[bytes]:
    if form == "csv":
        yield _csv(COLUMNS)
    at, count, going = -1, 0, True
    while going:
        async with app.store.read() as tx:
            rows = await _rows(tx, wanted, order="index", above=at)
        going = len(rows) == AT_ONCE
        part = []
        for row in rows:
            at = row.index
            body = _body(row)
            if not wanted.takes(row, body):
                continue
            if count == EXPORT:
                more = f"there is more from leaf {row.index} on"
                part.append(_csv((more,)) if form == "csv" else canonical({"more": row.index}))
                going = False
                break
            count += 1
            part.append(_cells(row, body) if form == "csv" else row.data)
        end = b"" if form == "csv" else b"\n"
        if part:
            yield b"".join(each + end for each in part)


def _cells(row: Leaf, body: dict[str, Any]) -> bytes:
    return _csv(
        (
            str(row.index), body["time"], row.kind, row.session or "", body["actor"] or "",
            body["subject"] or "", json.dumps(body["refs"], sort_keys=True),
            json.dumps(body["commitments"], sort_keys=True),
        )
    )  # fmt: skip


def _csv(cells: tuple[str, ...]) -> bytes:
    """A row (RFC 4180). What a spreadsheet would run is marked as text."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerow([safe(cell) for cell in cells])
    return out.getvalue().encode()


def safe(cell: str) -> str:
    """The cell, with an apostrophe in front if a spreadsheet could take it for a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else cell
