import hashlib

import pytest

from tests.web.support import Site, Story, same_shape
from web.app import TABLE

EXAMPLES = {route.path: route.answer for route in TABLE}


async def test_the_story_of_a_session(site: Site, story: Story) -> None:
    sessions = (await site.get("/api/admin/sessions", cookie=story.admin)).json
    same_shape(EXAMPLES["/api/admin/sessions"], sessions)
    (row,) = sessions["sessions"]
    assert (row["session"], row["requests"], row["recordings"]) == (story.call.session, 1, 1)

    path = f"/api/admin/sessions/{story.call.session}"
    session = (await site.get(path, cookie=story.admin)).json
    same_shape(EXAMPLES["/api/admin/sessions/{session}"], session)
    assert {party["role"] for party in session["parties"]} == {"agent", "customer"}
    kinds = [event["kind"] for event in session["events"]]
    assert sorted(kinds) == ["given", "given", "requested", "shown", "shown"]
    leaves = [event["leaf"] for event in session["events"]]
    assert leaves == sorted(leaves)
    assert session["recordings"][0]["recording"] == story.recorded.recording


async def test_a_consent_event_and_the_notice_that_was_shown(site: Site, story: Story) -> None:
    path = f"/api/admin/sessions/{story.call.session}"
    events = (await site.get(path, cookie=story.admin)).json["events"]
    given = next(event for event in events if event["kind"] == "given")
    document = await site.get(f"/api/admin/events/{given['event']}", cookie=story.admin)
    assert document.status == 200
    assert document.json["proof"]["leaf"] == given["leaf"]
    notice = await site.get(f"/api/admin/notices/{given['notice']}", cookie=story.admin)
    assert notice.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert hashlib.sha256(notice.body).hexdigest() == given["notice"]


async def test_recordings_with_state_and_duration(site: Site, story: Story) -> None:
    recordings = (await site.get("/api/admin/recordings", cookie=story.admin)).json
    same_shape(EXAMPLES["/api/admin/recordings"], recordings)
    (row,) = recordings["recordings"]
    assert (row["state"], row["duration_ms"], row["playable"]) == ("sealed", 4000, True)
    assert {party["name"] for party in row["parties"]} == {"Agent", "Ben"}


async def test_paging_backwards(site: Site) -> None:
    agent, admin = await site.agent(), await site.admin()
    for _ in range(5):
        site.clock.forward(1)
        await site.post("/api/sessions", {"language": "en"}, cookie=agent)
    seen: list[int] = []
    query = "?limit=2"
    while rows := (await site.get(f"/api/admin/sessions{query}", cookie=admin)).json["sessions"]:
        assert len(rows) <= 2
        seen += [row["created_ms"] for row in rows]
        query = f"?limit=2&before={seen[-1]}"
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)


PATHS = (
    "/api/admin/sessions",
    "/api/admin/sessions/{session}",
    "/api/admin/events/evt_" + "a" * 26,
    "/api/admin/recordings",
    "/api/admin/notices/" + "a" * 64,
)


@pytest.mark.parametrize("path", PATHS)
async def test_only_an_admin_reviews(site: Site, story: Story, path: str) -> None:
    path = path.format(session=story.call.session)
    refused = await site.get(path, cookie=story.agent)
    assert (refused.status, refused.code) == (403, "not_permitted")
    for cookie in (None, story.call.seat):
        assert (await site.get(path, cookie=cookie)).code == "auth.required"


@pytest.mark.parametrize(
    "path",
    [
        "/api/admin/sessions/ses_" + "a" * 26,
        "/api/admin/events/evt_" + "a" * 26,
        "/api/admin/notices/" + "a" * 64,
    ],
)
async def test_what_is_not_there(site: Site, path: str) -> None:
    answer = await site.get(path, cookie=await site.admin())
    assert (answer.status, answer.code) == (404, "not_found")
