"""What was taken back since a backup stays so after a restore, and the log still verifies."""

from __future__ import annotations

import pytest

from avsession.errors import LinkSpent, SignInRequired
from avsession.privacy.requests import Right
from avsession.recording import State
from avsession.records import (
    Account,
    AuthSession,
    Hold,
    Leaf,
    PrivacyRequest,
    Recording,
    Restriction,
    SignInLink,
    Ticket,
    Withdrawal,
)
from avsession.signin_records import Passkey
from avsession.storage.journal import FileJournal
from avsession.usecases import (
    accounts,
    erasure,
    evidence,
    holds,
    journal,
    leaving,
    mydata,
    outgoing,
    repeating,
    replaying,
    restricting,
    rights,
    sessions,
    waysin,
    withdrawals,
)
from avsession.usecases.journal import Entry
from avsession.usecases.replaying import Replayed
from tests.avsession.usecases.test_journal import COPIED, REASON, Notes, Older
from tests.avsession.usecases.test_keyring import has
from tests.avsession.usecases.world import World
from tests.support.engines import sqlite_only

pytestmark = sqlite_only(COPIED)


class Lost:
    """A recorded call of which there is a backup; then something happens, and all is lost."""

    def __init__(self, world: World) -> None:
        self.world, self.older, self.notes = world, Older(world), Notes()

    async def backed_up(self) -> str:
        recording = await self.world.sealed("quality")
        await sessions.end_session(self.world.app, self.world.session, "left")
        self.since = await self.older.take()
        return recording

    async def restored(self) -> Replayed:
        await journal.catch_up(self.world.app, self.notes)
        await self.older.back()
        return await self.replayed()

    async def replayed(self) -> Replayed:
        app = self.world.app
        await repeating.sign_out(app)
        done = await replaying.replay(app, self.notes.entries * 2, self.since)
        await evidence.checkpoint(app)
        report = await evidence.verify(self.world.store, app.notary.key, app.notary.anchors)
        assert [str(one) for one in report.findings] == []
        assert done.failed == []
        return done


@pytest.fixture
def lost(world: World) -> Lost:
    return Lost(world)


async def withheld(world: World, recording: str) -> int:
    """How many tracks an admin may take out."""
    async with world.store.read() as tx:
        row = await tx.get(Recording, recording)
        assert row is not None
        return len(await outgoing.for_admin(tx, row))


async def test_a_disabled_account_is_disabled_again_the_last_admins_too(
    world: World, lost: Lost
) -> None:
    await lost.backed_up()
    await world.staff_member("other", "Other", "admin")  # not in the backup
    for who in (world.staff, world.admin):
        await leaving.disable(world.app, None, who.account)
    done = await lost.restored()
    assert (done.revoked, done.by_hand) == (2, [])
    assert [row.disabled for row in await world.find(Account)] == [True, True]
    assert (await lost.replayed()).revoked == 0


async def test_an_account_that_the_log_does_not_name_any_more_is_told(lost: Lost) -> None:
    await lost.backed_up()
    refs = {"what": "account", "reason": "disabled"}
    entry = Entry(leaf=lost.since, kind="access.revoked", session=None, subject=None, refs=refs)
    lost.notes.entries.append(entry)
    done = await lost.restored()
    assert [(one["kind"], one["what"]) for one in done.by_hand] == [("access.revoked", "account")]


async def test_everybody_signs_in_anew(world: World, lost: Lost) -> None:
    link = await accounts.make_sign_in_link(world.app, world.admin.account)
    token = (await accounts.sign_in_by_link(world.app, link)).token
    await accounts.make_sign_in_link(world.app, world.admin.account)
    await sessions.issue_ticket(world.app, world.agent.party, None)
    await lost.backed_up()
    assert await world.find(AuthSession)
    await lost.restored()
    for kind in (AuthSession, Ticket, SignInLink):
        assert await world.find(kind) == []
    with pytest.raises(SignInRequired):
        await accounts.authenticate(world.app, token)


@pytest.mark.parametrize("way", ["link", "seat"])
async def test_a_replaced_link_opens_nothing(world: World, lost: Lost, way: str) -> None:
    old = world.customer.data_secret
    await lost.backed_up()
    if way == "link":
        await waysin.renew(world.app, await waysin.renew(world.app, old))
    else:
        await mydata.renew_link(world.app, world.customer.party)
    done = await lost.restored()
    assert (done.revoked, done.by_hand) == (1, [])
    with pytest.raises(LinkSpent):
        await mydata.my_data(world.app, old)


@pytest.mark.parametrize("last", ["closed", "open"])
async def test_the_last_word_about_receipts_holds(world: World, lost: Lost, last: str) -> None:
    secret = world.customer.data_secret
    await lost.backed_up()
    await waysin.close(world.app, secret, closed=True)
    if last == "open":
        world.clock.forward(3600)
        await waysin.close(world.app, secret, closed=False)
    done = await lost.restored()
    assert done.revoked == (last == "closed")
    assert (await mydata.my_data(world.app, secret))["receipts"] == last


async def test_a_removed_passkey_is_removed_again(world: World, lost: Lost) -> None:
    await has(world, 2)
    await lost.backed_up()
    await repeating.remove_passkey(world.app, None, {"passkey": "pky_0"})
    done = await lost.restored()
    assert done.revoked == 1
    assert [row.id for row in await world.find(Passkey)] == ["pky_1"]


