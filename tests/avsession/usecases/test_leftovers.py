"""What has to be scrubbed is scrubbed, if not at once then later; a start scrubs in any case."""

from collections.abc import Awaitable, Callable

import pytest

from avsession.errors import Unavailable
from avsession.usecases.leftovers import Leftovers
from tests.avsession.usecases.world import World


class Scrubbed:
    """Counts; ``meanwhile`` happens while one runs, ``busy`` refuses."""

    def __init__(self) -> None:
        self.times, self.busy = 0, False
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    async def scrub(self) -> bool:
        if self.busy:
            raise Unavailable
        self.times += 1
        if (work := self.meanwhile) is not None:
            self.meanwhile = None
            await work()
        return True


async def test_a_start_scrubs_once_and_then_there_is_nothing_to_do() -> None:
    store, leftovers = Scrubbed(), Leftovers()
    for _ in range(3):
        assert await leftovers.again(store)  # type: ignore[arg-type]
    assert store.times == 1
    assert not leftovers.due


async def test_what_could_not_be_scrubbed_is_due_until_it_is() -> None:
    store, leftovers = Scrubbed(), Leftovers()
    await leftovers.again(store)  # type: ignore[arg-type]
    store.busy = True
    with pytest.raises(Unavailable):
        await leftovers.scrub(store)  # type: ignore[arg-type]
    assert leftovers.due
    store.busy = False
    await leftovers.again(store)  # type: ignore[arg-type]
    assert not leftovers.due


async def test_what_is_removed_while_a_scrub_runs_is_due_after_it() -> None:
    store, leftovers = Scrubbed(), Leftovers()

    async def removed() -> None:
        store.busy = True
        with pytest.raises(Unavailable):
            await leftovers.scrub(store)  # type: ignore[arg-type]

    store.meanwhile = removed
    await leftovers.scrub(store)  # type: ignore[arg-type]
    assert leftovers.due


async def test_the_timers_see_to_it(world: World) -> None:
    assert world.app.leftovers.due
    await world.later(1)
    assert not world.app.leftovers.due
