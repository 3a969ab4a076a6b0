"""Pages and static files: who gets which, and nothing else on the disk is reachable."""

import hashlib
import re
from pathlib import Path

import pytest
import yarl

from tests.web.support import Site, write_pages
from web.pages import HERE, PUBLIC, STAFF, TYPES, VERSION, load, load_pages


@pytest.mark.parametrize("name", ["signin", "join", "privacy", "cookies"])
async def test_public_pages(site: Site, name: str) -> None:
    answer = await site.get(f"/{name}")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert f"<title>{name}</title>" in answer.body.decode()
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/admin"])
async def test_signed_out_one_is_sent_to_sign_in(site: Site, path: str) -> None:
    for cookie in (None, "__Host-staff=" + "a" * 43):
        answer = await site.get(path, cookie=cookie)
        assert (answer.status, answer.headers["Location"]) == (303, "/signin")


async def test_each_role_lands_on_its_page(site: Site) -> None:
    agent, admin = await site.agent(), await site.admin()
    for cookie, own, other, title in (
        (agent, "/", "/admin", "agent"),
        (admin, "/admin", "/", "admin"),
    ):
        page = await site.get(own, cookie=cookie)
        assert (page.status, page.headers["Cache-Control"]) == (200, "no-store")
        assert f"<title>{title}</title>" in page.body.decode()
        away = await site.get(other, cookie=cookie)
        assert (away.status, away.headers["Location"]) == (303, own)
        assert away.body == b""


async def test_after_sign_out_the_page_is_closed(site: Site) -> None:
    agent = await site.agent()
    await site.post("/api/sign-out", cookie=agent)
    assert (await site.get("/", cookie=agent)).status == 303


async def test_a_static_file_is_asked_about_again(site: Site) -> None:
    first = await site.get("/static/sub/style.css")
    assert (first.status, first.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    assert first.headers["Cache-Control"] == "no-cache"
    etag = first.headers["ETag"]
    assert etag == f'"{hashlib.sha256(first.body).hexdigest()}"'
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await site.get("/static/sub/style.css", headers={"If-None-Match": known})
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", etag)
    for known in ('"other"', "nonsense", etag.strip('"')):
        again = await site.get("/static/sub/style.css", headers={"If-None-Match": known})
        assert again.status == 200


async def test_by_its_digest_a_file_is_kept(site: Site) -> None:
    plain = await site.get("/static/app.js")
    version = plain.headers["ETag"].strip('"')[:VERSION]
    kept = await site.get(f"/static/app.js?v={version}")
    assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for query in ("?v=0123456789abcdef", f"?v={version}&x=1", "?v="):
        other = await site.get(f"/static/app.js{query}")
        assert (other.status, other.headers["Cache-Control"]) == (200, "no-cache")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "sub",
        "sub/",
        ".",
        "../pages/agent.html",
        "%2e%2e/pages/agent.html",
        "..%2fpages%2fagent.html",
        "sub/../../pages/agent.html",
        "sub%5c..%5capp.js",
        "//app.js",
        "%2fetc%2fpasswd",
        "app.js%00",
        "app.js/",
        "APP.JS",
        "types.d.ts",
        ".hidden.js",
        "link.js",
    ],
)
async def test_nothing_else_is_reachable(site: Site, name: str) -> None:
    url = yarl.URL(f"{site.url}/static/{name}", encoded=True)
    async with site.client.get(url, headers={"Host": "localhost:8443"}) as response:
        assert response.status == 404
        assert b"agent" not in await response.read()


def test_links_and_unknown_kinds_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1")
    (tmp_path / "b.py").write_text("1")
    (tmp_path / "noextension").write_text("1")
    (tmp_path / "link.js").symlink_to(tmp_path / "b.py")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "c.js").write_text("1")
    assert load(tmp_path).keys() == {"a.js"}


async def test_a_script_is_a_script(site: Site) -> None:
    answer = await site.get("/static/app.js")
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert all(kind.count("/") == 1 for kind in TYPES.values())


def test_the_real_pages_are_all_there() -> None:
    assert {*PUBLIC.values(), *STAFF.values()} <= load_pages(HERE).keys()


def test_what_all_pages_share_is_written_once(tmp_path: Path) -> None:
    for name, page in load_pages(HERE).items():
        text = page.data.decode()
        assert text.startswith("<!doctype html>\n"), name
        assert "<!-- " not in text.replace("<!-- texts -->", ""), name
        assert len(re.findall(r"<title |<main>|</main>|</html>", text)) == 4, name
        assert ("sign-out" in text) == (name not in PUBLIC.values()), name
        assert page.digest == hashlib.sha256(page.data).hexdigest(), name
        assert "<header" not in (HERE / "pages" / name).read_text(), name
    root = write_pages(tmp_path)
    (root / "pages" / "frame.html").unlink()
    with pytest.raises(FileNotFoundError, match=r"frame\.html"):
        load_pages(root)
