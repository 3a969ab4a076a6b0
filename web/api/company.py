"""Staff sign in at their company's provider, and out when it says so.

The provider sends people back to the sign-in page, whose script brings what came in the address
here: so the cookies of this way in and of what follows are sent by our own page alone, and a code
that somebody else began is of no use in this browser. What the provider says to the server itself
(back-channel logout) comes to :data:`ENDED`, by form, with no cookie and no Origin.
"""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from avsession.errors import NotFound, SignInFailed, TooMany
from avsession.usecases import accounts, company
from avsession.usecases.company import NoRole
from avsession.usecases.limits import address_key
from web import auth
from web.access import BROWSER, Access, By, Reach
from web.api.accounts import ME, begun
from web.oidc import PROVIDERS, ProviderUnavailable, provider
from web.routing import SERVICES, STRANGERS, Body, Call, Nothing, Route, answer, bases

ENDED = "/signin/ended"
"""Where the provider says that a session is over (OpenID Connect Back-Channel Logout 1.0)."""


class Returned(Body, frozen=True, kw_only=True):
    """What stood in the address that the provider sent somebody back to."""

    state: Annotated[str, Meta(min_length=1, max_length=128)]
    code: Annotated[str, Meta(max_length=4096)] = ""
    """Empty: the provider refused, or somebody gave up there."""
    iss: Annotated[str, Meta(max_length=500)] = ""
    """The issuer, where the provider says it (RFC 9207)."""


async def start(call: Call[Nothing]) -> object:
    """Where to go for it; the browser is given the cookie without which nobody comes back."""
    there = provider(call.request.app)
    state, browser, pending = await company.start(call.app)
    url = await there.address(state, pending.nonce, pending.verifier)
    response = answer({"url": url})
    auth.give(response, auth.COMPANY, browser, auth.COMPANY_S)
    return response


async def finish(call: Call[Returned]) -> object:
    """Start a staff session for who came back."""
    there, body = provider(call.request.app), call.body
    browser = call.request.cookies.get(auth.COMPANY, "")[: auth.MAX_TOKEN]
    address = auth.address(call.request)
    pending = await company.take(call.app, body.state, browser, address=address)
    if not body.code or body.iss not in ("", there.issuer):
        raise SignInFailed("Your company did not sign you in.")
    try:
        claims = await there.claims(body.code, pending.nonce, pending.verifier)
    except SignInFailed:
        await accounts.refused(call.app, company.METHOD, address=address)
        raise
    response = await begun(call, await company.sign_in(call.app, claims, address=address))
    auth.take_back(response, auth.COMPANY)
    return response


async def ended(request: web.Request) -> web.Response:
    """The provider says that a session is over; 400 when its token does not hold."""
    services = request.app[SERVICES]
    there = provider(request.app)
    key = address_key(auth.address(request))
    if not request.app[STRANGERS].take(key, services.clock.now_ms()):
        raise TooMany
    form = await request.post() if request.content_type == FORM else {}
    token = form.get("logout_token")
    headers = {"Cache-Control": "no-store"}
    try:
        over = await there.logout(token if isinstance(token, str) else "")
        await company.ended(services, there.issuer, over.subject, over.sid, token=over.token)
    except SignInFailed:
        await accounts.refused(services, "provider", address=auth.address(request))
        return web.json_response({"error": "invalid_request"}, status=400, headers=headers)
    return web.Response(headers=headers)


FORM = "application/x-www-form-urlencoded"


def add(app: web.Application) -> None:
    """What the provider itself calls: no route of the api."""
    app[PROVIDERS] = {}
    for before in bases(app):
        app.router.add_post(before + ENDED, ended)


ROUTES = (
    Route(
        method="POST",
        path="/api/sign-in/company",
        handle=start,
        summary="Begin to sign in at the company's provider: the address to go to",
        access=BROWSER,
        answer={"url": "https://id.example.com/authorize?client_id=avsession"},
        errors=(NotFound, TooMany, ProviderUnavailable),
    ),
    Route(
        method="POST",
        path="/api/sign-in/company/finish",
        handle=finish,
        summary="Sign in with what the company's provider sent back; sets the staff cookie",
        access=Access(By.COMPANY, Reach.OWN),
        body=Returned,
        answer=ME,
        errors=(NotFound, NoRole, ProviderUnavailable),
    ),
)
