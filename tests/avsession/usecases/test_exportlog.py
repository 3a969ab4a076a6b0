"""An export is what its leaf says, whatever somebody writes into its row."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from avsession.audit import verify_exports
from avsession.canonical import sha256_hex
from avsession.errors import NotFound
from avsession.export_records import Export
from avsession.privacy import recipe
from avsession.sealing import parcel
from avsession.session import Party
from avsession.usecases import evidence, exportlog, exports, mydata, preparing
from avsession.usecases.exportlog import ExportUnbound
from avsession.usecases.tokens import secret_hash
from tests.avsession.usecases.test_exports import package, prepared, unpacked
from tests.avsession.usecases.world import World

ATTACKER = parcel.download_key("attacker")


async def changed(world: World, export: str, **fields: Any) -> Export:
    """What somebody does who may write to the table and to nothing else."""
    async with world.store.write() as tx:
        row = await tx.get(Export, export)
        assert row is not None
        await tx.put(replace(row, **fields))
        return replace(row, **fields)


def theirs(export: str) -> dict[str, Any]:
    """An export's fields, so that the attacker's key opens it."""
    key = parcel.public_key(ATTACKER, export)
    return {"opens": secret_hash(ATTACKER), "seals_to": key}


async def found(world: World) -> list[str]:
    """What a verification finds."""
    report = await evidence.verify(world.store, world.app.notary.key, world.app.notary.anchors)
    return [str(one) for one in report.findings]


async def before(world: World, monkeypatch: pytest.MonkeyPatch, *, ready: bool) -> str:
    """An export that was asked for before leaves said for whom one is."""

    def older(row: Export) -> dict[str, Any]:
        return {"right": "export", "export": row.id}

    with monkeypatch.context() as old:
        old.setattr(exports, "asked_refs", older)
        made = await exports.start(world.app, world.customer.data_secret, "en")
    if ready:
        with monkeypatch.context() as old:
            old.setattr(exportlog, "asked_refs", older)
            assert await preparing.prepare_next(world.app)
    return str(made["export"])


@pytest.mark.parametrize("was", ["waiting", "ready", "expired", "failed"])
async def test_one_that_is_made_wait_again_for_another_key_is_not_made(
    world: World, was: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.sealed("quality", seconds=1)
    if was == "waiting":
        export = str((await exports.start(world.app, world.customer.data_secret, "en"))["export"])
    elif was == "failed":
        with monkeypatch.context() as broken:
            broken.setattr(preparing, "recipe", None)
            export = await prepared(world)
    else:
        export = await prepared(world)
    if was == "expired":
        world.clock.forward(7 * 86_400)
        await exports.expire(world.app)
    assert (await world.only(Export)).state == was
    assert await found(world) == []
    fresh = {"state": "waiting", "size": 0, "digest": "", **theirs(export)}
    fresh["expires_ms"] = world.clock.now_ms() + 86_400_000
    await changed(world, export, **fresh)
    (said,) = await found(world)
    assert said.startswith(f"export {export}: is for another key")
    monkeypatch.setattr(preparing, "_media", None)  # nothing is opened for it
    caplog.clear()
    assert await preparing.prepare_next(world.app)
    assert "an export failed: export.unbound" in caplog.text
    assert (await world.only(Export)).state == "failed"
    assert world.files("exports") == []
    with pytest.raises(NotFound):
        await exports.file(world.app, export, ATTACKER)
    assert [one for one in await found(world) if export in one]
    assert not await preparing.prepare_next(world.app)


async def test_one_that_was_answered_is_not_made_again_even_for_its_own_key(world: World) -> None:
    export = await prepared(world)
    await changed(world, export, state="waiting", size=0, digest="")
    (said,) = await found(world)
    assert "does not stand where the log says: ready" in said
    assert await preparing.prepare_next(world.app)
    assert (await world.only(Export)).state == "failed"


@pytest.mark.parametrize("field", ["opens", "seals_to", "party", "id"])
async def test_what_the_leaf_says_of_it(world: World, field: str) -> None:
    await exports.start(world.app, world.customer.data_secret, "en")
    row = await world.only(Export)
    other = {"party": world.agent.id, "id": "exp_" + "a" * 26}.get(field, bytes(32))
    async with world.store.read() as tx:
        await exportlog.check_waiting(tx, row)
        with pytest.raises(ExportUnbound):
            await exportlog.check_waiting(tx, replace(row, **{field: other}))


async def test_somebody_else_s_is_not_prepared_for_who_asked(world: World) -> None:
    """The one who asked for their own is not given the other party's by a change of the row."""
    made = await exports.start(world.app, world.customer.data_secret, "en")
    await changed(world, made["export"], party=world.agent.id)
    assert len(await found(world)) == 1
    assert await preparing.prepare_next(world.app)
    assert (await world.only(Export)).state == "failed"


