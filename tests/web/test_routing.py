"""What a request must look like before any handler sees it."""

import asyncio
import json
import re

import pytest

from avsession.errors import TooMany, Unavailable
from tests.web.support import HOST, OURS, Site
from web import routing
from web.access import By
from web.app import TABLE
from web.routing import MAX_BODY, Nothing

NEEDS_STAFF = [route for route in TABLE if route.access.by is By.STAFF]
WRITES = [route for route in TABLE if route.writes]


def path_of(route: routing.Route, identifier: str = "ses_" + "a" * 26) -> str:
    return re.sub(r"\{\w+\}", identifier, route.path.replace("{sha256}", "a" * 64))


UNSEEN = "/api/exports/{export}.zip"
"""What is there is not said to who has no key: nothing is there, rather than not for you."""


@pytest.mark.parametrize("route", TABLE, ids=lambda route: f"{route.method} {route.path}")
async def test_who_may_come_in_at_all(site: Site, route: routing.Route) -> None:
    answer = await site.ask(route.method, path_of(route), json={} if route.writes else None)
    if route.path == UNSEEN:
        assert (answer.status, answer.code) == (404, "not_found")
    elif route.path == "/readyz":
        assert answer.status == 503, "there is no recorder here"
    elif not route.signed_in:
        # the log of a new server has no head yet, and this house no provider
        there = not route.path.startswith(("/log/", "/api/sign-in/company"))
        assert answer.status in ((200, 400) if there else (200, 400, 404))
    else:
        assert (answer.status, answer.code) == (401, "auth.required")


