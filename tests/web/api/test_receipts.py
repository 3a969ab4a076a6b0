"""Receipts over HTTP: one's own only, as a file that nobody keeps on the way."""

from __future__ import annotations

import pytest

from avsession.audit import receipt
from avsession.records import ConsentEvent
from tests.web.api.test_holds import destroy
from tests.web.support import Site, Story

OTHER = "evt_" + "a" * 26


async def event_of(site: Site, party: str) -> str:
    async with site.app.store.read() as tx:
        found = await tx.one(ConsentEvent, party=party, kind="given")
    assert found is not None
    return found.id


async def test_each_party_has_its_own(site: Site, story: Story) -> None:
    call = story.call
    mine = {"event": await event_of(site, call.customer)}
    theirs = {"event": await event_of(site, call.agent)}
    by_account = f"/api/sessions/{call.session}/receipt"
    good = [
        await site.post("/api/seat/receipt", mine, cookie=call.seat),
        await site.post("/api/my-data/receipt", mine | {"secret": call.secret}),
        await site.post(by_account, theirs, cookie=story.agent),
    ]
    for answer in good:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="receipt-')
        assert receipt.verify(answer.body, site.app.notary.key).holds
    assert good[0].body == good[1].body
    for answer in (
        await site.post("/api/seat/receipt", theirs, cookie=call.seat),
        await site.post("/api/my-data/receipt", theirs | {"secret": call.secret}),
        await site.post(by_account, mine, cookie=story.agent),
        await site.post("/api/seat/receipt", {"event": OTHER}, cookie=call.seat),
    ):
        assert (answer.status, answer.json["code"]) == (404, "not_found")


async def test_the_readers_local_time_stands_beside_utc(site: Site, story: Story) -> None:
    body = {"event": await event_of(site, story.call.customer)}
    made = await site.post("/api/seat/receipt", body | {"offset": 60}, cookie=story.call.seat)
    assert b'data-offset="60"' in made.body
    assert b"(UTC+01:00; " in made.body
    assert receipt.verify(made.body, site.app.notary.key).holds
    plain = await site.post("/api/seat/receipt", body | {"offset": 0}, cookie=story.call.seat)
    assert b"data-offset" not in plain.body
    assert receipt.read(plain.body) == receipt.read(made.body), "the facts are the same"
    for offset in (841, -841, 0.5, "60"):
        answer = await site.post(
            "/api/seat/receipt", body | {"offset": offset}, cookie=story.call.seat
        )
        assert answer.status == 400


async def test_a_destructions_receipt_is_both_parties(site: Site, story: Story) -> None:
    call = story.call
    shown = await destroy(site, story)
    body = {"certificate": shown["certificates"][0]["certificate"]}
    for answer in (
        await site.post("/api/seat/receipt", body, cookie=call.seat),
        await site.post("/api/my-data/receipt", body | {"secret": call.secret}),
        await site.post(f"/api/sessions/{call.session}/receipt", body, cookie=story.agent),
    ):
        assert answer.status == 200
        assert answer.headers["Content-Disposition"].startswith(
            'attachment; filename="receipt-erased-'
        )
        verdict = receipt.verify(answer.body, site.app.notary.key)
        assert verdict.holds
        assert verdict.receipt is not None
        assert verdict.receipt.document["certificate"] == body["certificate"]
    other = await site.call(await site.agent())
    strangers = await site.post("/api/my-data/receipt", body | {"secret": other.secret})
    assert (strangers.status, strangers.code) == (404, "not_found")


async def test_one_thing_at_a_time(site: Site, story: Story) -> None:
    event = {"event": await event_of(site, story.call.customer)}
    for body in ({}, event | {"certificate": "cer_" + "a" * 26}):
        answer = await site.post("/api/seat/receipt", body, cookie=story.call.seat)
        assert (answer.status, answer.code) == (400, "invalid")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/api/seat/receipt", 401), ("/api/sessions/{}/receipt", 401), ("/api/my-data/receipt", 410)],
)
async def test_nobody_elses(site: Site, story: Story, path: str, status: int) -> None:
    body = {"event": await event_of(site, story.call.customer)}
    if "my-data" in path:
        body["secret"] = "not a link's"
    answer = await site.post(path.format(story.call.session), body)
    assert answer.status == status


async def test_the_admin_is_not_the_party(site: Site, story: Story) -> None:
    body = {"event": await event_of(site, story.call.agent)}
    path = f"/api/sessions/{story.call.session}/receipt"
    assert (await site.post(path, body, cookie=story.admin)).status in (403, 404)
