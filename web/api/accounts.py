"""Staff sign in and out, and ask who they are."""

from __future__ import annotations

import contextlib
from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta

from avsession.errors import SignInRequired
from avsession.usecases import accounts
from avsession.usecases.accounts import MAX_PASSWORD
from avsession.usecases.permissions import Principal
from web import auth, oidc
from web.access import Access, By, Reach, own
from web.api import examples
from web.routing import Body, Call, Nothing, Route, answer


class SignIn(Body, frozen=True, kw_only=True):
    """A login and its password."""

    login: Annotated[str, Meta(min_length=1, max_length=64)]
    password: Annotated[str, Meta(min_length=1, max_length=MAX_PASSWORD)]


class Secret(Body, frozen=True, kw_only=True):
    """The secret of a link, which stood in its fragment."""

    secret: Annotated[str, Meta(min_length=1, max_length=128)]


async def sign_in(call: Call[SignIn]) -> object:
    """Start a staff session by password."""
    address = auth.address(call.request)
    signed_in = await accounts.sign_in(
        call.app, call.body.login, call.body.password, address=address
    )
    return await begun(call, signed_in)


async def sign_in_by_link(call: Call[Secret]) -> object:
    """Start a staff session by a one-time link."""
    address = auth.address(call.request)
    signed_in = await accounts.sign_in_by_link(call.app, call.body.secret, address=address)
    return await begun(call, signed_in)


async def begun(call: Call[Any], signed_in: accounts.SignedIn) -> web.Response:
    """The answer that begins a session in this browser."""
    # The browser holds one staff session: the one it had ends, rather than lie about unused.
    with contextlib.suppress(SignInRequired):
        await accounts.sign_out(call.app, auth.token(call.request, auth.STAFF))
    response = answer(_me(signed_in.principal))
    auth.give(response, auth.STAFF, signed_in.token, call.app.settings.signin.absolute_s)
    return response


async def sign_out(call: Call[Nothing]) -> object:
    """End the staff session on the server and take the cookie back.

    One that began at the company's provider: ``then`` is where to end it there, too.
    """
    outside = await accounts.sign_out(call.app, auth.token(call.request, auth.STAFF))
    then = (
        await oidc.provider(call.request.app).leave(call.app.settings.address + oidc.RETURN)
        if outside
        else None
    )
    response = answer({} if then is None else {"then": then})
    auth.take_back(response, auth.STAFF)
    return response


async def get_me(call: Call[Nothing]) -> object:
    """Who is signed in, and what they may do."""
    return {**_me(call.who), "permissions": sorted(call.who.permissions)}


def _me(who: Principal) -> dict[str, Any]:
    return {"account": who.account, "name": who.name, "role": who.role, "home": who.home}


ME = {
    "account": examples.ACCOUNT,
    "name": "Ada",
    "role": "agent",
    "home": "/",
}

ROUTES = (
    Route(
        method="POST",
        path="/api/sign-in",
        handle=sign_in,
        summary="Sign in by password; sets the staff cookie",
        access=Access(By.PASSWORD, Reach.OWN),
        body=SignIn,
        answer=ME,
    ),
    Route(
        method="POST",
        path="/api/sign-in/link",
        handle=sign_in_by_link,
        summary="Sign in by a one-time link; sets the staff cookie",
        access=Access(By.SIGN_IN_LINK, Reach.OWN),
        body=Secret,
        answer=ME,
    ),
    Route(
        method="POST",
        path="/api/sign-out",
        handle=sign_out,
        summary="End the staff session",
        access=own(),
    ),
    Route(
        method="GET",
        path="/api/me",
        handle=get_me,
        summary="Who is signed in",
        access=own(),
        answer={**ME, "permissions": ["session.create", "session.own"]},
    ),
)
