"""What left the house, against the leaves that speak of it, and the other way.

A row of what was taken out that somebody put in would open media; one that was taken away, or a
disclosure, would hide that somebody got it. A person's own export that is called waiting again, or
is for another key, would be made once more, for somebody else.
"""

from __future__ import annotations

from typing import Any

import rfc8785

from avsession.audit.absence import TEXTS
from avsession.audit.findings import Findings, rows
from avsession.audit.verify_leaves import Body, bodies
from avsession.audit.verify_people import People
from avsession.canonical import canonical, sha256_hex
from avsession.export_records import Disclosure, Export, Taken
from avsession.ports import Reader
from avsession.records import Detail
from avsession.session import Session

DECIDED, SEALED = "decided", "sealed"
"""The two leaves of a disclosure: that it will be, with every word of it; and what was given."""


def asked_refs(row: Export) -> dict[str, Any]:
    """What the ``privacy.requested`` of a person's export says: for whom it is, by a digest.

    Older leaves have no ``sealed_to``. The key's hash in it has 256 random bits: who has not the
    private link learns nothing from the digest.
    """
    whose = {
        "export": row.id,
        "party": row.party,
        "opens": row.opens.hex(),
        "seals_to": (row.seals_to or b"").hex(),
    }
    return {"right": "export", "export": row.id, "sealed_to": sha256_hex(canonical(whose))}


def taken_refs(row: Taken) -> dict[str, Any]:
    """What ``recording.exported`` says in the open."""
    return {
        "recording": row.recording,
        "taken": row.id,
        "why": row.why,
        "what": row.what,
        "tracks": row.tracks,
        "at_ms": row.at_ms,
    }


def decided_refs(row: Disclosure) -> dict[str, Any]:
    """What the first ``disclosure.made`` says in the open: codes and times."""
    return {
        "disclosure": row.id,
        "step": DECIDED,
        "scope": row.scope,
        "recording": row.target if row.scope == "recording" else None,
        "category": row.category,
        "basis": row.basis,
        "parts": row.parts,
        "made_ms": row.made_ms,
        "silent_until_ms": row.silent_until_ms,
        "expires_ms": row.expires_ms,
    }


def sealed_refs(row: Disclosure) -> dict[str, Any]:
    """What the second one says: the digests of what was given."""
    return {
        "disclosure": row.id,
        "step": SEALED,
        "manifest": row.manifest,
        "package": row.sha256,
        "size": row.size,
    }


def disclosure_details(row: Disclosure) -> dict[str, Any]:
    """What the first one commits to: to whom, on what basis, why, by whom, to which key."""
    return {
        "account": row.made_by,
        "given_to": row.given_to,
        "basis_text": row.basis_text,
        "reason": row.reason,
        "recipient": row.recipient,
    }


async def exports(tx: Reader, people: People, findings: Findings) -> None:
    """Check everything that was taken out, people's exports that are there, every disclosure."""
    await _taken(tx, findings)
    await _own(tx, findings)
    await _disclosures(tx, people, findings)


async def _taken(tx: Reader, findings: Findings) -> None:
    spoken_of = set()
    async for body in bodies(tx, "recording.exported"):
        name = str(body.refs.get("taken"))
        spoken_of.add(name)
        row = await tx.get(Taken, name)
        title = f"taken {name}"
        if row is None:
            findings.add(7, title, f"is gone, though leaf {body.index} speaks of it")
            continue
        said = {"account": row.account, "purpose": row.purpose, "reason": row.reason}
        if taken_refs(row) != body.refs or not await _are_said(tx, body, said):
            findings.add(7, title, f"is not the one of leaf {body.index}")
    async for row in rows(tx, Taken, "id"):
        if row.id not in spoken_of:
            findings.add(7, f"taken {row.id}", "no leaf speaks of it")


