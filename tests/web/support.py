"""A browser of sorts: the real application on a real socket, asked the way our pages ask."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http.cookies import Morsel
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from avsession.records import Account
from avsession.usecases import accounts
from avsession.usecases.services import Services
from tests.support.recorded import Recorded
from tests.support.world import Clock, world
from tests.web import describing
from web.app import create_app

HOST = "localhost:8443"
ORIGIN = f"https://{HOST}"
PASSWORD = "correct horse battery"
OURS = {"Origin": ORIGIN, "X-Avsession": "1", "Content-Type": "application/json"}

PAGES = (
    "agent", "admin", "log", "requests", "disclosures", "signin", "join", "privacy", "cookies",
    "receipt", "webhooks", "backups",
)  # fmt: skip


class Answer:
    """What came back, read to its end."""

    def __init__(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        self.status = response.status
        self.headers = response.headers
        self.cookies: Mapping[str, Morsel[str]] = response.cookies
        self.body = body
        self.response = response

    @property
    def json(self) -> Any:
        kind = "application/json" if self.status < 400 else "application/problem+json"
        assert self.headers["Content-Type"] == kind
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code; an error is a problem of RFC 9457 with a code, and no more."""
        assert self.json.keys() == {"type", "title", "status", "detail", "code"}
        assert self.json["detail"]
        assert self.json["status"] == self.status
        code: str = self.json["code"]
        return code


class Site:
    """The application with everything behind it."""

    def __init__(
        self, app: Services, clock: Clock, client: aiohttp.ClientSession, url: str
    ) -> None:
        self.app = app
        self.clock = clock
        self.client = client
        self.url = url
        self._made = 0

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """As :meth:`once`; what wants to be confirmed first is, by password, as our pages do."""
        answer = await self.once(method, path, **options)
        if answer.status != 403 or b"auth.step_up" not in answer.body:
            return answer
        action, target = confirms(path, options.get("json"))
        said = {"action": action, "target": target, "password": PASSWORD}
        more = {name: options[name] for name in ("cookie", "headers") if name in options}
        given = await self.once("POST", "/api/step-up", json=said, **more)
        assert given.status == 200, given.body
        return await self.once(method, path, **options)

    async def once(
        self,
        method: str,
        path: str,
        *,
        cookie: str | None = None,
        headers: Mapping[str, str | None] | None = None,
        **options: Any,
    ) -> Answer:
        """One request with exactly these headers; None takes a usual one away.

        Whatever a test is about: what the api answers is described.
        """
        merged: dict[str, str | None] = {"Host": HOST}
        if method not in ("GET", "HEAD"):
            merged |= OURS
        if cookie is not None:
            merged["Cookie"] = cookie
        merged |= headers or {}
        sent = {name: value for name, value in merged.items() if value is not None}
        async with self.client.request(
            method, self.url + path, headers=sent, allow_redirects=False, **options
        ) as response:
            answer = Answer(response, await response.read())
        describing.check(method, path, answer)
        return answer

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return await self.ask("POST", path, json={} if body is None else body, **options)

    async def staff(self, role: str, login: str | None = None) -> tuple[Account, str]:
        """A new account, signed in by link: the account and its cookie."""
        self._made += 1
        account = await accounts.create_account(
            self.app, login or f"{role}{self._made}", role.title(), role, PASSWORD
        )
        secret = await accounts.make_sign_in_link(self.app, account.id)
        return account, cookie_of(await self.post("/api/sign-in/link", {"secret": secret}))

    async def agent(self) -> str:
        return (await self.staff("agent"))[1]

    async def admin(self) -> str:
        return (await self.staff("admin"))[1]

    async def call(self, agent: str) -> Call:
        """A session with a customer in it."""
        made = (await self.post("/api/sessions", {"language": "en"}, cookie=agent)).json
        secret = made["invitation_url"].partition("#")[2]
        joined = await self.post("/api/join", {"secret": secret, "name": "Ben", "language": "de"})
        return Call(made["session"], made["party"], joined)


class Call:
    """A session that both parties have a seat in."""

    def __init__(self, session: str, agent: str, joined: Answer) -> None:
        self.session = session
        self.agent = agent
        self.customer: str = joined.json["party"]
        self.seat = cookie_of(joined)
        self.secret: str = joined.json["data_url"].partition("#")[2]


def confirms(path: str, body: Any) -> tuple[str, str]:
    """Which action on what a request is, as it is confirmed."""
    parts = path.split("/")
    if path.endswith("/open"):
        return "play", parts[-2]
    if path.endswith(("/child", "/carry-out")):
        return "erase", parts[-2]
    if path.endswith("/link"):
        return "link", parts[-2]
    if path.startswith("/api/passkeys"):
        return "passkeys", ""
    return "disclose", body["target"]


@dataclasses.dataclass
class Story:
    """What happened: a call, a consent, a recording; and who may look at it."""

    agent: str
    """The agent's cookie."""
    admin: str
    """The admin's cookie."""
    call: Call
    recorded: Recorded


def cookie_of(answer: Answer) -> str:
    """The one cookie that the answer sets, as a browser would send it back."""
    (morsel,) = answer.cookies.values()
    return f"{morsel.key}={morsel.value}"


@asynccontextmanager
async def serve(application: web.Application) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """``application`` on a socket of this machine, and a client without a memory."""
    server = TestServer(application)
    await server.start_server(access_log=None)
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
            yield client, str(server.make_url("")).rstrip("/")
    finally:
        await server.close()


def write_pages(root: Path) -> Path:
    """Small pages in the place of the real ones: what is in those is tested with them."""
    (root / "pages").mkdir(parents=True)
    (root / "static" / "sub").mkdir(parents=True)
    (root / "pages" / "frame.html").write_text("<!-- head -->\n<!-- main -->\n")
    for name in PAGES:
        (root / "pages" / f"{name}.html").write_text(f"<!doctype html><title>{name}</title>")
    (root / "static" / "app.js").write_text("export const x = 1;\n")
    (root / "static" / "sub" / "style.css").write_text("body { margin: 0 }\n")
    (root / "static" / "types.d.ts").write_text("not for browsers")
    (root / "static" / ".hidden.js").write_text("not for anybody")
    return root


@asynccontextmanager
async def site(folder: Path, **settings: Any) -> AsyncIterator[Site]:
    """The whole of it, in ``folder``."""
    async with world(folder, **settings) as (app, clock):
        application = create_app(app, root=write_pages(folder / "web"))
        async with serve(application) as (client, url):
            yield Site(app, clock, client, url)


def same_shape(example: Any, real: Any, path: str = "answer") -> None:
    """Check that a real answer has the fields of its example, all the way down.

    Fields may be null on either side; a list's or a map's elements are each like the example's
    first, whatever their keys when those are digests.
    """
    if example is None or real is None:
        return
    assert type(real) is type(example), f"{path}: {real!r} is not like {example!r}"
    if isinstance(example, dict):
        if all(re.fullmatch(r"[0-9a-f]{64}", key) for key in example):
            return
        assert set(real) == set(example), f"{path}: {set(real) ^ set(example)}"
        for key, value in example.items():
            same_shape(value, real[key], f"{path}.{key}")
    elif isinstance(example, list) and example:
        for n, item in enumerate(real):
            same_shape(example[0], item, f"{path}[{n}]")
