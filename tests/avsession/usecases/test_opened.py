"""Open tracks: few, found again, and gone when they must be, whoever still reads them."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from avsession.errors import NotFound
from avsession.records import Access
from avsession.sealing.open import VirtualFile
from avsession.tasks import Tasks
from avsession.usecases.opened import Opened

END = 10_000
"""When they expire."""


def access(name: str, *, auth: str = "admin", expires_ms: int = END) -> Access:
    return Access(
        id=name, recording="r", account="x", auth=auth.encode(), purpose="quality", reason="why",
        at_ms=0, expires_ms=expires_ms,
    )  # fmt: skip


A, B = access("a"), access("b", auth="eve", expires_ms=END + 1)


class File:
    """Knows whether it was closed."""

    closed = False

    def close(self) -> None:
        self.closed = True


class Maker:
    """Counts what it makes."""

    def __init__(self) -> None:
        self.made: list[File] = []

    async def __call__(self) -> VirtualFile:
        self.made.append(File())
        return cast("VirtualFile", self.made[-1])

    @property
    def closed(self) -> list[int]:
        """Which of them are closed, in the order of making."""
        return [n for n, file in enumerate(self.made) if file.closed]


async def test_a_track_is_opened_once_for_one_access() -> None:
    opened, make = Opened(), Maker()
    first = await opened.get(A, "t", make)
    assert await opened.get(A, "t", make) is first
    assert await opened.get(B, "t", make) is not first
    assert len(make.made) == 2


async def test_the_longest_unused_one_goes() -> None:
    opened, make = Opened(most=2), Maker()
    for track in ("1", "2", "1", "3"):
        await opened.get(A, track, make)
    assert len(make.made) == 3
    await opened.get(A, "1", make)
    assert len(make.made) == 3
    await opened.get(A, "2", make)
    assert len(make.made) == 4


async def test_what_must_be_closed_is_closed_for_who_reads_it_too() -> None:
    opened, make = Opened(most=2), Maker()
    for who, track in ((A, "1"), (B, "1"), (A, "2"), (B, "2")):
        await opened.get(who, track, make)  # the first two are not kept, but may be read
    opened.forget("1")
    assert make.closed == [0, 1]
    await opened.get(A, "2", make)
    assert len(make.made) == 4
    opened.expire(END - 1)
    assert make.closed == [0, 1]
    opened.expire(END)
    assert make.closed == [0, 1, 2]
    opened.sign_out(b"nobody")
    assert make.closed == [0, 1, 2]
    opened.sign_out(b"eve")
    assert make.closed == [0, 1, 2, 3]
    await opened.get(A, "2", make)
    assert len(make.made) == 5


@pytest.mark.parametrize("over", [True, False])
async def test_closed_while_it_is_being_made(over: bool) -> None:
    opened, tasks, make = Opened(), Tasks(), Maker()
    making, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> VirtualFile:
        making.set()
        await go_on.wait()
        return await make()

    opening = tasks.spawn(opened.get(A, "1", slowly), name="opening")
    await making.wait()
    opened.forget("1" if over else "2")
    go_on.set()
    if over:
        with pytest.raises(NotFound):
            await opening
        assert make.closed == [0]
    else:
        await opening
    await opened.get(A, "1", make)
    assert len(make.made) == 1 + over
    await tasks.close()
