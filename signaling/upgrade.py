"""Who may upgrade to a WebSocket, and the WebSocket itself. The one file that knows websockets'
insides: ``ServerConnection`` and the ``Server`` that it expects, both public since version 17.

Refusals come before the upgrade, as HTTP with a JSON body ``{"code", "message"}``.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import http
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from websockets.asyncio.server import Server, ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from avsession.errors import (
    AvsessionError,
    Invalid,
    MessageInvalid,
    OriginRefused,
    SignInRequired,
)
from signaling.limits import Limits

log = logging.getLogger("signaling.upgrade")
# What websockets itself says: of no use in operation, of some in debugging.
library_log = logging.getLogger("signaling.websockets")
library_log.setLevel(logging.WARNING)

Check = Callable[[Request], None]
"""Raises an AvsessionError when the request is not let in."""


class Socket(ServerConnection):
    """A WebSocket that is a ``connection.Wire``, and whose peer must read what it asks for."""

    unread_bytes = 0
    """Set by the register that makes it."""

    def data_received(self, data: bytes) -> None:
        """As the base class; cut a peer that sends pings and leaves the pongs unread."""
        super().data_received(data)
        if self.transport.get_write_buffer_size() > self.unread_bytes:
            self.abort()

    async def send(self, message: Any, *, text: bool | None = None) -> None:
        """As the base class; raises ConnectionError once the connection has ended."""
        try:
            await super().send(message, text=text)
        except ConnectionClosed as closed:
            raise ConnectionResetError from closed

    def abort(self) -> None:
        """Cut the connection."""
        self.transport.abort()


class Register(Server):
    """What a Socket expects of its server: whom to call, and whether it still serves.

    The listening sockets are the front's. ``handler`` runs once the upgrade was answered with
    101; the connection is cut when it returns.
    """

    def __init__(
        self,
        subprotocol: str,
        check: Check,
        handler: Callable[[Socket], Awaitable[None]],
        limits: Limits,
        max_size: int,
    ) -> None:
        super().__init__(_listen, self._handle, library_log)
        self.open = True
        self._subprotocol = subprotocol
        self._check = check
        self._handler = handler
        self._limits = limits
        self._max_size = max_size

    def is_serving(self) -> bool:
        """Whether upgrades are still accepted."""
        return self.open

    def protocol(self) -> Socket:
        """A protocol for one connection; ``max_size`` is in bytes and ends it with 1009."""
        limits = self._limits
        protocol = ServerProtocol(
            subprotocols=[Subprotocol(self._subprotocol)],
            max_size=self._max_size,
            logger=library_log,
        )
        socket = Socket(
            protocol,
            self,
            ping_interval=limits.ping_s,
            ping_timeout=limits.pong_s,
            close_timeout=limits.close_s,
            max_queue=limits.queue,
        )
        socket.unread_bytes = limits.unread_bytes
        return socket

    async def _handle(self, socket: ServerConnection) -> None:
        """The whole life of a connection. The library makes this task: nobody else would hear of
        its crash, nor close what it leaves open."""
        try:
            async with asyncio.timeout(self._limits.open_s):
                await socket.handshake(self._doorkeeper, server_header=None)
            if socket.state is State.OPEN and isinstance(socket, Socket):
                socket.start_keepalive()
                await self._handler(socket)
        except TimeoutError:
            log.info("an upgrade took too long")
        except Exception:
            log.exception("a connection's handler crashed")
        finally:
            socket.transport.abort()
            self.handler_tasks = {task for task in self.handler_tasks if not task.done()}
            if (me := asyncio.current_task()) is not None:
                self.handler_tasks.discard(me)

    def _doorkeeper(self, socket: ServerConnection, request: Request) -> Response | None:
        """The answer to a request that is not let in; None when it is."""
        try:
            offered = request.headers.get_all("Sec-WebSocket-Protocol")
            self._check(request)
            if offered != [self._subprotocol]:
                raise MessageInvalid(f"The subprotocol must be {self._subprotocol}.")
        except AvsessionError as error:
            log.info("refused an upgrade to %s: %s", self._subprotocol, error.code)
            response = socket.respond(_status(error), json_body(error.code, str(error)))
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = "application/json"
            return response
        return None


async def _listen() -> NoReturn:
    raise RuntimeError("the front listens, not this server")


def check_party(origins: frozenset[str]) -> Check:
    """Pages only, and only ours: exactly one Origin, one of ``origins`` (lower case)."""

    def check(request: Request) -> None:
        sent = request.headers.get_all("Origin")
        if len(sent) != 1 or sent[0].lower() not in origins:
            raise OriginRefused

    return check


def check_recorder(credential: str) -> Check:
    """No page at all, which a browser cannot deny (RFC 6454 section 7.3), and the credential.

    Digests are compared, so neither length nor content shows in the time it takes.
    """
    expected = hashlib.sha256(credential.encode()).digest()

    def check(request: Request) -> None:
        if request.headers.get_all("Origin"):
            raise OriginRefused
        sent = request.headers.get_all("Authorization")
        scheme, _, token = sent[0].partition(" ") if len(sent) == 1 else ("", "", "")
        digest = hashlib.sha256(token.strip().encode(errors="surrogateescape")).digest()
        if not (hmac.compare_digest(digest, expected) and scheme.lower() == "bearer"):
            raise SignInRequired("The recorder's credential is missing or wrong.")

    return check


def json_body(code: str, message: str) -> str:
    """The body of a refusal."""
    return json.dumps({"code": code, "message": message}) + "\n"


def _status(error: AvsessionError) -> http.HTTPStatus:
    if isinstance(error, SignInRequired):
        return http.HTTPStatus.UNAUTHORIZED
    if isinstance(error, Invalid):
        return http.HTTPStatus.BAD_REQUEST
    return http.HTTPStatus.FORBIDDEN
