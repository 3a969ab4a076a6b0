"""One port: pages and signaling at once, and whatever else strangers send to it."""

import asyncio
import contextlib
import json
import socket
import ssl
from pathlib import Path
from typing import cast

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avsession.forwarded import Proxies
from signaling.front import Connection, Front, tls_context
from signaling.limits import Limits
from tests.signaling.world import CUSTOMER, World, world

pytestmark = pytest.mark.timeout(60)
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def ask(there: World, *pieces: bytes) -> bytes:
    """Everything that is answered to ``pieces`` until the connection ends."""
    async with there.raw() as (reader, writer):
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await reader.read()
        except ConnectionError:
            return b""


def outcome(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Connection: close" in head
    return int(head.split()[1]), json.loads(body)["code"]


async def test_pages_and_signaling_on_one_port_at_once(there: World) -> None:
    connector = aiohttp.TCPConnector(ssl=there.trust, limit=1)
    url = f"https://localhost:{there.port}"
    async with aiohttp.ClientSession(connector=connector) as http, there.page(CUSTOMER) as page:
        for n in range(3):
            async with http.get(f"{url}/") as answer:
                assert await answer.text() == "hello"
            async with http.post(f"{url}/echo", data=b"x" * 100_000) as answer:
                assert len(await answer.read()) == 100_000
            await page.say(type="ping")
            assert await page.next() == {"type": "pong"}
            # keep-alive: one connection for the pages, one for signaling
            assert there.front.connections == 2, n


async def test_a_long_answer_to_a_slow_reader(there: World) -> None:
    async with there.raw() as (reader, writer):
        transport = cast(asyncio.ReadTransport, writer.transport)
        writer.write(b"GET /long/3000000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        transport.pause_reading()
        async with there.page(CUSTOMER) as page:
            await page.say(type="ping")
            assert await page.next() == {"type": "pong"}
        transport.resume_reading()
        assert len((await reader.read()).partition(b"\r\n\r\n")[2]) == 3_000_000


async def test_a_head_in_pieces(there: World) -> None:
    async with there.raw() as (reader, writer):
        for byte in GET:
            writer.write(bytes([byte]))
            await writer.drain()
        assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"


async def test_what_follows_the_head_is_passed_on(there: World) -> None:
    answer = await ask(
        there,
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nfirst"
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    assert b"first" in answer
    assert answer.endswith(b"hello")


@pytest.mark.parametrize("target", ["/signaling?x=1", "/signaling/", "/Signaling", "//signaling"])
async def test_only_the_exact_path_is_signaling(there: World, target: str) -> None:
    answer = await ask(
        there, f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer.startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x00\x01\x02", 400),
        (b"\x16\x03\x01\x02\x00", 400),
        (b"get / http/1.1\r\n", 400),
        (b"GET / HTTP/2.0\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET /\r\n", 400),
        (b"GET / HTTP/1.1\n\n", 400),
        (b"GET /\x80 HTTP/1.1\r\n", 400),
        (b"SSH-2.0-x\r\n", 400),
        (b"GET /" + b"a" * 9000, 414),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 4000, 431),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 17_000 + b"\r\n\r\n", 431),
    ],
)
async def test_what_is_no_request(there: World, sent: bytes, status: int) -> None:
    assert outcome(await ask(there, sent)) == (status, f"http.{status}")


@pytest.mark.parametrize("sent", [b"", b"GET", GET[:-2]])
async def test_a_head_that_never_ends(files: tuple[Path, Path], sent: bytes) -> None:
    async with world(files, Limits(head_s=0.05)) as there:
        assert outcome(await ask(there, sent)) == (408, "http.408")
        await gone(there)


async def test_slowloris_drips_do_not_extend_the_time(files: tuple[Path, Path]) -> None:
    """A byte now and then keeps nothing open: the time is for the whole head."""
    async with world(files, Limits(head_s=0.2)) as there, there.raw() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        answer = b""
        drips = 0
        while not answer:
            writer.write(b"y")
            drips += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    answer = await reader.readline()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert drips > 2


