"""Work in order within a lane, lanes side by side; and one at a time for each key."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from avsession.errors import TooMany
from avsession.tasks import Tasks

Work = Callable[[], Awaitable[None]]


class Lanes:
    """A connection's work. Each lane carries out what was put into it in order, one at a time.

    A lane that is slow holds up nothing but itself. ``limit``: how much may wait in all lanes
    together; :meth:`put` raises TooMany beyond it. Work must not raise.
    """

    def __init__(self, tasks: Tasks, name: str, limit: int) -> None:
        self._tasks = tasks
        self._name = name
        self._limit = limit
        self._lanes: dict[str, deque[Work]] = {}
        self._waiting = 0
        self._ahead: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def ahead(self) -> int:
        """How much is being carried out ahead of the lanes."""
        return len(self._ahead)

    def put(self, lane: str, work: Work) -> None:
        """Carry ``work`` out after what is in the lane, and after what overtakes right now."""
        if self._waiting >= self._limit:
            raise TooMany
        work = self._after_overtaking(work)
        self._waiting += 1
        self._idle.clear()
        if lane in self._lanes:
            self._lanes[lane].append(work)
        else:
            self._lanes[lane] = deque([work])
            self._tasks.spawn(self._drain(lane), name=f"{self._name}: lane")

    def waits(self, lane: str) -> bool:
        """Whether something in the lane is not done."""
        return lane in self._lanes

    def overtake(self, work: Callable[[], Awaitable[object]], lane: str, again: Work) -> None:
        """Carry ``work`` out now; what is put until it is done comes after it.

        When it returns False, ``again`` follows in its turn in the lane. Raises TooMany when that
        has no room; ``work`` is carried out all the same.
        """
        settled = True

        async def now() -> None:
            nonlocal settled
            settled = await work() is not False

        async def in_turn() -> None:
            if not settled:
                await again()

        task = self._tasks.spawn(now(), name=f"{self._name}: ahead")
        self._ahead.add(task)
        self._idle.clear()
        task.add_done_callback(self._overtaken)
        if self.waits(lane):
            self.put(lane, in_turn)

    async def idle(self) -> None:
        """Wait until nothing is left to do."""
        await self._idle.wait()

    def _overtaken(self, task: asyncio.Task[None]) -> None:
        self._ahead.discard(task)
        self._settle()

    async def _drain(self, lane: str) -> None:
        queue = self._lanes[lane]
        try:
            while queue:
                await queue[0]()
                queue.popleft()
                self._waiting -= 1
        finally:
            self._waiting -= len(queue)
            del self._lanes[lane]
            self._settle()

    def _after_overtaking(self, work: Work) -> Work:
        """``work``, to be begun only when what overtakes at this moment is done."""
        before = tuple(self._ahead)
        if not before:
            return work

        async def later() -> None:
            await asyncio.wait(before)
            await work()

        return later

    def _settle(self) -> None:
        if not self._lanes and not self._ahead:
            self._idle.set()


class Turns:
    """One holder at a time for each key, in the order of asking; keys are forgotten when free."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def of(self, key: str) -> AsyncIterator[None]:
        """Hold the key's turn."""
        lock, users = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks[key]
            if users == 1:
                del self._locks[key]
            else:
                self._locks[key] = (lock, users - 1)
