"""A person's export: everything of theirs, any range of it, nothing for anybody else."""

import asyncio
import io
import json
import zipfile
from pathlib import Path

import msgspec
import pytest

from avsession.audit import receipt
from avsession.canonical import b64, sha256_hex
from avsession.config import Export as ExportSettings
from avsession.errors import Conflict, Erased, LinkSpent, NotFound, TooMany
from avsession.export_records import Export, Taken
from avsession.privacy.export import Document, Manifest
from avsession.records import Detail, TrackRecord
from avsession.sealing import parcel
from avsession.usecases import exports, holds, mydata, preparing, sessions
from avsession.usecases.forgetting import forget
from avsession.usecases.packing import Package
from tests.avsession.usecases.world import AGENT_NAME, CUSTOMER_NAME, World, opened

DAY_S = 86_400
PLAIN = (b"spoken pty_", bytes.fromhex("1a45dfa3"))
"""What stands in every plain track: what is said, and the first bytes of a WebM file."""


async def prepared(world: World, secret: str = "", language: str = "de") -> str:
    """An export of the customer's, ready."""
    made = await exports.start(world.app, secret or world.customer.data_secret, language)
    while await preparing.prepare_next(world.app):
        pass
    return str(made["export"])


async def package(world: World, export: str, secret: str = "") -> Package:
    _, key = await exports.allow(world.app, secret or world.customer.data_secret, export)
    return (await exports.file(world.app, export, key))[1]


async def unpacked(world: World, export: str, secret: str = "") -> dict[str, bytes]:
    file = await package(world, export, secret)
    data = await file.read(0, file.size)
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.testzip() is None
        return {name: found.read(name) for name in found.namelist()}


def plain_media(folder: Path) -> list[str]:
    """Files of the deployment in which a frame, or a WebM header, stands in plain."""
    return [
        path.name
        for path in folder.rglob("*")
        if path.is_file() and any(word in path.read_bytes() for word in PLAIN)
    ]


async def test_everything_is_in_it_and_the_manifest_says_what(world: World) -> None:
    recording = await world.sealed("quality", seconds=3)
    await world.story()
    export = await prepared(world)
    assert await world.story() == "privacy.requested recording.exported privacy.answered"
    files = await unpacked(world, export)
    own = f"recordings/{recording}/customer.webm"
    assert {"manifest.json", "index.html", "data.json", own} <= files.keys()
    assert not [name for name in files if "agent.webm" in name]
    manifest = msgspec.json.decode(files["manifest.json"], type=Manifest)
    assert {f.name: (f.size, f.sha256) for f in manifest.files} == {
        name: (len(data), sha256_hex(data))
        for name, data in files.items()
        if name != "manifest.json"
    }
    said = msgspec.json.decode(files["data.json"], type=Document)
    assert (said.person.name, said.person.role) == (CUSTOMER_NAME, "customer")
    assert [one.kind for one in said.consents] == ["given"]
    (track,) = [t for t in said.recordings[0].tracks if t.role == "customer"]
    assert (track.file, track.why_not, track.segments) == (own, None, 3)
    (others,) = [t for t in said.recordings[0].tracks if t.role == "agent"]
    assert (others.file, others.why_not, others.segments) == (None, "others", 0)
    assert b"spoken " + world.customer.id.encode() + b" 2" in files[own]
    receipts = [data for name, data in files.items() if name.startswith("receipts/")]
    (given,) = receipts
    assert receipt.verify(given, world.app.notary.key).holds
    assert AGENT_NAME.encode() not in b"".join(files.values())
    digest = sha256_hex(files["manifest.json"])
    answered = [leaf for leaf in await world.leaves() if leaf["kind"] == "privacy.answered"]
    assert answered[0]["refs"]["digest"] == digest


async def test_details_of_the_log_open_their_commitments(world: World) -> None:
    from avsession.canonical import commitment, unb64

    files = await unpacked(world, await prepared(world))
    said = msgspec.json.decode(files["data.json"], type=Document)
    checked = 0
    for entry in said.log:
        body = json.loads(entry.entry)
        for one in entry.details:
            made = commitment(unb64(one.salt), one.field, one.value)
            assert body["commitments"][one.field] == made
            checked += 1
    assert checked == len(await world.find(Detail, party=world.customer.id)) > 0


async def test_any_range_is_that_of_the_whole_also_by_a_new_reader(world: World) -> None:
    await world.sealed(seconds=3)
    export = await prepared(world)
    file = await package(world, export)
    whole = await file.read(0, file.size)
    await world.restart()
    for start in range(0, file.size, 1999):
        again = await package(world, export)
        end = min(file.size, start + 2500)
        assert await again.read(start, end) == whole[start:end]


async def test_nothing_plain_of_media_lies_anywhere(world: World) -> None:
    await world.sealed(seconds=3)
    export = await prepared(world)
    media = [data for name, data in (await unpacked(world, export)).items() if "webm" in name]
    assert all(word in media[0] for word in PLAIN), "or this finds nothing, whatever lies there"
    assert plain_media(world.folder) == []
    (name,) = world.files("exports")
    stored = (world.folder / "exports" / name).read_bytes()
    assert CUSTOMER_NAME.encode() not in stored


