"""Starts recorder workers as processes of their own, and starts them again when they end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Sequence

log = logging.getLogger("avsession.supervisor")

BACKOFF_S = (0.0, 0.1, 0.3, 1.0, 2.0, 5.0)
"""Waits before a worker is started again; the last goes on. The first is none: while the gate is
open a recording waits for it."""
STEADY_S = 2.0
"""A worker that lived this long, or ended in order, starts the waits from the beginning."""
STOP_S = 8.0
"""How long a worker may take to stop before it is killed."""


class Supervisor:
    """One worker process, kept running until :meth:`stop`."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """``arguments``: the worker's command line, after ``python -m recorder``."""
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The worker's process id, while there is one."""
        return self._process.pid if self._process else None

    async def run(self) -> None:
        """Keep the worker running; returns after :meth:`stop`."""
        loop = asyncio.get_running_loop()
        failures = 0
        while not self._stopping.is_set():
            started = loop.time()
            # Its own session: Ctrl-C must reach it through us, in order. Its standard input is
            # held open by us and closes when we die, however that happens.
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "recorder",
                "--stop-with-stdin",
                *self._arguments,
                stdin=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
            status = await self._process.wait()
            self._process = None
            if self._stopping.is_set():
                return
            failures = 0 if status == 0 or loop.time() - started > STEADY_S else failures + 1
            pause = BACKOFF_S[min(failures, len(BACKOFF_S) - 1)]
            log.error("a recorder worker ended with %s; starting again in %s s", status, pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()

    async def stop(self) -> None:
        """Ask the worker to finish, and wait for it; after 8 s it is killed."""
        self._stopping.set()
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            log.error("a recorder worker did not stop in time and was killed")
            process.kill()
            await process.wait()
