"""What may be kept in this browser: the registry, the choice about it, and choosing.

Nobody has to be signed in. The choice's cookie is read by the server only; a page asks here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from avsession import notices
from avsession.errors import AvsessionError, Conflict, TooMany, Unavailable
from avsession.privacy import stored
from avsession.privacy.stored import Choice
from avsession.usecases import preferences
from avsession.usecases.services import Services
from web import auth
from web.access import BROWSER
from web.api import examples
from web.middleware import status_of
from web.problems import refusal
from web.routing import Body, Call, Nothing, Route, answer


class Choose(Body, frozen=True, kw_only=True):
    """The classes that are allowed from now on; an empty list refuses them all."""

    given: Annotated[list[Literal["preferences", "analytics"]], Meta(max_length=2)]


async def get(call: Call[Nothing]) -> object:
    """Every item, and what was chosen, as far as it stands."""
    choice = await preferences.standing(call.app, auth.choice_token(call.request))
    return view(call.app, choice, signal=auth.says_no(call.request))


async def choose(call: Call[Choose]) -> object:
    """Write a choice down. Refusing holds even when it cannot be written down.

    Raises Conflict when something is allowed while the browser itself says no.
    """
    token, given = auth.choice_token(call.request), call.body.given
    signal = auth.says_no(call.request)
    if given and signal:
        raise Conflict("Your browser sends Sec-GPC: 1, which is a no.")
    try:
        choice = await preferences.choose(
            call.app, given, token, address=auth.address(call.request)
        )
    except (TooMany, Unavailable) as error:
        if given and not await _takes_back(call.app, given, token):
            raise
        return _forgotten(error)
    response = answer(view(call.app, choice, signal=signal))
    auth.give(response, auth.CHOICE, choice.token, stored.CHOICE_S)
    return response


async def _takes_back(app: Services, given: list[Any], token: str) -> bool:
    """Whether the choice before may have allowed anything that this one does not."""
    try:
        before = await preferences.standing(app, token)
    except Unavailable:
        return token != ""
    return before is not None and not set(before.given) <= set(given)


def _forgotten(error: AvsessionError) -> web.Response:
    """The error; and the browser forgets the choice before, since no choice is a no."""
    response = refusal(status_of(type(error)), error.code, str(error))
    auth.take_back(response, auth.CHOICE)
    return response


def view(app: Services, choice: Choice | None, *, signal: bool) -> dict[str, Any]:
    """``choice``: one that stands. ``signal``: the browser says no."""
    return {
        "version": stored.version(app.settings),
        "policy": notices.latest(notices.PRIVACY),
        "items": msgspec.to_builtins(stored.items(app.settings)),
        "signal": signal,
        "ask": choice is None and not signal,
        "allowed": list(stored.allowed(choice, signal=signal)),
        "choice": None
        if choice is None
        else {
            "given": list(choice.given),
            "at_ms": choice.at_ms,
            "until_ms": choice.until_ms,
            "version": choice.version,
            "policy": str(choice.policy),
            "leaf": choice.leaf,
            "pseudonym": choice.id,
        },
    }


EXAMPLE: dict[str, Any] = {
    "version": "1-0123456789ab",
    "policy": "2",
    "items": [
        {
            "name": stored.SEAT,
            "kind": "cookie",
            "group": "necessary",
            "purpose": "seat",
            "seconds": 43_200,
            "seen_by": "server",
        }
    ],
    "signal": False,
    "ask": False,
    "allowed": ["necessary", "preferences"],
    "choice": {
        "given": ["preferences"],
        "at_ms": examples.NOW,
        "until_ms": examples.LATER,
        "version": "1-0123456789ab",
        "policy": "2",
        "leaf": 17,
        "pseudonym": examples.PSEUDONYM,
    },
}

ROUTES = (
    Route(
        method="GET",
        path="/api/preferences",
        handle=get,
        summary="Every cookie and stored item, and what this browser's user chose about them",
        access=BROWSER,
        answer=EXAMPLE,
    ),
    Route(
        method="POST",
        path="/api/preferences",
        handle=choose,
        summary="Choose what may be kept and sent; sets the choice's cookie",
        access=BROWSER,
        body=Choose,
        answer=EXAMPLE,
        errors=(Conflict,),
    ),
)
