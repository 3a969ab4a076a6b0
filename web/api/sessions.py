"""An agent's sessions: make one, hand out its link, join it, end it."""

from __future__ import annotations

from typing import Any

from avsession.errors import SessionOver, TooMany
from avsession.messages.common import Language
from avsession.usecases import sessions
from avsession.usecases.permissions import SESSION_CREATE, SESSION_OWN
from web.access import own
from web.api import examples
from web.api.links import DATA_LINK, TICKET, data_url_for, ticket_for
from web.routing import Body, Call, Nothing, Route


class NewSession(Body, frozen=True, kw_only=True):
    """What the agent chooses: the language of their own notice."""

    language: Language


async def create(call: Call[NewSession]) -> object:
    """A session with its invitation. The secret is only in this answer."""
    new = await sessions.create_session(call.app, call.who, call.body.language)
    return {
        "session": new.session.id,
        "party": new.party.id,
        # In the fragment, which no browser sends and no server logs.
        "invitation_url": f"{call.app.settings.address}/join#{new.secret}",
        "expires_ms": new.expires_ms,
    }


async def get_own(call: Call[Nothing]) -> object:
    """The agent's sessions, newest first, 50 at most."""
    views = await sessions.own_sessions(call.app, call.who)
    return {"sessions": [_view(view, call.who.account) for view in views]}


def _view(view: sessions.SessionView, account: str) -> dict[str, Any]:
    session = view.session
    return {
        "session": session.id,
        "party": next((party.id for party in view.parties if party.account == account), None),
        "created_ms": session.created_ms,
        "invitation_state": session.invitation_state,
        "expires_ms": session.invitation_expires_ms,
        "parties": [
            {"name": party.name, "role": party.role, "presence": party.presence}
            for party in view.parties
        ],
        "ended_ms": session.ended_ms,
    }


async def revoke(call: Call[Nothing]) -> object:
    """Make the invitation worthless."""
    await sessions.revoke_invitation(call.app, call.who, call.param("session"))
    return {}


async def ticket(call: Call[Nothing]) -> object:
    """A signaling ticket for the agent's own party."""
    party = await sessions.agent_seat(call.app, call.who, call.param("session"))
    return await ticket_for(call.app, party, call.who.auth)


async def data_link(call: Call[Nothing]) -> object:
    """A private link for the agent's own party. An earlier one stops working."""
    party = await sessions.agent_seat(call.app, call.who, call.param("session"))
    return await data_url_for(call.app, party)


async def end(call: Call[Nothing]) -> object:
    """End the session for everyone."""
    await sessions.end_by_staff(call.app, call.who, call.param("session"))
    return {}


ROUTES = (
    Route(
        method="POST",
        path="/api/sessions",
        handle=create,
        summary="Make a session and its invitation",
        access=own(SESSION_CREATE),
        body=NewSession,
        answer={
            "session": examples.SESSION,
            "party": examples.PARTY,
            "invitation_url": f"https://localhost:8443/join#{examples.SECRET}",
            "expires_ms": examples.LATER,
        },
    ),
    Route(
        method="GET",
        path="/api/sessions",
        handle=get_own,
        summary="One's own sessions, newest first",
        access=own(SESSION_OWN),
        answer={
            "sessions": [
                {
                    "session": examples.SESSION,
                    "party": examples.PARTY,
                    "created_ms": examples.NOW,
                    "invitation_state": "open",
                    "expires_ms": examples.LATER,
                    "parties": [{"name": "Ada", "role": "agent", "presence": "present"}],
                    "ended_ms": None,
                }
            ]
        },
    ),
    Route(
        method="POST",
        path="/api/sessions/{session}/invitation/revoke",
        handle=revoke,
        summary="Revoke the invitation",
        access=own(SESSION_OWN),
    ),
    Route(
        method="POST",
        path="/api/sessions/{session}/ticket",
        handle=ticket,
        summary="A signaling ticket for one's own party, good once and for 30 seconds",
        access=own(SESSION_OWN),
        answer=TICKET,
        errors=(SessionOver, TooMany),
    ),
    Route(
        method="POST",
        path="/api/sessions/{session}/data-link",
        handle=data_link,
        summary="A new private link to one's own data in this session",
        access=own(SESSION_OWN),
        answer=DATA_LINK,
        errors=(TooMany,),
    ),
    Route(
        method="POST",
        path="/api/sessions/{session}/end",
        handle=end,
        summary="End the session for everyone",
        access=own(SESSION_OWN),
    ),
)
