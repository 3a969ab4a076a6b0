"""Bytes that are no request: answered like everything else, quoted nowhere."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from aiohttp import web

from avsession.config import Settings
from web.middleware import headers_for
from web.protocol import connections

SECRET = "a-cookie-that-somebody-sent-amiss"
HOST = b"Host: localhost\r\n"

Ask = Callable[[bytes], Awaitable[tuple[str, dict[str, str], str]]]


@pytest_asyncio.fixture
async def ask() -> AsyncIterator[Ask]:
    """Send bytes to a page; the status line, the headers and the body of the last answer."""

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="page")

    async def broken(request: web.Request) -> web.Response:
        raise RuntimeError(SECRET)

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/broken", broken)
    runner = web.AppRunner(app)
    await runner.setup()
    assert runner.server is not None
    loop = asyncio.get_running_loop()
    make = connections(runner.server, Settings(), keep_alive_s=5)
    listening = await loop.create_server(make, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]

    async def send(data: bytes) -> tuple[str, dict[str, str], str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        said = (await reader.read()).decode()
        writer.close()
        head, _, body = said[said.rindex("HTTP/1.") :].partition("\r\n\r\n")
        status, *lines = head.split("\r\n")
        return status, dict(line.split(": ", 1) for line in lines), body

    yield send
    listening.close()
    await runner.cleanup()


@pytest.mark.parametrize(
    "amiss",
    [
        b"GET / HTTP/1.1\r\n" + HOST + b"Cookie: x=\x01%s\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"Bad Header: %s\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\nX: %s\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"\r\nX%s /\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: %s" + b"a" * 9000 + b"\r\n\r\n",
    ],
)
async def test_what_is_no_request(ask: Ask, amiss: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    status, headers, body = await ask(amiss % SECRET.encode())
    assert status.split()[1] == "400"
    assert body == "Bad Request.\n"
    assert headers.items() >= headers_for(Settings()).items()
    assert headers["Cache-Control"] == "no-store"
    assert "aiohttp" not in str(headers)
    assert SECRET not in caplog.text
    assert "127.0.0.1" not in caplog.text
    assert "Traceback" not in caplog.text


async def test_our_own_mistake(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    """The application's middleware names errors; this is for what slips past it."""
    status, _, body = await ask(b"GET /broken HTTP/1.1\r\n" + HOST + b"\r\n")
    assert (status.split()[1], body) == ("500", "Internal Server Error.\n")
    assert "a request failed: RuntimeError" in caplog.text
    assert SECRET not in caplog.text


async def test_a_good_request_is_served(ask: Ask) -> None:
    status, _, body = await ask(b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    assert (status, body) == ("HTTP/1.1 200 OK", "page")