async def test_another_content_is_not_given_out_though_disk_and_row_agree(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """With the disk, too, somebody could put a list of their own there, sealed to them."""
    export = await prepared(world)
    made = recipe.recipe("export", export, 1, [recipe.document("a", b"a", "text/plain", "")])
    key = parcel.public_key(ATTACKER, export)
    await world.app.parcels.put(export, parcel.seal(key, export, recipe.pack(made)))
    row = await changed(world, export, digest=made.digest, **theirs(export))
    assert row.state == "ready"
    with pytest.raises(ExportUnbound):
        await exports.file(world.app, export, ATTACKER)
    assert "an export is not given out: export.unbound" in caplog.text
    secret = world.customer.data_secret
    own = parcel.download_key(secret)
    kept = {"opens": secret_hash(own), "seals_to": parcel.public_key(own, export)}
    await changed(world, export, **kept)
    with pytest.raises(ExportUnbound):
        await exports.file(world.app, export, own)
    (said,) = await found(world)
    assert said.endswith("its content is not the one that was answered")


async def test_one_that_the_log_never_heard_of(world: World) -> None:
    async with world.store.write() as tx:
        await tx.add(
            Export(
                id="exp_" + "a" * 26, party=world.customer.id, language="en", state="waiting",
                requested_ms=0, expires_ms=world.clock.now_ms() + 1000,
                **theirs("exp_" + "a" * 26),
            )
        )  # fmt: skip
    (said,) = await found(world)
    assert said.endswith("no leaf speaks of it")
    assert await preparing.prepare_next(world.app)
    assert (await world.only(Export)).state == "failed"
    assert world.files("exports") == []


async def test_from_before_one_that_is_ready_stays_and_one_that_waits_is_asked_for_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = await before(world, monkeypatch, ready=True)
    assert "data.json" in await unpacked(world, export)
    assert await found(world) == []
    await changed(world, export, **theirs(export), state="waiting", size=0, digest="")
    assert await preparing.prepare_next(world.app)
    assert (await world.only(Export)).state == "failed"
    await exports.remove(world.app, world.customer.data_secret, export)
    waits = await before(world, monkeypatch, ready=False)
    assert await found(world) == []
    assert await preparing.prepare_next(world.app)
    row = await world.only(Export)
    assert (row.id, row.state) == (waits, "failed")
    assert await found(world) == [], "it says of itself that it failed, and so does the log"
    assert "data.json" in await unpacked(world, await prepared(world))


async def test_the_digest_in_the_log_is_no_digest_of_a_name(world: World) -> None:
    """Whoever reads the log without the private link learns nothing more from it."""
    secret = await mydata.renew_link(world.app, world.agent.party)
    await prepared(world, secret)
    row = await world.only(Export)
    (refs,) = [
        leaf["refs"] for leaf in await world.leaves() if leaf["refs"].get("right") == "export"
        and leaf["kind"] == "privacy.requested"
    ]  # fmt: skip
    assert refs == verify_exports.asked_refs(row)
    party = await world.only(Party, id=world.agent.id)
    guesses = [party.id, party.name, row.id, row.opens.hex()]
    assert refs["sealed_to"] not in {sha256_hex(one.encode()) for one in guesses}
    assert not [one for one in guesses if one != row.id and one in json.dumps(refs)]
    assert (await package(world, row.id, secret)).size > 0
