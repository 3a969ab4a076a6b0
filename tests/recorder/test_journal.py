import asyncio
import errno
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from avsession.recording import Begin, Detach, decode_line
from avsession.tasks import Tasks
from recorder.journal import AGAIN_MS, MAX_JOBS, STALL_MS, Journal
from recorder.spool import Spool


class Desk:
    """A journal with what it said."""

    def __init__(self, folder: Path) -> None:
        self.spool = Spool(folder / "spool")
        self.tasks = Tasks()
        self.executor = ThreadPoolExecutor(1)
        self.sent: list[int] = []
        self.failures: list[str] = []
        self.now_ms = 0.0
        self.chain = self.spool.open("rec_x", lambda: 1)
        self.journal = Journal(
            self.chain,
            executor=self.executor,
            tasks=self.tasks,
            send=self._send,
            on_failure=self.failures.append,
            now_ms=lambda: self.now_ms,
        )

    def _send(self, number: int, line: str) -> None:
        assert decode_line(line).entry.n == number
        self.sent.append(number)

    def write(self) -> None:
        """One entry."""
        if self.chain.begun:
            self.chain.append(Detach, generation=1, reason="x")
        else:
            self.chain.append(Begin, epoch_ms=1, recorder_key="k", tracks=())

    async def close(self) -> None:
        await self.tasks.close()
        self.executor.shutdown()
        self.spool.close()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path)
    yield made
    await made.close()


async def test_lines_go_out_in_order_once_there_is_a_link(desk: Desk) -> None:
    desk.journal.post(desk.write)
    desk.journal.post(desk.write)
    await desk.journal.drained()
    assert desk.sent == []
    desk.journal.sync(0)
    desk.journal.post(desk.write)
    await desk.journal.drained()
    assert desk.sent == [0, 1, 2]


async def test_after_a_break_only_what_the_domain_lacks_is_sent_again(desk: Desk) -> None:
    desk.journal.sync(0)
    for _ in range(3):
        desk.journal.post(desk.write)
    await desk.journal.drained()
    desk.journal.disconnected()
    desk.journal.post(desk.write)
    await desk.journal.drained()
    assert desk.sent == [0, 1, 2]
    desk.journal.sync(2)
    desk.journal.post(desk.write)
    await desk.journal.drained()
    assert desk.sent == [0, 1, 2, 2, 3, 4]
    assert sorted(desk.chain.lines) == [2, 3, 4]
    assert desk.journal.unaccepted


async def test_a_disk_that_fails_is_said_and_the_rest_goes_on(desk: Desk) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "full")

    desk.journal.post(full)
    desk.journal.post(desk.write)
    await desk.journal.drained()
    assert desk.failures == ["disk.failed"]
    assert desk.chain.count == 1


async def test_a_broken_job_is_said(desk: Desk) -> None:
    def broken() -> None:
        raise ValueError

    desk.journal.post(broken)
    await desk.journal.drained()
    assert desk.failures == ["spool.failed"]


async def test_a_disk_that_does_not_answer_is_noticed_and_memory_stays_bounded(desk: Desk) -> None:
    started, answer = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow() -> None:
        loop.call_soon_threadsafe(started.set)
        answer.wait(10)

    desk.journal.post(slow)
    await started.wait()
    stalled = [desk.journal.stalled]
    desk.now_ms += STALL_MS + 1
    stalled.append(desk.journal.stalled)
    for _ in range(MAX_JOBS + 2):
        desk.journal.post(desk.write)
    assert desk.failures == ["disk.slow"] * 2
    assert not desk.journal.idle
    answer.set()
    await desk.journal.drained()
    assert [*stalled, desk.journal.stalled] == [False, True, False]


async def test_a_refusal_is_tried_again_and_not_for_ever(desk: Desk) -> None:
    desk.journal.sync(0)
    desk.journal.post(desk.write)
    await desk.journal.drained()
    for wait_ms in AGAIN_MS:
        desk.journal.again()
        assert desk.journal.synced
        desk.now_ms += wait_ms - 1
        desk.journal.tick(desk.now_ms)
        assert set(desk.sent) == {0}
        desk.now_ms += 1
        desk.journal.tick(desk.now_ms)
    assert desk.sent == [0] * (1 + len(AGAIN_MS))
    desk.journal.again()
    desk.journal.tick(desk.now_ms + 1e9)
    assert desk.sent == [0] * (1 + len(AGAIN_MS))
    desk.journal.disconnected()
    assert not desk.journal.synced


async def test_what_can_wait_goes_with_the_next_job_or_soon(desk: Desk) -> None:
    ran: list[int] = []
    desk.journal.post_later(lambda: ran.append(1))
    desk.journal.post_later(lambda: ran.append(2))
    assert not desk.journal.idle
    desk.journal.post(lambda: ran.append(3))
    await desk.journal.drained()
    assert ran == [1, 2, 3]
    desk.journal.post_later(lambda: ran.append(4))
    await desk.journal.drained()
    assert ran == [1, 2, 3, 4]


async def test_jobs_that_go_together_fail_apart(desk: Desk) -> None:
    ran: list[int] = []

    def broken() -> None:
        raise OSError(errno.EIO, "broken")

    for job in (lambda: ran.append(1), broken, lambda: ran.append(2), broken):
        desk.journal.post(job)
    await desk.journal.drained()
    assert ran == [1, 2]
    assert desk.failures == ["disk.failed", "disk.failed"]
