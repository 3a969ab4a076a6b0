"""Accounts, one's own data, a child's, and the statement of age, over the wire."""

from tests.web.support import Site, Story, cookie_of, same_shape
from web.app import TABLE

EXAMPLES = {(route.method, route.path): route.answer for route in TABLE}


async def test_disabling_an_account(site: Site) -> None:
    account, agent = await site.staff("agent")
    me, admin = await site.staff("admin")
    made = (await site.post("/api/sessions", {"language": "en"}, cookie=agent)).json
    listed = await site.get("/api/admin/accounts", cookie=admin)
    same_shape(EXAMPLES["GET", "/api/admin/accounts"], listed.json)
    path = f"/api/admin/accounts/{account.id}/disable"
    refused = await site.post(path, cookie=agent)
    assert (refused.status, refused.code) == (403, "not_permitted")
    done = await site.post(path, cookie=admin)
    same_shape(EXAMPLES["POST", "/api/admin/accounts/{account}/disable"], done.json)
    assert done.json["disabled"] is True
    assert (await site.get("/api/me", cookie=agent)).status == 401
    assert (await site.post(f"/api/sessions/{made['session']}/ticket", cookie=agent)).status == 401
    own = await site.post(f"/api/admin/accounts/{me.id}/disable", cookie=admin)
    assert (own.status, own.code) == (409, "conflict")
    nobody = await site.post(f"/api/admin/accounts/acc_{'a' * 26}/disable", cookie=admin)
    assert nobody.status == 404


async def test_one_s_own_data_or_nothing(site: Site, story: Story) -> None:
    path = "/api/my-data/staff"
    for cookie in (None, story.call.seat):
        assert (await site.get(path, cookie=cookie)).json == {"mine": None}
    for cookie in (story.agent, story.admin):
        answer = await site.get(path, cookie=cookie)
        same_shape(EXAMPLES["GET", path], answer.json)
        assert "Ben" not in answer.body.decode(), "the customer is somebody else"


async def test_a_child_s_data_goes(site: Site, story: Story) -> None:
    path = f"/api/admin/sessions/{story.call.session}/child"
    assert (await site.post(path, cookie=story.agent)).status == 403
    done = await site.post(path, cookie=story.admin)
    same_shape(EXAMPLES["POST", "/api/admin/sessions/{session}/child"], done.json)
    assert done.json == {"state": "done", "held": None}
    assert (await site.post("/api/my-data", {"secret": story.call.secret})).status == 410


async def test_who_is_too_young_is_refused_and_leaves_nothing(site: Site) -> None:
    assert (await site.get("/api/about")).json["minimum_age"] == 13
    made = (await site.post("/api/sessions", {"language": "en"}, cookie=await site.agent())).json
    body = {"secret": made["invitation_url"].partition("#")[2], "name": "Kim", "language": "en"}
    refused = await site.post("/api/join", {**body, "of_age": False})
    assert (refused.status, refused.code) == (403, "age.too_young")
    assert "Set-Cookie" not in refused.headers
    joined = await site.post("/api/join", {**body, "of_age": True})
    assert joined.status == 200, "the invitation is still good, for whoever looks after them"
    assert cookie_of(joined)


async def test_a_right_of_ones_own_is_asked_for_and_answered_at_the_desk(site: Site) -> None:
    account, agent = await site.staff("agent")
    _, admin = await site.staff("admin")
    asked = "/api/my-data/staff/requests"
    refused = await site.post(asked, {"right": "complain", "text": "no"})
    assert refused.status == 401
    made = await site.post(asked, {"right": "rectify", "name": "Ada Ito"}, cookie=agent)
    same_shape(EXAMPLES["POST", asked], made.json)
    other = await site.post(asked, {"right": "erase", "text": "all of it"}, cookie=agent)
    back = {"request": other.json["request"]}
    assert (await site.post(f"{asked}/withdraw", back, cookie=admin)).status == 404
    taken = await site.post(f"{asked}/withdraw", back, cookie=agent)
    same_shape(EXAMPLES["POST", f"{asked}/withdraw"], taken.json)
    enter = f"/api/admin/accounts/{account.id}/requests"
    body = {"right": "access", "text": "by letter"}
    assert (await site.post(enter, body, cookie=agent)).status == 403
    entered = await site.post(enter, body, cookie=admin)
    same_shape(EXAMPLES["POST", "/api/admin/accounts/{account}/requests"], entered.json)
    queue = await site.get("/api/admin/requests", cookie=admin)
    same_shape(EXAMPLES["GET", "/api/admin/requests"], queue.json)
    done = f"/api/admin/requests/{made.json['request']}/carry-out"
    assert (await site.post(done, cookie=admin)).json == {"state": "corrected"}
    mine = (await site.get("/api/my-data/staff", cookie=agent)).json["mine"]
    same_shape(EXAMPLES["GET", "/api/my-data/staff"], {"mine": mine})
    assert mine["account"]["name"] == "Ada Ito"
    states = {one["right"]: one["state"] for one in mine["requests"]}
    assert states == {"rectify": "answered", "erase": "withdrawn", "access": "verifying"}
