"""What a server answers that waits to take over from another one: no call, no page, and why.

Health says that it is there, readiness that it takes nothing; everything else, WebSockets too, is
refused for now, so that a proxy asks the other server.
"""

from __future__ import annotations

import dataclasses

import msgspec
from aiohttp import web

from avsession.config import Settings
from avsession.errors import AvsessionError, DatabaseUnavailable, Unavailable
from avsession.usecases.readiness import STANDBY
from web import middleware
from web.routing import answer, local_path

RETRY_S = "1"
"""When to come again: the other server is asked at once, and a takeover is short."""


class Waiting(Unavailable):
    """This server waits to take over from another one, and takes no calls meanwhile."""

    code = "server.standby"
    sentence = "This server waits to take over from another one. Please try again in a moment."


@dataclasses.dataclass
class Standby:
    """What whoever waits knows."""

    database: bool = False
    """Whether the database answers."""


def create_waiting_app(settings: Settings, state: Standby) -> web.Application:
    """The application of a server that stands by, ready for an ``AppRunner``."""
    app = web.Application()
    middleware.dress(app, settings)
    app.middlewares.append(middleware.note_requests)

    async def handle(request: web.Request) -> web.StreamResponse:
        gone = DatabaseUnavailable()
        match local_path(request):
            case "/healthz":
                return answer({"status": "ok"}) if state.database else _refused(request, gone)
            case "/readyz":
                said = {"ready": False, "problems": [STANDBY], "warnings": []}
                return web.Response(
                    status=503,
                    body=msgspec.json.encode(said),
                    headers={"Retry-After": RETRY_S},
                    content_type="application/json",
                )
        return _refused(request, Waiting() if state.database else gone)

    app.router.add_route("*", "/{any:.*}", handle)
    return app


def _refused(request: web.Request, error: AvsessionError) -> web.Response:
    response = middleware.refused(request, 503, error.code, str(error))
    response.headers["Retry-After"] = RETRY_S
    response.force_close()  # the rest of a request is not read
    return response
