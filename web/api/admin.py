"""Review: sessions, what was agreed in them, and which recordings there are."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta

from avsession.errors import Restricted
from avsession.usecases import review, timeline
from avsession.usecases.permissions import REVIEW_READ
from web.access import staff
from web.api import examples
from web.api.holds import HOLD
from web.routing import Body, Call, Nothing, Route

MAX_PAGE = 100
"""Rows in one answer."""
NEWEST = 2**53 - 1
"""Later than everything: where the first page begins."""


class Page(Body, frozen=True, kw_only=True):
    """Which part of a list: what was created before ``before`` (ms since the Unix epoch)."""

    before: Annotated[int, Meta(ge=0, le=NEWEST)] = NEWEST
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = MAX_PAGE


async def get_sessions(call: Call[Page]) -> object:
    """Sessions, newest first."""
    return {
        "sessions": await review.sessions(call.app, call.who, call.body.before, call.body.limit)
    }


async def get_session(call: Call[Nothing]) -> object:
    """One session's whole story."""
    return await review.session(call.app, call.who, call.param("session"))


async def get_event(call: Call[Nothing]) -> object:
    """One consent event, with every field of its record."""
    return await review.event(call.app, call.who, call.param("event"))


async def get_recordings(call: Call[Page]) -> object:
    """Recordings, newest first."""
    return {
        "recordings": await review.recordings(call.app, call.who, call.body.before, call.body.limit)
    }


async def get_timeline(call: Call[Nothing]) -> object:
    """What a recording's log and manifest prove, as one picture."""
    return await timeline.timeline(call.app, call.who, call.param("recording"))


async def get_notice(call: Call[Nothing]) -> object:
    """A notice's archived bytes, exactly as they were shown."""
    data = await review.notice(call.app, call.who, call.param("sha256"))
    return web.Response(body=data, content_type="text/plain", charset="utf-8")


RECORDING: dict[str, Any] = {
    "recording": examples.RECORDING,
    "session": examples.SESSION,
    "request": examples.REQUEST,
    "state": "sealed",
    "reason": "",
    "created_ms": examples.NOW,
    "duration_ms": 10_000,
    "purposes": ["quality", "evidence"],
    "expired": ["quality"],
    "parties": [{"party": examples.PARTY, "role": "customer", "name": "Ben", "erased": False}],
    "playable": True,
    "restricted": False,
    "held": False,
    "certificates": [examples.DESTRUCTION],
}

SPAN: dict[str, Any] = {"from_ms": examples.NOW, "to_ms": examples.NOW + 10_000}
TIMELINE: dict[str, Any] = {
    "recording": examples.RECORDING,
    "session": examples.SESSION,
    **SPAN,
    "ok": True,
    "finished": True,
    "erased": False,
    "segments": 20,
    "steps": [{"step": 1, "wrong": 0, "skipped": False}],
    "findings": [{"step": 6, "where": "entry 4", "what": "ends 500 ms after grant.revoked"}],
    "parties": [
        {
            "party": examples.PARTY,
            "role": "customer",
            "name": "Ben",
            "presence": [SPAN],
            "consent": [{**SPAN, "what": "given"}],
            "stored": [SPAN],
            "gaps": [{**SPAN, "reason": "paused"}],
        }
    ],
    "pauses": [{**SPAN, "party": examples.PARTY}],
    "open": [{**SPAN, "generation": 1, "leaf": 17, "closed_by": "grant.revoked"}],
}

ROUTES = (
    Route(
        method="GET",
        path="/api/admin/sessions",
        handle=get_sessions,
        summary="Sessions, newest first",
        access=staff(REVIEW_READ),
        body=Page,
        answer={
            "sessions": [
                {
                    "session": examples.SESSION,
                    "created_ms": examples.NOW,
                    "ended_ms": None,
                    "end_reason": None,
                    "parties": [{"party": examples.PARTY, "role": "customer", "name": "Ben"}],
                    "requests": 1,
                    "recordings": 1,
                }
            ]
        },
    ),
    Route(
        method="GET",
        path="/api/admin/sessions/{session}",
        handle=get_session,
        summary="One session: parties, consent events in order, requests, recordings",
        access=staff(REVIEW_READ),
        answer={
            "session": examples.SESSION,
            "created_ms": examples.NOW,
            "ended_ms": None,
            "end_reason": None,
            "parties": [
                {
                    "party": examples.PARTY,
                    "role": "customer",
                    "name": "Ben",
                    "language": "en",
                    "joined_ms": examples.NOW,
                    "left_ms": None,
                }
            ],
            "events": examples.EVENTS,
            "requests": [
                {
                    "request": examples.REQUEST,
                    "by": examples.PARTY,
                    "purposes": ["quality"],
                    "at_ms": examples.NOW,
                    "outcome": "given",
                }
            ],
            "recordings": [RECORDING],
            "holds": [HOLD],
        },
    ),
    Route(
        method="GET",
        path="/api/admin/events/{event}",
        handle=get_event,
        summary="A consent event's whole document",
        access=staff(REVIEW_READ),
        answer=examples.CONSENT,
    ),
    Route(
        method="GET",
        path="/api/admin/recordings",
        handle=get_recordings,
        summary="Recordings, newest first",
        access=staff(REVIEW_READ),
        body=Page,
        answer={"recordings": [RECORDING]},
    ),
    Route(
        method="GET",
        path="/api/admin/recordings/{recording}/timeline",
        handle=get_timeline,
        summary="Presence, consent, pauses, gaps and stored intervals, and whether they agree",
        access=staff(REVIEW_READ),
        answer=TIMELINE,
        errors=(Restricted,),
    ),
    Route(
        method="GET",
        path="/api/admin/notices/{sha256}",
        handle=get_notice,
        summary="A notice's archived bytes",
        access=staff(REVIEW_READ),
        media="text/plain",
        answer="The notice as it was shown.",
    ),
)
