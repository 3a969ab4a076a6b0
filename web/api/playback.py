"""Opening a recording with a reason, and streaming it to a player, straight from the segments.

A player asks for ranges. Nothing is buffered beyond a chunk: the next one is opened only when
the connection has taken the last. A damaged segment ends the connection, so that the player
sees fewer bytes than were announced and never a shorter recording.
"""

from __future__ import annotations

import logging
from typing import Annotated, Protocol

from aiohttp import web
from msgspec import Meta

from avsession.errors import (
    ConsentRequired,
    Erased,
    PurposeExpired,
    RecordingTruncated,
    Restricted,
)
from avsession.messages.common import Purpose
from avsession.usecases import review
from avsession.usecases.permissions import RECORDING_PLAY
from avsession.usecases.stepup import StepUpRequired
from web.access import own, staff
from web.api import examples
from web.range import RangeRefused, parse_range
from web.routing import Body, Call, Nothing, Route

log = logging.getLogger("avsession.web.playback")

CHUNK = 256 * 1024
"""Bytes opened and sent at a time."""


class Open(Body, frozen=True, kw_only=True):
    """Why somebody wants to watch, and under which of the purposes consented to."""

    reason: Annotated[str, Meta(min_length=1, max_length=500)]
    purpose: Purpose


class File(Protocol):
    """What is streamed: ``sealing.open.VirtualFile`` is one."""

    @property
    def size(self) -> int:
        """Bytes."""

    async def read(self, start: int, end: int) -> bytes:
        """Bytes from ``start`` up to, not with, ``end``. Raises RecordingTruncated and others."""


async def open_recording(call: Call[Open]) -> object:
    """Open it: the access is in the log before anything can be watched."""
    body = call.body
    return await review.open_recording(
        call.app, call.who, call.param("recording"), body.reason, body.purpose
    )


async def get_track(call: Call[Nothing]) -> object:
    """One party's track as WebM, whole or one range of it."""
    file = await review.track_file(call.app, call.who, call.param("access"), call.param("track"))
    return await stream(call.request, file, "video/webm")


async def stream(
    request: web.Request,
    file: File,
    content_type: str,
    *,
    etag: str | None = None,
    name: str | None = None,
) -> web.StreamResponse:
    """Answer with the range that was asked for: 200, 206 or 416.

    ``etag``: the file's strong validator, without quotes; with it a download that was interrupted
    can be taken up (``If-Range``). ``name``: what it is saved as; without one it is played. Raises
    what the first read raises; later there is a status on its way already, and the connection is
    broken off instead.
    """
    headers = {"Accept-Ranges": "bytes", "Content-Type": content_type}
    if etag is not None:
        headers["ETag"] = f'"{etag}"'
    if name is not None:
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    condition = request.headers.get("If-Range")
    changed = condition is not None and condition != headers.get("ETag")
    # RFC 9110 section 14.2: a Range means something for GET alone
    wanted = request.headers.get("Range") if request.method == "GET" else None
    try:
        found = parse_range(wanted, file.size, if_range=changed)
    except RangeRefused:
        return web.Response(
            status=416, headers={"Accept-Ranges": "bytes", "Content-Range": f"bytes */{file.size}"}
        )
    start, end = found or (0, file.size)
    response = web.StreamResponse(status=206 if found else 200, headers=headers)
    if found:
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    response.content_length = end - start
    if request.method == "HEAD":
        await response.prepare(request)
        return response
    data = await _read(file, start, end)
    await response.prepare(request)
    while data:
        await response.write(data)  # waits while the player takes no more
        start += len(data)
        try:
            data = await _read(file, start, end)
        except Exception as error:
            log.error("playback broken off", exc_info=error)
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the recording cannot be read further") from error
    await response.write_eof()
    return response


async def _read(file: File, start: int, end: int) -> bytes:
    """The next chunk; empty at the end. Raises RecordingTruncated when the file has no more."""
    stop = min(start + CHUNK, end)
    data = await file.read(start, stop) if start < stop else b""
    if len(data) != stop - start:
        raise RecordingTruncated
    return data


ROUTES = (
    Route(
        method="POST",
        path="/api/admin/recordings/{recording}/open",
        handle=open_recording,
        summary="Open a recording, with a reason and a consented purpose",
        access=staff(RECORDING_PLAY),
        body=Open,
        answer={
            "access": examples.ACCESS,
            "expires_ms": examples.LATER,
            "duration_ms": 10_000,
            "tracks": [
                {
                    "track": examples.TRACK,
                    "party": examples.PARTY,
                    "role": "customer",
                    "name": "Ben",
                    "url": f"/api/admin/access/{examples.ACCESS}/tracks/{examples.TRACK}.webm",
                    "gaps": [{"start_ms": 4000, "end_ms": 6000, "reason": "paused"}],
                }
            ],
        },
        errors=(StepUpRequired, ConsentRequired, PurposeExpired, Erased, Restricted),
    ),
    Route(
        method="GET",
        path="/api/admin/access/{access}/tracks/{track}.webm",
        handle=get_track,
        summary="A track of an opened recording; takes Range, one range at most",
        access=own(RECORDING_PLAY),
        media="video/webm",
        answer="",
        ranges=True,
        errors=(Erased, Restricted, RecordingTruncated),
    ),
)
