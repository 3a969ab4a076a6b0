"""Holds and certificates over the wire: who may, what is refused, and what comes back."""

from typing import Any

import pytest

from avsession.audit import certificate as documents
from tests.web.support import Answer, Site, Story, same_shape
from web.app import TABLE

EXAMPLES = {route.path: route.answer for route in TABLE}
KEY = "k" * 24
DAY_MS = 86_400_000


def said(site: Site, story: Story, **changed: Any) -> dict[str, Any]:
    return {
        "scope": "recording",
        "target": story.recorded.recording,
        "category": "claim",
        "reason": "Claim 12/26",
        "asked_by": "The company's lawyer",
        "review_ms": site.clock.now_ms() + DAY_MS,
    } | changed


async def destroy(site: Site, story: Story) -> dict[str, Any]:
    """The customer destroys by the private link; the recording as that page then shows it."""
    body = {
        "secret": story.call.secret,
        "request": story.recorded.request,
        "fate": "destroy",
        "key": KEY,
    }
    assert (await site.post("/api/my-data/withdraw", body)).status == 200
    answer = await site.post("/api/my-data", {"secret": story.call.secret})
    (recording,) = answer.json["recordings"]
    return dict(recording)


async def test_a_hold_from_its_beginning_to_its_end(site: Site, story: Story) -> None:
    placed = await site.post("/api/admin/holds", said(site, story), cookie=story.admin)
    assert placed.status == 200
    same_shape(EXAMPLES["/api/admin/holds"], placed.json)
    (standing,) = (await site.get("/api/admin/holds", cookie=story.admin)).json["holds"]
    assert standing == placed.json | {"session": story.call.session, "due": False}
    shown = await destroy(site, story)
    assert (shown["state"], shown["held"]["category"]) == ("sealed", "claim")
    path = f"/api/admin/sessions/{story.call.session}"
    session = (await site.get(path, cookie=story.admin)).json
    assert session["holds"] == [placed.json]
    assert session["recordings"][0]["held"] is True
    path = f"/api/admin/holds/{placed.json['hold']}/release"
    released = await site.post(path, {"reason": "Settled"}, cookie=story.admin)
    same_shape(EXAMPLES["/api/admin/holds/{hold}/release"], released.json)
    assert released.json["released_ms"] == site.clock.now_ms()
    assert (await site.post(path, {"reason": "Settled"}, cookie=story.admin)).status == 409


async def test_the_certificate_for_the_party_and_for_the_admin(site: Site, story: Story) -> None:
    shown = await destroy(site, story)
    (listed,) = shown["certificates"]
    body = {"secret": story.call.secret, "certificate": listed["certificate"]}
    own = await site.post("/api/my-data/certificate", body)
    same_shape(EXAMPLES["/api/my-data/certificate"], own.json)
    path = f"/api/admin/certificates/{listed['certificate']}"
    theirs = await site.get(path, cookie=story.admin)
    assert theirs.json == own.json
    assert own.json["sha256"] == documents.digest(own.json["certificate"])
    held = await site.post("/api/admin/holds", said(site, story), cookie=story.admin)
    assert (held.status, held.code) == (409, "recording.erased")


async def refusals(site: Site, story: Story, cookie: str | None) -> list[Answer]:
    certificate = "/api/admin/certificates/cer_" + "a" * 26
    return [
        await site.post("/api/admin/holds", said(site, story), cookie=cookie),
        await site.post(
            f"/api/admin/holds/hld_{'a' * 26}/release", {"reason": "Settled"}, cookie=cookie
        ),
        await site.get(certificate, cookie=cookie),
    ]


async def test_only_an_admin(site: Site, story: Story) -> None:
    for answer in await refusals(site, story, story.agent):
        assert (answer.status, answer.code) == (403, "not_permitted")
    for cookie in (None, story.call.seat):
        assert {a.code for a in await refusals(site, story, cookie)} == {"auth.required"}


async def test_what_is_not_there(site: Site, story: Story) -> None:
    _, *others = await refusals(site, story, story.admin)
    target = "rec_" + "a" * 26
    others.append(
        await site.post("/api/admin/holds", said(site, story, target=target), cookie=story.admin)
    )
    assert {(answer.status, answer.code) for answer in others} == {(404, "not_found")}


async def test_a_strangers_certificate(site: Site, story: Story) -> None:
    shown = await destroy(site, story)
    other = await site.call(await site.agent())
    body = {"secret": other.secret, "certificate": shown["certificates"][0]["certificate"]}
    assert (await site.post("/api/my-data/certificate", body)).status == 404
    body["secret"] = "a" * 43
    assert (await site.post("/api/my-data/certificate", body)).status == 410


@pytest.mark.parametrize(
    "wrong",
    [
        {"scope": "world"},
        {"target": "x"},
        {"category": "because"},
        {"reason": ""},
        {"reason": "x" * 501},
        {"asked_by": ""},
        {"review_ms": -1},
        {"review_ms": 2**60},
        {"review_ms": "soon"},
        {"by": "me"},
    ],
    ids=str,
)
async def test_a_hold_that_is_not_one(site: Site, story: Story, wrong: dict[str, Any]) -> None:
    answer = await site.post("/api/admin/holds", said(site, story, **wrong), cookie=story.admin)
    assert (answer.status, answer.code) == (400, "invalid")
