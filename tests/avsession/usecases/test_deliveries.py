"""Seeing what was told, trying an endpoint, replaying: who may, and that it is written down."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from avsession.config_outside import Endpoint, Webhooks
from avsession.errors import Conflict, NotFound, NotPermitted
from avsession.usecases import deliveries
from avsession.webhook_records import Delivery
from tests.avsession.usecases.world import World, opened

CRM, ERP = (
    Endpoint(name=name, url=f"https://{name}.example.com/", secret_file="s", events=events)
    for name, events in (("crm", ("session",)), ("erp", ()))
)


async def die(world: World, endpoint: str) -> list[Delivery]:
    async with world.store.write() as tx:
        rows = await tx.find(Delivery, endpoint=endpoint)
        for row in rows:
            await tx.put(replace(row, state="dead", outcome="500", attempts=13))
    return rows


async def test_the_list_counts_and_pages(tmp_path: Path) -> None:
    async with opened(tmp_path, webhooks=Webhooks(endpoints=(CRM, ERP))) as world:
        await die(world, "crm")
        world.clock.forward(1)
        await world.ask()
        listed = await deliveries.listed(world.app, world.admin)
        counts = {
            one["name"]: (one["waiting"], one["sent"], one["dead"]) for one in listed["endpoints"]
        }
        assert counts == {"crm": (0, 0, 1), "erp": (2, 0, 0)}
        kinds = [(one["endpoint"], one["kind"]) for one in listed["deliveries"]]
        assert kinds[0] == ("erp", "recording.requested")
        assert set(kinds[1:]) == {("crm", "session.created"), ("erp", "session.created")}
        (dead,) = (await deliveries.listed(world.app, None, state="dead"))["deliveries"]
        assert (dead["endpoint"], dead["outcome"], dead["due_ms"]) == ("crm", "500", None)
        newest = listed["deliveries"][0]["made_ms"]
        older = await deliveries.listed(world.app, None, before_ms=newest)
        assert len(older["deliveries"]) == 2


async def test_a_replay_begins_anew_and_is_a_leaf(tmp_path: Path) -> None:
    async with opened(tmp_path, webhooks=Webhooks(endpoints=(CRM, ERP))) as world:
        (row,) = await die(world, "crm")
        await world.story()
        world.clock.forward(100_000)
        again = await deliveries.replay(world.app, world.admin, row.id)
        assert (again["state"], again["attempts"]) == ("waiting", 0)
        (now,) = await world.find(Delivery, id=row.id)
        assert (now.id, now.body, now.since_ms) == (row.id, row.body, world.clock.ms)
        assert await world.story() == "access.granted"
        leaf = (await world.leaves())[-1]
        assert leaf["refs"] == {"what": "webhook.replay", "endpoint": "crm", "count": 1}
        assert leaf["actor"] == world.admin.pseudonym
        with pytest.raises(Conflict):
            await deliveries.replay(world.app, world.admin, row.id)
        assert await world.story() == ""


async def test_all_dead_ones_of_one_endpoint(tmp_path: Path) -> None:
    async with opened(tmp_path, webhooks=Webhooks(endpoints=(CRM, ERP))) as world:
        await world.ask()
        assert len(await die(world, "erp")) == 2
        await die(world, "crm")
        done = await deliveries.replay_dead(world.app, None, "erp")
        assert done == {"endpoint": "erp", "replayed": 2}
        states = {(row.endpoint, row.state) for row in await world.find(Delivery)}
        assert states == {("erp", "waiting"), ("crm", "dead")}
        leaf = (await world.leaves())[-1]
        assert (leaf["actor"], leaf["refs"]["count"]) == ("server", 2)
        await world.story()
        assert (await deliveries.replay_dead(world.app, None, "erp"))["replayed"] == 0
        assert await world.story() == "", "nothing happened"


async def test_a_test_waits_like_any_other_and_is_a_leaf(tmp_path: Path) -> None:
    async with opened(tmp_path, webhooks=Webhooks(endpoints=(CRM,))) as world:
        made = await deliveries.test(world.app, world.admin, "crm")
        assert (made["kind"], made["leaf"], made["state"]) == ("webhook.test", None, "waiting")
        assert (await world.leaves())[-1]["refs"]["what"] == "webhook.test"


async def test_only_who_may_and_only_what_is_there(tmp_path: Path) -> None:
    async with opened(tmp_path, webhooks=Webhooks(endpoints=(CRM,))) as world:
        (row,) = await die(world, "crm")
        agent = world.staff
        for refused in (
            deliveries.listed(world.app, agent),
            deliveries.replay(world.app, agent, row.id),
            deliveries.replay_dead(world.app, agent, "crm"),
            deliveries.test(world.app, agent, "crm"),
        ):
            with pytest.raises(NotPermitted):
                await refused
        for missing in (
            deliveries.replay(world.app, world.admin, "msg_" + "a" * 26),
            deliveries.replay_dead(world.app, world.admin, "erp"),
            deliveries.test(world.app, world.admin, "erp"),
        ):
            with pytest.raises(NotFound):
                await missing
        async with world.store.write() as tx:
            await tx.put(replace(row, endpoint="gone"))
        with pytest.raises(NotFound, match="no webhook endpoint called gone"):
            await deliveries.replay(world.app, world.admin, row.id)
