"""What stands in front of every handler: host, origin, errors with a name, and a discreet log."""

import json
import logging
import re
from pathlib import Path

import pytest
from aiohttp import web

from avsession import errors
from avsession.config import Proxy, Settings
from avsession.records import Leaf
from tests.web.support import HOST, ORIGIN, Site, serve
from tests.web.support import site as open_site
from web import middleware
from web.middleware import headers_for, status_of
from web.pages import HERE, _below, load_pages
from web.problems import problem
from web.routing import STRANGERS_BURST

# --- host


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost", "localhost:1", "127.0.0.1:8443", "localhost:8443.evil"]
)
async def test_another_host_gets_nothing(site: Site, host: str) -> None:
    for path in ("/signin", "/api/about", "/static/app.js", "/nothing"):
        answer = await site.get(path, headers={"Host": host})
        assert answer.status == 421
        assert ORIGIN in answer.body.decode()
    answer = await site.post("/api/sign-out", headers={"Host": host})
    assert (answer.status, answer.code) == (421, "origin.refused")


async def test_a_machine_beside_may_ask_by_any_name(site: Site) -> None:
    for path in ("/healthz", "/metrics"):
        assert (await site.get(path, headers={"Host": "127.0.0.1:8443"})).status == 200


async def test_the_default_port_may_be_left_out_or_said(site: Site) -> None:
    app = web.Application()
    middleware.install(app, Settings(public_url="https://calls.example.com"))

    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app.router.add_get("/", hello)
    async with serve(app) as (client, url):
        for host in ("calls.example.com", "calls.example.com:443", "CALLS.example.com"):
            async with client.get(url, headers={"Host": host}) as response:
                assert response.status == 200
        async with client.get(url, headers={"Host": "calls.example.com:8443"}) as response:
            assert response.status == 421


# --- origin and our header


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": None},
        {"Origin": ""},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": f"http://{HOST}"},
        {"Origin": f"{ORIGIN}.evil.example"},
        {"Origin": "https://localhost"},
        {"Origin": f"{ORIGIN}/"},
        {"X-Avsession": None},
        {"X-Avsession": ""},
        {"X-Avsession": "0"},
    ],
    ids=str,
)
async def test_what_changes_anything_is_asked_by_our_page(
    site: Site, headers: dict[str, str | None]
) -> None:
    agent = await site.agent()
    for path in ("/api/sessions", "/api/sign-out", "/api/sign-in", "/api/join", "/api/nothing"):
        answer = await site.post(path, cookie=agent, headers=headers)
        assert (answer.status, answer.code) == (403, "origin.refused")
    assert (await site.get("/api/me", cookie=agent)).status == 200, "still signed in"
    assert (await site.get("/api/sessions", cookie=agent)).json == {"sessions": []}


async def test_an_allowed_origin_is_allowed(site: Site) -> None:
    answer = await site.post(
        "/api/sign-out", cookie=await site.agent(), headers={"Origin": ORIGIN.upper()}
    )
    assert answer.status == 200


@pytest.mark.parametrize("fetched_from", ["cross-site", "same-site", "anything"])
async def test_a_read_for_another_site_is_refused(site: Site, fetched_from: str) -> None:
    agent = await site.agent()
    headers: dict[str, str | None] = {"Sec-Fetch-Site": fetched_from}
    assert (await site.get("/api/me", cookie=agent, headers=headers)).code == "origin.refused"
    assert (await site.get("/signin", headers=headers)).status == 200, "a link may lead here"


async def test_a_read_for_our_page_is_answered(site: Site) -> None:
    for fetched_from in ("same-origin", "none"):
        answer = await site.get("/api/about", headers={"Sec-Fetch-Site": fetched_from})
        assert answer.status == 200


async def test_a_refusal_is_a_leaf_and_a_flood_of_them_is_one(site: Site) -> None:
    agent = await site.agent()
    for _ in range(30):
        await site.post("/api/sessions", cookie=agent, headers={"Origin": "https://evil.example"})
    async with site.app.store.read() as tx:
        denied = await tx.find(Leaf, kind="access.denied")
    (leaf,) = denied
    assert b'"reason":"origin.refused"' in leaf.data


async def test_a_refused_agent_is_in_the_log_by_pseudonym(site: Site) -> None:
    account, agent = await site.staff("agent")
    answer = await site.get("/api/admin/recordings", cookie=agent)
    assert (answer.status, answer.code) == (403, "not_permitted")
    async with site.app.store.read() as tx:
        _made, granted = await tx.find(Leaf, kind="access.granted")
        (denied,) = await tx.find(Leaf, kind="access.denied")
    pseudonym = granted.data.partition(b'"actor":"')[2].partition(b'"')[0]
    assert pseudonym.startswith(b"psn_")
    assert b'"actor":"%s"' % pseudonym in denied.data
    assert account.id.encode() not in denied.data


