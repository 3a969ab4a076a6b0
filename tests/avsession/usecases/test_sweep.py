"""Pages that lose no row, and one that fails keeps no other."""

from typing import Any

import pytest
from msgspec.structs import replace

from avsession.errors import Unavailable
from avsession.session import Session
from avsession.usecases import sessions, sweep
from avsession.usecases.sweep import Cursor, one_by_one, page
from tests.avsession.usecases.world import World


async def walked(world: World, *, going: bool) -> list[str]:
    """The ids of all pages; with ``going`` every other row goes from the list meanwhile."""
    found: list[str] = []
    after: Cursor | None = None
    while True:
        async with world.store.read() as tx:
            rows, after = await page(tx, Session, "child_ms", "id", after, below=10)
        found += [row.id for row in rows]
        if going:
            async with world.store.write() as writer:
                for row in rows[::2]:
                    await writer.put(replace(row, child_ms=None))
        if after is None:
            return found


@pytest.mark.parametrize("going", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
async def test_every_row_is_seen_once_whatever_is_equal_and_goes(
    world: World, monkeypatch: pytest.MonkeyPatch, size: int, going: bool
) -> None:
    monkeypatch.setattr(sweep, "PAGE", size)
    wanted = []
    for number in range(7):
        made = (await sessions.create_session(world.app, world.staff, "en")).session
        async with world.store.write() as tx:
            await tx.put(replace(made, child_ms=(3, 3, 3, 5, 5, 9, 10)[number]))
        if number < 6:
            wanted.append(made.id)
    assert sorted(await walked(world, going=going)) == sorted(wanted)


async def test_one_that_fails_keeps_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async def go(one: str) -> bool:
        errors: dict[str, Any] = {"a": Unavailable, "b": ValueError}
        if one in errors:
            raise errors[one]
        return one != "c"

    assert await one_by_one("abcd", go, "things") == ["d"]
    assert "things: one waits for its next turn: unavailable" in caplog.text
    assert "things: one failed" in caplog.text
