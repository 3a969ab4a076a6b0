"""Open tracks: few, found again, and gone when they must be."""

from __future__ import annotations

from typing import cast

from avsession.sealing.open import VirtualFile
from avsession.usecases.opened import Opened

END = 10_000
"""When all of them expire."""


class Maker:
    """Counts what it makes; the files themselves are never read here."""

    def __init__(self) -> None:
        self.made = 0

    async def __call__(self) -> VirtualFile:
        self.made += 1
        return cast("VirtualFile", object())


async def test_a_track_is_opened_once_for_one_access() -> None:
    opened, make = Opened(), Maker()
    first = await opened.get("a", "t", END, make)
    assert await opened.get("a", "t", END, make) is first
    assert await opened.get("b", "t", END, make) is not first
    assert make.made == 2


async def test_the_longest_unused_one_goes() -> None:
    opened, make = Opened(most=2), Maker()
    for track in ("1", "2", "1", "3"):
        await opened.get("a", track, END, make)
    assert make.made == 3
    await opened.get("a", "1", END, make)
    assert make.made == 3
    await opened.get("a", "2", END, make)
    assert make.made == 4


async def test_destroyed_and_expired_ones_are_closed() -> None:
    opened, make = Opened(), Maker()
    await opened.get("a", "1", END, make)
    await opened.get("a", "2", END, make)
    await opened.get("b", "2", END + 1, make)
    opened.forget("1")
    assert make.made == 3
    await opened.get("a", "2", END, make)
    assert make.made == 3
    await opened.get("a", "1", END, make)
    assert make.made == 4
    opened.expire(END - 1)
    await opened.get("a", "2", END, make)
    assert make.made == 4
    opened.expire(END)
    await opened.get("b", "2", END + 1, make)
    assert make.made == 4
    await opened.get("a", "2", END, make)
    assert make.made == 5
