"""What holds for every request and every answer, whatever handler they belong to."""

from __future__ import annotations

import logging
import time
import urllib.parse

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from avsession import errors
from avsession.config import Settings
from avsession.forwarded import Proxies
from avsession.logs import SESSION
from avsession.usecases import accounts
from web import auth
from web.problems import refusal
from web.routing import (
    ACTOR,
    BASE,
    RETRY_S,
    SERVICES,
    BodyLate,
    BodyTooLarge,
    ContentTypeRefused,
    local_path,
)

access_log = logging.getLogger("avsession.web.access")
log = logging.getLogger("avsession.web")

POLICY = "Content-Security-Policy"

OUTSIDE = frozenset({"/signin/ended"})
"""Called by another server, which has no Origin and proves itself by what it sends."""
MISDIRECTED = 421
"""The status for a request to a name that is not ours (RFC 9110 section 15.5.20)."""
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by machines beside the server, by whatever name or address they know it."""

# The first class that an error is an instance of gives its status.
STATUS: tuple[tuple[type[errors.AvsessionError], int], ...] = (
    (BodyLate, 408),
    (BodyTooLarge, 413),
    (ContentTypeRefused, 415),
    # Not the caller's doing: what is stored is damaged.
    (errors.RecordingTruncated, 500),
    (errors.ManifestBroken, 500),
    (errors.Invalid, 400),
    (errors.SignInRequired, 401),
    (errors.SignInFailed, 401),
    (errors.TicketRefused, 401),
    (errors.LinkSpent, 410),
    (errors.TooMany, 429),
    (errors.Refused, 403),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.Unavailable, 503),
)

# What aiohttp itself refuses, in our words.
HTTP_CODES = {
    404: ("not_found", "There is no such thing here."),
    405: ("method", "That cannot be done here."),
    413: (BodyTooLarge.code, BodyTooLarge.sentence),
}


def status_of(error: type[errors.AvsessionError]) -> int:
    """The HTTP status for an error; 500 for one that no caller should meet."""
    return next((status for kind, status in STATUS if issubclass(error, kind)), 500)


def headers_for(settings: Settings) -> dict[str, str]:
    """The headers that every answer carries."""
    host = urllib.parse.urlsplit(settings.origin).netloc
    policy = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "media-src 'self' blob:",
        # 'self' does not cover wss: in every browser
        f"connect-src 'self' wss://{host}",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
    return {
        POLICY: "; ".join(policy),
        "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self)",
        "Strict-Transport-Security": "max-age=31536000",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def install(app: web.Application, settings: Settings) -> None:
    """Put everything in this file around ``app``."""
    dress(app, settings)
    app.middlewares.extend((note_requests, name_errors, own_host(settings)))
    if settings.proxy.plain:
        app.middlewares.append(own_road(settings))
    app.middlewares.append(own_origin(settings))


def dress(app: web.Application, settings: Settings) -> None:
    """Every answer of ``app`` gets its headers, and it knows its path prefix and its proxies."""
    headers = headers_for(settings)

    # A signal and not a middleware: it sees streams too, just before their headers leave.
    async def prepare(request: web.Request, response: web.StreamResponse) -> None:
        # a page may have a stricter policy of its own
        own = response.headers.get(POLICY)
        response.headers.update(headers)
        if own is not None:
            response.headers[POLICY] = own
        if is_api(request) or "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store"
        response.headers.pop("Server", None)

    app[BASE] = settings.base
    app[auth.PROXIES] = Proxies(settings.proxy.trusted, settings.proxy.header)
    app.on_response_prepare.append(prepare)


def is_api(request: web.Request) -> bool:
    """Whether the answer is for a program and not for a person."""
    path = local_path(request)
    return path.startswith(("/api/", "/log/")) or path in OPEN_PATHS


@web.middleware
async def note_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A line a request: method, route, status, milliseconds. Who asked, and for which thing
    (address, query, identifiers in the path, cookies), is not written down."""
    start = time.monotonic()
    SESSION.set(None)  # a connection's requests share one task
    status = 0  # the connection ended before there was an answer
    try:
        response = await handler(request)
        status = response.status
        return response
    finally:
        SESSION.set(None)  # what is asked for is not written down, its session neither
        resource = request.match_info.route.resource
        static = f"{request.app.get(BASE, '')}/static/", "/static/"
        quiet = resource is not None and resource.canonical.startswith(static)
        access_log.log(
            logging.DEBUG if quiet else logging.INFO,
            "%s %s %d %d ms",
            request.method if resource else "-",
            resource.canonical if resource else "-",
            status,
            (time.monotonic() - start) * 1000,
        )


