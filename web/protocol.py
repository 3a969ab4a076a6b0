"""A connection to the pages, and what it answers to bytes that are no request.

aiohttp answers those before any middleware: it would quote what came, name itself, and log the
caller's address with a traceback. Whoever sends such a thing learns and leaves nothing here.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from avsession.config import Settings
from web.middleware import headers_for

log = logging.getLogger("avsession.web.protocol")

LINGER_S = 5.0
"""How long the rest of a request is read that was answered before its end."""


def connections(
    server: web.Server, settings: Settings, *, keep_alive_s: float
) -> Callable[[], asyncio.Protocol]:
    """Makes the protocol of each new connection to ``server``, which is an ``AppRunner``'s.

    ``keep_alive_s``: how long an idle connection is kept.
    """
    headers = headers_for(settings) | {"Cache-Control": "no-store", "Server": "avsession"}
    return functools.partial(
        Connection,
        server,
        headers,
        loop=asyncio.get_running_loop(),
        access_log=None,  # requests are noted without who asked
        auto_decompress=False,
        keepalive_timeout=keep_alive_s,
        lingering_time=LINGER_S,
    )


class Connection(web.RequestHandler):
    """As aiohttp's, but for what it cannot read."""

    __slots__ = ("_our_headers",)

    def __init__(self, server: web.Server, headers: dict[str, str], **options: Any) -> None:
        super().__init__(server, **options)
        self._our_headers = headers

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer, after which the connection ends; ``exc`` and ``message`` quote what came."""
        if status >= 500:
            log.error("a request failed: %s", type(exc).__name__)
        else:
            log.info("refused a malformed request: %d", status)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is on its way already")
        text = f"{HTTPStatus(status).phrase}.\n"
        response = web.Response(status=status, text=text, headers=self._our_headers)
        response.force_close()
        return response
