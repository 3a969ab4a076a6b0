"""What a page is handed to go on with: a signaling ticket, a private link."""

from __future__ import annotations

import urllib.parse

from avsession.messages.common import PARTY_SUBPROTOCOL
from avsession.session import Party
from avsession.usecases import mydata, sessions
from avsession.usecases.services import Services
from web.api import examples

SIGNALING = "/signaling"
"""The path of signaling, on the same port, below the prefix."""

TICKET = {
    "ticket": examples.SECRET,
    "url": f"wss://localhost:8443{SIGNALING}",
    "subprotocol": PARTY_SUBPROTOCOL,
}
DATA_LINK = {"data_url": f"https://localhost:8443/privacy#{examples.SECRET}"}


async def ticket_for(app: Services, party: Party, auth: bytes | None = None) -> dict[str, str]:
    """A single-use ticket for ``party``. It is sent as the first message, never in the URL.

    ``auth``: the staff session that it is for; the connection ends with it.
    """
    host = urllib.parse.urlsplit(app.settings.origin).netloc
    return {
        "ticket": await sessions.issue_ticket(app, party, auth),
        "url": f"wss://{host}{app.settings.base}{SIGNALING}",
        "subprotocol": PARTY_SUBPROTOCOL,
    }


async def data_url_for(app: Services, party: Party) -> dict[str, str]:
    """A new private link for ``party``; the one before stops working."""
    return {"data_url": data_url(app, await mydata.renew_link(app, party))}


def data_url(app: Services, secret: str) -> str:
    """The private link. The secret stands in the fragment, which no browser sends."""
    return f"{app.settings.address}/privacy#{secret}"
