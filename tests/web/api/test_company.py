"""Signing in at the company's provider, over the wire, with one that can lie in every field."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from avsession.config_outside import Company
from avsession.records import Account, AuthSession
from avsession.signin_records import Identity, PendingSignIn
from tests.support.provider import CLIENT, FakeProvider, providing
from tests.web.support import OURS, Answer, Site, cookie_of, same_shape
from tests.web.support import site as open_site
from web.app import TABLE

EXAMPLES = {route.path: route.answer for route in TABLE}
START, FINISH = "/api/sign-in/company", "/api/sign-in/company/finish"


@pytest.fixture
async def acme() -> AsyncIterator[FakeProvider]:
    async with providing() as made:
        yield made


@pytest.fixture
async def house(acme: FakeProvider, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path, company=msgspec.convert(acme.settings(), Company)) as site:
        yield site


async def begin(house: Site, acme: FakeProvider) -> tuple[str, str]:
    """Sent to the provider: the state, and the cookie of the browser."""
    answer = await house.post(START)
    assert answer.status == 200, answer.body
    acme.went(answer.json["url"])
    return acme.asked["state"], cookie_of(answer)


async def comes_back(house: Site, acme: FakeProvider, **other: str) -> Answer:
    state, cookie = await begin(house, acme)
    return await house.post(FINISH, {"state": state, "code": "right", **other}, cookie=cookie)


def staff_of(answer: Answer) -> str:
    morsel = answer.cookies["__Host-staff"]
    return f"{morsel.key}={morsel.value}"


async def refused(
    house: Site, answer: Answer, code: str = "auth.failed", status: int = 401
) -> None:
    assert (answer.status, answer.code) == (status, code)
    assert "__Host-staff" not in answer.cookies
    async with house.app.store.read() as tx:
        assert await tx.count(AuthSession) == 0


async def test_the_way_there_and_back(house: Site, acme: FakeProvider) -> None:
    assert (await house.get("/api/about")).json["company"] == "ACME"
    state, cookie = await begin(house, acme)
    assert acme.asked["response_type"] == "code"
    assert (acme.asked["client_id"], acme.asked["scope"]) == (CLIENT, "openid profile")
    assert acme.asked["redirect_uri"] == "https://localhost:8443/signin"
    assert acme.asked["code_challenge_method"] == "S256"
    assert len({acme.asked[one] for one in ("state", "nonce", "code_challenge")}) == 3
    back = {"state": state, "code": "right", "iss": acme.issuer}
    answer = await house.post(FINISH, back, cookie=cookie)
    same_shape(EXAMPLES[FINISH], answer.json)
    assert (answer.json["name"], answer.json["role"]) == ("Ada Lovelace", "agent")
    assert answer.cookies["__Host-company"].value == "", "it is of no use any more"
    me = await house.get("/api/me", cookie=staff_of(answer))
    assert me.json["permissions"] == ["session.create", "session.own"]
    assert acme.exchanged[0]["authorization"] is None
    assert acme.exchanged[0]["client_id"] == CLIENT
    async with house.app.store.read() as tx:
        assert await tx.count(PendingSignIn) == 0
        (one,) = await tx.find(AuthSession)
        assert one.subject is not None
        for kind in (AuthSession, Account, Identity):
            rows = repr(await tx.find(kind))
            assert "u-1" not in rows, "what the provider calls them is kept as a digest only"
    again = await house.post(FINISH, back, cookie=cookie)
    assert (again.status, again.code) == (401, "auth.failed"), "a state is good once"
    assert len(acme.exchanged) == 1


async def test_the_same_person_has_the_same_account_and_the_role_of_now(
    house: Site, acme: FakeProvider
) -> None:
    first = await comes_back(house, acme)
    acme.changed = {
        "groups": "supervisors",
        "name": "  Ada\u202e King\n" + "x" * 200,
        "email": "a@b",
    }
    second = await comes_back(house, acme)
    assert second.json["account"] == first.json["account"]
    assert (second.json["role"], second.json["home"]) == ("admin", "/admin")
    assert second.json["name"].startswith("Ada King x")
    assert len(second.json["name"]) == 80
    acme.changed = {"sub": "u-2", "name": None}
    third = await comes_back(house, acme)
    assert third.json["account"] != first.json["account"], "the subject alone says who it is"
    assert third.json["name"] == "Agent"


@pytest.mark.parametrize("groups", [None, [], ["Desk"], "des", {"desk": True}, [["desk"]], 1])
async def test_without_a_role_nobody_comes_in(house: Site, acme: FakeProvider, groups: Any) -> None:
    acme.changed = {"groups": groups}
    await refused(house, await comes_back(house, acme), "auth.no_role", 403)
    async with house.app.store.read() as tx:
        assert await tx.count(Account) == 0


async def test_who_loses_their_role_is_out(house: Site, acme: FakeProvider) -> None:
    staff = staff_of(await comes_back(house, acme))
    acme.changed = {"groups": []}
    await refused(house, await comes_back(house, acme), "auth.no_role", 403)
    assert (await house.get("/api/me", cookie=staff)).status == 401


async def test_a_disabled_account_stays_out(house: Site, acme: FakeProvider) -> None:
    account = (await comes_back(house, acme)).json["account"]
    _, admin = await house.staff("admin")
    assert (await house.post(f"/api/admin/accounts/{account}/disable", cookie=admin)).status == 200
    answer = await comes_back(house, acme)
    assert (answer.status, answer.code) == (401, "auth.failed")
    async with house.app.store.read() as tx:
        assert await tx.count(Account) == 2, "nor is there a second one"


NOW = int(time.time())
LIES: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://id.example.com"},
    "no issuer": {"iss": None},
    "another client": {"aud": "other"},
    "for another client, too": {"aud": [CLIENT, "other"], "azp": CLIENT},
    "no audience": {"aud": None},
    "another party": {"azp": "other"},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a number for a subject": {"sub": 1},
    "a subject without an end": {"sub": "u" * 256},
    "expired": {"exp": NOW - 600, "iat": NOW - 900},
    "no end": {"exp": None},
    "from tomorrow": {"iat": NOW + 86_400},
    "another nonce": {"nonce": "x" * 43},
    "no nonce": {"nonce": None},
    "another access token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    "signed with the public key": {"header": {"alg": "HS256"}},
    "an unknown key": {"header": {"kid": "two"}},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
async def test_a_token_that_does_not_hold(
    house: Site, acme: FakeProvider, lie: dict[str, Any]
) -> None:
    acme.changed = dict(lie)
    await refused(house, await comes_back(house, acme))


async def test_a_token_without_a_signature(
    house: Site, acme: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for header in ("eyJhbGciOiJub25lIn0", "eyJhbGciOiJFUzI1NiJ9"):

        def unsigned(nonce: str, header: str = header) -> str:
            return f"{header}.{FakeProvider.id_token(acme, nonce).split('.')[1]}."

        monkeypatch.setattr(acme, "id_token", unsigned)
        await refused(house, await comes_back(house, acme))
    for odd in ("", "x", "a.b.c", "e30.e30.e30"):
        monkeypatch.setattr(acme, "id_token", lambda nonce, odd=odd: odd)
        await refused(house, await comes_back(house, acme))


async def test_another_browser_another_code_and_what_the_provider_refused(
    house: Site, acme: FakeProvider
) -> None:
    state, _ = await begin(house, acme)
    _, other = await begin(house, acme)
    await refused(house, await house.post(FINISH, {"state": state, "code": "right"}, cookie=other))
    state, cookie = await begin(house, acme)
    await refused(house, await house.post(FINISH, {"state": state, "code": "right"}))
    again = await house.post(FINISH, {"state": state, "code": "right"}, cookie=cookie)
    await refused(house, again)
    await refused(house, await comes_back(house, acme, code="wrong"))
    await refused(house, await comes_back(house, acme, code=""))
    await refused(house, await comes_back(house, acme, iss="https://id.example.com"))
    state, cookie = await begin(house, acme)
    house.clock.forward(600)
    await refused(house, await house.post(FINISH, {"state": state, "code": "right"}, cookie=cookie))


async def test_trying_too_often(house: Site, acme: FakeProvider) -> None:
    codes = [(await house.post(FINISH, {"state": "x" * 43, "code": "x"})).code for _ in range(40)]
    assert codes[0] == "auth.failed"
    assert codes[-1] == "too_many"


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://id.example.com"},
        {"issuer": None},
        {"token_endpoint": None},
        {"token_endpoint": "http://id.example.com/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
async def test_a_provider_that_is_another_one(
    house: Site, acme: FakeProvider, metadata: dict[str, Any]
) -> None:
    acme.metadata = metadata
    answer = await house.post(START)
    assert (answer.status, answer.code) == (503, "auth.provider")
    acme.metadata = {}
    assert (await house.post(START)).status == 200, "asked again, it may have come to its senses"


async def test_a_provider_that_is_not_there(house: Site, acme: FakeProvider) -> None:
    acme.status = 500
    assert (await house.post(START)).code == "auth.provider"


async def test_without_a_provider_there_is_no_such_sign_in(site: Site) -> None:
    assert (await site.get("/api/about")).json["company"] is None
    assert (await site.post(START)).code == "not_found"
    assert (await site.post(FINISH, {"state": "x", "code": "x"})).code == "not_found"
    assert (await said(site, "x")).status == 404


async def said(site: Site, token: str, **headers: str | None) -> Answer:
    """The provider tells the server that a session is over."""
    plain: dict[str, str | None] = {**dict.fromkeys(OURS), "Content-Type": FORM, **headers}
    return await site.ask(
        "POST", "/signin/ended", headers=plain, data=f"logout_token={token}".encode()
    )


FORM = "application/x-www-form-urlencoded"


async def test_the_provider_ends_a_session_and_no_other(house: Site, acme: FakeProvider) -> None:
    ada = staff_of(await comes_back(house, acme))
    acme.changed = {"sub": "u-2", "sid": "s-2"}
    bob = staff_of(await comes_back(house, acme))
    agent = await house.agent()
    ticket = await house.post("/api/sessions", {"language": "en"}, cookie=ada)
    assert ticket.status == 200
    ended = await said(house, acme.logout_token())
    assert (ended.status, ended.headers["Cache-Control"]) == (200, "no-store")
    assert [(await house.get("/api/me", cookie=one)).status for one in (ada, bob, agent)] == [
        401,
        200,
        200,
    ]
    ended = await said(house, acme.logout_token(sid=None, sub="u-2"))
    assert [(await house.get("/api/me", cookie=one)).status for one in (bob, agent)] == [401, 200]
    assert (await said(house, acme.logout_token())).status == 200, "nobody is there any more"


LOGOUT_LIES: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://id.example.com"},
    "another client": {"aud": "other"},
    "an ID token": {"nonce": "x"},
    "no event": {"events": None},
    "another event": {"events": {"https://example.com": {}}},
    "nobody": {"sid": None},
    "old": {"iat": NOW - 3600},
    "expired": {"iat": NOW - 200, "exp": NOW - 100},
    "no id": {"jti": None},
    "a number for an id": {"jti": 1},
    "no issuer": {"iss": None},
    "no audience": {"aud": None},
    "for another client, too": {"aud": [CLIENT, "other"]},
    "from tomorrow": {"iat": NOW + 86_400, "exp": NOW + 90_000},
    "no time": {"iat": None},
    "a text for a time": {"iat": "now"},
    "no end": {"exp": None},
    "a list of events": {"events": ["http://schemas.openid.net/event/backchannel-logout"]},
    "an event that is no object": {
        "events": {"http://schemas.openid.net/event/backchannel-logout": 1}
    },
    "a number for a session": {"sid": 1},
    "an unknown key": {"header": {"kid": "two"}},
    "another kind": {"header": {"typ": "at+jwt"}},
    "signed with the public key": {"header": {"alg": "HS256"}},
}


@pytest.mark.parametrize("lie", LOGOUT_LIES.values(), ids=LOGOUT_LIES.keys())
async def test_a_logout_token_that_does_not_hold(
    house: Site, acme: FakeProvider, lie: dict[str, Any]
) -> None:
    ada = staff_of(await comes_back(house, acme))
    answer = await said(house, acme.logout_token(**lie))
    assert answer.status == 400
    assert (await house.get("/api/me", cookie=ada)).status == 200


async def test_a_logout_token_counts_once(house: Site, acme: FakeProvider) -> None:
    """Who kept one cannot end the sessions that begin after it."""
    await comes_back(house, acme)
    token = acme.logout_token(sid=None, sub="u-1")
    assert (await said(house, token)).status == 200
    ada = staff_of(await comes_back(house, acme))
    assert (await said(house, token)).status == 400
    assert (await house.get("/api/me", cookie=ada)).status == 200
    assert (await said(house, acme.logout_token(sid=None, sub="u-1"))).status == 200
    assert (await house.get("/api/me", cookie=ada)).status == 401


async def test_it_is_not_said_too_often(house: Site, acme: FakeProvider) -> None:
    statuses = [(await said(house, "x")).status for _ in range(200)]
    assert (statuses[0], statuses[-1]) == (400, 429)


async def test_what_is_no_logout_token_at_all(house: Site, acme: FakeProvider) -> None:
    ada = staff_of(await comes_back(house, acme))
    for token in ("", "x", "a.b.c"):
        assert (await said(house, token)).status == 400
    json = await said(house, acme.logout_token(), **{"Content-Type": "application/json"})
    assert json.status == 400
    assert (await said(house, "x" * 20_000)).status == 413
    assert (await house.get("/api/me", cookie=ada)).status == 200


async def test_signing_out_here_leads_to_signing_out_there(house: Site, acme: FakeProvider) -> None:
    ada = staff_of(await comes_back(house, acme))
    then = (await house.post("/api/sign-out", cookie=ada)).json["then"]
    assert then.startswith(f"{acme.issuer}/end?client_id={CLIENT}&post_logout_redirect_uri=https")
    acme.metadata = {"end_session_endpoint": "javascript:alert(1)"}


async def test_a_new_key_is_asked_for_but_not_all_the_time(
    house: Site, acme: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await comes_back(house, acme)).status == 200
    asked = list(acme.fetched)
    acme.changed = {"header": {"kid": "two"}}
    await comes_back(house, acme)
    assert acme.fetched == asked, "a made-up name of a key costs the provider nothing"
    now = time.monotonic()
    monkeypatch.setattr("web.oidc.time.monotonic", lambda: now + 61)
    fresh = FakeProvider()
    acme.key, acme.published = fresh.key, fresh.published
    assert (await comes_back(house, acme)).status == 200
    assert len(acme.fetched) > len(asked)


async def test_a_client_with_a_secret(acme: FakeProvider, tmp_path: Path) -> None:
    (tmp_path / "client.secret").write_text("s/ecret+\n")
    settings = acme.settings(client_secret_file=str(tmp_path / "client.secret"))
    async with open_site(tmp_path, company=msgspec.convert(settings, Company)) as house:
        assert (await comes_back(house, acme)).status == 200
    assert acme.exchanged[0]["authorization"] == "Basic YXZzZXNzaW9uOnMlMkZlY3JldCUyQg=="
    assert "client_id" not in acme.exchanged[0]
