"""Cookies: their flags, and what is made of a wrong one."""

import pytest

from avsession.records import AuthSession
from tests.web.support import PASSWORD, Site, cookie_of
from web import auth

FLAGS = ("Path=/", "Secure", "HttpOnly", "SameSite=Strict")


def flags(header: str) -> set[str]:
    _, *attributes = header.split("; ")
    return {attribute for attribute in attributes if not attribute.startswith("expires=")}


async def test_the_staff_cookie_has_every_flag(site: Site) -> None:
    await site.staff("agent", "ada")
    answer = await site.post("/api/sign-in", {"login": "ada", "password": PASSWORD})
    (header,) = answer.headers.getall("Set-Cookie")
    assert header.startswith("__Host-staff=")
    seconds = site.app.settings.signin.absolute_s
    assert flags(header) == {
        f"Max-Age={seconds}",
        "Path=/",
        "Secure",
        "HttpOnly",
        "SameSite=Strict",
    }


async def test_the_seat_cookie_has_every_flag(site: Site) -> None:
    made = (await site.post("/api/sessions", {"language": "en"}, cookie=await site.agent())).json
    secret = made["invitation_url"].partition("#")[2]
    answer = await site.post("/api/join", {"secret": secret, "name": "Ben", "language": "en"})
    (header,) = answer.headers.getall("Set-Cookie")
    assert header.startswith("__Host-seat=")
    seconds = site.app.settings.signin.seat_s
    assert flags(header) == {
        f"Max-Age={seconds}",
        "Path=/",
        "Secure",
        "HttpOnly",
        "SameSite=Strict",
    }


async def test_sign_out_takes_the_cookie_back(site: Site) -> None:
    answer = await site.post("/api/sign-out", cookie=await site.agent())
    (header,) = answer.headers.getall("Set-Cookie")
    assert header.startswith('__Host-staff="";')
    assert flags(header) == {"Max-Age=0", *FLAGS}


@pytest.mark.parametrize(
    "value", ["", "x", "a" * 43, "a" * 129, "a" * 8000, '"quoted"', "%00", "a=b=c", "💩"]
)
async def test_a_made_up_cookie_is_nobody_s(site: Site, value: str) -> None:
    for path, cookie in (("/api/me", auth.STAFF), ("/api/seat", auth.SEAT)):
        answer = await site.get(path, cookie=f"{cookie}={value}")
        assert (answer.status, answer.code) == (401, "auth.required")


async def test_one_kind_of_cookie_is_not_the_other(site: Site) -> None:
    agent = await site.agent()
    call = await site.call(agent)
    staff, seat = agent.partition("=")[2], call.seat.partition("=")[2]
    assert (await site.get("/api/me", cookie=f"{auth.STAFF}={seat}")).status == 401
    assert (await site.get("/api/seat", cookie=f"{auth.SEAT}={staff}")).status == 401


async def test_idle_and_expired_sessions(site: Site) -> None:
    signin = site.app.settings.signin
    cookie = await site.agent()
    site.clock.forward(signin.idle_s - 1)
    assert (await site.get("/api/me", cookie=cookie)).status == 200
    site.clock.forward(signin.idle_s)
    assert (await site.get("/api/me", cookie=cookie)).code == "auth.required"

    cookie = await site.agent()
    for _ in range(signin.absolute_s // 1000):
        site.clock.forward(1000)
        assert (await site.get("/api/me", cookie=cookie)).status == 200
    site.clock.forward(1000)
    assert (await site.get("/api/me", cookie=cookie)).status == 401


async def test_an_expired_seat(site: Site) -> None:
    call = await site.call(await site.agent())
    site.clock.forward(site.app.settings.signin.seat_s - 1)
    assert (await site.get("/api/seat", cookie=call.seat)).status == 200
    site.clock.forward(1)
    assert (await site.get("/api/seat", cookie=call.seat)).code == "auth.required"


async def test_the_token_itself_is_not_stored(site: Site) -> None:
    account, cookie = await site.staff("agent")
    async with site.app.store.read() as tx:
        (session,) = await tx.find(AuthSession, account=account.id)
    assert session.token_hash.hex() not in cookie
    assert cookie.partition("=")[2].encode() != session.token_hash


async def test_a_new_sign_in_ends_the_one_the_browser_had(site: Site) -> None:
    account, first = await site.staff("agent", "ada")
    answer = await site.post("/api/sign-in", {"login": "ada", "password": PASSWORD}, cookie=first)
    second = cookie_of(answer)
    assert second != first
    assert (await site.get("/api/me", cookie=first)).status == 401
    assert (await site.get("/api/me", cookie=second)).json["account"] == account.id