@pytest.mark.parametrize("fate", ["", "keep", "destroy", "held"])
async def test_a_withdrawal_holds_again(world: World, lost: Lost, fate: str) -> None:
    recording = await lost.backed_up()
    request = world.recorder.grant.request
    if fate == "held":  # so that nothing of it is destroyed before all is lost
        await holds.place(
            world.app, world.admin, scope="recording", target=recording, category="claim",
            reason=REASON, asked_by="the court", review_ms=world.clock.ms + 86_400_000,
        )  # fmt: skip
    await world.withdraw(world.customer, request)
    if fate:
        await world.choose(world.customer, request, "keep" if fate == "keep" else "destroy")
    done = await lost.restored()
    assert [one["kind"] for one in done.by_hand] == (["hold.placed"] if fate == "held" else [])
    row = await world.only(Withdrawal)
    assert (await world.only(Recording)).state is (
        State.ERASED if fate == "destroy" else State.SEALED
    )
    assert await withheld(world, recording) == (2 if fate == "keep" else 0)
    assert row.fate == {"": None, "keep": "keep"}.get(fate, "destroy")
    mine = await mydata.my_data(world.app, world.customer.data_secret)
    assert [one["kind"] for one in mine["events"]][-1] == "withdrawn"
    assert (await lost.replayed()).withdrawn == 0
    if fate == "held":  # as before all was lost: it goes when nothing keeps it any more
        hold = await world.only(Hold)
        assert (hold.target, hold.placed_by) == (recording, world.admin.account)
        await holds.release(world.app, world.admin, hold.id, REASON)
        await erasure.carry_out(world.app, request)
        assert (await world.only(Recording)).state is State.ERASED
    if not fate:  # nobody chooses
        world.clock.forward(world.settings.consent.fate_s + 1)
        async with world.store.write() as tx:
            await withdrawals.by_default(world.app, tx, row)
        await erasure.carry_out(world.app, request)
        assert (await world.only(Recording)).state is State.ERASED


async def test_a_choice_about_an_older_withdrawal_is_made_again(world: World, lost: Lost) -> None:
    recording = await world.sealed("quality")
    await sessions.end_session(world.app, world.session, "left")
    request = world.recorder.grant.request
    await world.withdraw(world.customer, request)
    lost.since = await lost.older.take()
    await world.choose(world.customer, request, "keep")
    done = await lost.restored()
    assert (done.withdrawn, done.chosen) == (0, 1)
    assert await withheld(world, recording) == 2


@pytest.mark.parametrize("why", ["asked", "objection"])
async def test_a_restriction_stands_again(world: World, lost: Lost, why: str) -> None:
    recording = await lost.backed_up()
    secret = world.customer.data_secret
    if why == "asked":
        await rights.restrict(world.app, secret)
    else:
        await rights.ask(world.app, secret, Right.OBJECT, "", ["quality"], "k" * 22)
    done = await lost.restored()
    assert (done.restricted, done.by_hand) == (1, [])
    row = await world.only(Restriction)
    assert (row.why, row.whole, row.lifted_ms) == (why, True, None)
    assert row.request == (await world.only(PrivacyRequest)).id
    async with world.store.read() as tx:
        shut = await tx.get(Recording, recording)
        assert shut is not None
        assert await restricting.is_shut(tx, shut)


async def test_what_was_lifted_since_is_not_placed_and_what_still_stands_is_told(
    world: World, lost: Lost
) -> None:
    secret = world.customer.data_secret
    await lost.backed_up()
    await rights.restrict(world.app, secret)
    await rights.lift(world.app, secret)
    done = await lost.restored()
    assert (done.restricted, done.by_hand, await world.find(Restriction)) == (0, [], [])
    # in the backup it stands, and was lifted since: nothing is opened by a restore
    world.clock.forward(3600)
    await rights.restrict(world.app, secret)
    since = len(await world.find(Leaf))
    entry = Entry(
        leaf=since, kind="subject.restricted", session=None,
        subject=world.customer.party.pseudonym,
        refs={"restriction": (await world.only(Restriction)).id, "what": "lifted"},
    )  # fmt: skip
    done = await replaying.replay(world.app, [entry], since)
    assert [one["what"] for one in done.by_hand] == ["lifted"]


async def test_who_waits_for_an_answer_is_told(world: World, lost: Lost) -> None:
    await lost.backed_up()
    secret = world.customer.data_secret
    await rights.ask(world.app, secret, Right.COMPLAIN, "It was too long.", [], "k" * 22)
    done = await lost.restored()
    assert [(one["kind"], one["right"]) for one in done.by_hand] == [
        ("privacy.requested", "complain")
    ]


async def test_a_journal_of_an_older_version_is_made_whole_once(world: World, lost: Lost) -> None:
    await lost.backed_up()
    await leaving.disable(world.app, None, world.staff.account)
    kept = FileJournal(world.folder / "anchor")
    size = len(await world.find(Leaf))
    await kept.add([], size)  # which knew nothing of accounts
    assert not journal.is_whole(await kept.read())
    await journal.make_whole(world.app, kept)
    entries = await kept.read()
    assert journal.is_whole(entries)
    assert await kept.upto() == size
    assert [one.refs["account"] for one in entries if one.kind == "access.revoked"] == [
        world.staff.account
    ]
    await journal.make_whole(world.app, kept)
    assert await kept.read() == entries
