"""The worker's connection to signaling: WSS, its own credential, made again whenever it breaks."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from avsession.errors import MessageInvalid, SettingsInvalid
from avsession.messages import (
    MAX_RECORDER_MESSAGE,
    RECORDER_SUBPROTOCOL,
    TO_RECORDER,
    Message,
    ToRecorder,
    encode,
)
from avsession.tasks import Tasks

log = logging.getLogger("recorder.link")

OPEN_S, CLOSE_S, WRITE_S = 5.0, 2.0, 5.0
PING_S, PONG_S = 5.0, 5.0
"""A server that is silent, and has not hung up, is left after 10 s; every gate is closed by then,
and another server may be there."""
MAX_OUTBOX = 1_024
"""Messages not yet written; beyond it the connection is given up, the spool has what matters."""
MAX_INBOX = 64
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Waits between attempts, each up to a half longer by chance; the last goes on for ever."""
MAX_BAD_MESSAGES = 10
"""Unreadable messages in one connection before it is ended."""


def read_credential(path: Path) -> str:
    """The worker's secret from a file that only its owner may read; raises SettingsInvalid."""
    try:
        if path.stat().st_mode & 0o077:
            raise SettingsInvalid("The recorder's credential file must have mode 0600.")
        secret = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid("The recorder's credential file cannot be read.") from error
    if not 16 <= len(secret) <= 512 or not secret.isprintable():
        raise SettingsInvalid("The recorder's credential file holds no credential.")
    return secret


def what(error: Exception) -> str:
    """What went wrong, for whoever runs this: no address, and nothing that the other side said."""
    kind = type(error).__name__
    if isinstance(error, InvalidStatus):
        return f"{kind}: HTTP {error.response.status_code}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{kind}: {error.verify_message}"
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return f"{kind}: {os.strerror(error.errno)}"
    return kind


class Link:
    """One connection at a time. `send` never waits; `run` lasts until it is cancelled.

    ``on_open`` is awaited when a connection stands, ``on_message`` for each message in order,
    ``on_lost`` is called when it is gone.
    """

    def __init__(
        self,
        url: str,
        credential: str,
        tls: ssl.SSLContext | None,
        *,
        on_open: Callable[[], Awaitable[None]],
        on_message: Callable[[ToRecorder], Awaitable[None]],
        on_lost: Callable[[], None],
    ) -> None:
        self._url, self._credential, self._tls = url, credential, tls
        self._on_open, self._on_message, self._on_lost = on_open, on_message, on_lost
        self._outbox: asyncio.Queue[str] | None = None
        self._connection: ClientConnection | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection to send on."""
        return self._outbox is not None

    def send(self, message: Message) -> None:
        """Queue a message; without a connection it is dropped."""
        if self._outbox is None:
            return
        try:
            self._outbox.put_nowait(encode(message))
        except asyncio.QueueFull:
            log.warning("signaling does not read; the connection is given up")
            self._outbox = None
            if self._connection is not None:
                self._connection.transport.abort()

    async def run(self) -> None:
        """Connect, and again, for as long as the worker lives."""
        attempt = 0
        while True:
            try:
                async with connect(
                    self._url,
                    ssl=self._tls,
                    origin=None,
                    subprotocols=[Subprotocol(RECORDER_SUBPROTOCOL)],
                    additional_headers={"Authorization": f"Bearer {self._credential}"},
                    user_agent_header="avsession-recorder",
                    compression=None,
                    proxy=None,
                    open_timeout=OPEN_S,
                    close_timeout=CLOSE_S,
                    ping_interval=PING_S,
                    ping_timeout=PONG_S,
                    max_size=MAX_RECORDER_MESSAGE,
                    max_queue=MAX_INBOX,
                ) as connection:
                    if connection.subprotocol != RECORDER_SUBPROTOCOL:
                        raise ConnectionError("signaling does not speak our protocol")
                    attempt = 0
                    await self._talk(connection)
            except (OSError, WebSocketException, TimeoutError) as error:
                log.info("no link to signaling: %s", what(error))
            wait_s = BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)]
            attempt += 1
            await asyncio.sleep(wait_s * (1 + secrets.randbelow(500) / 1000))

    async def _talk(self, connection: ClientConnection) -> None:
        self._outbox = asyncio.Queue(MAX_OUTBOX)
        self._connection = connection
        # no TaskGroup: one that is cancelled while it fails tells the failure only (until Python
        # 3.13), so a worker that is stopped as its server dies would go on for ever
        tasks = Tasks(limit=2)
        ways = [
            tasks.spawn(_until_broken(self._write(connection, self._outbox)), name="link writer"),
            tasks.spawn(_until_broken(self._read(connection)), name="link reader"),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._outbox = self._connection = None
            await tasks.close()
            self._on_lost()

    async def _write(self, connection: ClientConnection, outbox: asyncio.Queue[str]) -> None:
        while True:
            text = await outbox.get()
            async with asyncio.timeout(WRITE_S):
                await connection.send(text)

    async def _read(self, connection: ClientConnection) -> None:
        await self._on_open()
        bad = 0
        async for text in connection:
            try:
                message = TO_RECORDER.decode(text)
            except MessageInvalid:
                bad += 1
                log.warning("signaling sent something that is not of the protocol")
                if bad >= MAX_BAD_MESSAGES:
                    break
                continue
            try:
                await self._on_message(message)
            except Exception:
                # a fault of ours in one message must not cost the link: gates close without it
                log.exception("a message could not be handled")
        raise ConnectionError("signaling closed the connection")


async def _until_broken(work: Awaitable[None]) -> None:
    """One way of a connection; that it broke is said, and no error."""
    try:
        await work
    except (OSError, WebSocketException, TimeoutError) as error:
        log.info("link to signaling lost: %s", type(error).__name__)
