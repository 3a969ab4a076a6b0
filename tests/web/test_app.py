"""The whole application: what is on every answer, and that the table is all there is."""

from pathlib import Path

import pytest

from tests.support.world import world
from tests.web.support import Site, write_pages
from web import app as webapp
from web.api.company import ENDED
from web.app import TABLE, create_app

EVERYWHERE = (
    "Content-Security-Policy",
    "Permissions-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "Referrer-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Date",
    "Cache-Control",
)

PATHS = (
    "/",
    "/admin",
    "/signin",
    "/join",
    "/privacy",
    "/cookies",
    "/static/app.js",
    "/static/missing.js",
    "/nothing",
    "/api/about",
    "/api/nothing",
    "/api/me",
    "/api/openapi.json",
    "/healthz",
    "/metrics",
)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
async def test_headers_are_on_every_answer(site: Site, method: str) -> None:
    for path in PATHS:
        answer = await site.ask(method, path)
        for name in EVERYWHERE:
            assert len(answer.headers.getall(name, [])) == 1, (path, name)
        assert "Server" not in answer.headers
        if path.startswith("/api/"):
            assert answer.headers["Cache-Control"] == "no-store"
        if method not in ("GET", "HEAD", "POST"):
            assert answer.status in (404, 405)


async def test_a_head_is_a_get_without_a_body(site: Site) -> None:
    for path in ("/signin", "/static/app.js", "/api/about", "/healthz"):
        get, head = await site.get(path), await site.ask("HEAD", path)
        assert head.status == get.status == 200
        assert head.body == b""
        assert head.headers["Content-Length"] == get.headers["Content-Length"]


async def test_an_error_is_for_a_program_or_for_a_person(site: Site) -> None:
    assert (await site.get("/api/nothing")).code == "not_found"
    page = await site.get("/nothing")
    assert (page.status, page.headers["Content-Type"]) == (404, "text/plain; charset=utf-8")
    wrong = await site.ask("DELETE", "/api/sign-in")
    assert (wrong.status, wrong.code, wrong.headers["Allow"]) == (405, "method", "POST")


def test_a_route_is_there_once() -> None:
    routes = [(route.method, route.path) for route in TABLE]
    assert len(set(routes)) == len(routes)


async def test_the_table_is_all_that_the_api_has(tmp_path: Path) -> None:
    async with world(tmp_path) as (services, _):
        application = create_app(services, root=write_pages(tmp_path / "web"))
    registered = {
        (route.method, route.resource.canonical)
        for route in application.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    table = {(route.method, route.path) for route in TABLE}
    table.add(("POST", ENDED))  # called by the company's provider, with a token of its own
    pages = {(method, path) for method, path in registered - table if method == "GET"}
    assert registered - table == pages
    assert {path for _, path in pages} == {
        "/",
        "/admin",
        "/admin/log",
        "/admin/backup",
        "/admin/requests",
        "/admin/disclosures",
        "/admin/webhooks",
        "/signin",
        "/join",
        "/privacy",
        "/cookies",
        "/receipt",
        "/static/{name}",
    }


async def test_a_missing_page_is_noticed_at_start(tmp_path: Path) -> None:
    root = write_pages(tmp_path / "web")
    (root / "pages" / "join.html").unlink()
    async with world(tmp_path) as (services, _):
        with pytest.raises(FileNotFoundError, match=r"join\.html"):
            create_app(services, root=root)


def test_every_module_of_the_api_is_in_the_table() -> None:
    folder = Path(webapp.__file__).parent / "api"
    with_routes = {
        path.stem for path in folder.glob("*.py") if "\nROUTES = " in path.read_text("utf-8")
    }
    handlers = {route.handle.__module__ for route in TABLE}
    assert {f"web.api.{name}" for name in with_routes} <= handlers
