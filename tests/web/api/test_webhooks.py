"""Webhooks over the wire: the shapes, and who is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from avsession.config_outside import Endpoint, Webhooks
from avsession.webhook_records import Delivery
from tests.web.support import Site, same_shape
from tests.web.support import site as open_site
from web.app import TABLE

EXAMPLES = {(route.method, route.path): route.answer for route in TABLE}
BASE = "/api/admin/webhooks"
CRM = Endpoint(name="crm", url="https://crm.example.com/", secret_file="s", events=("session",))


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path, webhooks=Webhooks(endpoints=(CRM,))) as site:
        await site.post("/api/sessions", {"language": "en"}, cookie=await site.agent())
        yield site


async def test_seeing_replaying_and_trying(told: Site) -> None:
    admin = await told.admin()
    listed = await told.get(BASE, cookie=admin)
    same_shape(EXAMPLES["GET", BASE], listed.json)
    (one,) = listed.json["deliveries"]
    path = f"{BASE}/deliveries/{one['delivery']}/replay"
    waiting = await told.post(path, cookie=admin)
    assert (waiting.status, waiting.code) == (409, "conflict")
    async with told.app.store.write() as tx:
        (row,) = await tx.find(Delivery)
        await tx.put(replace(row, state="dead"))
    assert (await told.get(f"{BASE}?state=waiting", cookie=admin)).json["deliveries"] == []
    assert len((await told.get(f"{BASE}?state=dead", cookie=admin)).json["deliveries"]) == 1
    replayed = await told.post(path, cookie=admin)
    same_shape(EXAMPLES["POST", f"{BASE}/deliveries/{{delivery}}/replay"], replayed.json)
    again = await told.post(f"{BASE}/replay-dead", {"endpoint": "crm"}, cookie=admin)
    assert again.json == {"endpoint": "crm", "replayed": 0}
    tried = await told.post(f"{BASE}/test", {"endpoint": "crm"}, cookie=admin)
    same_shape(EXAMPLES["POST", f"{BASE}/test"], tried.json)
    nobody = await told.post(f"{BASE}/test", {"endpoint": "erp"}, cookie=admin)
    assert (nobody.status, nobody.code) == (404, "not_found")
    wrong = await told.get(f"{BASE}?state=gone", cookie=admin)
    assert (wrong.status, wrong.code) == (400, "invalid")


async def test_an_agent_is_refused(told: Site) -> None:
    agent = await told.agent()
    asked = [
        await told.get(BASE, cookie=agent),
        await told.post(f"{BASE}/test", {"endpoint": "crm"}, cookie=agent),
        await told.post(f"{BASE}/replay-dead", {"endpoint": "crm"}, cookie=agent),
        await told.post(f"{BASE}/deliveries/msg_{'a' * 26}/replay", cookie=agent),
    ]
    assert {(one.status, one.code) for one in asked} == {(403, "not_permitted")}
