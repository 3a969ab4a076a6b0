"""What was ordered is given out only as long as it still may be, down to the last range."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyrage
import pytest

from avsession.audit import receipt
from avsession.config import Export as ExportSettings
from avsession.config import Processor
from avsession.errors import Conflict, ConsentRequired, Erased, NotFound, Unavailable
from avsession.export_records import Disclosure, Export
from avsession.records import ConsentEvent, Hold, Recording, TrackRecord
from avsession.sealing import parcel
from avsession.usecases import (
    disclosures,
    exports,
    holds,
    mydata,
    preparing,
    receipts,
    recovery,
    rights,
    sessions,
    taking,
)
from avsession.usecases.forgetting import forget
from tests.avsession.usecases.world import World, opened

A_COMPANY = Processor(name="A company", what_for={"en": "Typing"}, where={"en": "EU"})
WHO = pyrage.x25519.Identity.generate()
DAY_S = 86_400


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path, processors=(A_COMPANY,)) as made:
        yield made


async def ready(world: World) -> tuple[str, str]:
    """An export of the customer's, and the key that downloads it."""
    secret = world.customer.data_secret
    made = await exports.start(world.app, secret, "en")
    while await preparing.prepare_next(world.app):
        pass
    return made["export"], parcel.download_key(secret)


async def renewed(world: World) -> None:
    await mydata.renew_link(world.app, world.customer.party)


async def recovered(world: World) -> None:
    (event,) = await world.find(ConsentEvent, party=world.customer.id, kind="given")
    made = await receipts.of_event(world.app, world.customer.id, event.id)
    await recovery.by_receipt(world.app, receipt.render(made).encode(), "203.0.113.5")


@pytest.mark.parametrize("renew", [renewed, recovered])
async def test_a_renewed_link_ends_every_export_of_the_old_one(world: World, renew: Any) -> None:
    await world.sealed()
    export, key = await ready(world)
    _, reading = await exports.file(world.app, export, key)
    await exports.start(world.app, world.customer.data_secret, "en")
    await renew(world)
    with pytest.raises(NotFound):
        await exports.file(world.app, export, key)
    with pytest.raises(NotFound):
        await reading.read(0, reading.size)
    assert not await world.find(Export)
    assert world.files("exports") == []
    assert not await preparing.prepare_next(world.app), "what waited is not prepared any more"


async def test_a_link_is_renewed_though_the_disk_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    export, key = await ready(world)

    async def away(name: str) -> bool:
        raise Unavailable

    monkeypatch.setattr(world.app.parcels, "remove", away)
    assert await mydata.renew_link(world.app, world.customer.party)
    with pytest.raises(NotFound):
        await exports.file(world.app, export, key)


async def test_an_erasure_takes_what_waits(world: World) -> None:
    await exports.start(world.app, world.customer.data_secret, "en")
    await sessions.end_session(world.app, world.session, "test")
    await forget(world.app, world.customer.id)
    assert not await world.find(Export)
    assert not await preparing.prepare_next(world.app)
    assert world.files("exports") == []


@pytest.mark.parametrize("how", ["withdrawn", "restricted"])
async def test_the_others_track_goes_no_more(tmp_path: Path, how: str) -> None:
    async with opened(tmp_path, export=ExportSettings(other_party="always")) as world:
        await world.sealed()
        export, key = await ready(world)
        _, reading = await exports.file(world.app, export, key)
        await reading.read(0, reading.size)
        if how == "withdrawn":
            await world.withdraw(world.agent, world.recorder.grant.request)
        else:
            world.agent.data_secret = await mydata.renew_link(world.app, world.agent.party)
            await rights.restrict(world.app, world.agent.data_secret)
        with pytest.raises(Conflict, match="new export"):
            await exports.file(world.app, export, key)
        with pytest.raises(Conflict, match="new export"):
            await reading.read(0, reading.size)


