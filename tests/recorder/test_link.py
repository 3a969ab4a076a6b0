import asyncio
import errno
import http
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from avsession.errors import SettingsInvalid
from avsession.messages import (
    RECORDER_SUBPROTOCOL,
    EntryAccepted,
    Heartbeat,
    HeartbeatReply,
    ToRecorder,
    encode,
)
from avsession.tasks import Tasks
from recorder import link as link_module
from recorder.link import MAX_BAD_MESSAGES, Link, read_credential, what

GOOD = encode(HeartbeatReply(sent=1.0, server_ms=2.0, live=()))


class Ends:
    """A server of one kind of behaviour and a link to it."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.received: list[str | bytes] = []
        self.messages: list[ToRecorder] = []
        self.lost = 0
        self.greeting: list[str | bytes] = []
        self.hang_up = False
        self.refuse = False
        self.protocol = RECORDER_SUBPROTOCOL
        self.changed = asyncio.Event()
        self.tasks = Tasks()
        self.link: Link | None = None

    async def start(self) -> Link:
        self.server: Server = await serve(
            self._serve, "127.0.0.1", 0,
            subprotocols=[Subprotocol(self.protocol)], process_request=self._check,
            select_subprotocol=lambda connection, offered: Subprotocol(self.protocol),
        )  # fmt: skip
        port = next(iter(self.server.sockets)).getsockname()[1]
        self.link = Link(
            f"ws://127.0.0.1:{port}/recorder", "secret-of-the-test", None,
            on_open=self._open, on_message=self._message, on_lost=self._lost,
        )  # fmt: skip
        self.tasks.spawn(self.link.run(), name="link")
        return self.link

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def _check(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        self.changed.set()
        return connection.respond(http.HTTPStatus.FORBIDDEN, "") if self.refuse else None

    async def _serve(self, connection: ServerConnection) -> None:
        for each in self.greeting:
            await connection.send(each)
        if self.hang_up:
            return
        async for text in connection:
            self.received.append(text)
            self.changed.set()

    async def _open(self) -> None:
        assert self.link is not None
        self.link.send(Heartbeat(sent=1.0))

    async def _message(self, message: ToRecorder) -> None:
        if isinstance(message, EntryAccepted):
            raise RuntimeError("a fault of ours")
        self.messages.append(message)
        self.changed.set()

    def _lost(self) -> None:
        self.lost += 1
        self.changed.set()

    async def close(self) -> None:
        await self.tasks.close()
        self.server.close(close_connections=True)
        await self.server.wait_closed()


@pytest.fixture
async def ends(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ends]:
    monkeypatch.setattr(link_module, "BACKOFF_S", (0.01,))
    made = Ends()
    yield made
    await made.close()


async def test_says_who_it_is_and_has_no_origin(ends: Ends) -> None:
    await ends.start()
    await ends.until(lambda: ends.received)
    headers = ends.requests[0].headers
    assert headers["Authorization"] == "Bearer secret-of-the-test"
    assert headers["Sec-WebSocket-Protocol"] == RECORDER_SUBPROTOCOL
    assert "Origin" not in headers
    assert "Sec-WebSocket-Extensions" not in headers


async def test_comes_back_whenever_it_breaks(ends: Ends) -> None:
    ends.hang_up = True
    link = await ends.start()
    await ends.until(lambda: ends.lost >= 3)
    ends.hang_up = False
    await ends.until(lambda: ends.received)
    assert link.connected


async def test_a_refused_credential_is_tried_again(
    ends: Ends, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "recorder.link")
    ends.refuse = True
    link = await ends.start()
    await ends.until(lambda: len(ends.requests) >= 3)
    assert "no link to signaling: InvalidStatus: HTTP 403" in caplog.messages
    assert not link.connected
    link.send(Heartbeat(sent=1.0))  # nobody there: dropped
    assert ends.lost == 0


async def test_another_protocol_is_not_spoken(ends: Ends) -> None:
    ends.protocol = "something.else"
    await ends.start()
    await ends.until(lambda: len(ends.requests) >= 2)
    assert ends.received == []


async def test_unreadable_messages_are_counted_and_end_the_connection(ends: Ends) -> None:
    ends.greeting = [b"binary", "{}", "junk"] * MAX_BAD_MESSAGES
    await ends.start()
    await ends.until(lambda: ends.lost >= 1)
    assert ends.messages == []


async def test_a_few_unreadable_ones_do_not(ends: Ends) -> None:
    ends.greeting = [b"binary", "[" * 1000, "junk", GOOD]
    await ends.start()
    await ends.until(lambda: ends.messages)
    assert ends.lost == 0


async def test_a_fault_of_ours_costs_one_message(
    ends: Ends, caplog: pytest.LogCaptureFixture
) -> None:
    ends.greeting = [encode(EntryAccepted(recording="rec_x", n=1)), GOOD]
    await ends.start()
    await ends.until(lambda: ends.messages)
    assert any("could not be handled" in record.message for record in caplog.records)


async def test_a_server_that_does_not_read_loses_the_link(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "MAX_OUTBOX", 4)
    link = await ends.start()
    await ends.until(lambda: ends.received)
    for _ in range(10):  # faster than the writer's task can run
        link.send(Heartbeat(sent=2.0))
    await ends.until(lambda: ends.lost == 1)


async def test_a_server_that_says_nothing_is_left(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has not hung up: whoever pulls a cable does not say so."""
    assert link_module.PING_S + link_module.PONG_S <= 10
    monkeypatch.setattr(link_module, "PING_S", 0.1)
    monkeypatch.setattr(link_module, "PONG_S", 0.1)
    link = await ends.start()
    await ends.until(lambda: ends.received)
    silent = list(ends.server.connections)
    for connection in silent:
        connection.transport.pause_reading()
    await ends.until(lambda: ends.lost)
    await ends.until(lambda: link.connected)
    for connection in silent:
        connection.transport.abort()


