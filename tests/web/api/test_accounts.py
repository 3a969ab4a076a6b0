import pytest

from avsession.usecases import accounts
from tests.web.support import PASSWORD, Site, cookie_of, same_shape
from web.app import TABLE

EXAMPLES = {route.path: route.answer for route in TABLE}


async def test_signing_in_by_password(site: Site) -> None:
    account, _ = await site.staff("agent", "ada")
    answer = await site.post("/api/sign-in", {"login": "ada", "password": PASSWORD})
    assert answer.status == 200
    same_shape(EXAMPLES["/api/sign-in"], answer.json)
    assert answer.json == {"account": account.id, "name": "Agent", "role": "agent", "home": "/"}
    me = await site.get("/api/me", cookie=cookie_of(answer))
    same_shape(EXAMPLES["/api/me"], me.json)
    assert me.json["permissions"] == ["session.create", "session.own"]


async def test_signing_in_by_link(site: Site) -> None:
    account = await accounts.create_account(site.app, "bob", "Bob", "admin", None)
    secret = await accounts.make_sign_in_link(site.app, account.id)
    answer = await site.post("/api/sign-in/link", {"secret": secret})
    same_shape(EXAMPLES["/api/sign-in/link"], answer.json)
    assert (answer.json["role"], answer.json["home"]) == ("admin", "/admin")
    assert (await site.get("/api/me", cookie=cookie_of(answer))).json["account"] == account.id
    again = await site.post("/api/sign-in/link", {"secret": secret})
    assert (again.status, again.code) == (410, "link.spent")
    assert "Set-Cookie" not in again.headers


@pytest.mark.parametrize(
    "body",
    [
        {"login": "ada", "password": "wrong wrong wrong"},
        {"login": "bob", "password": PASSWORD},
        {"login": "ada\u0000", "password": PASSWORD},
        {"login": "' OR 1=1 --", "password": PASSWORD},
    ],
)
async def test_signing_in_wrongly(site: Site, body: dict[str, str]) -> None:
    await site.staff("agent", "ada")
    answer = await site.post("/api/sign-in", body)
    assert (answer.status, answer.code) == (401, "auth.failed")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "body",
    [
        {"login": "ada"},
        {"login": "", "password": PASSWORD},
        {"login": "a" * 65, "password": PASSWORD},
        {"login": "ada", "password": ""},
        {"login": "ada", "password": "x" * 1025},
        {"login": None, "password": PASSWORD},
        {"login": "ada", "password": PASSWORD, "role": "admin"},
    ],
)
async def test_signing_in_with_something_else(site: Site, body: dict[str, object]) -> None:
    answer = await site.post("/api/sign-in", body)
    assert (answer.status, answer.code) == (400, "invalid")


async def test_trying_too_often(site: Site) -> None:
    for _ in range(10):
        answer = await site.post("/api/sign-in", {"login": "ada", "password": "wrong wrong wrong"})
        assert answer.status == 401
    answer = await site.post("/api/sign-in", {"login": "ada", "password": PASSWORD})
    assert (answer.status, answer.code) == (429, "too_many")
    assert int(answer.headers["Retry-After"]) > 0


async def test_signing_out(site: Site) -> None:
    cookie = await site.agent()
    assert (await site.post("/api/sign-out", cookie=cookie)).json == {}
    assert (await site.get("/api/me", cookie=cookie)).status == 401
    assert (await site.post("/api/sign-out", cookie=cookie)).status == 401


async def test_links_do_nothing_on_a_public_address(site: Site) -> None:
    account, _ = await site.staff("admin")
    secret = await accounts.make_sign_in_link(site.app, account.id)
    object.__setattr__(
        site.app,
        "settings",
        type(site.app.settings)(
            public_url="https://calls.example.com", allowed_origins=("https://localhost:8443",)
        ),
    )
    answer = await site.post("/api/sign-in/link", {"secret": secret})
    assert (answer.status, answer.code) == (410, "link.spent")
