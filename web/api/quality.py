"""Figures about a call's quality: sent by a party that allowed it, shown as counts to an admin."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from avsession.errors import ConsentRequired
from avsession.privacy.quality import ENOUGH, FIGURES
from avsession.session import Party
from avsession.usecases import quality, sessions
from avsession.usecases.permissions import REVIEW_READ, SESSION_OWN
from web import auth
from web.access import SEAT, own, staff
from web.routing import Body, Call, Nothing, Route

Value = Annotated[int, Meta(ge=0, le=1_000_000)] | None


class Report(Body, frozen=True, kw_only=True):
    """A call's figures, in the units of ``GET /api/admin/quality``; what was not measured is null.

    They are counted in ranges and not kept.
    """

    first_frame: Value = None
    round_trip: Value = None
    jitter: Value = None
    loss: Value = None
    height: Value = None
    frames: Value = None
    freezes: Value = None


async def by_seat(call: Call[Report]) -> object:
    """The customer's, when the call is over."""
    _, party = call.seat
    return await _count(call, party)


async def by_account(call: Call[Report]) -> object:
    """The agent's, when the call is over."""
    party = await sessions.agent_seat(call.app, call.who, call.param("session"))
    return await _count(call, party)


async def _count(call: Call[Report], party: Party) -> object:
    choice = await auth.choice(call.app, call.request)
    said = {
        name: value
        for name, value in msgspec.structs.asdict(call.body).items()
        if value is not None
    }
    return {"counted": await quality.count(call.app, party, choice, said)}


async def statistics(call: Call[Nothing]) -> object:
    """The counts, over the days that are kept."""
    return await quality.statistics(call.app, call.who)


EXAMPLE: dict[str, Any] = {
    "days": [{"day": "2026-11-22", "calls": 7}],
    "enough": True,
    "needed": ENOUGH,
    "figures": [
        {
            "figure": "round_trip",
            "unit": "ms",
            "bounds": list(FIGURES["round_trip"].bounds),
            "calls": [4, 2, 1, 0, 0],
        }
    ],
}

ROUTES = (
    Route(
        method="POST",
        path="/api/seat/quality",
        handle=by_seat,
        summary="Count this call's quality, if analytics was allowed",
        access=SEAT,
        body=Report,
        answer={"counted": True},
        errors=(ConsentRequired,),
    ),
    Route(
        method="POST",
        path="/api/sessions/{session}/quality",
        handle=by_account,
        summary="Count this call's quality, if analytics was allowed",
        access=own(SESSION_OWN),
        body=Report,
        answer={"counted": True},
        errors=(ConsentRequired,),
    ),
    Route(
        method="GET",
        path="/api/admin/quality",
        handle=statistics,
        summary="How good calls were: counts of those whose parties allowed counting",
        access=staff(REVIEW_READ),
        answer=EXAMPLE,
    ),
)
