"""Nothing that is held about a person is forgotten when it is gathered."""

import msgspec

from avsession.export_records import Export, Taken
from avsession.privacy.export import Document
from avsession.privacy.requests import Right
from avsession.records import Recording, TrackRecord
from avsession.storage.tables import TABLES
from avsession.usecases import gathering, holds, review, rights, taking
from avsession.usecases.common import leaf, load
from tests.avsession.usecases.test_disclosures import prepared
from tests.avsession.usecases.world import World


def test_every_kind_of_row_goes_along_or_says_why_not() -> None:
    """A new table is given its place in the export, or a reason, before anything else."""
    named = gathering.HELD.keys() | gathering.NOT_HELD.keys()
    assert {kind.__name__ for kind in TABLES} - {kind.__name__ for kind in named} == set()
    assert not gathering.HELD.keys() & gathering.NOT_HELD.keys()
    fields = {field.name for field in msgspec.structs.fields(Document)}
    assert {where.split(".")[0] for where in gathering.HELD.values()} <= fields


async def document(world: World) -> Document:
    row = Export(
        id="exp_a", party=world.customer.id, language="en", opens=b"", state="waiting",
        requested_ms=0, expires_ms=0,
    )  # fmt: skip
    async with world.store.read() as tx:
        return await gathering.document(world.app, tx, row, {})


async def test_who_watched_and_who_exported_is_told(world: World) -> None:
    recording = await world.sealed("quality")
    await review.open_recording(world.app, world.admin, recording, "complaint 1", "quality")
    async with world.store.write() as tx:
        row = await tx.get(Recording, recording)
        assert row is not None
        found = await tx.find(TrackRecord, recording=recording)
        for why in ("admin", "disclosure"):
            await taking.take(
                world.app, tx, row, found, why=why, account=world.admin.account,
                purpose="quality", reason="complaint 2",
            )  # fmt: skip
    said = await document(world)
    assert [(a.how, a.reason) for a in said.accesses] == [
        ("watched", "complaint 1"), ("exported", "complaint 2"),
    ]  # fmt: skip
    assert len(await world.find(Taken)) == 2


async def test_the_notices_and_requests_are_there_as_they_were(world: World) -> None:
    await world.sealed("quality")
    said = await document(world)
    (request,) = said.requests
    assert {notice.sha256 for notice in said.notices} == set(request.notices.values())
    assert said.keys
    assert said.controller["name"] == world.settings.controller.name
    assert {entry.kind for entry in said.log} >= {"party.joined", "consent.given"}


async def test_the_log_is_about_this_person_only(world: World) -> None:
    await world.sealed()
    said = await document(world)
    assert all(world.customer.party.pseudonym in entry.entry for entry in said.log)
    assert f'"subject":"{world.agent.party.pseudonym}"' not in str(said.log)


async def test_no_holds_reason_and_nobody_of_the_staff_is_told(world: World) -> None:
    """Who asked for a hold, and why, may be about somebody else."""
    recording = await world.sealed("quality")
    hold = await holds.place(
        world.app, world.admin, scope="party", target=world.customer.id, category="claim",
        reason="secret reason", asked_by="secret asker",
        review_ms=world.clock.now_ms() + 1_000_000,
    )  # fmt: skip
    await holds.release(world.app, world.admin, hold["hold"], "secret release")
    await prepared(world, recording, scope="party", target=world.customer.id)
    text = "I object."
    secret = world.customer.data_secret
    await rights.ask(world.app, secret, Right.OBJECT, text, ("quality",), "a key")
    said = await document(world)
    kinds = {entry.kind for entry in said.log}
    assert kinds >= {"hold.placed", "hold.released", "disclosure.made", "privacy.requested"}
    text = msgspec.json.encode(said).decode()
    assert "secret" not in text
    assert world.admin.account not in text
    told = {(e.kind, d.field) for e in said.log for d in e.details}
    assert {("disclosure.made", "given_to"), ("privacy.requested", "text")} <= told


async def test_what_a_new_kind_of_leaf_says_is_not_told_by_itself(world: World) -> None:
    async with world.store.write() as tx:
        session, party = await load(tx, world.customer.id)
        await leaf(
            world.app, tx, "recording.paused", session=session, subject=party,
            details={"account": "acc_x", "reason": "card"},
        )  # fmt: skip
    said = await document(world)
    (entry,) = [entry for entry in said.log if entry.kind == "recording.paused"]
    assert entry.details == []
