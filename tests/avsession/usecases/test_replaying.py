"""What the journal says is so again after a restore, in its order, after several restores, too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from avsession.errors import Held, LinkSpent
from avsession.privacy import requests as rules
from avsession.recording import State
from avsession.records import Account, Hold, Leaf, PrivacyRequest, Recording, Restriction
from avsession.session import Party, Session
from avsession.usecases import (
    children,
    company,
    erasing,
    evidence,
    forgetting,
    holds,
    journal,
    leaving,
    mydata,
    replaying,
    rights,
    sessions,
    waysin,
)
from avsession.usecases.journal import Entry
from avsession.usecases.replaying import Replayed
from tests.avsession.usecases.test_company import ACME, claims
from tests.avsession.usecases.test_journal import COPIED, REASON, Notes, Older
from tests.avsession.usecases.test_repeating import Lost
from tests.avsession.usecases.world import World, opened
from tests.support.engines import sqlite_only

pytestmark = sqlite_only(COPIED)


@pytest.fixture
def lost(world: World) -> Lost:
    return Lost(world)


async def held(world: World, scope: holds.Scope, target: str) -> str:
    placed = await holds.place(
        world.app, world.admin, scope=scope, target=target, category="order", reason=REASON,
        asked_by="the court", review_ms=world.clock.ms + 86_400_000,
    )  # fmt: skip
    return str(placed["hold"])


async def verified(world: World) -> None:
    await evidence.checkpoint(world.app)
    app = world.app
    report = await evidence.verify(world.store, app.notary.key, app.notary.anchors)
    assert [str(one) for one in report.findings] == []


@pytest.mark.parametrize("scope", ["recording", "session", "party"])
async def test_a_hold_that_was_placed_since_keeps_what_it_kept(
    world: World, lost: Lost, scope: holds.Scope
) -> None:
    recording = await lost.backed_up()
    targets = {"recording": recording, "session": world.session, "party": world.customer.id}
    placed = await held(world, scope, targets[scope])
    # by whom it was placed the backup does not know
    late = await world.staff_member("late", "Late", "admin")
    over = await holds.place(
        world.app, late, scope="session", target=world.session, category="duty", reason=REASON,
        asked_by="the tax office", review_ms=world.clock.ms + 86_400_000,
    )  # fmt: skip
    await holds.release(world.app, late, over["hold"], REASON)
    done = await lost.restored()
    assert (done.placed, [one["why"] for one in done.by_hand]) == (1, [replaying.STANDS])
    row = await world.only(Hold)
    assert (row.id, row.scope, row.target, row.category) == (
        placed, scope, targets[scope], "order",
    )  # fmt: skip
    assert REASON not in (row.reason, row.asked_by)
    with pytest.raises(Held):
        await forgetting.forget(world.app, world.customer.id)
    again = await lost.replayed()
    assert (again.placed, again.by_hand) == (0, [])


async def test_a_hold_on_what_is_not_in_the_backup_is_told(world: World, lost: Lost) -> None:
    await lost.backed_up()
    _, customer = await world.new_call(world.staff)
    await held(world, "party", customer.id)
    late = await world.staff_member("late", "Late", "admin")
    placed = await holds.place(
        world.app, late, scope="session", target=world.session, category="duty", reason=REASON,
        asked_by="the tax office", review_ms=world.clock.ms + 86_400_000,
    )  # fmt: skip
    done = await lost.restored()
    assert (done.placed, [one.get("why") for one in done.by_hand]) == (1, [None, replaying.STANDS])
    row = await world.only(Hold)
    assert (row.id, row.placed_by) == (placed["hold"], world.admin.account)


async def test_an_erasure_that_waits_for_a_hold_waits_again(world: World, lost: Lost) -> None:
    recording = await lost.backed_up()
    await held(world, "recording", recording)
    assert (await erasing.by_holder(world.app, world.customer.data_secret))["state"] == "held"
    done = await lost.restored()
    assert (done.restricted, done.placed) == (1, 1)
    row = await world.only(Restriction)
    assert (row.why, row.party) == ("kept", world.customer.id)
    request = await world.only(PrivacyRequest)
    assert (request.right, request.state in rules.WAITING) == ("erase", True)
    asked = [one for one in await world.leaves() if one["kind"] == "privacy.requested"]
    assert [one["actor"] for one in asked] == ["server"], "nobody is said to have asked just now"
    assert (await lost.replayed()).restricted == 0
    await holds.release(world.app, world.admin, (await world.only(Hold)).id, REASON)
    await world.later(1)
    assert (await world.only(Recording)).state is State.ERASED
    assert await world.find(Party, id=world.customer.id) == []


@pytest.mark.parametrize("gone", [False, True])
async def test_a_child_goes_all_the_same(world: World, lost: Lost, gone: bool) -> None:
    recording = await lost.backed_up()
    if not gone:
        await held(world, "recording", recording)
    await children.erase(world.app, world.admin, world.session)
    done = await lost.restored()
    assert (done.persons, done.children) == ((1, 0) if gone else (0, 1))
    if not gone:
        await holds.release(world.app, world.admin, (await world.only(Hold)).id, REASON)
    await world.later(1)
    assert (await world.only(Recording)).state is State.ERASED
    assert await world.find(Party, id=world.customer.id) == []
    assert (await world.only(Session)).child_ms is None
    await verified(world)


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path, company=ACME) as world:
        yield world


async def test_who_would_come_back_through_the_company_is_told(house: World) -> None:
    lost = Lost(house)
    await lost.backed_up()
    signed = await company.sign_in(house.app, claims())
    await leaving.disable(house.app, None, signed.account.id)
    done = await lost.restored()
    assert [(one["what"], one["why"]) for one in done.by_hand] == [("account", replaying.ELSEWHERE)]


# --- more than one restore


class Twice:
    """Restores of one or the other backup, each with the journal that the last one left."""

    def __init__(self, world: World) -> None:
        self.world, self.notes = world, Notes()

    async def backup(self, name: str) -> tuple[Older, int]:
        older = Older(self.world)
        older.copy = older.copy.with_name(f"{older.copy.name}-{name}")
        return older, await older.take()

    async def grown(self, leaves: int) -> None:
        for _ in range(leaves):
            await evidence.adopt(self.world.app, "the log grows")

    async def restored(self, backup: tuple[Older, int]) -> Replayed:
        older, since = backup
        await journal.catch_up(self.world.app, self.notes)
        await older.back()
        app = self.world.app
        await evidence.adopt(app, "restored")
        done = await replaying.replay(app, self.notes.entries, since)
        assert done.failed == []
        async with app.store.read() as tx:
            mark = await journal.restored(tx, since)
        entries, self.notes = [*self.notes.entries, mark], Notes()
        await self.notes.add(entries, 0)
        await verified(self.world)
        return done


@pytest.fixture
def twice(world: World) -> Twice:
    return Twice(world)


async def test_what_came_after_a_restore_holds_in_the_next_one(world: World, twice: Twice) -> None:
    """The lost log's later leaves have the numbers of leaves before the second backup."""
    await world.sealed("quality")
    await sessions.end_session(world.app, world.session, "left")
    party = world.customer.party
    first = await twice.backup("first")
    await twice.grown(30)
    secret = await waysin.renew(world.app, world.customer.data_secret)
    await waysin.close(world.app, secret, closed=True)
    await rights.restrict(world.app, secret)
    assert (await twice.restored(first)).revoked == 2
    world.clock.forward(3600)
    fresh = await mydata.renew_link(world.app, party)
    await waysin.close(world.app, fresh, closed=False)
    await rights.lift(world.app, fresh)
    second = await twice.backup("second")
    done = await twice.restored(second)
    assert (done.revoked, done.restricted, done.by_hand) == (0, 0, [])
    data = await mydata.my_data(world.app, fresh)
    assert data["receipts"] == "open"
    assert [one["lifted_ms"] is None for one in data["restrictions"]] == [False]