@web.middleware
async def name_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what was raised into an answer; what has no name stays ours."""
    try:
        return await handler(request)
    except errors.AvsessionError as error:
        status = status_of(type(error))
        if status >= 500:
            log.error("%s: %s", error.code, error)
        if isinstance(error, errors.NotPermitted | errors.OriginRefused):
            await _write_down(request, error)
        response = refused(request, status, error.code, str(error))
        if status in (429, 503):
            response.headers["Retry-After"] = RETRY_S
        return response
    except web.HTTPException as error:
        if error.status < 400:
            raise
        code, sentence = HTTP_CODES.get(error.status, ("invalid", error.reason))
        response = refused(request, error.status, code, sentence)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except ConnectionError:
        raise  # the caller is gone: nobody to answer
    except Exception:
        log.exception("a request failed")
        return refused(request, 500, "error", errors.AvsessionError.sentence)


def refused(request: web.Request, status: int, code: str, sentence: str) -> web.Response:
    """The answer to a refusal: a problem for a program, a line for a person."""
    if is_api(request):
        response = refusal(status, code, sentence, request.app.get(BASE, ""))
    else:
        response = web.Response(status=status, text=f"{sentence}\n")
    if status in (408, 413):
        response.force_close()  # rather than read the rest of it
    return response


async def _write_down(request: web.Request, error: errors.AvsessionError) -> None:
    """A refusal that only somebody who tries things meets: in our log, and as a leaf."""
    log.warning("refused: %s", error.code)
    try:
        await accounts.refused(
            request.app[SERVICES],
            error.code,
            address=auth.address(request),
            actor=request.get(ACTOR),
        )
    except errors.Unavailable:
        log.error("the refusal could not be written to the audit log")


def own_host(settings: Settings) -> Middleware:
    """Answer only to our own names: another one means DNS rebinding or a wrong address."""
    hosts = {_host(urllib.parse.urlsplit(origin).netloc) for origin in settings.origins}

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _host(request.host) not in hosts and local_path(request) not in OPEN_PATHS:
            sentence = f"This server is {settings.origin}"
            return refused(request, MISDIRECTED, errors.OriginRefused.code, sentence)
        return await handler(request)

    return check


def own_road(settings: Settings) -> Middleware:
    """Where TLS is a proxy's: serve only what it says came by TLS. A page asked for without is
    sent on to the public address."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        path = local_path(request)
        scheme = auth.seen(request).scheme
        if scheme == "https" or path in OPEN_PATHS:
            return await handler(request)
        if scheme == "http" and request.method in ("GET", "HEAD") and not is_api(request):
            return web.Response(status=308, headers={"Location": settings.address + path})
        raise errors.TlsRequired

    return check


def own_origin(
    settings: Settings,
) -> Middleware:
    """Let only our own pages ask. The cookies are SameSite=Strict; this holds without them too.

    What changes anything needs our Origin, and a header that no form and no page of another
    origin can send. A browser that says where a read comes from is believed.
    """
    origins = settings.origins

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if local_path(request) in OUTSIDE:
            return await handler(request)
        if request.method not in ("GET", "HEAD"):
            ours = request.headers.get("Origin", "").lower() in origins
            if not ours or request.headers.get("X-Avsession") != "1":
                raise errors.OriginRefused
        elif local_path(request).startswith("/api/"):  # what the log publishes is for everybody
            site = request.headers.get("Sec-Fetch-Site", "none")
            if site not in ("same-origin", "none"):
                raise errors.OriginRefused
        return await handler(request)

    return check


def _host(netloc: str) -> str:
    return netloc.lower().removesuffix(":443")
