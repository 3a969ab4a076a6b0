"""Everyone outside: over real TLS, by HTTP and WebSocket, with no page and no browser between.

What they send is what a modified page or a recorder that was taken over could send.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import aiohttp
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from tests.browser.product import Product
from tests.support.signer import ACTIONS, Signer, statement_of
from web.problems import MEDIA

PATIENCE_S = 10.0
Said = dict[str, Any]


def key() -> str:
    """A fresh idempotency key."""
    return secrets.token_urlsafe(16)


class Wire:
    """A WebSocket: what came is kept in order, and can be waited for."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[Said] = []
        self.signer: Signer | None = None
        """Signs what a page would sign, unless ``signed`` is said by hand."""
        self._changed = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())  # noqa: TID251 - closed by `close`

    async def _read(self) -> None:
        with suppress(ConnectionClosed):
            async for text in self.socket:
                async with self._changed:
                    self.heard.append(json.loads(text))
                    self._changed.notify_all()
        async with self._changed:
            self.heard.append({"type": "closed", "code": self.socket.close_code})
            self._changed.notify_all()

    async def say(self, kind: str, /, **fields: Any) -> None:
        """Send a message."""
        if self.signer and kind in ACTIONS and "signed" not in fields:
            now_ms = round(time.time() * 1000)
            made = self.signer.sign(now_ms, **statement_of(kind, fields))
            fields["signed"] = msgspec.to_builtins(made)
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def hear(self, *kinds: str, after: int = 0, **fields: Any) -> Said:
        """The first message of one of these kinds with these fields, since ``after``."""

        def found() -> Said | None:
            return next(
                (
                    said
                    for said in self.heard[after:]
                    if said["type"] in kinds and fields.items() <= said.items()
                ),
                None,
            )

        async with self._changed:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._changed.wait_for(found)
            except TimeoutError:
                raise AssertionError(f"no {kinds} {fields} in {self.heard[after:]}") from None
        said = found()
        assert said is not None
        return said

    async def ask(self, kind: str, **fields: Any) -> Said:
        """Say something with a key, and hear what came of it: ``ack`` or ``error``."""
        fields = {"key": key()} | fields
        await self.say(kind, **fields)
        return await self.hear("ack", "error", key=fields["key"])

    async def refused(self, kind: str, **fields: Any) -> str:
        """Say something without a key that must be refused; the code."""
        after = len(self.heard)
        await self.say(kind, **fields)
        code: str = (await self.hear("error", after=after))["code"]
        return code

    async def settle(self) -> None:
        """Until the server has read all that was said before."""
        after = len(self.heard)
        await self.say("ping")
        await self.hear("pong", after=after)

    async def close(self) -> None:
        """End the connection."""
        await self.socket.close()
        await self._reader


class Person:
    """A party: its cookie, its name on the wire, and its connection."""

    def __init__(self, outside: Outside, cookie: str, path: str, party: str) -> None:
        self.outside, self.cookie, self.path, self.id = outside, cookie, path, party
        self.data_secret = ""
        self.session = ""
        self.signer: Signer | None = None
        self._wire: Wire | None = None

    @property
    def wire(self) -> Wire:
        """The connection."""
        assert self._wire is not None
        return self._wire

    async def ticket(self) -> str:
        """A signaling ticket, by HTTPS."""
        status, body = await self.outside.post(f"{self.path}/ticket", {}, cookie=self.cookie)
        assert status == 200, body
        ticket: str = body["ticket"]
        return ticket

    async def join(self) -> Wire:
        """Connect, and be welcomed."""
        self._wire = await self.outside.wire()
        await self._wire.say("hello", ticket=await self.ticket(), build="none")
        welcome = await self._wire.hear("welcome")
        self.signer = self.signer or Signer(welcome["session"], self.id)
        self._wire.signer = self.signer
        enrolled = await self._wire.ask("key.enrol", **self.signer.enrolment(welcome["challenge"]))
        assert enrolled["type"] == "ack", enrolled
        return self._wire


