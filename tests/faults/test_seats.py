"""A seat that timed out is given up, unless its party is back, however late the timer looks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from avsession.session import SEAT_TIMEOUT_MS, Party, Presence
from avsession.usecases import presence
from tests.avsession.usecases.world import World, opened


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A call, of real parts."""
    async with opened(tmp_path) as made:
        yield made


async def test_back_before_the_timer_came_to_it(world: World) -> None:
    """With many seats due at once, some come back between the look and the deed."""
    await world.record()
    for person in (world.agent, world.customer):
        await world.disconnect(person)
    world.clock.forward(SEAT_TIMEOUT_MS / 1000 + 1)
    for person in (world.agent, world.customer):
        await world.connect(person)
    live = world.gate
    for person in (world.agent, world.customer):
        await presence.timed_out(world.app, person.id)
        assert (await world.only(Party, id=person.id)).presence is Presence.PRESENT
    assert world.gate == live
    await world.disconnect(world.customer)
    world.clock.forward(SEAT_TIMEOUT_MS / 1000 + 1)
    await presence.timed_out(world.app, world.customer.id)
    assert (await world.only(Party, id=world.customer.id)).presence is None
