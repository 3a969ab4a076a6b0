"""How the newest backup stands: its age, what a check found, what it does not hold."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from avsession.usecases import backups, evidence, forgetting, sessions
from avsession.usecases.backups import DAY_MS, PROBLEMS, Since
from avsession.usecases.readiness import LastBackup
from tests.avsession.usecases.world import World

LAST = LastBackup(to="monday", made_ms=0, leaves=5, whole=True)


@pytest.mark.parametrize(
    ("last", "now_ms", "days", "found"),
    [
        (None, 0, 7, ["none"]),
        (None, 0, 0, []),
        (LAST, 7 * DAY_MS, 7, []),
        (LAST, 7 * DAY_MS + 1, 7, ["old"]),
        (LAST, 100 * DAY_MS, 0, []),
        (replace(LAST, whole=None), 0, 7, []),
        (replace(LAST, whole=False), 0, 0, ["damaged"]),
        (replace(LAST, keys=2, keys_delete_by_ms=DAY_MS), DAY_MS, 7, []),
        (replace(LAST, keys=2, keys_delete_by_ms=DAY_MS), DAY_MS + 1, 7, ["keys"]),
    ],
    ids=["none", "elsewhere", "fresh", "old", "any", "unchecked", "damaged", "keys", "overdue"],
)
def test_what_is_to_be_done(
    last: LastBackup | None, now_ms: int, days: int, found: list[str]
) -> None:
    assert backups.problems(last, now_ms, days) == found
    assert set(found) <= PROBLEMS.keys()


async def test_what_came_since(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = await world.sealed("quality")
    await sessions.end_session(world.app, world.session, "left")
    async with world.store.read() as tx:
        size = await backups.size(tx)
        last = replace(LAST, leaves=size)
        assert await backups.since(tx, last) == Since(leaves=0, erased=0, by_hand=0)
        # of a log that is shorter now: a restored one
        assert (await backups.since(tx, replace(LAST, leaves=size + 9))).leaves == 0
    assert recording
    await forgetting.forget(world.app, world.customer.id)
    await evidence.adopt(world.app, "something more")
    async with world.store.read() as tx:
        later = await backups.since(tx, last)
        assert later.leaves == await backups.size(tx) - size > later.erased
        assert (later.erased, later.by_hand) == (2, 0), "the recording, and the person"
        monkeypatch.setattr(backups, "MOST", 1)
        assert (await backups.since(tx, last)).erased == 1
        assert (await backups.since(tx, replace(last, leaves=await backups.size(tx)))).erased == 0