async def _own(tx: Reader, findings: Findings) -> None:
    """People's own exports: for a while there are rows of them."""
    there = {row.id: row async for row in rows(tx, Export, "id")}
    said: dict[str, dict[str, list[Body]]] = {"privacy.requested": {}, "privacy.answered": {}}
    for kind, found in said.items():
        async for body in bodies(tx, kind):
            name = str(body.refs.get("export"))
            if name in there:
                found.setdefault(name, []).append(body)
    asked, answered = said.values()
    for name, row in there.items():
        if wrong := _stands(row, asked.get(name, []), answered.get(name, [])):
            findings.add(7, f"export {name}", wrong)


def _stands(row: Export, asked: list[Body], answered: list[Body]) -> str:
    """What is wrong with a person's export; empty when nothing is."""
    if not asked:
        return "no leaf speaks of it"
    if len(asked) > 1 or len(answered) > 1:
        return "was asked for or answered more than once"
    if "sealed_to" in asked[0].refs and asked[0].refs != asked_refs(row):
        return f"is for another key, or somebody else's (leaf {asked[0].index})"
    refs = answered[0].refs if answered else {"state": "waiting", "digest": ""}
    if refs.get("state") != ("ready" if row.state == "expired" else row.state):
        return f"does not stand where the log says: {refs.get('state')}"
    if refs.get("digest", "") != row.digest:
        return "its content is not the one that was answered"
    return ""


async def _disclosures(tx: Reader, people: People, findings: Findings) -> None:
    decided: set[str] = set()
    sealed: dict[str, Body] = {}
    first: dict[str, Body] = {}
    async for body in bodies(tx, "disclosure.made"):
        name = str(body.refs.get("disclosure"))
        if body.refs.get("step") == SEALED:
            sealed[name] = body
        else:
            decided.add(name)
            first[name] = body
    for name, body in first.items():
        row = await tx.get(Disclosure, name)
        title = f"disclosure {name}"
        if row is None:
            findings.add(7, title, f"is gone, though leaf {body.index} speaks of it")
        elif not await _is_decided(tx, people, row, body):
            findings.add(7, title, f"is not the one of leaf {body.index}")
        elif wrong := _given(row, sealed.get(name)):
            findings.add(7, title, wrong)
    async for row in rows(tx, Disclosure, "id"):
        if row.id not in decided:
            findings.add(7, f"disclosure {row.id}", "no leaf speaks of it")


async def _is_decided(tx: Reader, people: People, row: Disclosure, body: Body) -> bool:
    session = await tx.get(Session, row.session)
    if session is None or session.pseudonym != body.session:
        return False
    if row.scope == "session" and row.target != row.session:
        return False
    if row.scope == "party":
        await people.load([row.target])
        if not await people.is_whose(row.target, body):
            return False
    said = disclosure_details(row)
    return decided_refs(row) == body.refs and await _are_said(tx, body, said)


def _given(row: Disclosure, body: Body | None) -> str:
    """What is wrong with what it says of the package; empty when nothing is."""
    if body is None:
        nothing = (None, 0, "", "")
        if (row.leaf, row.size, row.sha256, row.manifest) != nothing or row.state == "ready":
            return "is marked made, the log says otherwise"
        return "" if row.state in ("waiting", "failed") else "is in no state that there is"
    if (row.state, row.leaf) != ("ready", body.index) or sealed_refs(row) != body.refs:
        return f"is not what leaf {body.index} says was given"
    return ""


async def _are_said(tx: Reader, body: Body, said: dict[str, Any]) -> bool:
    """Whether a row's words are those that the leaf commits to; where it commits to none, none.

    What an erasure took away is empty in the row, or says nothing of anybody.
    """
    if not body.commitments:
        return not any(said.values())
    if body.commitments.keys() != said.keys():
        return False
    for field, value in said.items():
        detail = await tx.get(Detail, body.index, field)
        if detail is None:
            if field in TEXTS and value != "":
                return False
        elif _canonical(value) != detail.value:
            return False
    return True


def _canonical(value: object) -> bytes:
    """As details are kept; empty for what cannot be."""
    try:
        return canonical(value)
    except (ValueError, rfc8785.CanonicalizationError):
        return b""
