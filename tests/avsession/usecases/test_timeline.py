"""One recording's picture: what it shows is what happened."""

from __future__ import annotations

from typing import Any

import pytest

from avsession.errors import NotFound, NotPermitted
from avsession.usecases import timeline
from tests.avsession.usecases.world import World
from tests.support.tamper import database
from tests.support.world import START_MS


async def _paused_call(world: World) -> str:
    """Two seconds, a pause of three by the customer, two seconds, withdrawn by the customer."""
    request = await world.record()
    await world.recorder.begin()
    await _speak(world)
    generation = await world.pause(world.customer, request)
    world.clock.forward(3)
    await world.resume(world.customer, request, generation)
    await world.recorder.begin()
    await _speak(world)
    await world.withdraw(world.customer, request)
    await world.recorder.end()
    return world.recorder.chain[0].recording


async def _speak(world: World) -> None:
    for _ in range(2):
        world.clock.forward(1)
        for person in (world.agent, world.customer):
            await world.recorder.segment(person)


def _seconds(spans: list[dict[str, Any]]) -> list[tuple[int, int | None]]:
    def since(ms: int | None) -> int | None:
        return None if ms is None else round((ms - START_MS) / 1000)

    return [(since(one["from_ms"]) or 0, since(one["to_ms"])) for one in spans]


async def test_presence_consent_pauses_and_what_was_stored(world: World) -> None:
    recording = await _paused_call(world)
    line = await timeline.timeline(world.app, world.admin, recording)
    assert (line["ok"], line["finished"], line["findings"]) == (True, True, [])
    assert line["segments"] == 8
    agent, customer = line["parties"]
    assert (agent["role"], customer["role"]) == ("agent", "customer")
    assert _seconds(customer["presence"]) == [(0, None)]
    assert [one["what"] for one in customer["consent"]] == ["given", "withdrawn"]
    assert _seconds(customer["consent"]) == [(0, 7), (7, None)]
    assert [one["what"] for one in agent["consent"]] == ["given"]
    for party in (agent, customer):
        assert _seconds(party["stored"]) == [(1, 2), (6, 7)]
    assert _seconds(line["pauses"]) == [(2, 5)]
    assert line["pauses"][0]["party"] == world.customer.id
    assert _seconds(line["open"]) == [(0, 2), (5, 7)]


async def test_what_lies_outside_is_said(world: World) -> None:
    recording = await _paused_call(world)
    with database(world.folder) as db:  # as if nobody had consented
        db.execute(
            "update leaf set data = cast(replace(cast(data as text), 'consent.given', "
            "'consent.shown') as blob) where kind = 'consent.given'"
        )
    line = await timeline.timeline(world.app, world.admin, recording)
    assert not line["ok"]
    assert line["findings"][0]["step"] == 4
    assert [one["wrong"] > 0 for one in line["steps"]][3:6:2] == [True, True]


async def test_a_file_that_is_gone_is_said_and_not_drawn(world: World) -> None:
    recording = await world.sealed()
    path = next((world.folder / "objects" / recording).rglob("000001.age"))
    path.unlink()
    line = await timeline.timeline(world.app, world.admin, recording)
    assert [one["step"] for one in line["findings"]] == [7]


async def test_what_still_runs_is_drawn_so_far(world: World) -> None:
    recording = await world.recorded()
    line = await timeline.timeline(world.app, world.admin, recording)
    assert (line["ok"], line["finished"]) == (True, False)
    assert _seconds(line["open"]) == [(0, None)]
    assert line["to_ms"] == world.clock.now_ms()


async def test_only_who_reviews_sees_it(world: World) -> None:
    recording = await world.sealed()
    with pytest.raises(NotPermitted):
        await timeline.timeline(world.app, world.staff, recording)
    with pytest.raises(NotFound):
        await timeline.timeline(world.app, world.admin, "rec_nothing")
