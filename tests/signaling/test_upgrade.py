"""Who may open a WebSocket: refusals before the upgrade, with a stable code."""

import asyncio
import base64
import inspect
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from websockets.asyncio.server import Server, ServerConnection
from websockets.exceptions import InvalidStatus

from signaling.limits import Limits
from tests.signaling.world import CREDENTIAL, CUSTOMER, ORIGIN, World, world

pytestmark = pytest.mark.timeout(30)


@asynccontextmanager
async def refused(status: int, code: str) -> AsyncIterator[None]:
    with pytest.raises(InvalidStatus) as error:
        yield
    response = error.value.response
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/json"
    assert json.loads(bytes(response.body or b""))["code"] == code
    assert "Server" not in response.headers


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "",
        "https://evil.example",
        "http://localhost:8443",
        "https://localhost",
        "https://localhost:8443.evil.example",
        "https://localhost:8443/",
        f"{ORIGIN} {ORIGIN}",
    ],
)
async def test_a_foreign_or_missing_origin(there: World, origin: str | None) -> None:
    async with refused(403, "origin.refused"), there.page(None, origin=origin):
        pass


async def test_two_origins(there: World) -> None:
    answer = await upgrade(there, f"Origin: {ORIGIN}", f"Origin: {ORIGIN}")
    assert answer.startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    "subprotocols",
    [
        ("avsession.v2",),
        ("avsession.recorder.v1",),
        ("avsession.v1", "other"),
        ("AVSESSION.V1",),
    ],
)
async def test_another_subprotocol(there: World, subprotocols: tuple[str, ...]) -> None:
    async with refused(400, "message.invalid"), there.page(None, subprotocols=subprotocols):
        pass


async def test_no_subprotocol(there: World) -> None:
    answer = await upgrade(there, f"Origin: {ORIGIN}", subprotocol=None)
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("credential", [None, "", "d" * 43, CREDENTIAL[:-1], CREDENTIAL + "c"])
async def test_a_recorder_with_a_wrong_credential(there: World, credential: str | None) -> None:
    async with refused(401, "auth.required"), there.worker(None, credential=credential):
        pass


async def test_a_recorder_with_another_scheme(there: World) -> None:
    async with refused(401, "auth.required"), there.worker(None, scheme="Basic"):
        pass


@pytest.mark.parametrize("origin", [ORIGIN, "https://evil.example", "null"])
async def test_a_recorder_with_an_origin_is_a_page(there: World, origin: str) -> None:
    async with refused(403, "origin.refused"), there.worker(None, origin=origin):
        pass


async def test_no_compression(there: World) -> None:
    async with there.page(CUSTOMER) as page:
        assert page.socket.response is not None
        assert "Sec-WebSocket-Extensions" not in page.socket.response.headers


async def test_without_upgrade_it_is_no_page(there: World) -> None:
    async with there.raw() as (reader, writer):
        writer.write(
            f"GET /signaling HTTP/1.1\r\nHost: x\r\nOrigin: {ORIGIN}\r\n"
            "Sec-WebSocket-Protocol: avsession.v1\r\n\r\n".encode()
        )
        assert (await reader.read()).startswith(b"HTTP/1.1 426 ")


async def test_a_flood_of_pings_whose_pongs_are_not_read(files: tuple[Path, Path]) -> None:
    """websockets answers a ping without asking whether anybody reads: pongs must not pile up."""
    async with world(files, Limits(unread_bytes=10_000)) as there, there.raw() as (reader, writer):
        writer.write(request(f"Origin: {ORIGIN}"))
        await reader.readuntil(b"\r\n\r\n")
        cast(asyncio.ReadTransport, writer.transport).pause_reading()
        with pytest.raises(ConnectionError):
            await flood(writer, b"\x89\xfd" + bytes(4) + bytes(125))


async def flood(writer: asyncio.StreamWriter, frame: bytes) -> None:
    while True:
        writer.write(frame * 500)
        await writer.drain()
        await asyncio.sleep(0)  # drain alone does not let the loop see the end


def test_the_pieces_of_websockets_that_are_used_are_there() -> None:
    """Fails loudly when an update moves them, instead of in production."""
    assert list(inspect.signature(Server.__init__).parameters) == [
        "self", "create_server", "handler", "logger"
    ]  # fmt: skip
    made: dict[str, Any] = dict(inspect.signature(ServerConnection.__init__).parameters)
    wanted = {"protocol", "server", "ping_interval", "ping_timeout", "close_timeout", "max_queue"}
    assert wanted <= set(made)
    source = inspect.getsource(ServerConnection)
    for used in ("self.server.handler(self)", "self.server.handler_tasks", "is_serving()"):
        assert used in source


def request(*headers: str, subprotocol: str | None = "avsession.v1") -> bytes:
    lines = [
        "GET /signaling HTTP/1.1",
        "Host: localhost",
        "Connection: Upgrade",
        "Upgrade: websocket",
        f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}",
        "Sec-WebSocket-Version: 13",
        *headers,
    ]
    if subprotocol is not None:
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def upgrade(there: World, *headers: str, subprotocol: str | None = "avsession.v1") -> bytes:
    async with there.raw() as (reader, writer):
        writer.write(request(*headers, subprotocol=subprotocol))
        return await reader.read()
