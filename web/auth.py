"""The cookies, and who stands behind them.

Their names are the registry's (``avsession.privacy.stored``), which the cookie page is made from.
"""

from __future__ import annotations

from aiohttp import web

from avsession.errors import SignInRequired
from avsession.forwarded import Proxies, Seen
from avsession.privacy import stored
from avsession.session import Party, Session
from avsession.usecases import accounts, preferences, sessions
from avsession.usecases.permissions import Principal
from avsession.usecases.services import Services

STAFF = stored.STAFF
"""A member of staff's session, from sign-in to sign-out."""
SEAT = stored.SEAT
"""A customer's seat in one session."""
COMPANY = stored.COMPANY
"""Somebody who went to sign in at the company's provider, until they are back."""
COMPANY_S = stored.COMPANY_S
"""Seconds that the browser keeps it."""
EXPORT = stored.EXPORT
"""The key that downloads one person's exports, for as long as a download may take."""
EXPORT_S = stored.EXPORT_S
"""Seconds that the browser keeps it."""
CHOICE = stored.CHOICE
"""What was chosen about everything else that a browser may keep."""

PROXIES: web.AppKey[Proxies] = web.AppKey("proxies", Proxies)
"""Whose forwarded headers count."""

MAX_TOKEN = 128
"""Characters of a cookie's value that are looked at; ours have 43."""


async def staff(services: Services, request: web.Request) -> Principal:
    """The member of staff who sent the request. Raises SignInRequired."""
    return await accounts.authenticate(services, token(request, STAFF))


async def seat(services: Services, request: web.Request) -> tuple[Session, Party]:
    """The customer who sent the request, and their session. Raises SignInRequired."""
    return await sessions.seat(services, token(request, SEAT))


def token(request: web.Request, cookie: str) -> str:
    """A cookie's value. Raises SignInRequired when it is missing or cannot be one of ours."""
    value = request.cookies.get(cookie, "")
    if not value or len(value) > MAX_TOKEN:
        raise SignInRequired
    return value


def says_no(request: web.Request) -> bool:
    """Whether the browser itself says no for its user: Global Privacy Control."""
    return request.headers.get("Sec-GPC") == "1"


async def choice(services: Services, request: web.Request) -> stored.Choice | None:
    """The choice that the browser holds, if it stands and the browser does not say no."""
    if says_no(request):
        return None
    return await preferences.standing(services, choice_token(request))


def choice_token(request: web.Request) -> str:
    """The value of the choice's cookie; "" when there is none, or it cannot be one of ours."""
    value = request.cookies.get(CHOICE, "")
    return value if len(value) <= MAX_TOKEN else ""


def give(response: web.StreamResponse, cookie: str, value: str, seconds: int) -> None:
    """Set a cookie that no script reads and no other site can cause to be sent.

    Its path is the whole origin even below a prefix: ``__Host-`` cookies have no other, and a
    path keeps nothing from other pages of its origin. The browser forgets it after ``seconds``;
    the server decides by its own clock all the same.
    """
    response.set_cookie(
        cookie, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="Strict"
    )


def take_back(response: web.StreamResponse, cookie: str) -> None:
    """Have the browser forget a cookie. A ``__Host-`` cookie is only replaced by its like."""
    response.set_cookie(
        cookie, "", max_age=0, path="/", secure=True, httponly=True, samesite="Strict"
    )


def address(request: web.Request) -> str:
    """The caller's network address, for limits only: it is neither stored nor logged.

    Behind a proxy that is set it is the one that the proxy names.
    """
    return seen(request).address


def seen(request: web.Request) -> Seen:
    """Who asks, and by which scheme where a proxy says so."""
    headers = request.headers
    peer = request.remote or ""
    proxies = request.app.get(PROXIES)
    return proxies.seen(peer, lambda name: headers.getall(name, [])) if proxies else Seen(peer)
