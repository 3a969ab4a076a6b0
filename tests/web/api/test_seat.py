import asyncio

import pytest

from tests.web.support import ORIGIN, Site, cookie_of, same_shape
from web.app import TABLE

EXAMPLES = {(route.method, route.path): route.answer for route in TABLE}


async def invite(site: Site) -> str:
    made = await site.post("/api/sessions", {"language": "en"}, cookie=await site.agent())
    secret: str = made.json["invitation_url"].partition("#")[2]
    return secret


async def test_joining_and_coming_back(site: Site) -> None:
    secret = await invite(site)
    body = {"secret": secret, "name": " Ben  Müller ", "language": "de"}
    joined = await site.post("/api/join", body)
    same_shape(EXAMPLES["POST", "/api/join"], joined.json)
    assert joined.json["data_url"].startswith(f"{ORIGIN}/privacy#")
    seat = await site.get("/api/seat", cookie=cookie_of(joined))
    same_shape(EXAMPLES["GET", "/api/seat"], seat.json)
    assert seat.json == {
        "session": joined.json["session"],
        "party": joined.json["party"],
        "name": "Ben Müller",
        "language": "de",
        "ended": False,
    }


async def test_an_invitation_is_claimed_once(site: Site) -> None:
    body = {"secret": await invite(site), "name": "Ben", "language": "en"}
    answers = await asyncio.gather(*(site.post("/api/join", body) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 410, 410, 410]
    assert all("Set-Cookie" not in a.headers for a in answers if a.status == 410)


async def test_opening_the_link_claims_nothing(site: Site) -> None:
    secret = await invite(site)
    for _ in range(3):
        assert (await site.get("/join")).status == 200
    body = {"secret": secret, "name": "Ben", "language": "en"}
    assert (await site.post("/api/join", body)).status == 200


async def test_an_expired_or_unknown_invitation(site: Site) -> None:
    secret = await invite(site)
    site.clock.forward(site.app.settings.signin.invitation_s)
    for attempt in (secret, "a" * 43):
        body = {"secret": attempt, "name": "Ben", "language": "en"}
        answer = await site.post("/api/join", body)
        assert (answer.status, answer.code) == (410, "link.spent")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "   "},
        {"name": "B" * 81},
        {"name": "Ben\N{RIGHT-TO-LEFT OVERRIDE}"},
        {"name": None},
        {"language": "klingon!"},
        {"secret": ""},
        {"secret": "a" * 129},
        {"party": "pty_" + "a" * 26},
    ],
)
async def test_what_is_wrong_spends_nothing(site: Site, wrong: dict[str, object]) -> None:
    body = {"secret": await invite(site), "name": "Ben", "language": "en"}
    answer = await site.post("/api/join", {**body, **wrong})
    assert (answer.status, answer.code) == (400, "invalid")
    assert (await site.post("/api/join", body)).status == 200


async def test_a_ticket_for_the_seat(site: Site) -> None:
    agent = await site.agent()
    call = await site.call(agent)
    answer = await site.post("/api/seat/ticket", cookie=call.seat)
    same_shape(EXAMPLES["POST", "/api/seat/ticket"], answer.json)
    await site.post(f"/api/sessions/{call.session}/end", cookie=agent)
    answer = await site.post("/api/seat/ticket", cookie=call.seat)
    assert (answer.status, answer.code) == (409, "session.over")


async def test_a_lost_private_link_is_made_anew(site: Site) -> None:
    call = await site.call(await site.agent())
    answer = await site.post("/api/seat/data-link", cookie=call.seat)
    same_shape(EXAMPLES["POST", "/api/seat/data-link"], answer.json)
    secret = answer.json["data_url"].partition("#")[2]
    assert (await site.post("/api/my-data", {"secret": secret})).json["name"] == "Ben"
    assert (await site.post("/api/my-data", {"secret": call.secret})).code == "link.spent"


async def test_staff_hold_no_seat(site: Site) -> None:
    agent = await site.agent()
    for answer in (
        await site.get("/api/seat", cookie=agent),
        await site.post("/api/seat/ticket", cookie=agent),
        await site.post("/api/seat/data-link", cookie=agent),
    ):
        assert (answer.status, answer.code) == (401, "auth.required")
