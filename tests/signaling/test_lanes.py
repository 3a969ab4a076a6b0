"""Order within a lane, none between lanes, and who may overtake."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from avsession.errors import TooMany
from avsession.tasks import Tasks
from signaling.lanes import Lanes, Turns, Work

pytestmark = pytest.mark.timeout(10)


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    it = Tasks()
    yield it
    await it.close()


class Desk:
    """Work that waits until it may, and notes when it began and ended."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.may: dict[str, asyncio.Event] = {}

    def work(self, name: str, *, wait: bool = False) -> Work:
        may = self.may[name] = asyncio.Event()
        if not wait:
            may.set()

        async def work() -> None:
            self.said.append(f"+{name}")
            await may.wait()
            self.said.append(f"-{name}")

        return work


async def test_a_lane_keeps_order_and_holds_up_no_other(tasks: Tasks) -> None:
    desk, lanes = Desk(), Lanes(tasks, "test", 10)
    lanes.put("a", desk.work("1", wait=True))
    lanes.put("a", desk.work("2"))
    lanes.put("b", desk.work("3"))
    await settle()
    assert desk.said == ["+1", "+3", "-3"]
    desk.may["1"].set()
    await lanes.idle()
    assert desk.said == ["+1", "+3", "-3", "-1", "+2", "-2"]


async def test_what_overtakes_begins_now_and_what_comes_later_waits_for_it(tasks: Tasks) -> None:
    desk, lanes = Desk(), Lanes(tasks, "test", 10)
    lanes.put("a", desk.work("slow", wait=True))
    lanes.overtake(desk.work("stop", wait=True), "b", desk.work("never"))
    lanes.put("b", desk.work("after"))
    await settle()
    assert desk.said == ["+slow", "+stop"]
    assert lanes.ahead == 1
    desk.may["stop"].set()
    await settle()
    assert desk.said == ["+slow", "+stop", "-stop", "+after", "-after"]
    assert lanes.ahead == 0
    desk.may["slow"].set()
    await lanes.idle()


async def test_what_overtook_in_vain_follows_in_its_turn(tasks: Tasks) -> None:
    desk, lanes = Desk(), Lanes(tasks, "test", 3)

    async def in_vain() -> bool:
        desk.said.append("vain")
        return False

    lanes.put("a", desk.work("give", wait=True))
    lanes.overtake(in_vain, "a", desk.work("withdraw"))
    lanes.put("a", desk.work("fate"))
    await settle()
    assert desk.said == ["+give", "vain"]
    desk.may["give"].set()
    await lanes.idle()
    assert desk.said[2:] == ["-give", "+withdraw", "-withdraw", "+fate", "-fate"]
    desk.said.clear()
    lanes.overtake(in_vain, "a", desk.work("never"))
    await lanes.idle()
    assert desk.said == ["vain"]


async def test_no_room_for_another_turn(tasks: Tasks) -> None:
    desk, lanes = Desk(), Lanes(tasks, "test", 1)
    lanes.put("a", desk.work("1", wait=True))
    with pytest.raises(TooMany):
        lanes.overtake(desk.work("stop"), "a", desk.work("never"))
    await settle()
    assert desk.said == ["+1", "+stop", "-stop"]
    desk.may["1"].set()
    await lanes.idle()


async def test_too_much_waiting(tasks: Tasks) -> None:
    desk, lanes = Desk(), Lanes(tasks, "test", 2)
    lanes.put("a", desk.work("1", wait=True))
    lanes.put("b", desk.work("2", wait=True))
    with pytest.raises(TooMany):
        lanes.put("c", desk.work("3"))
    desk.may["1"].set()
    await settle()
    lanes.put("c", desk.work("3"))
    desk.may["2"].set()
    await lanes.idle()
    assert "-3" in desk.said


async def test_idle_from_the_start(tasks: Tasks) -> None:
    await Lanes(tasks, "test", 1).idle()


async def test_turns_are_taken_in_order_by_key(tasks: Tasks) -> None:
    desk, turns = Desk(), Turns()

    async def hold(key: str, name: str) -> None:
        async with turns.of(key):
            await desk.work(name, wait=True)()

    for key, name in (("x", "1"), ("x", "2"), ("y", "3")):
        tasks.spawn(hold(key, name), name=name)
    await settle()
    assert desk.said == ["+1", "+3"]
    desk.may["1"].set()
    await settle()
    assert desk.said == ["+1", "+3", "-1", "+2"]
    desk.may["2"].set()
    desk.may["3"].set()
    await settle()
    assert not turns._locks


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)
