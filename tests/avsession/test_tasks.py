"""Background tasks: none is lost, no crash is silent, closing waits."""

from __future__ import annotations

import asyncio
import logging

import pytest

from avsession.tasks import Tasks


async def test_a_crash_is_logged_under_the_tasks_name(caplog: pytest.LogCaptureFixture) -> None:
    async def crashes() -> None:
        raise ValueError("the disk is gone")

    tasks = Tasks()
    task = tasks.spawn(crashes(), name="spool")
    await asyncio.wait([task])
    await asyncio.sleep(0)
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "task spool crashed")
    assert record.exc_info
    assert str(record.exc_info[1]) == "the disk is gone"
    assert len(tasks) == 0


async def test_what_ends_well_or_is_cancelled_is_not_news(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks()
    assert await tasks.spawn(asyncio.sleep(0, "done"), name="short") == "done"
    tasks.spawn(asyncio.Event().wait(), name="long")
    await tasks.close()
    assert len(tasks) == 0
    assert not caplog.records


async def test_closing_waits_for_what_tidies_up() -> None:
    tidied = asyncio.Event()

    async def slow_to_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            tidied.set()

    tasks = Tasks()
    tasks.spawn(slow_to_end(), name="leg")
    await asyncio.sleep(0)
    await tasks.close()
    assert tidied.is_set()


async def test_a_crash_while_closing_is_logged_and_stops_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def crashes_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("while closing")

    tasks = Tasks()
    tasks.spawn(crashes_at_the_end(), name="a")
    other = tasks.spawn(asyncio.Event().wait(), name="b")
    await asyncio.sleep(0)
    await tasks.close()
    assert other.cancelled()
    assert [record.getMessage() for record in caplog.records] == ["task a crashed"]


async def test_a_task_may_close_its_own_group() -> None:
    tasks = Tasks()
    other = tasks.spawn(asyncio.Event().wait(), name="other")
    closer = tasks.spawn(tasks.close(), name="closer")
    await closer
    assert other.cancelled()


async def test_beyond_the_limit_nothing_starts_and_nothing_leaks() -> None:
    tasks = Tasks(limit=1)
    tasks.spawn(asyncio.Event().wait(), name="first")
    # strict warnings: a coroutine that is neither awaited nor closed would fail this test
    with pytest.raises(RuntimeError, match="more than 1 background tasks"):
        tasks.spawn(asyncio.sleep(0), name="second")
    await tasks.close()
    await tasks.spawn(asyncio.sleep(0), name="third")
