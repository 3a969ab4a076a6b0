"""The api's routes: one table that registers the handlers and describes them.

A request that a route accepts has passed, in this order: the limit on strangers, the sign-in,
the shape of identifiers, the query, the content type, the body's size and its decoding.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec
from aiohttp import web

from avsession.errors import (
    AvsessionError,
    Invalid,
    NotFound,
    OriginRefused,
    SignInRequired,
    TooMany,
    Unavailable,
)
from avsession.logs import SESSION
from avsession.messages.common import Id
from avsession.session import Party, Session, is_id
from avsession.usecases.limits import Buckets, address_key
from avsession.usecases.permissions import Principal
from avsession.usecases.services import Services
from web import auth
from web.access import Access, By

MAX_BODY = 16 * 1024
"""Bytes of a request's body."""
BODY_S = 10.0
"""Seconds that a body may take, however slowly it comes."""
RETRY_S = "5"
"""Seconds after which asking again makes sense when a part is missing or a limit was met."""
STRANGERS_BURST = 60
STRANGERS_EVERY_MS = 1000
"""POSTs without a sign-in from one address: sixty at once, then one a second."""

SERVICES: web.AppKey[Services] = web.AppKey("services", Services)
BASE: web.AppKey[str] = web.AppKey("base", str)
"""The path prefix of the public address."""
STRANGERS: web.AppKey[Buckets] = web.AppKey("strangers", Buckets)
ACTOR: web.RequestKey[str] = web.RequestKey("actor", str)
"""The pseudonym of whoever is signed in, once that is known."""

SHA256 = re.compile(r"[0-9a-f]{64}")

B = TypeVar("B")


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request carries. A field that we do not know is refused, not ignored."""


class Nothing(Body, frozen=True, kw_only=True):
    """No fields: ``{}``, or no body at all."""


class ContentTypeRefused(Invalid):
    """A body is not plain JSON."""

    code = "content_type"
    sentence = "Send application/json, not encoded any further."


class BodyTooLarge(Invalid):
    """A body is longer than :data:`MAX_BODY`."""

    code = "too_large"
    sentence = f"A body has at most {MAX_BODY} bytes."


class BodyLate(Invalid):
    """A body has not come to its end in :data:`BODY_S`."""

    code = "body.late"
    sentence = "The request did not come to its end in time."


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Call(Generic[B]):
    """One accepted request. ``body`` is the body of a POST, the query of a GET."""

    app: Services
    request: web.Request
    body: B
    principal: Principal | None = None
    sitting: tuple[Session, Party] | None = None

    @property
    def who(self) -> Principal:
        """The member of staff; there on every route that needs one."""
        if self.principal is None:
            raise SignInRequired
        return self.principal

    @property
    def seat(self) -> tuple[Session, Party]:
        """The session and the customer's party; there on every route that needs a seat."""
        if self.sitting is None:
            raise SignInRequired
        return self.sitting

    def param(self, name: str) -> str:
        """A part of the path, its shape already checked."""
        return self.request.match_info[name]


Handler = Callable[[Call[Any]], Awaitable[object]]
"""Returns what is sent as JSON, or a whole response."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One line of the table.

    ``access``: who may call it. ``answer``: an example of a good one; a test compares real answers
    with its shape. ``media``: its type; ``other_media``: those that the caller may choose instead.
    ``otherwise``: a status that brings the same answer. ``ranges``: a part of it may be asked for
    (``Range``). ``max_body``: bytes that its body may
    have. ``errors`` are those of the use case; the ones that ``access`` brings, and those that
    every route can give, are added.
    """

    method: str
    path: str
    handle: Handler
    summary: str
    access: Access
    body: type[Body] = Nothing
    max_body: int = MAX_BODY
    answer: Mapping[str, Any] | str = dataclasses.field(default_factory=dict)
    media: str = "application/json"
    other_media: tuple[str, ...] = ()
    status: int = 200
    otherwise: int | None = None
    ranges: bool = False
    errors: tuple[type[AvsessionError], ...] = ()

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return self.method != "GET"

    @property
    def signed_in(self) -> bool:
        """Whether a cookie is asked for before anything of the request is read."""
        return self.access.by in (By.STAFF, By.SEAT)

    @property
    def addresses(self) -> bool:
        """Whether a request names one thing, in its path or by an identifier in its body."""
        fields = msgspec.structs.fields(self.body)
        return "{" in self.path or any(field.type in (Id, Id | None) for field in fields)

    @property
    def all_errors(self) -> tuple[type[AvsessionError], ...]:
        """Every error that this route can answer with."""
        refusals = self.access.errors
        found: list[type[AvsessionError]] = [*refusals, *self.errors, Unavailable, OriginRefused]
        if self.writes and not self.signed_in:
            found.append(TooMany)
        if self.writes:
            found += [Invalid, ContentTypeRefused, BodyTooLarge, BodyLate]
        else:
            found.append(Invalid)  # of a query, even where none is read
        if self.addresses:
            found.append(NotFound)
        return tuple(dict.fromkeys(found))


