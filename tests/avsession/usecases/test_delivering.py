"""Sending: to a real receiver that verifies, fails, hangs, babbles, and comes back."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from avsession.config import Settings
from avsession.config_outside import Endpoint, Webhooks
from avsession.errors import SettingsInvalid, Unavailable
from avsession.tasks import Tasks
from avsession.usecases import deliveries, delivering, retention
from avsession.usecases.delivering import turn
from avsession.webhook_records import Delivery
from avsession.webhooks import backoff
from tests.avsession.usecases.world import World, opened
from tests.support.receiver import SECRET, Receiver, receiving
from tests.support.world import Clock
from web.sender import Answer, HttpSender

DAY_S = 86_400
SENDER = HttpSender()


class Now(Clock):
    """From the computer's time on: receivers refuse what is signed in another year."""

    def __init__(self) -> None:
        self.ms = int(time.time()) * 1000


@asynccontextmanager
async def told(folder: Path, *, at_once: int = 4, timeout_s: int = 30) -> AsyncIterator[Any]:
    """A world, a receiver and its endpoint; what opening the world tells has arrived."""
    async with receiving() as receiver:
        made = receiver.endpoint(folder, events=["session", "recording"])
        webhooks = msgspec.convert(
            {"endpoints": [made], "at_once": at_once, "timeout_s": timeout_s}, Webhooks
        )
        async with opened(folder, clock=Now(), webhooks=webhooks) as world:
            endpoint = webhooks.endpoints[0]
            assert await turn(world.app, SENDER, endpoint) == 1
            receiver.got.clear()
            receiver.came.clear()
            yield world, receiver, endpoint


async def only(world: World, **where: Any) -> Delivery:
    (row,) = [row for row in await world.find(Delivery, **where) if row.kind != "session.created"]
    return row


async def test_what_happened_arrives_signed_and_is_not_sent_again(tmp_path: Path) -> None:
    async with told(tmp_path) as (world, receiver, endpoint):
        await world.ask()
        assert await turn(world.app, SENDER, endpoint) == 1
        row = await only(world)
        assert (row.state, row.outcome, row.attempts) == ("sent", "204", 1)
        assert receiver.got == [(row.id, json.loads(row.body))]
        assert receiver.kinds == ["recording.requested"]
        assert await turn(world.app, SENDER, endpoint) == 0


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 500, 503])
async def test_any_other_answer_is_tried_again_with_the_same_id(
    tmp_path: Path, status: int
) -> None:
    async with told(tmp_path) as (world, receiver, endpoint):
        await world.ask()
        receiver.says(status, Location=receiver.url)
        assert await turn(world.app, SENDER, endpoint) == 1
        row = await only(world)
        assert (row.state, row.outcome) == ("waiting", str(status))
        assert await turn(world.app, SENDER, endpoint) == 0, "not at once"
        world.clock.ms = row.due_ms
        receiver.answer = receiver.fine
        assert await turn(world.app, SENDER, endpoint) == 1
        assert receiver.ids == [row.id, row.id]
        assert receiver.got[0][1] == receiver.got[1][1]
        assert (await only(world)).state == "sent"


async def test_after_a_day_it_is_dead_and_a_replay_brings_it_back(tmp_path: Path) -> None:
    async with told(tmp_path) as (world, receiver, endpoint):
        await world.ask()
        made = await only(world)

        class Down:
            """Nobody is there; many attempts are nobody's to wait for."""

            tries = 0

            async def post(
                self, url: str, headers: Mapping[str, str], body: bytes, **_: Any
            ) -> Answer:
                self.tries += 1
                return Answer(500)

        down = Down()
        while (row := await only(world)).state == "waiting":
            world.clock.ms = row.due_ms
            assert await turn(world.app, down, endpoint) == 1
        assert (row.state, row.outcome, row.attempts) == ("dead", "500", down.tries)
        assert 10 <= down.tries <= 20
        lasted = world.clock.ms - made.made_ms
        assert backoff.GIVE_UP_MS - backoff.LONGEST_MS * 1.25 <= lasted <= backoff.GIVE_UP_MS
        world.clock.forward(DAY_S)
        assert await turn(world.app, down, endpoint) == 0
        world.clock.ms = int(time.time() * 1000)  # so that the receiver takes its signature
        await deliveries.replay(world.app, world.admin, row.id)
        assert await turn(world.app, SENDER, endpoint) == 1
        assert receiver.got == [(made.id, json.loads(made.body))]
        assert (await only(world)).state == "sent"


async def test_who_is_gone_is_left_alone_and_who_asks_for_time_gets_it(tmp_path: Path) -> None:
    async with told(tmp_path) as (world, receiver, endpoint):
        await world.ask()
        receiver.says(503, **{"Retry-After": "3600"})
        await turn(world.app, SENDER, endpoint)
        row = await only(world)
        assert row.due_ms >= world.clock.ms + 3_600_000
        world.clock.ms = row.due_ms
        row_id = row.id
        receiver.says(410)
        # an hour on, its own check of the time would refuse it: the answer alone matters here
        plain = msgspec.structs.replace(endpoint, url=receiver.url.replace("/hooks", "/plain"))
        await turn(world.app, SENDER, plain)
        assert (await only(world, id=row_id)).state == "dead"


