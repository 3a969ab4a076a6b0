"""One recording's chain, driven from the event loop: jobs in order, lines sent and sent again.

Every job runs in the spool's one thread, one after the other, so that disk order is call order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import partial
from types import MappingProxyType

from avsession.errors import AvsessionError
from avsession.tasks import Tasks
from recorder.spool import Chain

log = logging.getLogger("recorder.journal")

MAX_JOBS = 64
"""Waiting for the disk; a recording that has more is stopped, since the disk does not keep up."""
LATER_S = 0.4
"""How long a job may wait for another, to go with it."""
MAX_AT_ONCE = 8
"""Handed to the spool's thread together."""
ANSWER_MS = 10_000.0
"""A domain that has not answered an entry for so long does not store anything either."""
STALL_MS = 1_500.0
"""A job that takes longer than this means the same."""
AGAIN_MS = (500.0, 1_000.0, 2_000.0, 4_000.0, 4_000.0, 4_000.0, 4_000.0)
"""Waits before what the domain did not take is offered again; then the next connection does it."""


class Journal:
    """Runs jobs on a `Chain` and hands every new line to ``send``, in order, once a connection."""

    def __init__(
        self,
        chain: Chain,
        *,
        executor: Executor,
        tasks: Tasks,
        send: Callable[[int, str], None],
        on_failure: Callable[[str], None],
        now_ms: Callable[[], float],
        told: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """``told``: what each line of the log says besides."""
        self.chain = chain
        self._executor, self._send, self._told = executor, send, told
        self._on_failure, self._now_ms = on_failure, now_ms
        self._jobs: asyncio.Queue[Callable[[], None]] = asyncio.Queue(MAX_JOBS)
        self._synced = False
        self._sent = -1
        self._unanswered: dict[int, float] = {}
        """When each entry that waits for an answer was sent, oldest first."""
        self._again_ms: float | None = None
        """When to send again what the domain has not accepted."""
        self._tries = 0
        self._busy_since: float | None = None
        self._done: list[_Then] = []
        self._later: list[Callable[[], None]] = []
        self._idle = asyncio.Event()
        self._idle.set()
        tasks.spawn(self._run(), name="journal")

    @property
    def stalled(self) -> bool:
        """Whether the disk does not answer."""
        return self._busy_since is not None and self._now_ms() - self._busy_since > STALL_MS

    @property
    def ignored(self) -> bool:
        """Whether the domain has said nothing of an entry that it was sent."""
        oldest_ms = next(iter(self._unanswered.values()), None)
        return oldest_ms is not None and self._now_ms() - oldest_ms > ANSWER_MS

    def answered(self, number: int) -> None:
        """The domain accepted or refused this entry."""
        self._unanswered.pop(number, None)

    def again(self) -> None:
        """The domain cannot take an entry now, nor what follows it: offer all of it once more."""
        if self._again_ms is None and self._tries < len(AGAIN_MS):
            self._synced = False
            self._unanswered.clear()
            self._again_ms = self._now_ms() + AGAIN_MS[self._tries]
            self._tries += 1

    def tick(self, now_ms: float) -> None:
        """What happens by time."""
        if self._again_ms is not None and now_ms >= self._again_ms:
            self._again_ms = None
            self._begin(0)
            self._flush()

    def _begin(self, number: int) -> None:
        """Send the lines from this one on, and then each new one."""
        self._synced, self._sent = True, number - 1

    @property
    def idle(self) -> bool:
        """Whether every job posted so far has run."""
        return self._idle.is_set()

    @property
    def waiting(self) -> int:
        """How many jobs have not begun."""
        return self._jobs.qsize() + len(self._later)

    @property
    def unaccepted(self) -> bool:
        """Whether entries wait for the domain's word; asked while idle."""
        return bool(self.chain.lines)

    def post_later(self, job: Callable[[], None]) -> None:
        """As `post`, but nobody waits for it: with the next job, or after LATER_S."""
        self._idle.clear()
        self._later.append(job)
        if len(self._later) == 1:
            asyncio.get_running_loop().call_later(LATER_S, self._hasten)

    def _hasten(self) -> None:
        """What could wait goes now."""
        later, self._later = self._later, []
        for job in later:
            self.post(job)

    def post(self, job: Callable[[], None]) -> None:
        """Run this in the spool's thread, after everything posted before."""
        self._hasten()
        try:
            self._jobs.put_nowait(job)
            self._idle.clear()
        except asyncio.QueueFull:
            self._on_failure("disk.slow")

    def disconnected(self) -> None:
        """The link is gone: lines wait until `sync`."""
        self._synced, self._again_ms, self._tries = False, None, 0
        self._unanswered.clear()

    @property
    def synced(self) -> bool:
        """Whether new lines are sent as they are made, or soon will be."""
        return self._synced or self._again_ms is not None

    def sync(self, known: int) -> None:
        """The domain has the first ``known`` entries: send the others, then each new one."""
        self._again_ms = None

        def forget() -> None:
            self.chain.known(known)

        self.post(_Then(forget, partial(self._begin, known)))

    async def drained(self) -> None:
        """Wait until every job posted so far has run."""
        await self._idle.wait()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if self._jobs.empty() and not self._later:
                self._idle.set()
            # what waits goes at once, so that a thread is woken for several
            jobs = [await self._jobs.get()]
            while len(jobs) < MAX_AT_ONCE and not self._jobs.empty():
                jobs.append(self._jobs.get_nowait())
            while jobs:
                self._busy_since = self._now_ms()
                try:
                    await loop.run_in_executor(self._executor, self._work, jobs)
                except OSError as error:
                    told = dict(self._told)
                    log.warning("the spool cannot be written: errno %s", error.errno, extra=told)
                    self._on_failure("disk.failed")
                except (AvsessionError, ValueError) as error:
                    told = dict(self._told)
                    log.warning("a job of the spool failed: %s", type(error).__name__, extra=told)
                    self._on_failure("spool.failed")
                finally:
                    self._busy_since = None
                for job in self._done:
                    job.then()
                self._done.clear()
                self._flush()

    def _work(self, jobs: list[Callable[[], None]]) -> None:
        """In the spool's thread: one job after the other, until one fails; it is taken out too."""
        try:
            while jobs:
                self._busy_since = self._now_ms()
                job = jobs.pop(0)
                if isinstance(job, _Then):
                    self._done.append(job)
                job()
            self._busy_since = self._now_ms()
        finally:
            # when one fails, too: what was stored before it is good
            self.chain.list_stored()

    def _flush(self) -> None:
        if not self._synced:
            return
        for number, line in sorted(self.chain.lines.items()):
            if number > self._sent:
                self._sent = number
                self._unanswered[number] = self._now_ms()
                self._send(number, line)


class _Then:
    """A job with a second half that runs in the event loop."""

    def __init__(self, job: Callable[[], None], then: Callable[[], None]) -> None:
        self._job, self.then = job, then

    def __call__(self) -> None:
        self._job()
