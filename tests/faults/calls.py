"""Two parties of a call without browsers: real signaling, real media by aiortc, come what may.

Each party joins again when its connection ends, and answers every leg that it is offered.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiortc.mediastreams import AudioStreamTrack
from websockets.exceptions import WebSocketException

from avsession.tasks import Tasks
from tests.browser.product import Product
from tests.faults.outside import Outside, Person, Said, Wire, agree, outside
from tests.recorder.publishers import AiortcPublisher, MovingPicture

PATIENCE_S = 30.0


def now_ms() -> float:
    """Server time: the same machine's."""
    return time.time() * 1000


class SmallPublisher(AiortcPublisher):
    """A small picture at a low rate: what is tested here is not the load."""

    def __init__(self) -> None:
        super().__init__(video=False, audio=False)
        self.pc.addTrack(MovingPicture(160, 120, 15))
        self.pc.addTrack(AudioStreamTrack())


class Party:
    """One party's page, without the page."""

    def __init__(self, person: Person, changed: asyncio.Condition) -> None:
        self.person, self._changed = person, changed
        self.heard: list[tuple[float, Said]] = []
        """Everything that was ever said to it, and when (server time, ms)."""
        self.offers: list[float] = []
        self.joins = 0
        self._publisher: AiortcPublisher | None = None

    async def run(self) -> None:
        """Be in the call, again and again."""
        while True:
            with contextlib.suppress(OSError, WebSocketException, aiohttp.ClientError, KeyError):
                wire = await self._join()
                await self._attend(wire)
            await asyncio.sleep(0.1)  # as a page does, it waits before it tries again

    async def _join(self) -> Wire:
        self.joins += 1
        if self.joins == 1:
            return self.person.wire
        self.person._wire = await self.person.outside.wire()
        ticket = await self.person.ticket()
        await self.person.wire.say("hello", ticket=ticket, build="none")
        return self.person.wire

    async def _attend(self, wire: Wire) -> None:
        seen = 0
        while True:
            async with wire._changed:
                await wire._changed.wait_for(lambda: len(wire.heard) > seen)  # noqa: B023
            for said in wire.heard[seen:]:
                seen += 1
                await self._hear(wire, said)
                if said["type"] == "closed":
                    return

    async def _hear(self, wire: Wire, said: Said) -> None:
        async with self._changed:
            self.heard.append((now_ms(), said))
            self._changed.notify_all()
        if said["type"] == "leg.offer":
            self.offers.append(now_ms())
            await self.hang_up()
            self._publisher = SmallPublisher()
            answer = await self._publisher.answer(said["sdp"])
            here = {key: said[key] for key in ("recording", "generation")}
            await wire.say("leg.answer", sdp=answer, **here)

    async def hang_up(self) -> None:
        """No leg any more."""
        if self._publisher is not None:
            await self._publisher.close()
            self._publisher = None

    def statuses(self) -> list[Said]:
        """What was said of the recording, in order."""
        return [said["recording"] for _, said in self.heard if said["type"] == "recording.state"]

    def told(self, reason: str) -> float:
        """When it was first said that recording is off for this reason; 0 if it was not."""
        for at_ms, said in self.heard:
            if said["type"] == "recording.state" and said["recording"]["reason"] == reason:
                return at_ms
        return 0.0

    @property
    def connected(self) -> bool:
        """Whether signaling is there."""
        return all(said["type"] != "closed" for said in self.person.wire.heard)


class Call:
    """A call that is being recorded, and what the product says of it."""

    def __init__(self, product: Product, parties: tuple[Party, Party], agent: str) -> None:
        self.product, self.parties, self.agent = product, parties, agent
        self.request = ""
        self._changed = parties[0]._changed

    async def until(self, what: str, look: Any, seconds: float = PATIENCE_S) -> Any:
        """What ``look`` gives once it gives something; asked at every message, and every 50 ms."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := look():
                return found
            with contextlib.suppress(TimeoutError):
                async with self._changed, asyncio.timeout(0.05):
                    await self._changed.wait()
        log = self.product.log.read_text()[-3000:]
        said = [party.statuses()[-3:] for party in self.parties]
        raise AssertionError(f"waited {seconds} s in vain for: {what}\n{said}\n{log}")

    async def record(self) -> None:
        """Ask, and both allow."""
        self.request = await agree(self.parties[0].person, self.parties[1].person)

    async def stop(self) -> None:
        """The agent stops the recording."""
        await self.parties[0].person.wire.ask("recording.stop", request=self.request)

    def recording(self) -> dict[str, Any] | None:
        """The row of this request's recording."""
        query = "select * from recording where request = ?"
        rows = self.product.rows(query, self.request)
        return rows[0] if rows else None

    def accepted(self) -> int:
        """How many segments of this recording the domain has."""
        query = "select count(*) as n from segment join recording r on r.id = recording"
        return int(self.product.rows(f"{query} where request = ?", self.request)[0]["n"])

    async def grown(self, by: int, seconds: float = PATIENCE_S) -> None:
        """Wait for so many more segments."""
        wanted = self.accepted() + by
        await self.until(f"{wanted} segments", lambda: self.accepted() >= wanted, seconds)

    async def reason(self, wanted: str, seconds: float = 5.0) -> None:
        """Both are told that recording is off, and why."""
        await self.until(wanted, lambda: all(party.told(wanted) for party in self.parties), seconds)


@asynccontextmanager
async def calling(product: Product, agent: str = "") -> AsyncIterator[Call]:
    """A call in a running product; nobody records yet. ``agent``: of another call there."""
    tasks = Tasks()
    async with outside(product) as network:
        agent = agent or await network.sign_in("agent")
        people = await Outside.call(network, agent)
        changed = asyncio.Condition()
        one, other = (Party(person, changed) for person in people)
        for party in (one, other):
            tasks.spawn(party.run(), name="party")
        try:
            yield Call(product, (one, other), agent)
        finally:
            await tasks.close()
            for party in (one, other):
                await party.hang_up()
