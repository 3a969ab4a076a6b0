"""Somebody else's server that receives webhooks, on a socket of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks.webhooks import Webhook

SECRET = "whsec_" + "c2VjcmV0" * 4
Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Receiver:
    """Verifies what comes by its own library, and keeps it. ``answer`` says what it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        """Id and message of each attempt that was verified."""
        self.answer: Answering = self.fine
        self.url = ""
        self.came = asyncio.Event()
        self.release = asyncio.Event()
        self.now = self.most = 0
        """Attempts that are answered right now, and the most that ever were at once."""

    @property
    def ids(self) -> list[str]:
        return [one for one, _ in self.got]

    @property
    def kinds(self) -> list[str]:
        return [message["type"] for _, message in self.got]

    async def fine(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=204)

    def says(self, status: int, **headers: str) -> None:
        """Answer so from now on."""

        async def answer(request: web.Request) -> web.StreamResponse:
            return web.Response(status=status, headers=headers)

        self.answer = answer

    async def waits(self, request: web.Request) -> web.StreamResponse:
        """Answers once it is released."""
        await self.release.wait()
        return web.Response()

    async def endless(self, request: web.Request) -> web.StreamResponse:
        """A head, and then a body that never ends."""
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65_536)

    async def plain(self, request: web.Request) -> web.StreamResponse:
        """The answer alone: whatever came."""
        return await self.answer(request)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        message = Webhook(SECRET).verify(body, dict(request.headers))
        self.got.append((request.headers["webhook-id"], message))
        self.now += 1
        self.most = max(self.most, self.now)
        self.came.set()
        try:
            return await self.answer(request)
        finally:
            self.now -= 1

    def endpoint(self, folder: Path, name: str = "crm", **other: Any) -> dict[str, Any]:
        """Its settings, as a file has them; the secret lies in ``folder``."""
        path = folder / "webhook.secret"
        path.write_text(f"{SECRET}\n")
        return {
            "name": name, "url": self.url, "secret_file": str(path), "internal": True, **other,
        }  # fmt: skip


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver, listening."""
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/hooks", receiver.handle)
    application.router.add_post("/plain", receiver.plain)
    application.router.add_post("/endless", receiver.endless)
    application.router.add_post("/waits", receiver.waits)
    server = TestServer(application, host="127.0.0.1")
    await server.start_server(access_log=None, shutdown_timeout=0)
    receiver.url = str(server.make_url("/hooks"))
    try:
        yield receiver
    finally:
        receiver.release.set()
        await server.close()
