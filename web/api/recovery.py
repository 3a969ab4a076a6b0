"""A fresh private link for somebody who has kept a receipt."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from avsession.errors import NotFound, TooMany
from avsession.usecases import recovery
from web import auth
from web.access import Access, By, Reach
from web.api.links import DATA_LINK, data_url
from web.routing import Body, Call, Route

MAX_BODY = 2 * recovery.MAX_RECEIPT
"""Bytes of the request: quotes and line ends take two each in JSON."""


class ByReceipt(Body, frozen=True, kw_only=True):
    """The receipt's file, whole."""

    receipt: Annotated[str, Meta(min_length=1, max_length=recovery.MAX_RECEIPT)]


async def by_receipt(call: Call[ByReceipt]) -> object:
    """Verify the receipt, and give its party a fresh private link."""
    address = auth.address(call.request)
    secret = await recovery.by_receipt(call.app, call.body.receipt.encode(), address)
    return {"data_url": data_url(call.app, secret)}


ROUTES = (
    Route(
        method="POST",
        path="/api/my-data/by-receipt",
        handle=by_receipt,
        summary="A fresh private link, by a receipt of what one allowed, declined or took back",
        access=Access(By.RECEIPT, Reach.OWN),
        body=ByReceipt,
        max_body=MAX_BODY,
        answer=DATA_LINK,
        errors=(NotFound, TooMany),
    ),
)