# --- headers


def test_the_policy_names_our_own_signaling_and_nobody_else() -> None:
    headers = headers_for(Settings(public_url="https://calls.example.com:9000"))
    policy = dict(
        part.partition(" ")[::2] for part in headers["Content-Security-Policy"].split("; ")
    )
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "media-src": "'self' blob:",
        "connect-src": "'self' wss://calls.example.com:9000",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }


# --- errors


def every_error() -> list[type[errors.AvsessionError]]:
    found = [errors.AvsessionError]
    for error in found:
        found += error.__subclasses__()
    return found


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.Invalid, 400),
        (errors.PurposesRefused, 400),
        (errors.SignInRequired, 401),
        (errors.SignInFailed, 401),
        (errors.TicketRefused, 401),
        (errors.LinkSpent, 410),
        (errors.NotPermitted, 403),
        (errors.OriginRefused, 403),
        (errors.ConsentRequired, 403),
        (errors.Refused, 403),
        (errors.TooMany, 429),
        (errors.NotFound, 404),
        (errors.Conflict, 409),
        (errors.Erased, 409),
        (errors.Unavailable, 503),
        (errors.RecordingTruncated, 500),
        (errors.AvsessionError, 500),
    ],
)
def test_a_status_for_an_error(error: type[errors.AvsessionError], status: int) -> None:
    assert status_of(error) == status


def test_only_the_root_of_all_errors_has_no_status_of_its_own() -> None:
    ours = {errors.AvsessionError, errors.RecordingTruncated, errors.ManifestBroken}
    assert {error for error in every_error() if status_of(error) == 500} == ours


async def failing(error: BaseException, path: str = "/api/x") -> tuple[int, bytes, dict[str, str]]:
    """What a caller sees of ``error`` raised in a handler."""
    app = web.Application()
    middleware.install(app, Settings())

    async def fail(request: web.Request) -> web.Response:
        raise error

    app.router.add_get(path, fail)
    async with (
        serve(app) as (client, url),
        client.get(url + path, headers={"Host": HOST}) as response,
    ):
        return response.status, await response.read(), dict(response.headers)


async def test_an_error_without_a_name_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    status, body, _ = await failing(ValueError("the database password is hunter2"))
    assert (status, json.loads(body)) == (500, problem(500, "error", "Something went wrong."))
    assert "Traceback" in caplog.text


async def test_an_error_says_its_own_sentence() -> None:
    status, body, _ = await failing(errors.Conflict("That login is taken."))
    assert (status, json.loads(body)) == (409, problem(409, "conflict", "That login is taken."))


@pytest.mark.parametrize("error", [errors.Unavailable(), errors.TooMany()])
async def test_what_passes_says_when_to_come_back(error: errors.AvsessionError) -> None:
    _, _, headers = await failing(error)
    assert int(headers["Retry-After"]) > 0


async def test_on_a_page_an_error_is_a_sentence() -> None:
    status, body, headers = await failing(errors.Unavailable(), "/page")
    assert (status, body.decode()) == (503, errors.Unavailable.sentence + "\n")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"


# --- the access log


