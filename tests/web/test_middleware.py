"""What stands in front of every handler: host, origin, errors with a name, and a discreet log."""

import json
import logging

import pytest
from aiohttp import web

from avsession import errors
from avsession.config import Settings
from avsession.records import Leaf
from tests.web.support import HOST, ORIGIN, Site, serve
from web import middleware
from web.middleware import headers_for, status_of
from web.problems import problem

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
