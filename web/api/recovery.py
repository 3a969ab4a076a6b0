"""A fresh private link: for somebody who has kept a receipt, or with the link itself; and whether
receipts open one's page at all."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from avsession.errors import NotFound, TooMany
from avsession.usecases import recovery, waysin
from web import auth
from web.access import LINK, Access, By, Reach
from web.api.links import DATA_LINK, data_url
from web.api.rights import ByLink
from web.routing import Body, Call, Route

MAX_BODY = 2 * recovery.MAX_RECEIPT
"""Bytes of the request: quotes and line ends take two each in JSON."""


Secret = Annotated[str, Meta(min_length=1, max_length=128)]


class ByReceipt(Body, frozen=True, kw_only=True):
    """The receipt's file, whole."""

    receipt: Annotated[str, Meta(min_length=1, max_length=recovery.MAX_RECEIPT)]


async def by_receipt(call: Call[ByReceipt]) -> object:
    """Verify the receipt, and give its party a fresh private link."""
    address = auth.address(call.request)
    secret = await recovery.by_receipt(call.app, call.body.receipt.encode(), address)
    return {"data_url": data_url(call.app, secret)}


class ShutReceipts(Body, frozen=True, kw_only=True):
    """Whether receipts are shut out."""

    secret: Secret
    closed: bool


async def renew(call: Call[ByLink]) -> object:
    """A new link; this one stops working."""
    return {"data_url": data_url(call.app, await waysin.renew(call.app, call.body.secret))}


async def receipts(call: Call[ShutReceipts]) -> object:
    """Shut receipts out, or let them in again."""
    return await waysin.close(call.app, call.body.secret, closed=call.body.closed)


ROUTES = (
    Route(
        method="POST",
        path="/api/my-data/renew",
        handle=renew,
        summary="A new private link; this one stops working, with what was exported under it",
        access=LINK,
        body=ByLink,
        answer=DATA_LINK,
        errors=(TooMany,),
    ),
    Route(
        method="POST",
        path="/api/my-data/receipts",
        handle=receipts,
        summary="Let no receipt open one's page any more, or let them again",
        access=LINK,
        body=ShutReceipts,
        answer={"receipts": "closed"},
        errors=(TooMany,),
    ),
    Route(
        method="POST",
        path="/api/my-data/by-receipt",
        handle=by_receipt,
        summary="A fresh private link, by a receipt of what one allowed, declined or took back",
        access=Access(By.RECEIPT, Reach.OWN),
        body=ByReceipt,
        max_body=MAX_BODY,
        answer=DATA_LINK,
        errors=(NotFound, recovery.ReceiptClosed, TooMany),
    ),
)