class Outside:
    """The network in front of a product. ``source``: the loopback address that they come from."""

    def __init__(self, product: Product, stack: AsyncExitStack, source: str = "") -> None:
        self.product, self._stack = product, stack
        self.tls = ssl.create_default_context(cafile=product.data / "keys" / "ca.pem")
        self._here: dict[str, Any] = {}
        if source:
            self._here = {"local_addr": (source, 0), "family": socket.AF_INET}
        self.web = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self.tls, **self._here),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def request(
        self, method: str, path: str, *, cookie: str = "", **options: Any
    ) -> tuple[int, Any, aiohttp.ClientResponse]:
        """Any request, with the headers that a page of ours would send unless told otherwise."""
        headers = {"Origin": self.product.url, "X-Avsession": "1"} | options.pop("headers", {})
        if cookie:
            headers["Cookie"] = cookie
        url = f"{self.product.url}{path}"
        async with self.web.request(
            method, url, headers=headers, allow_redirects=False, **options
        ) as response:
            data = await response.read()
        is_json = response.content_type in ("application/json", MEDIA)
        return response.status, json.loads(data) if is_json else data, response

    async def post(self, path: str, body: object, **options: Any) -> tuple[int, Any]:
        """A POST of JSON."""
        status, answer, _ = await self.request("POST", path, json=body, **options)
        return status, answer

    async def sign_in(self, role: str) -> str:
        """By the printed link; the cookie."""
        secret = self.product.links[role].partition("#")[2]
        _, _, response = await self.request("POST", "/api/sign-in/link", json={"secret": secret})
        return f"__Host-staff={response.cookies['__Host-staff'].value}"

    async def call(self, agent: str, *, joined: bool = True) -> tuple[Person, Person]:
        """A session of the agent with this cookie: the agent and the customer, both in it."""
        _, new = await self.post("/api/sessions", {"language": "en"}, cookie=agent)
        one = Person(self, agent, f"/api/sessions/{new['session']}", new["party"])
        body = {
            "secret": new["invitation_url"].partition("#")[2],
            "name": "Cleo Customer",
            "language": "en",
        }
        _, claimed, response = await self.request("POST", "/api/join", json=body)
        cookie = f"__Host-seat={response.cookies['__Host-seat'].value}"
        other = Person(self, cookie, "/api/seat", claimed["party"])
        other.data_secret = claimed["data_url"].partition("#")[2]
        one.session = other.session = new["session"]
        if joined:
            await one.join()
            await other.join()
            listed = (await other.wire.hear("parties"))["parties"]
            await one.wire.hear("parties", parties=listed)
        return one, other

    async def wire(self, path: str = "/signaling", **options: Any) -> Wire:
        """A WebSocket; ``options`` as of websockets' ``connect``."""
        url = f"wss://localhost:{self.product.port}{path}"
        usual: dict[str, Any] = {
            "origin": Origin(self.product.url),
            "subprotocols": [Subprotocol("avsession.v1")],
            "ssl": self.tls,
            "compression": None,
            "proxy": None,
        } | self._here
        wire = Wire(await connect(url, **(usual | options)))
        self._stack.push_async_callback(wire.close)
        return wire

    async def raw(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A TLS connection, with nothing said yet."""
        reader, writer = await asyncio.open_connection("localhost", self.product.port, ssl=self.tls)
        self._stack.callback(writer.close)
        return reader, writer


@asynccontextmanager
async def outside(product: Product) -> AsyncIterator[Outside]:
    """The network in front of ``product``; everything made through it is closed at the end."""
    async with AsyncExitStack() as stack:
        made = Outside(product, stack)
        stack.push_async_callback(made.web.close)
        yield made


def ask_of(said: Said) -> tuple[str, str]:
    """Of a ``recording.asked``: the request, and the English notice's hash."""
    ask = said["ask"]
    english = next(text["sha256"] for text in ask["notices"] if text["language"] == "en")
    return ask["request"], english


async def agree(one: Person, other: Person, *purposes: str) -> str:
    """The one asks, both allow; the request."""
    wanted = list(purposes or ("quality",))
    after = len(other.wire.heard)
    assert (await one.wire.ask("recording.request", purposes=wanted))["type"] == "ack"
    request, notice = ask_of(await other.wire.hear("recording.asked", after=after))
    for person in (one, other):
        said = await person.wire.ask(
            "consent.give", request=request, notice=notice, language="en", purposes=wanted
        )
        assert said["type"] == "ack", said
    return request
