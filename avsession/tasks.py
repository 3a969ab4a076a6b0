"""The one place that spawns tasks: a crash in one is always reported.

``asyncio`` keeps only weak references to tasks and says nothing of an exception that nobody
awaits; both have cost people their recordings. Everything here keeps a reference and logs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("avsession.tasks")


class Tasks:
    """A group of background tasks with one owner.

    ``limit`` bounds how many may run at once; :meth:`spawn` raises ``RuntimeError`` beyond it.
    Call :meth:`close` to cancel what is left and wait for it.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, coro: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Run ``coro`` in the background; an exception that ends it is logged under ``name``."""
        if len(self._tasks) >= self._limit:
            coro.close()
            raise RuntimeError(f"more than {self._limit} background tasks")
        task = asyncio.get_running_loop().create_task(coro, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task %s crashed", task.get_name(), exc_info=error)

    async def close(self) -> None:
        """Cancel what still runs and wait until it has ended."""
        current = asyncio.current_task()
        pending = [task for task in self._tasks if task is not current]
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