async def test_stopped_in_the_moment_in_which_it_breaks_it_ends(ends: Ends) -> None:
    link = await ends.start()
    await ends.until(lambda: ends.received)
    (task,) = ends.tasks._tasks
    assert link._connection is not None
    # a server that dies takes the connection and, by standard input, the worker at once
    link._connection.transport.abort()
    for _ in range(2):
        await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait([task])
    assert task.cancelled()


@pytest.mark.parametrize(
    ("content", "mode"),
    [(b"short", 0o600), (b"x" * 600, 0o600), (b"a-good-length\nbut two lines", 0o600),
     (b"\xff" * 40, 0o600), (b"a-credential-of-the-tests", 0o640)],
)  # fmt: skip
def test_a_bad_credential_file_is_not_used(tmp_path: Path, content: bytes, mode: int) -> None:
    path = tmp_path / "credential"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(SettingsInvalid):
        read_credential(path)


def test_reads_a_credential(tmp_path: Path) -> None:
    path = tmp_path / "credential"
    path.write_bytes(b"a-credential-of-the-tests\n")
    path.chmod(0o600)
    assert read_credential(path) == "a-credential-of-the-tests"
    with pytest.raises(SettingsInvalid):
        read_credential(tmp_path / "none")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('192.0.2.7', 443)"),
            "ConnectionRefusedError: Connection refused",
        ),
        (socket.gaierror(socket.EAI_NONAME, "calls.example.com"), "gaierror"),
        (TimeoutError(), "TimeoutError"),
    ],
    ids=["refused", "no such name", "silent"],
)
def test_why_there_is_no_link_is_said_without_an_address(error: Exception, said: str) -> None:
    assert what(error) == said


def test_a_certificate_that_is_not_trusted_says_why() -> None:
    error = ssl.SSLCertVerificationError(1, "all of it")
    error.verify_message = "self-signed certificate"
    assert what(error) == "SSLCertVerificationError: self-signed certificate"
