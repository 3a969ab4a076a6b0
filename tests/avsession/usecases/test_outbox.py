"""What is to be told is written with what it tells of, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from avsession.config_outside import Endpoint, Webhooks
from avsession.usecases import review, sessions
from avsession.webhook_records import Delivery
from avsession.webhooks import events
from tests.avsession.usecases.world import AGENT_NAME, CUSTOMER_NAME, LOGIN, World, opened

ALL = Endpoint(name="all", url="https://all.example.com/", secret_file="s")
CONSENT = Endpoint(
    name="law", url="https://law.example.com/", secret_file="s", events=("consent", "session.ended")
)


async def deliveries(world: World, endpoint: str) -> list[dict[str, Any]]:
    rows = await world.find(Delivery, endpoint=endpoint)
    return sorted((json.loads(row.body) for row in rows), key=lambda told: told["data"]["leaf"])


async def test_everybody_is_told_what_they_asked_for_and_no_name(tmp_path: Path) -> None:
    async with opened(tmp_path, webhooks=Webhooks(endpoints=(ALL, CONSENT))) as world:
        recording = await world.sealed("quality")
        await review.open_recording(world.app, world.admin, recording, "Grund von Kuno", "quality")
        await world.withdraw(world.customer, world.recorder.grant.request)
        await sessions.end_session(world.app, world.session, "agent_ended")
        leaves = {leaf["index"]: leaf for leaf in await world.leaves()}
        told = await deliveries(world, "all")
        wanted = [n for n, leaf in leaves.items() if leaf["kind"] in events.EVENTS]
        assert [one["data"]["leaf"] for one in told] == wanted
        assert len({one["type"] for one in told}) >= 8
        for one in told:
            leaf = leaves[one["data"]["leaf"]]
            assert (one["type"], one["timestamp"]) == (leaf["kind"], leaf["time"])
            assert one["data"]["session"] == leaf["session"]
            fields = events.EVENTS[one["type"]][1]
            assert one["data"].keys() == {"leaf", "session", *fields}
            assert all(one["data"][field] == leaf["refs"].get(field) for field in fields)
        kinds = [one["type"] for one in await deliveries(world, "law")]
        assert kinds == ["consent.given", "consent.given", "consent.withdrawn", "session.ended"]
        rows = await world.find(Delivery)
        assert len({row.id for row in rows}) == len(rows)
        assert {row.state for row in rows} == {"waiting"}
        parties = {world.agent.party.pseudonym, world.customer.party.pseudonym}
        words = {AGENT_NAME, CUSTOMER_NAME, LOGIN, "Grund", world.session, world.agent.id, *parties}
        sent = b"".join(row.body for row in rows).decode()
        assert not [word for word in words if word in sent]


async def test_what_is_rolled_back_is_told_to_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path, webhooks=Webhooks(endpoints=(ALL,))) as world:
        before = len(await world.find(Delivery))

        async def fail() -> None:
            raise RuntimeError("the disk")

        world.store.before_commit = fail
        with pytest.raises(RuntimeError, match="the disk"):
            await sessions.create_session(world.app, world.staff, "en")
        world.store.before_commit = None
        assert len(await world.find(Delivery)) == before
        await sessions.create_session(world.app, world.staff, "en")
        assert len(await world.find(Delivery)) == before + 1


async def test_without_endpoints_nothing_is_written(world: World) -> None:
    await world.ask()
    assert await world.find(Delivery) == []
