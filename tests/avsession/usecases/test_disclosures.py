"""Disclosures: decided by who may, written down, sealed to their recipient, told or not yet."""

from pathlib import Path
from typing import Any

import msgspec
import pyrage
import pytest

from avsession.config import Processor
from avsession.errors import Conflict, Invalid, NotFound, NotPermitted
from avsession.export_records import Disclosure, Taken
from avsession.records import Detail
from avsession.usecases import disclosures, evidence, gathering, holds, preparing, sessions
from avsession.usecases import told as telling
from avsession.usecases.forgetting import forget
from tests.avsession.usecases.world import World, opened

TYPISTS = Processor(
    name="Typists Ltd", what_for={"en": "Writing down"}, where={"en": "EU", "de": "EU"}
)
WHO = pyrage.x25519.Identity.generate()
DAY_MS = 86_400_000


async def disclose(world: World, recording: str, **other: Any) -> dict[str, Any]:
    said: dict[str, Any] = {
        "scope": "recording",
        "target": recording,
        "category": "authority",
        "given_to": "District Court",
        "basis": "order",
        "basis_text": "Order 12 C 34/26",
        "reason": "Muster ./. Example",
        "parts": ("records", "media"),
        "recipient": str(WHO.to_public()),
    }
    return await disclosures.make(world.app, world.admin, **(said | other))


async def prepared(world: World, recording: str, **other: Any) -> Disclosure:
    made = await disclose(world, recording, **other)
    assert await preparing.prepare_next(world.app)
    return await world.only(Disclosure, id=made["disclosure"])


async def told(world: World) -> list[str]:
    async with world.store.read() as tx:
        found = await telling.disclosed(tx, world.customer.party, world.clock.now_ms())
    return [one.id for one in found]


async def test_it_is_told_to_the_person_and_listed_for_admins(world: World) -> None:
    row = await prepared(world, await world.sealed())
    assert await told(world) == [row.id]
    (listed,) = (await disclosures.listed(world.app, world.admin))["disclosures"]
    assert (listed["state"], listed["given_to"], listed["sha256"]) == (
        "ready", "District Court", row.sha256,
    )  # fmt: skip


async def test_silence_is_for_orders_and_duties_and_ends(world: World) -> None:
    recording = await world.sealed()
    until = world.clock.now_ms() + 30 * DAY_MS
    for wrong in ({"basis": "claim"}, {"basis": "contract"}):
        with pytest.raises(Invalid):
            await disclose(world, recording, silent_until_ms=until, **wrong)
    for when in (world.clock.now_ms(), until + 1200 * DAY_MS):
        with pytest.raises(Invalid):
            await disclose(world, recording, silent_until_ms=when)
    row = await prepared(
        world, recording, silent_until_ms=until, scope="party", target=world.customer.id
    )
    assert await told(world) == []
    assert row.id.encode() not in await log_section(world), "nor by the log's entries"
    world.clock.forward(30 * 86_400)
    assert await told(world) == [row.id]
    assert row.id.encode() in await log_section(world)


async def log_section(world: World) -> bytes:
    from avsession.export_records import Export

    export = Export(
        id="exp_a", party=world.customer.id, language="en", opens=b"", state="waiting",
        requested_ms=0, expires_ms=0,
    )  # fmt: skip
    async with world.store.read() as tx:
        said = await gathering.document(world.app, tx, export, {})
    return msgspec.json.encode([said.log, said.accesses])


async def test_one_about_the_other_party_is_not_told(world: World) -> None:
    recording = await world.sealed()
    await prepared(world, recording, scope="party", target=world.agent.id)
    assert await told(world) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"recipient": "age1nobody"},
        {"recipient": str(WHO)},
        {"reason": "  x "},
        {"given_to": ""},
        {"basis_text": "?"},
        {"parts": ()},
        {"category": "processor", "basis": "contract"},
        {"category": "processor", "given_to": "Typists Ltd"},
        {"category": "processor", "given_to": "typists ltd", "basis": "contract"},
    ],
)
async def test_what_cannot_be_disclosed_so(tmp_path: Path, wrong: dict[str, Any]) -> None:
    async with opened(tmp_path, processors=(TYPISTS,)) as world:
        await _refused(world, wrong)


