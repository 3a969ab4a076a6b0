"""Disclosures over HTTP: made, listed, downloaded in ranges, by admins alone."""

from typing import Any

import pyrage

from avsession.usecases import preparing
from tests.web.support import Site, Story, same_shape
from web.api.disclosures import ROUTES

WHO = pyrage.x25519.Identity.generate()
EXAMPLES = {(route.method, route.path): route.answer for route in ROUTES}
PATH = "/api/admin/disclosures"


def body(story: Story, **other: Any) -> dict[str, Any]:
    return {
        "scope": "recording",
        "target": story.recorded.recording,
        "category": "authority",
        "given_to": "District Court",
        "basis": "order",
        "basis_text": "Order 12",
        "reason": "Case 12",
        "parts": ["records", "media"],
        "recipient": str(WHO.to_public()),
    } | other


async def test_made_listed_and_downloaded(site: Site, story: Story) -> None:
    made = await site.post(PATH, body(story), cookie=story.admin)
    same_shape(EXAMPLES["POST", PATH], made.json)
    url = f"{PATH}/{made.json['disclosure']}.zip.age"
    early = await site.get(url, cookie=story.admin)
    assert (early.status, early.code) == (409, "conflict")
    assert await preparing.prepare_next(site.app)
    listed = await site.get(PATH, cookie=story.admin)
    same_shape(EXAMPLES["GET", PATH], listed.json)
    whole = await site.get(url, cookie=story.admin)
    assert whole.status == 200
    assert whole.headers["Content-Disposition"].endswith('.zip.age"')
    assert pyrage.decrypt(whole.body, [WHO]).startswith(b"PK")
    headers: dict[str, str | None] = {"Range": "bytes=10-", "If-Range": whole.headers["ETag"]}
    rest = await site.get(url, cookie=story.admin, headers=headers)
    assert (rest.status, rest.body) == (206, whole.body[10:])


async def test_who_may(site: Site, story: Story) -> None:
    made = await site.post(PATH, body(story), cookie=story.admin)
    url = f"{PATH}/{made.json['disclosure']}.zip.age"
    for cookie, status in ((story.agent, 403), (story.call.seat, 401), (None, 401)):
        assert (await site.post(PATH, body(story), cookie=cookie)).status == status
        assert (await site.get(PATH, cookie=cookie)).status == status
        assert (await site.get(url, cookie=cookie)).status == status


async def test_what_is_refused(site: Site, story: Story) -> None:
    refused: tuple[dict[str, Any], ...] = (
        {"recipient": "age1x"}, {"parts": []}, {"parts": ["all"]}, {"basis": "because"},
        {"target": "x"}, {"silent_until_ms": 1},
    )  # fmt: skip
    for wrong in refused:
        answer = await site.post(PATH, body(story, **wrong), cookie=story.admin)
        assert (answer.status, answer.code) == (400, "invalid"), wrong
    missing = body(story, target="rec_" + "a" * 26)
    assert (await site.post(PATH, missing, cookie=story.admin)).code == "not_found"