async def test_an_admin_gets_nothing_that_is_taken_back_meanwhile(world: World) -> None:
    recording = await world.sealed("quality")
    async with world.store.write() as tx:
        row = await tx.get(Recording, recording)
        assert row is not None
        found = await tx.find(TrackRecord, recording=recording, party=world.customer.id)
        taken = await taking.take(
            world.app, tx, row, found, why="admin", actor="console",
            account=world.admin.account, purpose="quality", reason="complaint",
        )  # fmt: skip
    assert (await taking.track_file(world.app, taken.id, found[0].id, 2**52)).size
    await world.withdraw(world.customer, world.recorder.grant.request)
    with pytest.raises(ConsentRequired):
        await taking.track_file(world.app, taken.id, found[0].id, 2**52)


async def disclosed(world: World, recording: str, basis: str = "order") -> str:
    made = await disclosures.make(
        world.app, world.admin, scope="recording", target=recording,
        category="processor" if basis == "contract" else "authority",
        given_to="A company", basis=basis, basis_text="Contract 7",  # type: ignore[arg-type]
        reason="Transcription", parts=("media",), recipient=str(WHO.to_public()),
    )  # fmt: skip
    assert await preparing.prepare_next(world.app)
    return str(made["disclosure"])


async def hold(world: World, recording: str) -> None:
    await holds.place(
        world.app, world.admin, scope="recording", target=recording, category="order",
        reason="case 12", asked_by="the court", review_ms=world.clock.now_ms() + 1_000_000,
    )  # fmt: skip


async def test_a_package_is_not_given_once_its_media_is_taken_back(world: World) -> None:
    recording = await world.sealed()
    ordered, contract = (
        await disclosed(world, recording),
        await disclosed(world, recording, "contract"),
    )
    _, reading = await disclosures.file(world.app, world.admin, ordered)
    await hold(world, recording)
    await world.withdraw(world.customer, world.recorder.grant.request)
    assert await reading.read(0, 3) == b"age", "a hold keeps it for whom the law lets have it"
    with pytest.raises(ConsentRequired):
        await disclosures.file(world.app, world.admin, contract)
    (standing,) = await world.find(Hold)
    await holds.release(world.app, world.admin, standing.id, "case closed")
    with pytest.raises(ConsentRequired):
        await reading.read(0, 3)


async def test_a_package_with_what_is_destroyed_is_deleted(world: World) -> None:
    recording = await world.sealed()
    name = await disclosed(world, recording)
    _, reading = await disclosures.file(world.app, world.admin, name)
    await world.withdraw(world.customer, world.recorder.grant.request)
    await world.choose(world.customer, world.recorder.grant.request, "destroy")
    with pytest.raises(Erased):
        await disclosures.file(world.app, world.admin, name)
    with pytest.raises(Erased):
        await reading.read(0, 3)
    assert world.files("exports") == []
    assert (await world.only(Disclosure)).gone_ms == world.clock.now_ms()


async def test_a_processor_gets_only_what_consent_still_covers(world: World) -> None:
    recording = await world.sealed()
    contract = await disclosed(world, recording, "contract")
    await rights.restrict(world.app, world.customer.data_secret)
    with pytest.raises(ConsentRequired):
        await disclosures.file(world.app, world.admin, contract)


async def test_a_hold_does_not_make_a_withdrawn_recording_a_processors(world: World) -> None:
    recording = await world.sealed()
    await hold(world, recording)
    await world.withdraw(world.customer, world.recorder.grant.request)
    with pytest.raises(Conflict, match="no recording"):
        await disclosed(world, recording, "contract")


async def test_a_processor_gets_nothing_whose_time_is_over(world: World) -> None:
    recording = await world.sealed("quality")
    await hold(world, recording)
    world.clock.forward(4000 * DAY_S)
    with pytest.raises(Conflict, match="no recording"):
        await disclosed(world, recording, "contract")
    await disclosed(world, recording, "order")
