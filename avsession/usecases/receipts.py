"""Receipts: a party's own events, with their proof, to take away.

Only the caller's own: whose they are is the caller's to know (a seat, a signed-in agent's party,
the private link).
"""

from __future__ import annotations

import json
from typing import Any

from avsession.audit import receipt as receipts
from avsession.audit.receipt import Receipt
from avsession.errors import NotFound, TooMany
from avsession.ports import Reader
from avsession.records import ConsentEvent, Detail, Notice
from avsession.session import Party
from avsession.usecases import certificates, evidence
from avsession.usecases.services import Services


async def of_event(app: Services, party_id: str, event_id: str) -> Receipt:
    """The receipt of what this party gave, refused or withdrew.

    Raises NotFound for anybody else's event, for other kinds, and once the party's details were
    erased; SignerFailed or Unavailable when no checkpoint can be had now; TooMany for a party
    that asks again and again.
    """
    _take(app, party_id)
    return await event_receipt(app, party_id, event_id)


async def event_receipt(app: Services, party_id: str, event_id: str) -> Receipt:
    """As :func:`of_event`, for what the server does for a party; nothing is counted."""
    async with app.store.read() as tx:
        party = await tx.get(Party, party_id)
        event = await tx.get(ConsentEvent, event_id)
        if party is None or event is None or event.party != party.id:
            raise NotFound
        if event.kind not in receipts.ACTIONS:
            raise NotFound("There is no receipt for that.")
        notice = await _notice(tx, event.document)
    return await of_leaf(app, party, event.kind, event.leaf, event.document, notice)


async def of_certificate(app: Services, party_id: str, certificate: str) -> Receipt:
    """The receipt of a destruction in this party's session, its certificate inside.

    Either party may have it, whoever decided. Raises NotFound for a stranger's, and while the
    destruction is not done; else as :func:`of_event`.
    """
    _take(app, party_id)
    return await certificate_receipt(app, party_id, certificate)


async def certificate_receipt(app: Services, party_id: str, certificate: str) -> Receipt:
    """As :func:`of_certificate`, for what the server does for a party; nothing is counted."""
    async with app.store.read() as tx:
        party = await tx.get(Party, party_id)
        if party is None:
            raise NotFound
        found = await certificates.for_party(tx, party, certificate)
    return await of_leaf(app, party, "erased", found["leaf"], found["certificate"])


async def of_leaf(
    app: Services,
    party: Party,
    kind: str,
    leaf: int,
    document: dict[str, Any],
    notice: str | None = None,
) -> Receipt:
    """The receipt of any leaf that commits to ``document`` (one of ``receipt.KINDS``).

    In the language of the document, or else the party's. Raises as :func:`of_event`.
    """
    async with app.store.read() as tx:
        opened = {
            row.field: (json.loads(row.value), row.salt) for row in await tx.find(Detail, leaf=leaf)
        }
    if kind != "erased" and "document" not in opened:
        raise NotFound("The details of that were erased.")
    language = receipts.language_of(document) or party.language.split("-", maxsplit=1)[0]
    return receipts.build(
        kind=kind,
        language=language,
        privacy=document.get("privacy") or f"{app.settings.address}/privacy",
        document=document,
        opened=opened,
        notice=notice,
        key=app.notary.key,
        proven=await evidence.proof(app, leaf),
    )


def _take(app: Services, party_id: str) -> None:
    """Each receipt is a proof to build, and may be a checkpoint to sign."""
    if not app.limits.receipts.take(party_id, app.clock.now_ms()):
        raise TooMany


async def _notice(tx: Reader, document: dict[str, Any]) -> str | None:
    """The text that the document names; raises NotFound when it is not archived any more."""
    named = document.get("notice")
    if named is None:
        return None
    row = await tx.get(Notice, named["sha256"])
    if row is None:
        raise NotFound("The notice of that is not there any more.")
    return row.text.decode()
