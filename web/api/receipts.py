"""Receipts, each for the party whose event it is about: by its seat, its account or its link."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from avsession.audit import receipt as receipts
from avsession.audit.receipt_page import MAX_OFFSET, Look
from avsession.errors import Invalid, NotFound, TooMany
from avsession.messages.common import Id
from avsession.session import Party
from avsession.usecases import mydata, sessions
from avsession.usecases import receipts as usecase
from avsession.usecases.permissions import SESSION_OWN
from web.access import LINK, SEAT, own
from web.routing import Body, Call, Route

Secret = Annotated[str, Meta(min_length=1, max_length=128)]


class Wanted(Body, frozen=True, kw_only=True):
    """Which: an event by which this party gave, refused or withdrew, or a certificate.

    Exactly one of the two. A certificate is one of a destruction in this party's session.
    """

    event: Id | None = None
    certificate: Id | None = None
    offset: Annotated[int, Meta(ge=-MAX_OFFSET, le=MAX_OFFSET)] = 0
    """Minutes that the reader's clock is ahead of UTC: its time stands beside UTC. Not kept."""


class WantedByLink(Wanted, frozen=True, kw_only=True):
    """The same, with the private link's secret."""

    secret: Secret


async def by_seat(call: Call[Wanted]) -> object:
    """The customer's, in the call."""
    _, party = call.seat
    return await _file(call, party)


async def by_account(call: Call[Wanted]) -> object:
    """The agent's, in the call or later."""
    party = await sessions.agent_seat(call.app, call.who, call.param("session"))
    return await _file(call, party)


async def by_link(call: Call[WantedByLink]) -> object:
    """Anybody's own, by the private link."""
    party = await mydata.holder(call.app, call.body.secret)
    return await _file(call, party)


async def _file(call: Call[Wanted] | Call[WantedByLink], party: Party) -> web.Response:
    event, certificate = call.body.event, call.body.certificate
    if event is not None and certificate is None:
        made = await usecase.of_event(call.app, party.id, event)
    elif certificate is not None and event is None:
        made = await usecase.of_certificate(call.app, party.id, certificate)
    else:
        raise Invalid("Name an event or a certificate, and only one.")
    name = f"receipt-{made.kind}-{(event or certificate or '')[4:12]}.html"
    return web.Response(
        body=receipts.render(made, Look(offset=call.body.offset)).encode(),
        content_type="text/html",
        charset="utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


_ANSWER = "<!doctype html>"

ROUTES = (
    Route(
        method="POST",
        path="/api/seat/receipt",
        handle=by_seat,
        summary="One's own receipt, as a file that proves itself",
        access=SEAT,
        body=Wanted,
        media="text/html",
        answer=_ANSWER,
        errors=(NotFound, TooMany),
    ),
    Route(
        method="POST",
        path="/api/sessions/{session}/receipt",
        handle=by_account,
        summary="The agent's own receipt, as a file that proves itself",
        access=own(SESSION_OWN),
        body=Wanted,
        media="text/html",
        answer=_ANSWER,
        errors=(NotFound, TooMany),
    ),
    Route(
        method="POST",
        path="/api/my-data/receipt",
        handle=by_link,
        summary="One's own receipt by the private link, as a file that proves itself",
        access=LINK,
        body=WantedByLink,
        media="text/html",
        answer=_ANSWER,
        errors=(NotFound, TooMany),
    ),
)
