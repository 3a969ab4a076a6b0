"""Confirming over the wire: by password, then by a passkey, and everything that does not count."""

from __future__ import annotations

from typing import Any

import pytest

from avsession.records import Leaf
from avsession.signin_records import Passkey, StepUp
from tests.support.authenticator import UP, UV, Authenticator
from tests.web.support import PASSWORD, Answer, Site, Story, same_shape
from web.app import TABLE

EXAMPLES = {(route.method, route.path): route.answer for route in TABLE}
REASON = {"reason": "Complaint 4711", "purpose": "quality"}


def opening(story: Story) -> str:
    return f"/api/admin/recordings/{story.recorded.recording}/open"


async def opens(site: Site, story: Story, cookie: str = "") -> Answer:
    """One try, confirmed by nobody on the way."""
    return await site.once("POST", opening(story), json=REASON, cookie=cookie or story.admin)


async def steps_up(
    site: Site, story: Story, action: str = "play", target: str = "", **how: Any
) -> Answer:
    about = {"action": action, "target": target or story.recorded.recording}
    return await site.post("/api/step-up", about | how, cookie=story.admin)


async def enrolled(site: Site, cookie: str) -> Authenticator:
    """A passkey, added as the page does."""
    mine = Authenticator()
    options = (await site.post("/api/passkeys/start", cookie=cookie)).json["options"]
    same_shape(EXAMPLES["POST", "/api/passkeys/start"], {"options": options})
    body = {"name": "Key ring", "credential": mine.create(options)}
    made = await site.post("/api/passkeys", body, cookie=cookie)
    same_shape(EXAMPLES["POST", "/api/passkeys"], made.json)
    return mine


async def asked(site: Site, story: Story, target: str = "") -> dict[str, Any]:
    about = {"action": "play", "target": target or story.recorded.recording}
    answer = await site.post("/api/step-up/start", about, cookie=story.admin)
    same_shape(EXAMPLES["POST", "/api/step-up/start"], answer.json)
    found: dict[str, Any] = answer.json["passkey"]
    return found


async def test_the_password_opens_once_this_very_thing(site: Site, story: Story) -> None:
    first = await opens(site, story)
    assert (first.status, first.code) == (403, "auth.step_up")
    how = await site.post("/api/step-up/start", {"action": "play"}, cookie=story.admin)
    assert how.json == {"passkey": None, "password": True}
    assert (await steps_up(site, story, password="wrong horse")).code == "auth.failed"
    assert (await opens(site, story)).code == "auth.step_up"
    for other in ({"action": "erase"}, {"target": "rec_" + "a" * 26}):
        assert (await steps_up(site, story, password=PASSWORD, **other)).status == 200
        assert (await opens(site, story)).code == "auth.step_up", "that was for something else"
    assert (await steps_up(site, story, password=PASSWORD)).status == 200
    _, another = await site.staff("admin")
    assert (await opens(site, story, another)).code == "auth.step_up", "nor for somebody else"
    assert (await opens(site, story)).status == 200
    assert (await opens(site, story)).code == "auth.step_up", "once"
    assert (await steps_up(site, story, password=PASSWORD)).status == 200
    site.clock.forward(120)
    assert (await opens(site, story)).code == "auth.step_up", "and not for ever"


async def test_guessing_has_a_limit(site: Site, story: Story) -> None:
    codes = [(await steps_up(site, story, password="wrong")).code for _ in range(40)]
    assert codes[0] == "auth.failed"
    assert codes[-1] == "too_many"


async def test_a_passkey_takes_the_password_s_place(site: Site, story: Story) -> None:
    mine = await enrolled(site, story.admin)
    listed = await site.get("/api/passkeys", cookie=story.admin)
    same_shape(EXAMPLES["GET", "/api/passkeys"], listed.json)
    assert (await steps_up(site, story, password=PASSWORD)).code == "auth.failed"
    options = await asked(site, story)
    assert options["userVerification"] == "required"
    assert options["rpId"] == "localhost"
    said = mine.get(options)
    assert (await steps_up(site, story, credential=said)).status == 200
    assert (await opens(site, story)).status == 200
    again = await steps_up(site, story, credential=said)
    assert (again.status, again.code) == (400, "passkey.refused"), "a challenge is good once"
    async with site.app.store.read() as tx:
        (row,) = await tx.find(Passkey)
        assert (row.sign_count, row.used_ms) == (1, site.clock.now_ms())
        said_by = [one.data.decode() for one in await tx.find(Leaf, kind="access.granted")]
    assert any('"what":"step_up"' in one and '"by":"passkey"' in one for one in said_by)
    assert any('"what":"passkey"' in one for one in said_by)


