"""The consents that a grant rests on, as the database and the log bear them out. Reads only.

Each is signed by its party's own browser, with a key that the log shows enrolled before.
"""

from __future__ import annotations

from typing import Any

import msgspec

from avsession import grant as grants
from avsession.audit import verify_leaves, verify_signatures
from avsession.consent import ConsentState, Request
from avsession.errors import ConsentRequired
from avsession.ports import Reader
from avsession.records import ConsentEvent, Leaf, PartyKey


async def committed(tx: Reader, state: ConsentState, request: Request) -> list[ConsentEvent]:
    """The ``given`` event of every party present.

    Raises ConsentRequired when one is missing, or is not what the log says of it.
    """
    found = []
    for seat in state.seats:
        given = await tx.one(ConsentEvent, request=request.id, party=seat.party, kind="given")
        taken = await tx.one(ConsentEvent, request=request.id, party=seat.party, kind="withdrawn")
        if given is None or taken is not None:
            raise ConsentRequired
        await _check_logged(tx, given)
        found.append(given)
    return found


async def _check_logged(tx: Reader, given: ConsentEvent) -> None:
    """That the row's own leaf speaks of it, and names a key that the party enrolled before.

    A row is quickly invented, and so is a key; a leaf before the signed head is not. Raises
    ConsentRequired.
    """
    body = _sound(await tx.get(Leaf, given.leaf), "consent.given")
    if body is None or body.refs.get("event") != given.id:
        raise ConsentRequired("A consent is not in the log.")
    name = body.refs.get("key")
    key = await tx.get(PartyKey, name) if isinstance(name, str) else None
    enrolled = await tx.get(Leaf, key.leaf) if key else None
    made = _sound(enrolled, "key.created")
    if made is None or made.refs.get("key") != name or made.session != body.session:
        raise ConsentRequired("A consent is signed by a key that the party has not enrolled.")
    if wrong := verify_signatures.wrong(body, given, key, enrolled):
        raise ConsentRequired(f"A consent {wrong}.")


def _sound(row: Leaf | None, kind: str) -> verify_leaves.Body | None:
    """The leaf's body, if there is nothing wrong with it and it is of this kind."""
    body, wrong = verify_leaves.read(row) if row else (None, [])
    return body if body is not None and not wrong and body.kind == kind else None


def signed(given: ConsentEvent) -> grants.SignedConsent:
    """The event as its party signed it; ``grant.check_consents`` tells whether that holds."""
    block: Any = given.document.get("signature")
    try:
        if block["status"] != "valid":
            raise ConsentRequired("A consent is not signed by the party's own browser.")
        said = block["statement"]
        fields = {name: said[name] for name in ("notice", "language", "purposes", "time")}
        fields |= {name: block[name] for name in ("public_key", "signature")}
        fields |= {"event": given.id, "party": given.party}
        return msgspec.convert(fields, grants.SignedConsent)
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise ConsentRequired("A consent is not signed by the party's own browser.") from error
