"""The choice over the wire: its cookie, the browser's own no, and refusing when nothing works."""

import re

import pytest

from avsession.errors import Unavailable
from avsession.privacy.stored import CHOICE_S, items
from avsession.records import Leaf
from tests.web.support import Answer, Site, cookie_of, same_shape
from web import app as webapp
from web import auth

PATH = "/api/preferences"
EXAMPLES = {(route.method, route.path): route.answer for route in webapp.TABLE}


async def choose(site: Site, *given: str, cookie: str | None = None, **options: object) -> Answer:
    return await site.post(PATH, {"given": list(given)}, cookie=cookie, **options)


async def test_before_a_choice_everything_is_off_and_nothing_is_set(site: Site) -> None:
    answer = await site.get(PATH)
    same_shape(EXAMPLES["GET", PATH], answer.json)
    assert answer.cookies == {}
    assert answer.json["allowed"] == ["necessary"]
    assert answer.json["ask"] is True
    names = [one.name for one in items(site.app.settings)]
    assert [one["name"] for one in answer.json["items"]] == names


async def test_a_choice_and_its_cookie(site: Site) -> None:
    answer = await choose(site, "preferences")
    same_shape(EXAMPLES["POST", PATH], answer.json)
    (header,) = answer.headers.getall("Set-Cookie")
    assert re.match(r"__Host-choice=psn_[a-z2-7]{26}\.\d+; ", header)
    flags = {flag for flag in header.split("; ")[1:] if not flag.startswith("expires=")}
    assert flags == {f"Max-Age={CHOICE_S}", "Path=/", "Secure", "HttpOnly", "SameSite=Strict"}
    found = (await site.get(PATH, cookie=cookie_of(answer))).json
    assert found == answer.json
    assert (found["allowed"], found["ask"]) == (["necessary", "preferences"], False)
    assert found["choice"]["until_ms"] - found["choice"]["at_ms"] == CHOICE_S * 1000


async def test_a_refusal_is_not_asked_again_for_six_months(site: Site) -> None:
    cookie = cookie_of(await choose(site))
    for _ in range(2):
        found = (await site.get(PATH, cookie=cookie)).json
        assert (found["allowed"], found["ask"]) == (["necessary"], False)
        site.clock.forward(CHOICE_S - 1)
    found = (await site.get(PATH, cookie=cookie)).json
    assert (found["ask"], found["choice"]) == (True, None)


async def test_taking_back_holds_at_once(site: Site) -> None:
    first = cookie_of(await choose(site, "preferences", "analytics"))
    second = await choose(site, cookie=first)
    assert second.json["allowed"] == ["necessary"]
    assert cookie_of(second) != first


async def test_the_browser_s_own_no_stands_over_every_choice(site: Site) -> None:
    cookie = cookie_of(await choose(site, "preferences", "analytics"))
    no: dict[str, str | None] = {"Sec-GPC": "1"}
    found = (await site.get(PATH, cookie=cookie, headers=no)).json
    assert (found["allowed"], found["signal"], found["ask"]) == (["necessary"], True, False)
    assert (await site.get(PATH, headers=no)).json["ask"] is False
    refused = await choose(site, "analytics", headers=no)
    assert (refused.status, refused.code) == (409, "conflict")
    assert "Set-Cookie" not in refused.headers
    assert (await choose(site, cookie=cookie, headers=no)).status == 200
    for other in ("0", "", "true"):
        found = (await site.get(PATH, cookie=cookie, headers={"Sec-GPC": other})).json
        assert found["signal"] is False


@pytest.mark.parametrize(
    "body",
    [{}, {"given": ["marketing"]}, {"given": ["necessary"]}, {"given": "preferences"},
     {"given": ["preferences"] * 3}, {"given": None}, {"given": [], "name": "Ben"}],
    ids=str,
)  # fmt: skip
async def test_nothing_else_can_be_chosen(site: Site, body: dict[str, object]) -> None:
    answer = await site.post(PATH, body)
    assert (answer.status, answer.code) == (400, "invalid")


@pytest.mark.parametrize("value", ["x", "a" * 5000, "psn_" + "a" * 26 + ".0", '"; given=all'])
async def test_a_made_up_cookie_is_no_choice(site: Site, value: str) -> None:
    found = (await site.get(PATH, cookie=f"{auth.CHOICE}={value}")).json
    assert (found["ask"], found["choice"]) == (True, None)


async def test_refusing_holds_even_when_it_cannot_be_written_down(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = cookie_of(await choose(site, "preferences", "analytics"))

    def gone(self: object) -> object:
        raise Unavailable

    with monkeypatch.context() as broken:
        broken.setattr(type(site.app.store), "write", gone)
        more = await choose(site, "preferences", "analytics", cookie=cookie)
        assert more.status == 200, "nothing new to write"
        for given in ((), ("preferences",)):
            answer = await choose(site, *given, cookie=cookie)
            assert (answer.status, answer.code) == (503, "unavailable")
            (header,) = answer.headers.getall("Set-Cookie")
            assert header.startswith('__Host-choice=""; ')
            assert "Max-Age=0" in header
        broken.setattr(type(site.app.store), "read", gone)
        assert (await site.get(PATH, cookie=cookie)).status == 503
        answer = await choose(site, "preferences", cookie=cookie)
        assert "Max-Age=0" in answer.headers["Set-Cookie"], "what it takes back is not known"
        answer = await choose(site, "preferences")
        assert "Set-Cookie" not in answer.headers


async def test_many_choices_from_one_address_are_refused(site: Site) -> None:
    while (answer := await choose(site, "preferences")).status == 200:
        pass
    assert (answer.status, answer.code) == (429, "too_many")
    assert "Set-Cookie" not in answer.headers
    async with site.app.store.read() as tx:
        assert await tx.count(Leaf, kind="preference.set") == 20
