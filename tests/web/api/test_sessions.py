import pytest

from tests.web.support import ORIGIN, Site, same_shape
from web.app import TABLE

EXAMPLES = {(route.method, route.path): route.answer for route in TABLE}


async def test_making_a_session_and_finding_it(site: Site) -> None:
    agent = await site.agent()
    made = await site.post("/api/sessions", {"language": "de"}, cookie=agent)
    same_shape(EXAMPLES["POST", "/api/sessions"], made.json)
    assert made.json["invitation_url"].startswith(f"{ORIGIN}/join#")
    assert len(made.json["invitation_url"].partition("#")[2]) == 43
    assert made.json["expires_ms"] == site.clock.ms + 86_400_000
    own = (await site.get("/api/sessions", cookie=agent)).json
    same_shape(EXAMPLES["GET", "/api/sessions"], own)
    (session,) = own["sessions"]
    assert session["session"] == made.json["session"]
    assert session["party"] == made.json["party"]
    assert session["invitation_state"] == "open"
    assert session["parties"] == [{"name": "Agent", "role": "agent", "presence": None}]


async def test_newest_first_and_only_one_s_own(site: Site) -> None:
    one, other = await site.agent(), await site.agent()
    made = []
    for _ in range(3):
        site.clock.forward(1)
        made.append((await site.post("/api/sessions", {"language": "en"}, cookie=one)).json)
    own = (await site.get("/api/sessions", cookie=one)).json["sessions"]
    assert [s["session"] for s in own] == [m["session"] for m in reversed(made)]
    assert (await site.get("/api/sessions", cookie=other)).json == {"sessions": []}


async def test_a_revoked_invitation_is_worth_nothing(site: Site) -> None:
    agent = await site.agent()
    made = (await site.post("/api/sessions", {"language": "en"}, cookie=agent)).json
    path = f"/api/sessions/{made['session']}/invitation/revoke"
    assert (await site.post(path, cookie=agent)).json == {}
    assert (await site.post(path, cookie=agent)).status == 200, "again changes nothing"
    secret = made["invitation_url"].partition("#")[2]
    answer = await site.post("/api/join", {"secret": secret, "name": "Ben", "language": "en"})
    assert answer.code == "link.spent"
    (session,) = (await site.get("/api/sessions", cookie=agent)).json["sessions"]
    assert session["invitation_state"] == "revoked"


async def test_a_ticket_for_one_s_own_party(site: Site) -> None:
    agent = await site.agent()
    call = await site.call(agent)
    answer = await site.post(f"/api/sessions/{call.session}/ticket", cookie=agent)
    same_shape(EXAMPLES["POST", "/api/sessions/{session}/ticket"], answer.json)
    assert answer.json["url"] == "wss://localhost:8443/signaling"
    assert answer.json["subprotocol"] == "avsession.v1"
    assert answer.json["ticket"] not in answer.json["url"]


async def test_ending_it_for_everyone(site: Site) -> None:
    agent = await site.agent()
    call = await site.call(agent)
    assert (await site.post(f"/api/sessions/{call.session}/end", cookie=agent)).json == {}
    assert (await site.get("/api/seat", cookie=call.seat)).json["ended"] is True
    answer = await site.post(f"/api/sessions/{call.session}/ticket", cookie=agent)
    assert (answer.status, answer.code) == (409, "session.over")
    assert (await site.post(f"/api/sessions/{call.session}/end", cookie=agent)).status == 200


async def test_a_private_link_of_the_agent_s_own(site: Site) -> None:
    agent = await site.agent()
    call = await site.call(agent)
    answer = await site.post(f"/api/sessions/{call.session}/data-link", cookie=agent)
    same_shape(EXAMPLES["POST", "/api/sessions/{session}/data-link"], answer.json)
    secret = answer.json["data_url"].partition("#")[2]
    assert (await site.post("/api/my-data", {"secret": secret})).json["role"] == "agent"


@pytest.mark.parametrize("what", ["invitation/revoke", "ticket", "data-link", "end"])
async def test_another_s_session_is_not_there(site: Site, what: str) -> None:
    call = await site.call(await site.agent())
    answer = await site.post(f"/api/sessions/{call.session}/{what}", cookie=await site.agent())
    assert (answer.status, answer.code) == (404, "not_found")
    assert (await site.get("/api/seat", cookie=call.seat)).json["ended"] is False


@pytest.mark.parametrize("what", ["invitation/revoke", "ticket", "data-link", "end"])
async def test_a_session_that_never_was(site: Site, what: str) -> None:
    path = f"/api/sessions/ses_{'a' * 26}/{what}"
    assert (await site.post(path, cookie=await site.agent())).status == 404


async def test_an_admin_makes_no_calls(site: Site) -> None:
    admin = await site.admin()
    call = await site.call(await site.agent())
    for answer in (
        await site.post("/api/sessions", {"language": "en"}, cookie=admin),
        await site.get("/api/sessions", cookie=admin),
        await site.post(f"/api/sessions/{call.session}/end", cookie=admin),
        await site.post(f"/api/sessions/{call.session}/ticket", cookie=admin),
    ):
        assert (answer.status, answer.code) == (403, "not_permitted")


async def test_a_customer_s_seat_is_no_staff_session(site: Site) -> None:
    call = await site.call(await site.agent())
    answer = await site.post(f"/api/sessions/{call.session}/end", cookie=call.seat)
    assert (answer.status, answer.code) == (401, "auth.required")


@pytest.mark.parametrize("language", ["", "english", "e", "en\n", "../en", "en-", 7, None])
async def test_a_language_is_a_tag(site: Site, language: object) -> None:
    answer = await site.post("/api/sessions", {"language": language}, cookie=await site.agent())
    assert (answer.status, answer.code) == (400, "invalid")