HOSTILE: tuple[tuple[bytes, dict[str, str | None], int], ...] = (
    (b"{", {}, 400),
    (b"[]", {}, 400),
    (b"null", {}, 400),
    (b'"text"', {}, 400),
    (b"\xff\xfe", {}, 400),
    (b'{"unknown": 1}', {}, 400),
    (b"[" * 16000, {}, 400),
    (b'{"\xed\xa0\x80": 1}', {}, 400),
    (b'{"a":' * 5000 + b"1" + b"}" * 5000, {}, 413),
    (b" " * (MAX_BODY + 1), {}, 413),
    (b"{}", {"Content-Type": "text/plain"}, 415),
    (b"{}", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    (b"{}", {"Content-Type": "multipart/form-data; boundary=x"}, 415),
    (b"{}", {"Content-Encoding": "identity"}, 415),
)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
CODES = {400: "invalid", 413: "too_large", 415: "content_type"}


@pytest.mark.parametrize("route", WRITES, ids=lambda route: route.path)
async def test_a_body_that_is_not_what_was_asked_for(site: Site, route: routing.Route) -> None:
    cookie = await site.agent()
    cookie += "; " + (await site.call(cookie)).seat
    for said, headers, status in HOSTILE:
        body = said.ljust(route.max_body + 1) if status == 413 else said
        answer = await site.ask(
            route.method, path_of(route), cookie=cookie, data=body, headers=headers
        )
        assert (answer.status, answer.code) == (status, CODES[status]), body[:20]


async def test_a_body_without_an_announced_length_is_limited_too(site: Site) -> None:
    async def endless() -> object:
        for _ in range(100):
            yield b" " * 1024

    answer = await site.ask("POST", "/api/sign-in", data=endless())
    assert (answer.status, answer.code) == (413, "too_large")


@pytest.mark.parametrize("body", [b"Content-Length: 9\r\n\r\n{", CHUNKED + b"1\r\n{\r\n"])
async def test_a_body_that_never_ends_is_not_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setattr(routing, "BODY_S", 0.1)
    port = int(site.url.rpartition(":")[2])
    ours = "".join(f"{name}: {value}\r\n" for name, value in OURS.items())
    for path in ("/api/join", "/api/my-data"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\n{ours}".encode() + body)
        answer = await reader.readuntil(b"}")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"code":"body.late"' in answer
        writer.close()


async def test_an_error_does_not_repeat_what_came(site: Site) -> None:
    answer = await site.post("/api/sign-in", {"login": "ada", "password": ["hunter2"]})
    assert answer.status == 400
    assert b"hunter2" not in answer.body
    assert "password" in answer.json["detail"]


async def test_no_body_is_the_empty_one_where_nothing_is_asked(site: Site) -> None:
    answer = await site.ask("POST", "/api/sign-out", cookie=await site.agent(), data=b"")
    assert answer.status == 200


@pytest.mark.parametrize("route", [r for r in NEEDS_STAFF if "{" in r.path], ids=lambda r: r.path)
async def test_what_is_no_identifier_is_nothing(site: Site, route: routing.Route) -> None:
    cookie = await site.admin()
    right = "ses_" + "a" * 26
    for wrong in ("x", right.upper(), right[:-1], right + "a", "..", "%2e%2e", right + "%0A"):
        if "{sha256}" in route.path:
            path = route.path.replace("{sha256}", wrong)
        else:
            path = path_of(route, wrong)
        body = {"reason": "because", "purpose": "quality"} if "open" in path else {}
        if path.endswith("/requests"):
            if ".." in path or "%2e" in path:
                continue  # the client itself makes the desk's own operation of it
            body = {"right": "object", "text": "because"}
        answer = await site.ask(
            route.method, path, cookie=cookie, json=body if route.writes else None
        )
        assert answer.status in (404, 405), "never a use case's answer"
        assert answer.code in ("not_found", "method")


@pytest.mark.parametrize(
    "query",
    [
        "?limit=0",
        "?limit=101",
        "?limit=x",
        "?before=-1",
        "?before=1.5",
        "?other=1",
        "?limit=1&limit=2",
    ],
)
async def test_a_query_that_is_not_what_was_asked_for(site: Site, query: str) -> None:
    admin = await site.admin()
    for path in ("/api/admin/sessions", "/api/admin/recordings"):
        answer = await site.get(path + query, cookie=admin)
        assert (answer.status, answer.code) == (400, "invalid")
    answer = await site.get("/api/me?limit=1", cookie=admin)
    assert answer.code == "invalid"


async def test_strangers_are_limited_and_others_are_not(site: Site) -> None:
    agent = await site.agent()
    for _ in range(routing.STRANGERS_BURST):
        answer = await site.post("/api/my-data", {"secret": "guess"})
        if answer.status == 429:
            break
        assert answer.status == 410
    assert (await site.post("/api/my-data", {"secret": "guess"})).code == "too_many"
    assert (await site.post("/api/join", {})).status == 429, "before anything is read"
    assert (await site.post("/api/sessions", {"language": "en"}, cookie=agent)).status == 200
    assert (await site.get("/api/about")).status == 200
    site.clock.forward(2)
    assert (await site.post("/api/my-data", {"secret": "guess"})).status == 410


async def test_without_a_database_the_answer_is_503(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await site.agent()

    def gone(self: object) -> object:
        raise Unavailable

    monkeypatch.setattr(type(site.app.store), "read", gone)
    for path in ("/healthz", "/api/me", "/"):
        answer = await site.get(path, cookie=agent)
        assert answer.status == 503
    assert (await site.get("/api/about")).status == 200


def test_a_route_says_every_error_it_can_give() -> None:
    for route in TABLE:
        errors = route.all_errors
        assert len(set(errors)) == len(errors)
        limited = not route.signed_in or route.path.endswith(
            (
                "/ticket",
                "/data-link",
                "{request}/link",
                "/admin/requests",
                "/staff/requests",
                "{account}/requests",
                "/step-up",
            )
        )
        reads_limited = route.path.startswith("/log/") or route.path.endswith("/receipt")
        assert (TooMany in errors) == ((route.writes and limited) or reads_limited)


def test_every_body_refuses_what_it_does_not_know() -> None:
    for route in TABLE:
        assert route.body.__struct_config__.forbid_unknown_fields
        assert route.body.__struct_config__.frozen


def test_an_example_is_plain_json() -> None:
    for route in TABLE:
        assert json.loads(json.dumps(route.answer)) == route.answer
        assert route.body is Nothing or route.body.__doc__
