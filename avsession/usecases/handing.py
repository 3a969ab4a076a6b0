"""What the desk does for somebody who cannot do it on their own page: a correction, a new link.

A correction was asked for, in words or by letter. A new private link is for who has lost theirs
and has no receipt that opens the page: it comes only of a request that was entered at the desk,
once it was verified who asks. It is confirmed, it is a leaf, the person's page says that it was
made, and the link before stops working, so that it cannot be used behind their back.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from avsession.errors import Conflict, Invalid, TooMany
from avsession.privacy.requests import Right, State, Step
from avsession.records import PrivacyRequest
from avsession.usecases import outgoing, requests, rights, stepup
from avsession.usecases.common import leaf, load
from avsession.usecases.permissions import PRIVACY_DESK, Principal, require
from avsession.usecases.services import Services
from avsession.usecases.tokens import new_secret, secret_hash

VERIFIED = (State.OPEN, State.EXTENDED)
"""States in which it is known who asks, and an answer is owed."""


def _check(row: PrivacyRequest) -> None:
    if row.state not in VERIFIED:
        raise Conflict("Verify first who asks; after its end nothing comes of a request.")


async def link(app: Services, who: Principal, request: str) -> str:
    """The secret of a new private link for whose request this is; the one before stops working,
    with every export that was prepared under it.

    Raises NotFound; Conflict unless the request came by another way than the page, is verified,
    waits for an answer, and is not of what the desk itself carries out; StepUpRequired, TooMany.
    """
    require(who, PRIVACY_DESK)
    secret = new_secret(app.entropy)
    async with app.store.write() as tx:
        row = await requests.load(tx, request)
        _check(row)
        if row.by != "staff" or row.right in requests.DONE_AT_ONCE:
            raise Conflict("A link is given to who asked another way and cannot be helped here.")
        session, party = await load(tx, row.party)
        await stepup.spend(app, tx, who, stepup.LINK, request)
        if not app.limits.links.take(party.id, app.clock.now_ms()):
            raise TooMany
        await tx.put(replace(party, data_hash=secret_hash(secret)))
        refs = {"what": "private_link", "method": "desk", "privacy_request": row.id}
        await leaf(
            app,
            tx,
            "access.granted",
            session=session,
            subject=party,
            actor=who.pseudonym,
            refs=refs,
            details={"account": who.account},
        )
        dropped = await outgoing.drop_exports(tx, party.id)
    await outgoing.gone(app, dropped)
    return secret


async def correct(
    app: Services, who: Principal, request: str, name: str | None, contact: str | None
) -> dict[str, Any]:
    """Put a name or a contact right, as was asked, and answer the request with that; what is kept
    now, as :func:`~.rights.rectify` says it.

    Raises NotFound, Invalid when nothing would change, Conflict for a request that is not
    verified, has ended, or is no correction.
    """
    require(who, PRIVACY_DESK)
    async with app.store.write() as tx:
        row = await requests.load(tx, request)
        if row.right != Right.RECTIFY:
            raise Conflict("Nobody asked for a correction.")
        _check(row)
        session, party = await load(tx, row.party)
        wanted = rights.wanted(party, name, contact)
        if not wanted:
            raise Invalid("That is what is kept already.")
        party = await rights.put_right(app, tx, session, party, row, wanted, who)
        await requests.step(app, tx, row, Step.ANSWER, who=who)
    await rights.tell_name(app, session)
    return {"name": party.name, "contact": party.contact or ""}
