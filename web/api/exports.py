"""A person's own export: asked for by the private link, downloaded with a cookie that it gives.

The link's secret comes in the body; the download is an ordinary one of the browser's, which may be
interrupted and taken up (``Range``, ``If-Range``), and its address is no secret: the key is in a
cookie that no script reads.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from aiohttp import web
from msgspec import Meta

from avsession.errors import (
    Conflict,
    Erased,
    NotFound,
    RecordingTruncated,
    SignInRequired,
)
from avsession.messages.common import Id
from avsession.usecases import exports
from avsession.usecases.exportlog import ExportUnbound
from web import auth
from web.access import LINK, Access, By, Reach
from web.api import examples
from web.api.playback import stream
from web.routing import Body, Call, Nothing, Route, answer

Secret = Annotated[str, Meta(min_length=1, max_length=128)]


class Exports(Body, frozen=True, kw_only=True):
    """The private link's secret."""

    secret: Secret


class StartExport(Body, frozen=True, kw_only=True):
    """Ask for an export; ``language`` is that of its readable part."""

    secret: Secret
    language: Literal["en", "de"] = "en"


class OneExport(Body, frozen=True, kw_only=True):
    """One of the person's exports."""

    secret: Secret
    export: Id


async def get_exports(call: Call[Exports]) -> object:
    """The exports there are, how far those are that are being prepared, and for a while what became
    of those that failed or are over."""
    return await exports.listed(call.app, call.body.secret)


async def start(call: Call[StartExport]) -> object:
    """Have one prepared in the background."""
    return await exports.start(call.app, call.body.secret, call.body.language)


async def allow(call: Call[OneExport]) -> web.Response:
    """Let this browser download: the key goes into a cookie."""
    found, key = await exports.allow(call.app, call.body.secret, call.body.export)
    response = answer({**found, "url": f"/api/exports/{call.body.export}.zip"})
    auth.give(response, auth.EXPORT, key, auth.EXPORT_S)
    return response


async def remove(call: Call[OneExport]) -> object:
    """Delete one before its time."""
    return await exports.remove(call.app, call.body.secret, call.body.export)


async def download(call: Call[Nothing]) -> object:
    """The archive, whole or one range of it."""
    try:
        key = auth.token(call.request, auth.EXPORT)
    except SignInRequired:
        raise NotFound from None  # what is there is not said to who has no key
    row, package = await exports.file(call.app, call.param("export"), key)
    return await stream(
        call.request,
        package,
        "application/zip",
        etag=row.digest,
        name=f"my-data-{row.id[4:12]}.zip",
    )


EXPORT: dict[str, Any] = {
    "export": examples.EXPORT,
    "state": "ready",
    "requested_ms": examples.NOW,
    "expires_ms": examples.LATER,
    "size": 1_048_576,
    "digest": examples.SHA256,
    "done": 0,
    "total": 0,
}

ROUTES = (
    Route(
        method="POST",
        path="/api/my-data/exports",
        handle=get_exports,
        summary="The exports of the private link's holder, and how far they are",
        access=LINK,
        body=Exports,
        answer={"exports": [EXPORT], "at_once": 3, "keep_days": 7, "other_party": "never"},
    ),
    Route(
        method="POST",
        path="/api/my-data/exports/start",
        handle=start,
        summary="Have everything that is held prepared as a ZIP archive",
        access=LINK,
        body=StartExport,
        answer=EXPORT,
        errors=(Conflict,),
    ),
    Route(
        method="POST",
        path="/api/my-data/exports/allow",
        handle=allow,
        summary="Let this browser download an export: sets a cookie, and says where it is",
        access=LINK,
        body=OneExport,
        answer={**EXPORT, "url": f"/api/exports/{examples.EXPORT}.zip"},
        errors=(NotFound, Conflict),
    ),
    Route(
        method="POST",
        path="/api/my-data/exports/remove",
        handle=remove,
        summary="Delete an export before its time",
        access=LINK,
        body=OneExport,
        answer={"export": examples.EXPORT, "state": "removed"},
        errors=(NotFound,),
    ),
    Route(
        method="GET",
        path="/api/exports/{export}.zip",
        handle=download,
        summary="An export that this browser may download; takes Range, one range at most",
        access=Access(By.DOWNLOAD, Reach.OWN),
        media="application/zip",
        answer="",
        ranges=True,
        errors=(Conflict, Erased, ExportUnbound, RecordingTruncated),
    ),
)
