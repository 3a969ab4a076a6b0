"""Asking other servers: where a request may go, and that it ends whatever the other one does."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp.resolver import ThreadedResolver

from avsession.ports import NotReached
from tests.support.ports import free_port
from tests.support.receiver import Receiver, receiving
from web.sender import Answer, HttpSender, is_public


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


async def ask(
    url: str, *, timeout_s: float = 30, internal: bool = True, headers: dict[str, str] | None = None
) -> Answer:
    return await HttpSender().post(
        url, headers or {}, b"{}", timeout_s=timeout_s, internal=internal
    )


async def refused(url: str, **options: float) -> str:
    with pytest.raises(NotReached) as error:
        await HttpSender().post(
            url, {}, b"{}", timeout_s=30, internal=bool(options.get("internal"))
        )
    return str(error.value)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True), ("2606:4700::1111", True), ("::ffff:8.8.8.8", True),
        ("127.0.0.1", False), ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.1.1", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False),
        ("239.1.1.1", False), ("240.0.0.1", False), ("255.255.255.255", False),
        ("192.0.2.1", False), ("198.18.0.1", False), ("::", False), ("::1", False),
        ("fe80::1", False), ("fe80::1%eth0", False), ("fc00::1", False), ("fd12::1", False),
        ("ff02::1", False), ("ff0e::1", False), ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False),
        ("2001::1", False), ("2001:db8::1", False), ("a name", False), ("", False),
        ("fec0::1", False), ("::127.0.0.1", False), ("3fff::1", False), ("192.88.99.1", False),
        ("::ffff:192.88.99.1", False), ("100:0:0:1::1", False),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/hooks",
        "http://localhost:{port}/hooks",
        # other ways to write it
        "http://127.1:{port}/hooks",
        "http://2130706433:{port}/hooks",
        "http://0x7f000001:{port}/hooks",
        "http://[::ffff:127.0.0.1]:{port}/hooks",
        # what the client makes an address of: dots and digits of other scripts
        "http://127。0。0。1:{port}/hooks",
        "http://①②⑦.⓪.⓪.①:{port}/hooks",
        "http://１２７.0.0.1:{port}/hooks",
        "http://localhost。:{port}/hooks",
    ],
)
async def test_this_machine_is_reached_only_if_that_was_set(receiver: Receiver, url: str) -> None:
    port = receiver.url.rpartition(":")[2].partition("/")[0]
    # numbers that only look like a name are no name to the client, either
    assert await refused(url.format(port=port)) in ("address", "connect")
    assert receiver.got == []
    assert not receiver.came.is_set()


@pytest.mark.parametrize("internal", [False, True])
@pytest.mark.parametrize(
    "url", ["https://bücher.example/", "https://127。0。0。1/", "https://127．0．0．1/"]
)
async def test_a_host_in_other_letters_is_refused_before_anything_is_asked(
    url: str, internal: bool
) -> None:
    """A name can be written as xn--…, so nothing is lost by it."""
    assert await refused(url, internal=internal) == "address"


async def test_a_name_that_leads_inside_is_refused_by_what_is_connected_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One good address beside a bad one does not help, and nobody resolves a second time."""
    asked = []

    async def resolve(
        self: object, host: str, port: int, family: object
    ) -> list[dict[str, object]]:
        asked.append(host)
        found = ["93.184.216.34", "127.0.0.1"]
        return [
            {
                "hostname": host,
                "host": one,
                "port": port,
                "family": socket.AF_INET,
                "proto": 0,
                "flags": 0,
            }
            for one in found
        ]

    monkeypatch.setattr(ThreadedResolver, "resolve", resolve)
    assert await refused("http://hooks.example.com/") == "address"
    assert asked == ["hooks.example.com"]


async def test_a_name_that_no_resolver_takes_is_not_reached() -> None:
    assert await refused(f"https://{'a' * 64}.example.com/") == "connect"


async def test_a_status_is_an_answer_and_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.says(302, Location=receiver.url)
    assert await _plain(receiver) == Answer(302)
    assert receiver.got == []
    receiver.says(503, **{"Retry-After": "120"})
    assert await _plain(receiver) == Answer(503, 120)
    for odd in ("-1", "Fri, 07 Nov 2026 23:59:59 GMT", "9" * 30, "٣"):
        receiver.says(429, **{"Retry-After": odd})
        assert await _plain(receiver) == Answer(429)


async def _plain(receiver: Receiver) -> Answer:
    return await ask(receiver.url.replace("/hooks", "/plain"))


async def test_an_endless_body_is_not_read(receiver: Receiver) -> None:
    assert (await ask(receiver.url.replace("/hooks", "/endless"))).status == 200


async def test_a_server_that_says_nothing_costs_the_time_that_was_given(receiver: Receiver) -> None:
    with pytest.raises(NotReached) as error:
        await ask(receiver.url.replace("/hooks", "/waits"), timeout_s=0.05)
    assert str(error.value) == "timeout"


async def test_what_is_no_http_and_what_is_not_there() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n\r\n")
        await writer.drain()
        await reader.read(-1)
        writer.close()

    port = free_port()
    server = await asyncio.start_server(talk, "127.0.0.1", port)
    assert await refused(f"http://127.0.0.1:{port}/", internal=1) == "answer"
    assert await refused(f"https://127.0.0.1:{port}/", internal=1) == "tls"
    server.close()
    await server.wait_closed()
    assert await refused(f"http://127.0.0.1:{port}/", internal=1) == "connect"