async def test_a_slow_one_costs_its_time_and_nobody_else_s(tmp_path: Path) -> None:
    async with told(tmp_path, timeout_s=1) as (world, receiver, endpoint):
        await world.ask()
        receiver.answer = receiver.waits
        assert await turn(world.app, SENDER, endpoint) == 1
        row = await only(world)
        assert (row.state, row.outcome) == ("waiting", "timeout")


async def test_an_endless_answer_is_an_answer(tmp_path: Path) -> None:
    async with told(tmp_path) as (world, receiver, endpoint):
        await world.ask()
        receiver.answer = receiver.endless
        await turn(world.app, SENDER, endpoint)
        assert (await only(world)).state == "sent"


async def test_at_most_so_many_in_flight(tmp_path: Path) -> None:
    async with told(tmp_path, at_once=2) as (world, receiver, endpoint):
        for _ in range(5):
            await deliveries.test(world.app, None, endpoint.name)
        together = asyncio.Event()

        async def both(request: Any) -> Any:
            if receiver.now == 2:
                together.set()
            await together.wait()
            return await receiver.fine(request)

        receiver.answer = both
        assert [await turn(world.app, SENDER, endpoint) for _ in range(2)] == [2, 2]
        assert receiver.most == 2
        assert await turn(world.app, SENDER, endpoint) == 1


async def test_a_crash_between_the_commit_and_the_sending_loses_nothing(tmp_path: Path) -> None:
    async with told(tmp_path) as (world, receiver, endpoint):
        await world.ask()
        await world.restart()
        assert await turn(world.app, SENDER, endpoint) == 1
        assert receiver.kinds == ["recording.requested"]


async def test_a_crash_while_sending_sends_again_with_the_same_id(tmp_path: Path) -> None:
    async with told(tmp_path) as (world, receiver, endpoint):
        await world.ask()
        receiver.answer = receiver.waits
        tasks = Tasks()
        tasks.spawn(turn(world.app, SENDER, endpoint), name="turn")
        await receiver.came.wait()
        assert await turn(world.app, SENDER, endpoint) == 0, "nobody else sends it meanwhile"
        await tasks.close()
        await world.restart()
        assert await turn(world.app, SENDER, endpoint) == 0
        world.clock.forward(30 + delivering.CLAIM_MS / 1000)
        receiver.answer = receiver.fine
        assert await turn(world.app, SENDER, endpoint) == 1
        assert len(set(receiver.ids)) == 1
        assert len(receiver.ids) == 2
        assert (await only(world)).state == "sent"


async def test_the_secret_may_change_and_be_broken_while_it_runs(tmp_path: Path) -> None:
    async with told(tmp_path) as (world, receiver, endpoint):
        await world.ask()
        path = Path(endpoint.secret_file)
        path.write_text("nothing\n")
        await turn(world.app, SENDER, endpoint)
        row = await only(world)
        assert (row.state, row.outcome) == ("waiting", "secret")
        path.write_text(f"whsec_{'bmV3' * 8}\n{SECRET}\n")
        world.clock.ms = row.due_ms
        await turn(world.app, SENDER, endpoint)
        assert receiver.ids == [row.id], "a receiver with the former secret still takes it"


async def test_the_keeper_sends_what_comes_and_waits_for_the_database(tmp_path: Path) -> None:
    async with told(tmp_path) as (world, receiver, _):
        tasks = Tasks()
        world.store.down = True
        with pytest.raises(Unavailable):
            await turn(world.app, SENDER, world.settings.webhooks.endpoints[0])
        tasks.spawn(delivering.keep_delivering(world.app, SENDER), name="webhooks")
        await asyncio.sleep(0)
        world.store.down = False
        await world.ask()
        await receiver.came.wait()
        await tasks.close()
        assert receiver.kinds == ["recording.requested"]


async def test_they_go_in_their_time_and_a_dry_run_says_so(tmp_path: Path) -> None:
    async with told(tmp_path) as (world, _, _):
        await world.ask()
        world.clock.forward(29 * DAY_S)
        assert await gone(world, dry=True) == 0
        world.clock.forward(1.5 * DAY_S)
        before = await world.find(Delivery)
        assert await gone(world, dry=True) == len(before) == 2
        assert await world.find(Delivery) == before
        assert await gone(world, dry=False) == 2
        assert await world.find(Delivery) == []


async def gone(world: World, *, dry: bool) -> int:
    tallies = {tally.rule.what: tally for tally in await retention.run(world.app, dry=dry)}
    return tallies["webhook deliveries"].count


def test_what_cannot_be_used_is_said_before_the_start(tmp_path: Path) -> None:
    def settings(**other: Any) -> Settings:
        made = Receiver().endpoint(tmp_path, **{"events": ["consent", "session.ended"]} | other)
        return Settings(webhooks=Webhooks(endpoints=(msgspec.convert(made, Endpoint),)))

    delivering.check(settings())
    with pytest.raises(SettingsInvalid, match=r"webhooks.endpoints.crm.events: unknown: audit"):
        delivering.check(settings(events=["audit"]))
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        delivering.check(settings(secret_file=str(tmp_path / "nowhere")))
