"""A person's rights over the API: shapes, codes, and nothing without the link."""

from typing import Any

import pytest

from tests.web.support import Site, Story, same_shape
from web.api.rights import ROUTES
from web.app import TABLE

EXAMPLES: dict[str, Any] = {route.path: route.answer for route in TABLE if route.method == "POST"}
KEY = "0123456789abcdef"


async def told(site: Site, story: Story, path: str, **body: object) -> dict[str, Any]:
    """A good answer, compared with the documented one."""
    answer = await site.post(path, {"secret": story.call.secret, **body})
    assert answer.status == 200, answer.body
    same_shape(EXAMPLES[path], answer.json)
    said: dict[str, Any] = answer.json
    return said


async def test_each_right_and_what_the_page_shows_of_it(site: Site, story: Story) -> None:
    asked = await told(
        site, story, "/api/my-data/requests", right="object", purposes=["quality"], key=KEY
    )
    await told(site, story, "/api/my-data/requests/withdraw", request=asked["request"])
    await told(site, story, "/api/my-data/rectify", name="Benjamin", contact="ben@example.com")
    await told(site, story, "/api/my-data/restrict")
    data = (await site.post("/api/my-data", {"secret": story.call.secret})).json
    same_shape(EXAMPLES["/api/my-data"], data)
    assert [row["right"] for row in data["requests"]] != []
    opening = f"/api/admin/recordings/{story.recorded.recording}/open"
    refused = await site.post(
        opening, {"reason": "a check", "purpose": "quality"}, cookie=story.admin
    )
    assert (refused.status, refused.code) == (409, "recording.restricted")
    line = f"/api/admin/recordings/{story.recorded.recording}/timeline"
    assert (await site.get(line, cookie=story.admin)).code == "recording.restricted"
    await told(site, story, "/api/my-data/restrict/lift")


async def test_erased_and_the_link_is_spent(site: Site, story: Story) -> None:
    body = {"secret": story.call.secret, "sure": True}
    live = await site.post("/api/my-data/erase", body)
    assert (live.status, live.code) == (409, "session.live")
    await told(site, story, "/api/my-data/end-call")
    answer = await told(site, story, "/api/my-data/erase", sure=True)
    assert answer["state"] == "erased"
    assert answer["certificates"]
    assert (await site.post("/api/my-data", {"secret": story.call.secret})).code == "link.spent"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/my-data/erase", {"sure": False}),
        ("/api/my-data/erase", {}),
        ("/api/my-data/requests", {"right": "erase", "key": KEY}),
        ("/api/my-data/requests", {"right": "complain", "key": KEY}),
        ("/api/my-data/requests", {"right": "complain", "text": "x" * 4001, "key": KEY}),
        ("/api/my-data/requests", {"right": "object", "purposes": ["Q"], "key": KEY}),
        ("/api/my-data/rectify", {"name": ""}),
        ("/api/my-data/restrict", {"party": "pty_" + "a" * 26}),
    ],
)
async def test_what_is_not_meant_is_not_done(
    site: Site, story: Story, path: str, body: dict[str, object]
) -> None:
    answer = await site.post(path, {"secret": story.call.secret, **body})
    assert (answer.status, answer.code) == (400, "invalid")


BODIES: dict[str, dict[str, object]] = {
    "/api/my-data/requests": {"right": "access", "key": KEY},
    "/api/my-data/requests/withdraw": {"request": "prv_" + "a" * 26},
    "/api/my-data/erase": {"sure": True},
}


@pytest.mark.parametrize("path", [route.path for route in ROUTES])
async def test_a_guessed_link_does_nothing(site: Site, path: str) -> None:
    answer = await site.post(path, {"secret": "a" * 43, **BODIES.get(path, {})})
    assert (answer.status, answer.code) == (410, "link.spent")
