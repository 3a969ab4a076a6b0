"""The admin's desk: privacy requests as a queue, and what is done about each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from avsession.errors import Conflict, NotFound, SessionLive, TooMany
from avsession.messages.common import Id, Purpose
from avsession.privacy.requests import Right
from avsession.usecases import desk, finding, handing
from avsession.usecases.permissions import PRIVACY_DESK, Principal
from avsession.usecases.requests import MAX_TEXT
from avsession.usecases.rights import MAX_CONTACT
from avsession.usecases.services import Services
from avsession.usecases.sessions import MAX_NAME
from avsession.usecases.stepup import StepUpRequired
from web.access import staff
from web.api import examples
from web.api.links import DATA_LINK, data_url
from web.api.rights import REQUEST
from web.routing import Body, Call, Handler, Nothing, Route

Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]


class Enter(Body, frozen=True, kw_only=True):
    """A request that came by another way: for whom, which right, and what was asked.

    ``purposes``: those objected to; an objection needs at least one.
    """

    party: Id
    right: Right
    text: Text
    purposes: Annotated[list[Purpose], Meta(max_length=16)] = msgspec.field(default_factory=list)


class Look(Body, frozen=True, kw_only=True):
    """A name or a contact, or a part of one; ``after``: where the answer before said to go on."""

    text: Annotated[str, Meta(min_length=1, max_length=finding.MAX_TEXT)]
    after: Id | None = None


class Correct(Body, frozen=True, kw_only=True):
    """What is put right; what is left out stays, and an empty contact removes it."""

    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME)] | None = None
    contact: Annotated[str, Meta(max_length=MAX_CONTACT)] | None = None


class Told(Body, frozen=True, kw_only=True):
    """What the person reads, or for a verification how it was found out who asks."""

    text: Text


async def get_queue(call: Call[Nothing]) -> object:
    """What waits, the late ones first, and what was done last."""
    return await desk.queue(call.app, call.who)


async def get_figures(call: Call[Nothing]) -> object:
    """How many wait, are due soon, late, answered, refused."""
    return await desk.figures(call.app, call.who)


async def enter(call: Call[Enter]) -> object:
    """Enter a request; it waits until it is verified who asks."""
    body = call.body
    return await desk.enter(call.app, call.who, body.party, body.right, body.text, body.purposes)


Act = Callable[[Services, Principal, str, str], Awaitable[object]]


def _with_text(act: Act) -> Handler:
    """A step that a member of staff takes with words."""

    async def handle(call: Call[Told]) -> object:
        return await act(call.app, call.who, call.param("request"), call.body.text)

    return handle


async def carry_out(call: Call[Nothing]) -> object:
    """Erase or restrict, or correct a name of staff, as was asked."""
    return await desk.carry_out(call.app, call.who, call.param("request"))


async def find(call: Call[Look]) -> object:
    """The parties of that name or contact."""
    body = call.body
    return await finding.people(call.app, call.who, body.text, body.after or "")


async def correct(call: Call[Correct]) -> object:
    """Correct name or contact, as was asked."""
    body = call.body
    return await handing.correct(call.app, call.who, call.param("request"), body.name, body.contact)


async def link(call: Call[Nothing]) -> object:
    """A new private link, to be handed to the person."""
    secret = await handing.link(call.app, call.who, call.param("request"))
    return {"data_url": data_url(call.app, secret)}


ONE: dict[str, Any] = {
    **REQUEST,
    "wanted": "",
    "of": "party",
    "session": examples.SESSION,
    "party": examples.PARTY,
    "name": "Ben",
    "role": "customer",
    "contact": "ben@example.com",
    "carried_out": False,
    "late": False,
    "restricts": True,
    "held": {"category": "claim", "review_ms": examples.LATER},
}
FIGURES: dict[str, Any] = {
    "open": 2,
    "soon": 1,
    "late": 0,
    "answered": 12,
    "answered_late": 0,
    "refused": 1,
    "withdrawn": 1,
}


def _step(name: str, act: Act, summary: str, answer: dict[str, Any]) -> Route:
    return Route(
        method="POST",
        path=f"/api/admin/requests/{{request}}/{name}",
        handle=_with_text(act),
        summary=summary,
        access=staff(PRIVACY_DESK),
        body=Told,
        answer={**ONE, **answer},
        errors=(Conflict,),
    )


ENDED = {"done_ms": examples.NOW}

ROUTES = (
    Route(
        method="GET",
        path="/api/admin/requests",
        handle=get_queue,
        summary="Privacy requests: what waits, the late ones first, and what was done last",
        access=staff(PRIVACY_DESK),
        answer={"requests": [ONE], "figures": FIGURES},
    ),
    Route(
        method="GET",
        path="/api/admin/requests/figures",
        handle=get_figures,
        summary="How many privacy requests wait, are due within a week, are late, were answered",
        access=staff(PRIVACY_DESK),
        answer=FIGURES,
    ),
    Route(
        method="POST",
        path="/api/admin/requests",
        handle=enter,
        summary="Enter a privacy request that came by another way",
        access=staff(PRIVACY_DESK),
        body=Enter,
        answer={**ONE, "by": "staff", "state": "verifying"},
        errors=(NotFound, TooMany),
    ),
    Route(
        method="POST",
        path="/api/admin/people",
        handle=find,
        summary="Find the parties of a name or a contact, to enter what they ask for",
        access=staff(PRIVACY_DESK),
        body=Look,
        answer={
            "people": [
                {
                    "party": examples.PARTY,
                    "session": examples.SESSION,
                    "name": "Ben",
                    "role": "customer",
                    "contact": "ben@example.com",
                    "created_ms": examples.NOW,
                }
            ],
            "next": examples.PARTY,
        },
    ),
    _step("verify", desk.verify, "Write down how it was verified who asks", {}),
    _step(
        "extend",
        desk.extend,
        "Take two months more, once, with a reason that the person reads",
        {"state": "extended", "extension": "It concerns many calls."},
    ),
    _step("answer", desk.answer, "Answer in words", {"state": "answered", **ENDED}),
    _step("refuse", desk.refuse, "Refuse, with a reason", {"state": "refused", **ENDED}),
    _step("lift", desk.lift, "End the restriction that a request brought, with a reason", {}),
    Route(
        method="POST",
        path="/api/admin/requests/{request}/carry-out",
        handle=carry_out,
        summary="Erase or restrict, or correct a name of staff, as was asked",
        access=staff(PRIVACY_DESK),
        answer={"state": "erased"},
        errors=(StepUpRequired, Conflict, SessionLive),
    ),
    Route(
        method="POST",
        path="/api/admin/requests/{request}/correct",
        handle=correct,
        summary="Correct name or contact of a party, as was asked; that answers the request",
        access=staff(PRIVACY_DESK),
        body=Correct,
        answer={"name": "Ben", "contact": "ben@example.com"},
        errors=(Conflict,),
    ),
    Route(
        method="POST",
        path="/api/admin/requests/{request}/link",
        handle=link,
        summary="A new private link for who has lost theirs, asked another way and was verified",
        access=staff(PRIVACY_DESK),
        answer=DATA_LINK,
        errors=(StepUpRequired, Conflict, TooMany),
    ),
)
