"""A private link for somebody who has lost theirs and kept a receipt.

The receipt is verified in full, against this log's own key, and must be of something that the
person themselves said: a certificate of destruction both parties have. Whoever holds such a
receipt counts as the person, as with the link itself, so tries are few, refusals are logged (with
their count, once a minute), and the person sees on their page when it was done. The link before
stops working, with every export that was prepared under it. They can also let no receipt open
their page any more (``waysin``).
"""

from __future__ import annotations

from msgspec.structs import replace

from avsession.audit import receipt as receipts
from avsession.errors import AvsessionError, Conflict, NotFound, ReceiptInvalid, TooMany
from avsession.ports import Reader
from avsession.records import ConsentEvent, Leaf
from avsession.session import Party, Session
from avsession.usecases import accounts, mydata, outgoing
from avsession.usecases.common import leaf, load
from avsession.usecases.limits import address_key
from avsession.usecases.services import Services
from avsession.usecases.tokens import new_secret, secret_hash

MAX_RECEIPT = 256 * 1024
"""Bytes of a receipt that is taken here: of a consent, with its notice."""


class ReceiptClosed(Conflict):
    """The receipt holds, and its owner lets no receipt open their page."""

    code = "receipt.closed"
    sentence = "The receipt holds, but its owner has closed the way in by receipts."


async def by_receipt(app: Services, data: bytes, address: str) -> str:
    """The secret of a fresh private link for the party that the receipt proves.

    ``address``: where the request comes from, for the limit alone. Raises ReceiptInvalid,
    NotFound when nothing is kept of that person any more, ReceiptClosed when they let no receipt
    open their page, TooMany.
    """
    now = app.clock.now_ms()
    if not app.limits.recoveries.take(f"address {address_key(address)}", now):
        raise TooMany
    try:
        event_id, pseudonym = _proven(app, data)
        async with app.store.read() as tx:
            party = await _party(tx, data, event_id, pseudonym)
    except AvsessionError as error:
        await accounts.refused(app, error.code, address=address)
        raise
    if not app.limits.recoveries.take(f"party {party.id}", now):
        raise TooMany
    secret = new_secret(app.entropy)
    async with app.store.write() as tx:
        session, party = await load(tx, party.id)
        await tx.put(replace(party, data_hash=secret_hash(secret)))
        refs = {"what": "private_link", "method": "receipt", "event": event_id}
        await leaf(app, tx, "access.granted", session=session, subject=party, refs=refs)
        dropped = await outgoing.drop_exports(tx, party.id)
    await outgoing.gone(app, dropped)
    return secret


def _proven(app: Services, data: bytes) -> tuple[str, str]:
    """The event and the pseudonym that a receipt proves; raises ReceiptInvalid."""
    if len(data) > MAX_RECEIPT:
        raise ReceiptInvalid("The file is too long for the receipt of a consent.")
    verdict = receipts.verify(data, app.notary.key)
    if not verdict.holds or verdict.receipt is None:
        wrong = next((step.detail for step in verdict.steps if step.holds is False), "")
        raise ReceiptInvalid(f"The receipt does not hold. {wrong}".strip())
    if verdict.receipt.kind not in receipts.ACTIONS:
        raise ReceiptInvalid("Choose a receipt of what you allowed, declined or took back.")
    document = verdict.receipt.document
    return document["event_id"], document["data_subject"]


async def _party(tx: Reader, data: bytes, event_id: str, pseudonym: str) -> Party:
    """Whose receipt it is, as long as anything is kept of them."""
    event = await tx.get(ConsentEvent, event_id)
    party = await tx.get(Party, event.party) if event else None
    if event is None or party is None or party.pseudonym != pseudonym:
        raise NotFound("The receipt holds, but nothing is kept about this person any more.")
    logged = await tx.get(Leaf, event.leaf)
    if logged is None or receipts.read(data).leaf.encode() != logged.data:
        raise ReceiptInvalid
    session = await tx.get(Session, party.session)
    if session is None or await mydata.receipts_closed(tx, session, party):
        raise ReceiptClosed
    return party