async def test_the_log_does_not_say_who_or_which(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    agent = await site.agent()
    call = await site.call(agent)
    await site.post(f"/api/sessions/{call.session}/ticket", cookie=agent)
    await site.get("/api/admin/sessions?before=12345678&limit=7", cookie=agent)
    await site.get("/no-such-page?name=Ben")
    await site.post("/api/my-data", {"secret": call.secret})
    ours = [r.getMessage() for r in caplog.records if r.name.startswith("avsession")]
    text = "\n".join(ours)
    assert "POST /api/sessions/{session}/ticket 200" in text
    assert "GET /api/admin/sessions 403" in text
    assert "- - 404" in text
    for private in (
        call.session,
        call.secret,
        agent.partition("=")[2],
        call.seat.partition("=")[2],
        "12345678",
        "Ben",
        "no-such-page",
        "127.0.0.1",
    ):
        assert private not in text


# --- behind a proxy

PROXIED = Proxy(trusted=("127.0.0.1",))
TLS = {"X-Forwarded-Proto": "https"}


async def test_strangers_are_told_apart_by_what_the_proxy_says(tmp_path: Path) -> None:
    wrong = {"login": "nobody", "password": "wrong"}

    async def status(there: Site, client: str) -> int:
        headers = {"X-Forwarded-For": client, "Content-Type": "text/plain"}
        return (await there.post("/api/sign-in", wrong, headers=headers)).status

    for proxy, other in ((PROXIED, 415), (Proxy(), 429)):
        folder = tmp_path / str(other)
        folder.mkdir()
        async with open_site(folder, proxy=proxy) as there:
            for _ in range(STRANGERS_BURST):
                assert await status(there, "203.0.113.9") == 415
            assert await status(there, "203.0.113.9") == 429
            assert await status(there, "198.51.100.1, 203.0.113.9") == 429, "the left is a claim"
            # without a proxy that is set the header is anybody's: it changes nothing
            assert await status(there, "198.51.100.1") == other


async def test_behind_a_proxy_only_what_came_by_tls_is_served(tmp_path: Path) -> None:
    plain = Proxy(trusted=("127.0.0.1",), plain=True)
    async with open_site(tmp_path, proxy=plain) as there:
        assert (await there.get("/signin", headers=TLS)).status == 200
        away = await there.get("/signin", headers={"X-Forwarded-Proto": "http"})
        assert (away.status, away.headers["Location"]) == (308, f"{ORIGIN}/signin")
        for headers in ({}, {"X-Forwarded-Proto": "ftp"}, {"Forwarded": "proto=https"}):
            answer = await there.get("/signin", headers=headers)
            assert answer.status == 403
            assert "X-Forwarded-Proto" in answer.body.decode()
        refused = await there.post("/api/sign-out", headers={"X-Forwarded-Proto": "http"})
        assert (refused.status, refused.code) == (403, "tls.required")
        assert (await there.get("/healthz")).status == 200


async def test_who_is_no_proxy_does_not_say_that_it_came_by_tls(tmp_path: Path) -> None:
    async with open_site(tmp_path, proxy=Proxy(trusted=("10.0.0.1",), plain=True)) as there:
        assert (await there.get("/signin", headers=TLS)).status == 403


async def test_everything_is_below_the_prefix_and_the_prefix_may_be_taken_away(
    tmp_path: Path,
) -> None:
    async with open_site(tmp_path, public_url=f"{ORIGIN}/calls") as there:
        agent = await there.agent()
        for base in ("/calls", ""):  # a proxy may take it away
            assert (await there.get(f"{base}/healthz")).status == 200
            assert (await there.get(f"{base}/", cookie=agent)).status == 200
            away = await there.get(f"{base}/")
            assert (away.status, away.headers["Location"]) == (303, "/calls/signin")
            other = await there.get(f"{base}/admin", cookie=agent)
            assert (other.status, other.headers["Location"]) == (303, "/calls/")
            assert (await there.get(f"{base}/static/app.js")).status == 200
        moved = await there.get("/calls")
        assert (moved.status, moved.headers["Location"]) == (303, "/calls/")
        made = (await there.post("/calls/api/sessions", {"language": "en"}, cookie=agent)).json
        assert made["invitation_url"].startswith(f"{ORIGIN}/calls/join#")
        path = f"/calls/api/sessions/{made['session']}/ticket"
        ticket = (await there.post(path, cookie=agent)).json
        assert ticket["url"] == "wss://localhost:8443/calls/signaling"
        document = (await there.get("/calls/api/openapi.json")).json
        assert document["servers"] == [{"url": f"{ORIGIN}/calls"}]
        missing = await there.get("/calls/api/nothing")
        assert missing.json["type"] == "/calls/api/errors#not_found"
        assert (await there.get("/callsapi/about")).status == 404
        # the same rules hold below it
        evil = {"Sec-Fetch-Site": "cross-site"}
        assert (await there.get("/calls/api/about", headers=evil)).status == 403
        assert (await there.get("/calls/signin", headers={"Host": "evil.example"})).status == 421


def test_no_page_has_an_address_outside_the_prefix() -> None:
    pages = load_pages(HERE)
    assert len(pages) >= 10
    for page in pages.values():
        moved = _below("/calls", page)
        found = re.findall(rb'(?:href|src|action)="(/[^"]*)"', moved.data)
        assert len(found) > 5
        assert [one for one in found if not one.startswith(b"/calls/")] == []
        assert moved.digest != page.digest
    # scripts go through BASE: a quoted path of ours stands right after it, or in the api's calls
    loose = re.compile(
        r"""(?<!get\()(?<!post\()(?<!BASE\}.)["'`]/(?:static|signin|cookies|admin/)"""
    )
    for path in (HERE / "static").rglob("*.js"):
        lines = path.read_text("utf-8").splitlines()
        assert [line for line in lines if loose.search(line) and "href$=" not in line] == [], path