async def test_a_client_that_never_reads(files: tuple[Path, Path]) -> None:
    async with world(files, Limits(stall_s=0.1)) as there, there.raw() as (_, writer):
        writer.write(b"GET /long/30000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        cast(asyncio.ReadTransport, writer.transport).pause_reading()
        await counted(there, 1)
        await gone(there)


async def test_plain_http_and_garbage_instead_of_tls(
    files: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    async with world(files) as there:
        for sent in (GET, b"\x00" * 100, b"\x16\x03\x01\x00\x05hello"):
            async with there.raw(tls=False) as (reader, writer):
                writer.write(sent)
                assert b"HTTP" not in await swallow(reader)
        async with there.raw(tls=False):
            pass  # a port scan: gone before a word
        await gone(there)
    assert "Traceback" not in caplog.text
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_handshake_that_never_ends(files: tuple[Path, Path]) -> None:
    async with world(files, Limits(tls_s=0.1)) as there, there.raw(tls=False) as (reader, _):
        assert await swallow(reader) == b""
        await gone(there)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
async def test_old_tls_is_refused(there: World) -> None:
    old = ssl.create_default_context()
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", there.port, ssl=old)


@pytest.mark.parametrize(
    "limits", [Limits(connections=2), Limits(connections=9, connections_per_address=2)]
)
async def test_too_many_connections(files: tuple[Path, Path], limits: Limits) -> None:
    async with world(files, limits) as there:
        # The first has not even begun TLS: it counts all the same.
        async with there.raw(tls=False):
            await counted(there, 1)
            async with there.page(CUSTOMER) as page:
                with pytest.raises((ConnectionError, ssl.SSLError)):
                    await there.raw().__aenter__()
                await page.say(type="ping")
                assert await page.next() == {"type": "pong"}
        await gone(there)
        async with there.page(CUSTOMER):
            assert there.front.connections == 1


async def test_closing_leaves_nothing_open(there: World) -> None:
    async with there.raw() as (secure, _), there.raw(tls=False) as (plain, _):
        await counted(there, 2)
        await there.front.close()
        assert await swallow(secure) == b""
        assert await swallow(plain) == b""
        await gone(there)
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", there.port)


def test_the_context_speaks_http_1_and_tls_1_2(files: tuple[Path, Path]) -> None:
    context = tls_context(*files)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_NONE


@given(sent=st.lists(st.binary(max_size=200), max_size=4))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_garbage_never_breaks_the_front(files: tuple[Path, Path], sent: list[bytes]) -> None:
    async def story() -> None:
        async with world(files, Limits(head_s=0.02)) as there:
            await ask(there, *sent)
            answer = await ask(there, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert answer.endswith(b"hello")

    asyncio.run(story())


async def swallow(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def counted(there: World, n: int) -> None:
    """Until the front counts ``n``: it is told by the kernel, which nothing here can await."""
    while there.front.connections != n:  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def gone(there: World) -> None:
    await counted(there, 0)


# --- behind a proxy

BY_PROXY = Proxies(["127.0.0.1"])
UPGRADE = (
    b"GET /signaling HTTP/1.1\r\nHost: localhost:8443\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: avsession.v1\r\n"
    b"Origin: https://localhost:8443\r\nX-Forwarded-For: %s\r\n\r\n"
)


async def test_without_tls_of_its_own_it_serves_proxies(files: tuple[Path, Path]) -> None:
    async with world(files, proxies=BY_PROXY, plain=True) as there:
        async with there.raw(tls=False) as (reader, writer):
            writer.write(GET)
            assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"
        async with there.raw(tls=False) as (reader, writer):
            writer.write(UPGRADE % b"203.0.113.9")
            assert b" 101 " in await reader.readline()
        async with there.raw(tls=False) as (_, writer):
            writer.write(b"\x16\x03\x01")
        await gone(there)


class Bare(asyncio.Transport):
    """A TCP connection from somewhere, which is cut or left."""

    def __init__(self, peer: str, own: str = "192.0.2.1") -> None:
        self.socket = socket.socket()
        ends = {"peername": (peer, 5000), "sockname": (own, 8443)}
        super().__init__({**ends, "socket": self.socket})
        self.cut = False

    def abort(self) -> None:
        self.cut = True


@pytest.mark.parametrize(
    ("peer", "served"),
    [
        ("10.0.0.7", True),  # a proxy
        ("203.0.113.9", False),
        ("2001:db8::1", False),
        ("127.0.0.1", True),  # this machine: its recorders
        ("::1", True),
        ("192.0.2.1", True),  # this machine, by the address that it listens on
    ],
)
async def test_plain_http_is_for_proxies_and_this_machine(peer: str, served: bool) -> None:
    front = Front({}, asyncio.Protocol, None, proxies=Proxies(["10.0.0.0/8"]))
    connection, transport = Connection(front), Bare(peer)
    connection.connection_made(transport)
    assert transport.cut is not served
    assert front.connections == served
    connection.connection_lost(None)
    transport.socket.close()
    assert front.connections == 0


async def test_a_proxys_connections_count_as_their_clients(files: tuple[Path, Path]) -> None:
    limits = Limits(connections=20, connections_per_address=2)
    async with world(files, limits, BY_PROXY) as there, contextlib.AsyncExitStack() as stack:

        async def upgrade(client: bytes) -> bytes:
            reader, writer = await stack.enter_async_context(there.raw())
            writer.write(UPGRADE % client)
            return (await reader.readline()).split()[1]

        # pages' connections are shared by clients: only the whole limit holds for them
        for _ in range(5):
            reader, writer = await stack.enter_async_context(there.raw())
            writer.write(GET)
            assert b" 200 " in await reader.readline()
        said = [await upgrade(b"203.0.113.9") for _ in range(3)]
        assert said == [b"101", b"101", b"429"]
        assert await upgrade(b"203.0.113.9, 198.51.100.1") == b"101"
        assert await upgrade(b"198.51.100.1, 203.0.113.9") == b"429", "the left is the client's"
        assert await upgrade(b"198.51.100.1") == b"101"
    async with world(files, limits) as there, contextlib.AsyncExitStack() as stack:
        # whoever is no proxy counts as itself, whatever it says
        for client in (b"198.51.100.1", b"198.51.100.2"):
            reader, writer = await stack.enter_async_context(there.raw())
            writer.write(UPGRADE % client)
            assert b" 101 " in await reader.readline()
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await there.raw().__aenter__()