def add(app: web.Application, routes: tuple[Route, ...]) -> None:
    """Register every route; a GET answers HEAD too."""
    for route in routes:
        endpoint = _endpoint(route)
        for base in bases(app):
            if route.writes:
                app.router.add_route(route.method, base + route.path, endpoint)
            else:
                app.router.add_get(base + route.path, endpoint)


def bases(app: web.Application) -> tuple[str, ...]:
    """What stands before a path: the prefix, and nothing, for a proxy that takes it away."""
    base = app.get(BASE, "")
    return (base, "") if base else ("",)


def local_path(request: web.Request) -> str:
    """The request's path without the prefix of the public address."""
    path, base = request.path, request.app.get(BASE, "")
    return path.removeprefix(base) if path.startswith(f"{base}/") else path


def answer(value: object) -> web.Response:
    """``value`` as JSON."""
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


def _endpoint(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def endpoint(request: web.Request) -> web.StreamResponse:
        services = request.app[SERVICES]
        principal, sitting = None, None
        if route.access.by is By.STAFF:
            principal = await auth.staff(services, request)
            request[ACTOR] = principal.pseudonym
        elif route.access.by is By.SEAT:
            sitting = await auth.seat(services, request)
            SESSION.set(sitting[0].id)
        elif route.writes:
            key = address_key(auth.address(request))
            if not request.app[STRANGERS].take(key, services.clock.now_ms()):
                raise TooMany
        for name, text in request.match_info.items():
            # Nothing of another shape exists, so nothing else reaches a use case.
            if not (SHA256.fullmatch(text) if name == "sha256" else is_id(text)):
                raise NotFound
            if name == "session":
                SESSION.set(text)
        body = await _body(route, request) if route.writes else _query(route, request)
        call = Call(app=services, request=request, body=body, principal=principal, sitting=sitting)
        result = await route.handle(call)
        return result if isinstance(result, web.StreamResponse) else answer(result)

    return endpoint


async def _body(route: Route, request: web.Request) -> Body:
    if request.content_type != "application/json" or "Content-Encoding" in request.headers:
        raise ContentTypeRefused
    if route.max_body != MAX_BODY:
        request = request.clone(client_max_size=route.max_body)
    try:
        async with asyncio.timeout(BODY_S):
            data = await request.read()
    except TimeoutError as error:
        raise BodyLate from error
    except web.HTTPRequestEntityTooLarge as error:
        raise BodyTooLarge(f"A body has at most {route.max_body} bytes.") from error
    try:
        return msgspec.json.decode(data or b"{}", type=route.body)
    except msgspec.ValidationError as error:
        # Says which field and what it should be, never the value that came.
        raise Invalid(f"The request is not valid: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("The request is not valid JSON.") from error


def _query(route: Route, request: web.Request) -> Body:
    if len(request.query) != len(set(request.query)):
        raise Invalid("A query parameter is there twice.")
    try:
        return msgspec.convert(dict(request.query), route.body, strict=False)
    except msgspec.ValidationError as error:
        raise Invalid(f"The query is not valid: {error}") from error
