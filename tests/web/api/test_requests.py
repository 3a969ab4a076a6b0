"""The desk over the API: shapes, codes, and the permission."""

from typing import Any

import pytest

from tests.web.support import Site, Story, same_shape
from web.app import TABLE

EXAMPLES: dict[tuple[str, str], Any] = {(r.method, r.path): r.answer for r in TABLE}
DESK = "/api/admin/requests"
STEPS = ("verify", "extend", "answer", "refuse", "lift", "carry-out")


async def said(site: Site, story: Story, step: str, request: str, text: str = "") -> dict[str, Any]:
    body = {"text": text} if text else {}
    answer = await site.post(f"{DESK}/{request}/{step}", body, cookie=story.admin)
    assert answer.status == 200, answer.body
    same_shape(EXAMPLES["POST", f"{DESK}/{{request}}/{step}"], answer.json)
    found: dict[str, Any] = answer.json
    return found


async def entered(site: Site, story: Story, right: str) -> str:
    body = {"party": story.call.customer, "right": right, "text": "by letter"}
    answer = await site.post(DESK, body, cookie=story.admin)
    same_shape(EXAMPLES["POST", DESK], answer.json)
    return str(answer.json["request"])


async def test_a_request_from_its_entry_to_its_end(site: Site, story: Story) -> None:
    complaint = await entered(site, story, "complain")
    await said(site, story, "verify", complaint, "by telephone")
    await said(site, story, "extend", complaint, "there is much of it")
    await said(site, story, "answer", complaint, "you are right")
    restrict = await entered(site, story, "restrict")
    await said(site, story, "verify", restrict, "by telephone")
    assert await said(site, story, "carry-out", restrict) == {"state": "restricted"}
    await said(site, story, "lift", restrict, "as you asked")
    refused = await entered(site, story, "access")
    await said(site, story, "refuse", refused, "it was not you")
    queue = await site.get(DESK, cookie=story.admin)
    same_shape(EXAMPLES["GET", DESK], queue.json)
    assert {row["state"] for row in queue.json["requests"]} == {"answered", "refused"}
    figures = await site.get(f"{DESK}/figures", cookie=story.admin)
    same_shape(EXAMPLES["GET", f"{DESK}/figures"], figures.json)
    assert (figures.json["answered"], figures.json["refused"]) == (2, 1)


async def test_who_wrote_is_found_corrected_and_given_a_link(site: Site, story: Story) -> None:
    found = await site.post("/api/admin/people", {"text": "ben"}, cookie=story.admin)
    same_shape(EXAMPLES["POST", "/api/admin/people"]["people"], found.json["people"])
    (row,) = found.json["people"]
    assert (row["party"], row["name"], found.json["next"]) == (story.call.customer, "Ben", None)
    rectify, access = await entered(site, story, "rectify"), await entered(site, story, "access")
    for request in (rectify, access):
        await said(site, story, "verify", request, "by telephone")
    body = {"name": "Benno", "contact": "benno@example.com"}
    made = await site.post(f"{DESK}/{rectify}/correct", body, cookie=story.admin)
    assert (made.status, made.json) == (200, body)
    fresh = (await said(site, story, "link", access))["data_url"].partition("#")[2]
    mine = (await site.post("/api/my-data", {"secret": fresh})).json
    assert (mine["name"], len(mine["handed"])) == ("Benno", 1)
    assert (await site.post("/api/my-data", {"secret": story.call.secret})).status == 410


async def test_an_objection_is_entered_with_its_purposes(site: Site, story: Story) -> None:
    body = {"party": story.call.customer, "right": "object", "text": "by letter"}
    for purposes in ([], ["what nobody is asked for"]):
        answer = await site.post(DESK, body | {"purposes": purposes}, cookie=story.admin)
        assert (answer.status, answer.code) == (400, "invalid")
    made = await site.post(DESK, body | {"purposes": ["quality"]}, cookie=story.admin)
    assert made.json["purposes"] == ["quality"]
    assert (await said(site, story, "verify", made.json["request"], "called back"))["restricts"]


async def test_what_waits_is_a_figure_for_machines(site: Site, story: Story) -> None:
    await entered(site, story, "complain")
    site.clock.forward(25 * 86_400)
    text = (await site.get("/metrics")).body.decode()
    assert 'avsession_privacy_requests{state="soon"} 1' in text, "before it is late"
    site.clock.forward(15 * 86_400)
    text = (await site.get("/metrics")).body.decode()
    assert 'avsession_privacy_requests{state="open"} 1' in text
    assert 'avsession_privacy_requests{state="soon"} 0' in text
    assert 'avsession_privacy_requests{state="late"} 1' in text


@pytest.mark.parametrize("step", STEPS)
async def test_an_agent_may_not(site: Site, story: Story, step: str) -> None:
    request = await entered(site, story, "restrict")
    body = {} if step == "carry-out" else {"text": "good words"}
    answer = await site.post(f"{DESK}/{request}/{step}", body, cookie=story.agent)
    assert (answer.status, answer.code) == (403, "not_permitted")
    for path in (DESK, f"{DESK}/figures"):
        assert (await site.get(path, cookie=story.agent)).code == "not_permitted"
    wanted = {"party": story.call.customer, "right": "erase", "text": "by letter"}
    assert (await site.post(DESK, wanted, cookie=story.agent)).code == "not_permitted"


async def test_a_step_that_cannot_follow(site: Site, story: Story) -> None:
    request = await entered(site, story, "complain")
    answer = await site.post(f"{DESK}/{request}/answer", {"text": "done"}, cookie=story.admin)
    assert (answer.status, answer.code) == (409, "conflict")
    page = await site.get("/admin/requests", cookie=story.admin)
    assert page.status == 200
    assert (await site.get("/admin/requests", cookie=story.agent)).status == 303