async def test_neither_database_nor_disk_opens_it_without_the_link(world: World) -> None:
    export = await prepared(world)
    row = await world.only(Export)
    assert row.seals_to
    for key in (
        "", row.opens.hex(), parcel.download_key("another"), row.digest, b64(row.seals_to)
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await exports.file(world.app, export, key)
    async with world.store.write() as tx:  # somebody writes his own key's hash into the row
        from avsession.usecases.tokens import secret_hash

        mine = parcel.download_key("another")
        await tx.put(msgspec.structs.replace(row, opens=secret_hash(mine)))
    with pytest.raises(NotFound):
        await exports.file(world.app, export, mine)


async def test_it_is_its_persons_alone(world: World) -> None:
    export = await prepared(world)
    agent = await mydata.renew_link(world.app, world.agent.party)
    assert (await exports.listed(world.app, agent))["exports"] == []
    for attempt in (
        exports.allow(world.app, agent, export),
        exports.remove(world.app, agent, export),
    ):
        with pytest.raises(NotFound):
            await attempt
    with pytest.raises(LinkSpent):
        await exports.listed(world.app, "x" * 43)


async def test_a_new_link_makes_the_old_ones_exports_unreachable(world: World) -> None:
    old = await prepared(world)
    fresh = await mydata.renew_link(world.app, world.customer.party)
    assert (await exports.listed(world.app, fresh))["exports"] == []
    new = await prepared(world, fresh)
    assert {row.id for row in await world.find(Export)} == {new}
    await exports.sweep(world.app)
    assert world.files("exports") == [new]
    assert old != new


async def test_limits(world: World) -> None:
    secret = world.customer.data_secret
    await exports.start(world.app, secret, "en")
    with pytest.raises(Conflict):
        await exports.start(world.app, secret, "en")
    assert await preparing.prepare_next(world.app)
    for _ in range(2):
        await prepared(world)
    with pytest.raises(TooMany):
        await exports.start(world.app, secret, "en")
    first = (await exports.listed(world.app, secret))["exports"][0]["export"]
    assert (await exports.remove(world.app, secret, first))["state"] == "removed"
    assert first not in world.files("exports")
    world.clock.forward(3600)
    await prepared(world)


async def test_asking_again_and_again_is_limited(world: World) -> None:
    secret = world.customer.data_secret
    for _ in range(5):
        await exports.remove(world.app, secret, await prepared(world))
    with pytest.raises(TooMany):
        await exports.start(world.app, secret, "en")


async def test_it_expires(world: World) -> None:
    export = await prepared(world)
    _, key = await exports.allow(world.app, world.customer.data_secret, export)
    world.clock.forward(7 * DAY_S - 1)
    await exports.file(world.app, export, key)
    world.clock.forward(1)
    with pytest.raises(NotFound):
        await exports.file(world.app, export, key)
    await world.later(0)
    assert world.files("exports") == []
    (told,) = (await exports.listed(world.app, world.customer.data_secret))["exports"]
    assert (told["export"], told["state"]) == (export, "expired")
    with pytest.raises(Conflict):
        await exports.allow(world.app, world.customer.data_secret, export)
    world.clock.forward(30 * DAY_S)
    await world.later(0)
    assert not await world.find(Export)


async def test_what_became_of_the_last_ones_counts_for_nothing_and_goes_with_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(preparing, "prepare", fails)
        failed = await prepared(world)
    ready = [await prepared(world) for _ in range(2)]
    rows = (await exports.listed(world.app, world.customer.data_secret))["exports"]
    assert failed not in {row["export"] for row in rows}
    world.clock.forward(7 * DAY_S)
    await world.later(0)
    assert {row.state for row in await world.find(Export)} == {"expired"}
    new = [await prepared(world) for _ in range(3)]
    assert {row.id for row in await world.find(Export)} == set(new)
    assert set(ready).isdisjoint(new)


async def test_one_that_waits_beyond_its_time_has_failed_and_says_so(world: World) -> None:
    await exports.start(world.app, world.customer.data_secret, "en")
    await world.story()
    world.clock.forward(7 * DAY_S)
    await exports.expire(world.app)
    assert await world.story() == "privacy.answered"
    (row,) = (await exports.listed(world.app, world.customer.data_secret))["exports"]
    assert row["state"] == "failed"
    assert not await preparing.prepare_next(world.app)


async def test_a_restart_in_the_middle_goes_on_by_itself(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Died after the parcel was written and before that was written down: nobody has the link's
    secret but its person, who is not there."""
    recording = await world.sealed()
    secret = world.customer.data_secret
    made = await exports.start(world.app, secret, "en")

    async def dies(*_: object, **__: object) -> bool:
        raise asyncio.CancelledError

    with monkeypatch.context() as dying:
        dying.setattr(exports, "settle", dies)
        with pytest.raises(asyncio.CancelledError):
            await preparing.prepare_next(world.app)
    assert world.files("exports") == [made["export"]]
    await world.restart()
    await exports.sweep(world.app)
    assert await preparing.prepare_next(world.app)
    assert not await preparing.prepare_next(world.app)
    (row,) = (await exports.listed(world.app, secret))["exports"]
    assert (row["export"], row["state"]) == (made["export"], "ready")
    assert row["size"] == (await package(world, made["export"])).size
    assert f"recordings/{recording}/customer.webm" in await unpacked(world, made["export"])


async def test_so_many_may_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MOST", 1)
    agent = await mydata.renew_link(world.app, world.agent.party)
    await exports.start(world.app, agent, "en")
    with pytest.raises(TooMany):
        await exports.start(world.app, world.customer.data_secret, "en")
    assert await preparing.prepare_next(world.app)
    await prepared(world)


async def test_a_track_that_is_destroyed_afterwards_is_gone_from_it(world: World) -> None:
    await world.sealed()
    request = world.recorder.grant.request
    export = await prepared(world)
    file = await package(world, export)
    await world.withdraw(world.customer, request)
    await world.choose(world.customer, request, "destroy")
    with pytest.raises(Erased):
        await package(world, export)
    with pytest.raises(Erased):
        await file.read(0, file.size)
    files = await unpacked(world, await prepared(world))
    said = msgspec.json.decode(files["data.json"], type=Document)
    assert {t.why_not for t in said.recordings[0].tracks} == {"erased"}
    assert len(said.certificates) == 1
    pages = [data for name, data in files.items() if name.startswith("certificates/")]
    assert len(pages) == 2
    assert receipt.verify(next(p for p in pages if p[:1] == b"<"), world.app.notary.key).holds


async def test_neither_a_hold_nor_an_open_choice_is_in_the_way(world: World) -> None:
    recording = await world.sealed()
    request = world.recorder.grant.request
    await holds.place(
        world.app, world.admin, scope="recording", target=recording, category="order",
        reason="case 12", asked_by="the court", review_ms=world.clock.now_ms() + 1_000_000,
    )  # fmt: skip
    await world.withdraw(world.customer, request)
    await world.choose(world.customer, request, "destroy")
    files = await unpacked(world, await prepared(world))
    assert f"recordings/{recording}/customer.webm" in files
    said = msgspec.json.decode(files["data.json"], type=Document)
    assert [held.category for held in said.holds] == ["order"]
    assert b"case 12" not in b"".join(files.values())


@pytest.mark.parametrize("withdrawn", [False, True])
async def test_the_others_track_only_where_it_is_set(tmp_path: Path, withdrawn: bool) -> None:
    async with opened(tmp_path, export=ExportSettings(other_party="always")) as world:
        recording = await world.sealed()
        if withdrawn:
            await world.withdraw(world.agent, world.recorder.grant.request)
        files = await unpacked(world, await prepared(world))
        name = f"recordings/{recording}/agent.webm"
        assert (name in files) is not withdrawn
        if not withdrawn:
            assert b"spoken " + world.agent.id.encode() in files[name]


async def test_what_still_runs_is_said_and_left_for_later(world: World) -> None:
    await world.recorded()
    files = await unpacked(world, await prepared(world))
    said = msgspec.json.decode(files["data.json"], type=Document)
    (own,) = [t for t in said.recordings[0].tracks if t.role == "customer"]
    assert own.why_not == "running"
    assert not await world.find(Taken)


async def test_a_damaged_track_is_left_out_and_said(world: World) -> None:
    recording = await world.sealed()
    track = await world.only(TrackRecord, party=world.customer.id)
    file = world.folder / "objects" / recording / track.id / "000001.age"
    file.write_bytes(file.read_bytes()[:-1])
    files = await unpacked(world, await prepared(world))
    said = msgspec.json.decode(files["data.json"], type=Document)
    (own,) = [t for t in said.recordings[0].tracks if t.role == "customer"]
    assert (own.file, own.why_not) == (None, "damaged")


async def test_an_erasure_takes_the_exports_along(world: World) -> None:
    await world.sealed()
    await prepared(world)
    assert world.files("exports")
    await sessions.end_session(world.app, world.session, "test")
    await forget(world.app, world.customer.id)
    assert world.files("exports") == []
    assert not await world.find(Export)


async def test_an_agent_has_the_same_right(world: World) -> None:
    recording = await world.sealed()
    secret = await mydata.renew_link(world.app, world.agent.party)
    files = await unpacked(world, await prepared(world, secret), secret)
    assert f"recordings/{recording}/agent.webm" in files
    assert f"recordings/{recording}/customer.webm" not in files
    assert CUSTOMER_NAME.encode() not in b"".join(files.values())


async def test_progress_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.sealed(seconds=3)
    told: list[tuple[int, int]] = []

    def note(name: str, done: int, total: int) -> None:
        told.append((done, total))

    monkeypatch.setattr(world.app.building, "note", note)
    await prepared(world)
    assert told[-1][0] == told[-1][1] > 0
