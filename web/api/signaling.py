"""The way from a page to signaling: a ticket, and where to present it."""

from __future__ import annotations

import urllib.parse

from avsession.messages.common import PARTY_SUBPROTOCOL
from avsession.session import Party
from avsession.usecases import sessions
from avsession.usecases.services import Services
from web.api import examples

PATH = "/signaling"

TICKET = {
    "ticket": examples.SECRET,
    "url": f"wss://localhost:8443{PATH}",
    "subprotocol": PARTY_SUBPROTOCOL,
}


async def ticket_for(app: Services, party: Party) -> dict[str, str]:
    """A single-use ticket for ``party``. It is sent as the first message, never in the URL."""
    host = urllib.parse.urlsplit(app.settings.origin).netloc
    return {
        "ticket": await sessions.issue_ticket(app, party),
        "url": f"wss://{host}{PATH}",
        "subprotocol": PARTY_SUBPROTOCOL,
    }
