"""The parties' own signatures in consent events: nobody can invent a consent afterwards."""

from __future__ import annotations

from typing import Any

import msgspec

from avsession import signed
from avsession.audit import rows, signatures
from avsession.audit.verify_leaves import Body
from avsession.errors import SignatureInvalid
from avsession.ports import Reader
from avsession.records import ConsentEvent, Leaf, PartyKey
from avsession.signed import Statement

EVENTS = {kind: event for event, kind in rows.EVENT_LEAVES.items()}
MOST = 10_000
"""Consents to one request that are looked through."""


def statement_of(event: ConsentEvent) -> tuple[Statement, str, str] | None:
    """What the party signed, its public key and its signature, as the event holds them.

    None when the event does not claim that a signature held. Raises SignatureInvalid when it
    claims so and holds something else.
    """
    block: Any = event.document.get("signature")
    if not isinstance(block, dict) or block.get("status") != "valid":
        return None
    try:
        statement = msgspec.convert(block.get("statement"), Statement)
    except msgspec.ValidationError as error:
        raise SignatureInvalid from error
    return statement, str(block.get("public_key")), str(block.get("signature"))


def wrong(body: Body, event: ConsentEvent, key: PartyKey | None, enrolled: Leaf | None) -> str:
    """What is wrong with the signature of an event whose leaf names a key; empty if nothing is.

    ``key`` is that key's row, ``enrolled`` the leaf that the row names.
    """
    try:
        found = statement_of(event)
        if found is None:
            return "is not signed, though its leaf names a key"
        statement, public_key, signature = found
        signed.verify(public_key, signature, signed.statement_bytes(statement))
        name = signed.key_id(public_key)
    except SignatureInvalid:
        return "is not signed by the key that it names"
    if not name == statement.key == body.refs.get("key"):
        return "is signed by another key than its leaf names"
    if key is None or key.public_key != public_key or key.party != event.party:
        return "is signed by a key that the party has not enrolled"
    if (
        enrolled is None
        or enrolled.index >= body.index
        or f'"key":"{name}"'.encode() not in enrolled.data
    ):
        return "is signed by a key whose enrolment is not in the log"
    return _other_words(body, event, statement)


def _other_words(body: Body, event: ConsentEvent, statement: Statement) -> str:
    """Whether the event says what was signed."""
    action = signatures.ACTIONS.get(EVENTS.get(body.kind, ""))
    said = (statement.action, statement.session, statement.party, statement.request)
    if said != (action, event.session, event.party, event.request):
        return "is not what the party signed"
    if signatures.wrong(event.document, statement.key):
        return "gives something else than the party signed"
    return ""


async def used_again(tx: Reader, request: str) -> list[ConsentEvent]:
    """The consents to a request that show what their party signed for another one of them.

    Every signature names its moment, so the same words twice are one signature, used again.
    """
    known: set[Statement] = set()
    found = []
    given = await tx.find(ConsentEvent, order="leaf", request=request, kind="given", limit=MOST)
    for event in given:
        try:
            said = statement_of(event)
        except SignatureInvalid:
            continue  # found with its leaf
        if said is not None and said[0] in known:
            found.append(event)
        elif said is not None:
            known.add(said[0])
    return found