async def test_a_backup_of_a_log_that_was_given_up_knows_nothing_of_the_next_one(
    world: World, twice: Twice
) -> None:
    """What came after a restore may have lower numbers than the end of such a backup."""
    await world.sealed("quality")
    await sessions.end_session(world.app, world.session, "left")
    first = await twice.backup("first")
    old = world.customer.data_secret
    await twice.grown(30)
    abandoned = await twice.backup("abandoned")
    await waysin.close(world.app, old, closed=True)
    world.clock.forward(3600)
    await waysin.close(world.app, old, closed=False)
    await twice.restored(first)
    assert (await mydata.my_data(world.app, old))["receipts"] == "open", "as it was at the end"
    await waysin.close(world.app, old, closed=True)
    await leaving.disable(world.app, None, world.staff.account)
    await waysin.renew(world.app, old)
    assert len(await world.find(Leaf)) < abandoned[1]
    await twice.restored(abandoned)
    assert (await world.only(Account, id=world.staff.account)).disabled
    with pytest.raises(LinkSpent):
        await mydata.my_data(world.app, old)
    session, party = await world.only(Session), await world.only(Party, id=world.customer.id)
    async with world.store.read() as tx:
        assert await mydata.receipts_closed(tx, session, party)


async def test_the_mark_of_another_log_is_not_ours(world: World) -> None:
    await evidence.adopt(world.app, "one")
    leaves = len(await world.find(Leaf))
    async with world.store.read() as tx:
        mark = await journal.restored(tx, leaves - 1)
        assert await journal.knows(tx, mark)
        nowhere = Entry(leaf=leaves, kind=mark.kind, session=None, subject=None, refs=mark.refs)
        assert not await journal.knows(tx, nowhere)