async def test_a_processor_is_one_of_the_register(tmp_path: Path) -> None:
    async with opened(tmp_path, processors=(TYPISTS,)) as world:
        recording = await world.sealed()
        made = await disclose(
            world, recording, category="processor", given_to="Typists Ltd", basis="contract"
        )
        assert made["given_to"] == "Typists Ltd"
        (one,) = (await disclosures.listed(world.app, world.admin))["processors"]
        assert (one["name"], one["where"]) == ("Typists Ltd", {"en": "EU", "de": "EU"})


async def _refused(world: World, wrong: dict[str, Any]) -> None:
    recording = await world.sealed()
    await world.story()
    with pytest.raises(Invalid):
        await disclose(world, recording, **wrong)
    assert await world.story() == ""
    assert not await world.find(Disclosure)


async def test_what_is_not_there(world: World) -> None:
    with pytest.raises(NotFound):
        await disclose(world, "rec_" + "a" * 26)
    with pytest.raises(Conflict, match="no recording"):
        await disclose(world, world.session, scope="session")
    await prepared(world, world.session, scope="session", parts=("records",))
    for name in ("dis_" + "a" * 26,):
        with pytest.raises(NotFound):
            await disclosures.file(world.app, world.admin, name)


async def test_media_that_was_taken_back_goes_along_only_under_a_hold(world: World) -> None:
    recording = await world.sealed()
    await holds.place(
        world.app, world.admin, scope="recording", target=recording, category="order",
        reason="case 12", asked_by="the court", review_ms=world.clock.now_ms() + DAY_MS,
    )  # fmt: skip
    await world.withdraw(world.customer, world.recorder.grant.request)
    await prepared(world, recording)
    second = await world.sealed()
    await world.withdraw(world.customer, world.recorder.grant.request)
    with pytest.raises(Conflict):
        await disclose(world, second)


async def test_a_party_is_one_partys_track(world: World) -> None:
    await world.sealed()
    row = await prepared(world, "", scope="party", target=world.customer.id)
    (taken,) = await world.find(Taken, what=row.id)
    assert len(taken.tracks) == 1


async def test_agents_disclose_nothing(world: World) -> None:
    recording = await world.sealed()
    row = await prepared(world, recording)
    for attempt in (
        disclosures.listed(world.app, world.staff),
        disclosures.file(world.app, world.staff, row.id),
    ):
        with pytest.raises(NotPermitted):
            await attempt
    world.admin = world.staff
    with pytest.raises(NotPermitted):
        await disclose(world, recording)


async def test_the_package_goes_and_the_record_stays(world: World) -> None:
    row = await prepared(world, await world.sealed())
    _, sealed = await disclosures.file(world.app, world.admin, row.id)
    assert await sealed.read(0, 21) == b"age-encryption.org/v1"
    await world.later(7 * 86_400)
    assert world.files("exports") == []
    with pytest.raises(NotFound):
        await disclosures.file(world.app, world.admin, row.id)
    (listed,) = (await disclosures.listed(world.app, world.admin))["disclosures"]
    assert listed["state"] == "gone"
    assert await told(world) == [row.id]


async def test_a_package_that_the_log_does_not_name_is_not_given_out(world: World) -> None:
    row = await prepared(world, await world.sealed())
    async with world.store.write() as tx:
        await tx.put(msgspec.structs.replace(row, sha256="0" * 64))
    with pytest.raises(NotFound):
        await disclosures.file(world.app, world.admin, row.id)


@pytest.mark.parametrize("scope", ["recording", "party"])
async def test_an_erasure_leaves_no_text_of_it_and_every_proof_holds(
    world: World, scope: str
) -> None:
    recording = await world.sealed()
    target = recording if scope == "recording" else world.customer.id
    reason = "Muster ./. Kundig" if scope == "recording" else "Muster ./. Example"
    row = await prepared(world, recording, scope=scope, target=target, reason=reason)
    await sessions.end_session(world.app, world.session, "test")
    await forget(world.app, world.customer.id)
    left = await world.only(Disclosure, id=row.id)
    assert (left.reason, left.basis_text, left.given_to) == ("", "", "District Court")
    assert world.customer.id not in str(left)
    texts = [detail.value for detail in await world.find(Detail)]
    assert not [text for text in texts if b"Muster" in text or b"12 C" in text]
    report = await evidence.verify(world.store, world.app.notary.key, world.app.notary.anchors)
    assert report.findings == ()


async def test_only_so_many_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = await world.sealed()
    monkeypatch.setattr(disclosures, "MAX_WAITING", 1)
    await disclose(world, recording)
    with pytest.raises(Conflict):
        await disclose(world, recording)
