"""The keys that parties' browsers sign with: rows against the leaves that enrolled them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from avsession import signed
from avsession.audit.findings import Findings, rows
from avsession.audit.verify_leaves import Body, read
from avsession.audit.verify_people import People, is_then
from avsession.errors import SignatureInvalid
from avsession.ports import Reader
from avsession.records import Detail, Leaf, PartyKey

AT_ONCE = 256


async def enrolments(
    tx: Reader, people: People, bodies: Sequence[Body], erased: Sequence[bool], findings: Findings
) -> None:
    """Check the key of each of these leaves; a party's that was ``erased`` went with it."""
    names = [str(body.refs["key"]) for body in bodies]
    keys = await tx.get_all(PartyKey, [(name,) for name in names])
    proofs = await tx.get_all(Detail, [(body.index, "enrolment") for body in bodies])
    for body, name, gone, key, proof in zip(bodies, names, erased, keys, proofs, strict=True):
        row = f"party_key {name}"
        if key is None:
            if not gone:
                findings.add(7, row, f"is gone, though leaf {body.index} enrolled it")
        elif gone:
            findings.add(7, row, "is still there after its party was erased")
        elif wrong := await _wrong(people, body, key, proof):
            findings.add(7, row, f"{wrong} (leaf {body.index})")


async def _wrong(people: People, body: Body, key: PartyKey, proof: Detail | None) -> str:
    """What is wrong with a key; empty when nothing is."""
    if key.leaf != body.index:
        return "names another leaf"
    if not await people.is_whose(key.party, body):
        return "is somebody else's"
    try:
        if signed.key_id(key.public_key) != key.id:
            return "is another key than its name says"
    except SignatureInvalid:
        return "is no key"
    if proof is not None:
        try:
            enrolment = msgspec.json.decode(proof.value, type=signed.Enrolment)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return "was enrolled with nothing that can be read"
        if enrolment.public_key != key.public_key:
            return "is not the one that was enrolled"
    return "" if is_then(key.at_ms, body) else "was enrolled at another time"


async def unspoken(tx: Reader, findings: Findings) -> None:
    """Find the keys that no leaf enrolled."""
    page: list[PartyKey] = []
    async for key in rows(tx, PartyKey, "id"):
        page.append(key)
        if len(page) == AT_ONCE:
            await _unspoken(tx, page, findings)
            page = []
    await _unspoken(tx, page, findings)


async def _unspoken(tx: Reader, page: list[PartyKey], findings: Findings) -> None:
    leaves = await tx.get_all(Leaf, [(key.leaf,) for key in page])
    for key, leaf in zip(page, leaves, strict=True):
        body = read(leaf)[0] if leaf is not None else None
        if body is None or (body.kind, body.refs.get("key")) != ("key.created", key.id):
            findings.add(7, f"party_key {key.id}", "no leaf enrolled it")
