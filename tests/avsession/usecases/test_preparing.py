"""Preparing goes on beside everything else, and one failure does not keep the others."""

import asyncio

import pytest
from msgspec.structs import replace

from avsession.errors import Unavailable
from avsession.export_records import Export
from avsession.tasks import Tasks
from avsession.usecases import exports, mydata, preparing
from tests.avsession.usecases.test_disclosures import disclose
from tests.avsession.usecases.world import World
from tests.support.tamper import database


async def state(world: World) -> list[str]:
    listed = await exports.listed(world.app, world.customer.data_secret)
    return [row["state"] for row in listed["exports"]]


async def test_it_is_prepared_without_being_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks, done = Tasks(), asyncio.Event()
    over = world.app.building.over

    def noted(name: str) -> None:
        over(name)
        done.set()

    monkeypatch.setattr(world.app.building, "over", noted)
    tasks.spawn(preparing.keep_preparing(world.app), name="exports")
    await exports.start(world.app, world.customer.data_secret, "en")
    async with asyncio.timeout(20):
        await done.wait()
    assert await state(world) == ["ready"]
    await tasks.close()


async def test_a_disk_that_is_away_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = world.app.parcels.put

    async def away(name: str, data: bytes) -> None:
        raise Unavailable

    monkeypatch.setattr(world.app.parcels, "put", away)
    await exports.start(world.app, world.customer.data_secret, "en")
    with pytest.raises(Unavailable):
        await preparing.prepare_next(world.app)
    assert await state(world) == ["waiting"]
    monkeypatch.setattr(world.app.parcels, "put", put)
    assert await preparing.prepare_next(world.app)
    assert await state(world) == ["ready"]


async def test_one_that_cannot_be_made_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(preparing, "prepare", fails)
    await exports.start(world.app, world.customer.data_secret, "en")
    assert await preparing.prepare_next(world.app)
    assert await state(world) == ["failed"]
    assert "an export failed" in caplog.text
    assert not await preparing.prepare_next(world.app)
    assert world.files("exports") == []


async def test_what_fails_outside_any_export_does_not_end_it(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tasks, turns = Tasks(), asyncio.Queue[None]()

    async def fails(_: object) -> bool:
        turns.put_nowait(None)
        raise ZeroDivisionError

    monkeypatch.setattr(preparing, "prepare_next", fails)
    tasks.spawn(preparing.keep_preparing(world.app), name="exports")
    async with asyncio.timeout(20):
        await turns.get()
        # the loop waits to be told by now, or is about to: either way it looks again
        while turns.empty():
            world.app.building.want()
            await asyncio.sleep(0)
    assert "preparing failed" in caplog.text
    await tasks.close()


async def test_what_was_removed_meanwhile_is_not_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await exports.start(world.app, world.customer.data_secret, "en")
    prepare = preparing.prepare

    async def slowly(*given: object) -> object:
        found = await prepare(*given)  # type: ignore[arg-type]
        await exports.remove(world.app, world.customer.data_secret, made["export"])
        return found

    monkeypatch.setattr(preparing, "prepare", slowly)
    assert await preparing.prepare_next(world.app)
    assert world.files("exports") == []
    assert await state(world) == []


async def test_one_that_cannot_be_made_now_keeps_nobody_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await exports.start(world.app, world.customer.data_secret, "en")
    secret = await mydata.renew_link(world.app, world.agent.party)
    second = await exports.start(world.app, secret, "en")
    disclosure = await disclose(world, world.session, scope="session", parts=("records",))
    put = world.app.parcels.put

    async def away(name: str, data: bytes) -> None:
        if name == first["export"]:
            raise Unavailable
        await put(name, data)

    monkeypatch.setattr(world.app.parcels, "put", away)
    assert await preparing.prepare_next(world.app)
    assert [one["state"] for one in (await exports.listed(world.app, secret))["exports"]] == [
        "ready"
    ]
    assert await preparing.prepare_next(world.app)
    assert sorted(world.files("exports")) == sorted([disclosure["disclosure"], second["export"]])
    with pytest.raises(Unavailable):
        await preparing.prepare_next(world.app)
    monkeypatch.setattr(world.app.parcels, "put", put)
    assert await preparing.prepare_next(world.app)
    assert await state(world) == ["ready"]


async def _nobodys(world: World, like: Export, *names: str) -> None:
    """Waiting exports whose party is not there: its row was written behind the server."""
    async with world.store.write() as tx:
        for name in names:
            await tx.add(replace(like, id=name, requested_ms=0))
    with database(world.folder) as db:
        for name in names:
            db.execute("UPDATE export SET party = ? WHERE id = ?", ("pty_" + "a" * 26, name))


async def test_one_that_is_nobodys_keeps_nobody_waiting(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does it keep others from expiring."""
    await exports.start(world.app, world.customer.data_secret, "en")
    (row,) = await world.find(Export)
    nobodys = ("exp_" + "a" * 26, "exp_" + "b" * 26)
    await _nobodys(world, row, *nobodys)
    for _ in (*nobodys, row.id):
        assert await preparing.prepare_next(world.app)
    assert not await preparing.prepare_next(world.app)
    assert await state(world) == ["ready"]
    assert caplog.text.count("an export is of nobody") == len(nobodys)
    await _nobodys(world, row, "exp_" + "c" * 26)
    world.clock.forward(8 * 86_400)
    await exports.expire(world.app)
    assert [(one.id, one.state) for one in await world.find(Export)] == [(row.id, "expired")]


async def test_one_from_before_there_were_keys_to_seal_to_says_that_it_failed(
    world: World,
) -> None:
    await exports.start(world.app, world.customer.data_secret, "en")
    (row,) = await world.find(Export)
    async with world.store.write() as tx:
        await tx.put(replace(row, seals_to=None))
    assert await preparing.prepare_next(world.app)
    assert await state(world) == ["failed"]
    assert world.files("exports") == []
