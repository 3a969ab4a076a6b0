"""The customer's seat: taken with the invitation's secret, kept by a cookie."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from avsession.errors import Invalid, LinkSpent, SessionOver, TooMany, TooYoung
from avsession.messages.common import Language
from avsession.usecases import sessions
from web import auth
from web.access import SEAT, Access, By, Reach
from web.api import examples
from web.api.links import DATA_LINK, TICKET, data_url, data_url_for, ticket_for
from web.routing import Body, Call, Nothing, Route, answer


class Join(Body, frozen=True, kw_only=True):
    """Claims the invitation: sent when the customer presses `Join call`, never on load.

    ``of_age``: whether they are as old as the page said beside that button; false is refused.
    """

    secret: Annotated[str, Meta(min_length=1, max_length=128)]
    name: Annotated[str, Meta(min_length=1, max_length=80)]
    language: Language
    of_age: bool | None = None


async def join(call: Call[Join]) -> object:
    """Take the customer's seat. The private link is only in this answer."""
    body = call.body
    claimed = await sessions.claim(
        call.app, body.secret, body.name, body.language, of_age=body.of_age
    )
    response = answer(
        {
            "session": claimed.session.id,
            "party": claimed.party.id,
            "data_url": data_url(call.app, claimed.data_secret),
        }
    )
    auth.give(response, auth.SEAT, claimed.seat_token, call.app.settings.signin.seat_s)
    return response


async def get_seat(call: Call[Nothing]) -> object:
    """Which seat this browser holds: how a page finds back after a reload."""
    session, party = call.seat
    return {
        "session": session.id,
        "party": party.id,
        "name": party.name,
        "language": party.language,
        "ended": session.ended_ms is not None,
    }


async def ticket(call: Call[Nothing]) -> object:
    """A signaling ticket for the customer's party."""
    _, party = call.seat
    return await ticket_for(call.app, party)


async def data_link(call: Call[Nothing]) -> object:
    """A new private link, for who lost the first one. The earlier one stops working."""
    _, party = call.seat
    return await data_url_for(call.app, party)


ROUTES = (
    Route(
        method="POST",
        path="/api/join",
        handle=join,
        summary="Claim an invitation, once; sets the seat cookie",
        access=Access(By.INVITATION, Reach.OWN),
        body=Join,
        answer={
            "session": examples.SESSION,
            "party": examples.PARTY,
            "data_url": f"https://localhost:8443/privacy#{examples.SECRET}",
        },
        errors=(Invalid, TooYoung),
    ),
    Route(
        method="GET",
        path="/api/seat",
        handle=get_seat,
        summary="The seat that this browser holds",
        access=SEAT,
        answer={
            "session": examples.SESSION,
            "party": examples.PARTY,
            "name": "Ben",
            "language": "en",
            "ended": False,
        },
    ),
    Route(
        method="POST",
        path="/api/seat/ticket",
        handle=ticket,
        summary="A signaling ticket for one's own party, good once and for 30 seconds",
        access=SEAT,
        answer=TICKET,
        errors=(SessionOver, TooMany),
    ),
    Route(
        method="POST",
        path="/api/seat/data-link",
        handle=data_link,
        summary="A new private link to one's own data",
        access=SEAT,
        answer=DATA_LINK,
        errors=(LinkSpent, TooMany),
    ),
)