LIES: dict[str, dict[str, Any]] = {
    "nobody was verified": {"flags": UP},
    "nobody was there": {"flags": UV},
    "another page": {"origin": "https://calls.example.com"},
    "another host": {"host": "calls.example.com"},
    "another challenge": {"challenge": "A" * 43},
    "a copy that did not count on": {"count": 0},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
async def test_what_does_not_confirm(site: Site, story: Story, lie: dict[str, Any]) -> None:
    mine = await enrolled(site, story.admin)
    await steps_up(site, story, credential=mine.get(await asked(site, story)))
    assert (await opens(site, story)).status == 200
    wrong = await steps_up(site, story, credential=mine.get(await asked(site, story), **lie))
    assert (wrong.status, wrong.code) == (400, "passkey.refused")
    assert (await opens(site, story)).code == "auth.step_up"


async def test_what_is_somebody_else_s_or_too_late_or_nothing(site: Site, story: Story) -> None:
    mine = await enrolled(site, story.admin)
    _, other = await site.staff("admin")
    theirs = await enrolled(site, other)
    options = await asked(site, story)
    assert (await steps_up(site, story, credential=theirs.get(options))).code == "passkey.refused"
    late = await asked(site, story)
    site.clock.forward(120)
    assert (await steps_up(site, story, credential=mine.get(late))).code == "passkey.refused"
    elsewhere = await asked(site, story, "rec_" + "a" * 26)
    said = await steps_up(site, story, credential=mine.get(elsewhere))
    assert said.code == "passkey.refused", "the challenge was for another recording"
    for odd in ({}, {"id": 1}, {"id": "x", "response": []}, {**mine.get(options), "response": {}}):
        assert (await steps_up(site, story, credential=odd)).code == "passkey.refused"
    assert (await opens(site, story)).code == "auth.step_up"


async def test_adding_and_removing_are_confirmed_and_one_s_own(site: Site, story: Story) -> None:
    begun = await site.once("POST", "/api/passkeys/start", json={}, cookie=story.admin)
    assert (begun.status, begun.code) == (403, "auth.step_up")
    options = (await site.post("/api/passkeys/start", cookie=story.admin)).json["options"]
    same = Authenticator()
    body = {"name": "Key", "credential": same.create(options, flags=UP)}
    assert (await site.post("/api/passkeys", body, cookie=story.admin)).code == "passkey.refused"
    body = {"name": "Key", "credential": same.create(options)}
    spent = await site.post("/api/passkeys", body, cookie=story.admin)
    assert spent.code == "passkey.refused", "a challenge is good once"
    mine = await enrolled(site, story.admin)
    (one,) = (await site.get("/api/passkeys", cookie=story.admin)).json["passkeys"]
    path = f"/api/passkeys/{one['passkey']}/remove"
    _, other = await site.staff("admin")
    assert (await site.once("POST", path, json={}, cookie=other)).status == 404
    assert (await site.once("POST", path, json={}, cookie=story.admin)).code == "auth.step_up"
    about = {"action": "passkeys", "target": ""}
    options = (await site.post("/api/step-up/start", about, cookie=story.admin)).json["passkey"]
    confirmed = about | {"credential": mine.get(options)}
    assert (await site.post("/api/step-up", confirmed, cookie=story.admin)).status == 200
    assert (await site.once("POST", path, json={}, cookie=story.admin)).status == 200
    assert (await site.get("/api/passkeys", cookie=story.admin)).json == {"passkeys": []}


async def test_what_is_confirmed_is_all_that_is_dangerous(site: Site, story: Story) -> None:
    child = f"/api/admin/sessions/{story.call.session}/child"
    answer = await site.once("POST", child, json={}, cookie=story.admin)
    assert (answer.status, answer.code) == (403, "auth.step_up")
    async with site.app.store.read() as tx:
        assert await tx.count(StepUp) == 0
