"""The ways to one's own page, in its person's hands: a new private link, and receipts shut out.

A receipt is made to be shown, and whoever holds one can open the page of its person. So the person
can say that none does any more; then a lost link is the desk's to mend, which finds out who asks
(:mod:`~.handing`). Both are leaves, and what the leaves say is what holds.
"""

from __future__ import annotations

from msgspec.structs import replace

from avsession.errors import LinkSpent, TooMany
from avsession.usecases import mydata, outgoing
from avsession.usecases.common import leaf, load
from avsession.usecases.services import Services
from avsession.usecases.tokens import new_secret, secret_hash


async def renew(app: Services, secret: str) -> str:
    """A new private link for the holder of this one, which stops working, with every export that
    was prepared under it. Raises LinkSpent, TooMany."""
    holder = await mydata.holder(app, secret)
    if not app.limits.links.take(holder.id, app.clock.now_ms()):
        raise TooMany
    fresh = new_secret(app.entropy)
    async with app.store.write() as tx:
        session, party = await load(tx, holder.id)
        if party.data_hash != secret_hash(secret):
            raise LinkSpent  # somebody was faster
        await tx.put(replace(party, data_hash=secret_hash(fresh)))
        refs = {"what": "private_link", "method": "link"}
        await leaf(app, tx, "access.granted", session=session, subject=party, refs=refs)
        dropped = await outgoing.drop_exports(tx, party.id)
    await outgoing.gone(app, dropped)
    return fresh


async def close(app: Services, secret: str, *, closed: bool) -> dict[str, str]:
    """Let no receipt open the holder's page any more, or let them again. Repeating changes nothing.

    Raises LinkSpent, TooMany.
    """
    holder = await mydata.holder(app, secret)
    async with app.store.write() as tx:
        session, party = await load(tx, holder.id)
        if await mydata.receipts_closed(tx, session, party) is not closed:
            if not app.limits.rights.take(f"{mydata.RECEIPTS} {party.id}", app.clock.now_ms()):
                raise TooMany
            kind = "access.revoked" if closed else "access.granted"
            await leaf(
                app, tx, kind, session=session, subject=party, refs={"what": mydata.RECEIPTS}
            )
    return {"receipts": "closed" if closed else "open"}
