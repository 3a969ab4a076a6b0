"""A person's rights by the private link: correct, restrict, object, complain, erase.

As everywhere with the link, its secret comes in the body.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from avsession.errors import Conflict, NotFound, SessionLive, TooMany
from avsession.messages.common import Id, Key, Purpose
from avsession.privacy.requests import Right
from avsession.usecases import erasing, rights
from avsession.usecases.requests import MAX_TEXT
from avsession.usecases.rights import MAX_CONTACT
from avsession.usecases.sessions import MAX_NAME
from web.access import LINK, LINK_SESSION
from web.api import examples
from web.api.holds import CERTIFICATE
from web.routing import Body, Call, Route

Secret = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]


class ByLink(Body, frozen=True, kw_only=True):
    """The private link's secret, and nothing else."""

    secret: Secret


class AskFor(Body, frozen=True, kw_only=True):
    """Put something to the desk. ``purposes``: those objected to. ``key`` makes a repeat harmless.

    A correction and a complaint need words, an objection at least one purpose.
    """

    secret: Secret
    right: Literal["access", "rectify", "object", "complain"]
    text: Text = ""
    purposes: Annotated[list[Purpose], Meta(max_length=16)] = msgspec.field(default_factory=list)
    key: Key


class OwnRequest(Body, frozen=True, kw_only=True):
    """One of one's own requests."""

    secret: Secret
    request: Id


class Rectify(Body, frozen=True, kw_only=True):
    """What is put right; what is left out stays, and an empty contact removes it."""

    secret: Secret
    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME)] | None = None
    contact: Annotated[str, Meta(max_length=MAX_CONTACT)] | None = None


class Erase(Body, frozen=True, kw_only=True):
    """Erase everything about oneself; ``sure`` is the second click."""

    secret: Secret
    sure: Literal[True]


async def ask(call: Call[AskFor]) -> object:
    """Put a request to the desk."""
    body = call.body
    return await rights.ask(
        call.app, body.secret, Right(body.right), body.text, body.purposes, body.key
    )


async def withdraw_request(call: Call[OwnRequest]) -> object:
    """Take a request back."""
    return await rights.withdraw_request(call.app, call.body.secret, call.body.request)


async def rectify(call: Call[Rectify]) -> object:
    """Correct name or contact, at once."""
    body = call.body
    return await rights.rectify(call.app, body.secret, body.name, body.contact)


async def restrict(call: Call[ByLink]) -> object:
    """From now on the recordings are kept and nothing else."""
    return await rights.restrict(call.app, call.body.secret)


async def lift(call: Call[ByLink]) -> object:
    """End that."""
    return await rights.lift(call.app, call.body.secret)


async def end_call(call: Call[ByLink]) -> object:
    """End the call for everyone."""
    return await rights.end_call(call.app, call.body.secret)


async def erase(call: Call[Erase]) -> object:
    """Erase the holder of the link; afterwards the link leads nowhere."""
    return await erasing.by_holder(call.app, call.body.secret)


REQUEST: dict[str, Any] = {
    "request": examples.PRIVACY_REQUEST,
    "right": "object",
    "state": "open",
    "text": "Please stop using it for training.",
    "purposes": ["quality"],
    "by": "party",
    "received_ms": examples.NOW,
    "due_ms": examples.LATER,
    "extension": "",
    "answer": "",
    "done_ms": None,
}
RESTRICTION: dict[str, Any] = {
    "why": "asked",
    "purposes": ["quality"],
    "whole": True,
    "request": examples.PRIVACY_REQUEST,
    "placed_ms": examples.NOW,
    "lifted_ms": None,
    "lifted_by": "",
    "reason": "",
}

ROUTES = (
    Route(
        method="POST",
        path="/api/my-data/requests",
        handle=ask,
        summary="Put a privacy request to the desk; an objection restricts at once",
        access=LINK,
        body=AskFor,
        answer=REQUEST,
        errors=(NotFound, Conflict),
    ),
    Route(
        method="POST",
        path="/api/my-data/requests/withdraw",
        handle=withdraw_request,
        summary="Take a privacy request back, with the restriction that came with it",
        access=LINK,
        body=OwnRequest,
        answer={**REQUEST, "state": "withdrawn", "done_ms": examples.NOW},
        errors=(NotFound, Conflict),
    ),
    Route(
        method="POST",
        path="/api/my-data/rectify",
        handle=rectify,
        summary="Correct the name, or where one wishes to be told of answers, at once",
        access=LINK,
        body=Rectify,
        answer={"name": "Ben", "contact": "ben@example.com"},
        errors=(NotFound,),
    ),
    Route(
        method="POST",
        path="/api/my-data/restrict",
        handle=restrict,
        summary="Restrict one's recordings: kept, and not opened, played or exported",
        access=LINK,
        body=ByLink,
        answer={**REQUEST, "right": "restrict", "state": "answered"},
        errors=(NotFound, TooMany),
    ),
    Route(
        method="POST",
        path="/api/my-data/restrict/lift",
        handle=lift,
        summary="End the restriction that one asked for",
        access=LINK,
        body=ByLink,
        answer={"lifted": 1},
        errors=(Conflict,),
    ),
    Route(
        method="POST",
        path="/api/my-data/end-call",
        handle=end_call,
        summary="End the call for everyone, so that one can be erased",
        access=LINK_SESSION,
        body=ByLink,
        answer={"state": "ended"},
    ),
    Route(
        method="POST",
        path="/api/my-data/erase",
        handle=erase,
        summary="Erase everything about oneself; what a hold keeps is restricted",
        access=LINK,
        body=Erase,
        answer={
            "state": "erased",
            "held": {"category": "claim", "review_ms": examples.LATER},
            "request": REQUEST,
            "leaf": 42,
            "at_ms": examples.NOW,
            "destructions": [examples.DESTRUCTION],
            "certificates": [CERTIFICATE],
        },
        errors=(NotFound, SessionLive),
    ),
)
