"""A withdrawal that could not be written down outlives the server that heard it."""

import asyncio
import logging
from typing import Any

import pytest

from avsession.errors import Unavailable
from avsession.messages import WithdrawConsent
from avsession.ports import Reader, TakenBack
from avsession.records import ConsentEvent, RecordingRequest, Withdrawal
from avsession.session import Party
from avsession.storage.unwritten import FolderUnwritten
from avsession.usecases import consent, presence, unwritten, withdrawals
from avsession.usecases.forgetting import forget
from tests.avsession.usecases.world import World


async def taken_back(world: World) -> tuple[str, str]:
    """A recording runs, the database goes, the customer withdraws: request and key."""
    await world.recorded(seconds=1)
    request, key = world.recorder.grant.request, world.key()
    world.store.down = True
    with pytest.raises(Unavailable):
        await world.withdraw(world.customer, request, key)
    assert world.live() is None
    assert len(world.files("unwritten")) == 1
    return request, key


async def withdrawn(world: World) -> ConsentEvent:
    """The one withdrawal that is written down; nothing waits, and nothing is recorded on it."""
    event = await world.only(ConsentEvent, kind="withdrawn")
    assert event.party == world.customer.id
    assert (await world.only(Withdrawal)).party == world.customer.id
    assert (await world.state()).request is None
    assert (world.files("unwritten"), world.app.gate.taken_back()) == ([], [])
    for person in (world.agent, world.customer):
        await world.connect(person)
    await world.recorder.join()
    await world.later(1)
    assert world.live() is None
    return event


async def reborn(world: World) -> None:
    """As after a crash, up to where the withdrawals are looked for."""
    await world.close()
    await world.start()
    world.recorder.connected = False
    await presence.recover(world.app)


async def test_a_restart_loses_none(world: World) -> None:
    request, key = await taken_back(world)
    await world.restart()
    event = await withdrawn(world)
    signature: Any = event.document["signature"]
    assert signature["status"] == "valid"
    assert (await world.withdraw(world.customer, request, key))["event"] == event.id


async def test_with_the_database_gone_again_nothing_opens_until_it_is_written(world: World) -> None:
    request, _ = await taken_back(world)
    with pytest.raises(Unavailable):
        await world.withdraw(world.agent, request)
    await reborn(world)
    world.store.down = True
    await consent.recover(world.app)
    for person in (world.agent, world.customer):
        assert world.app.gate.barred(request, [person.id])
    world.store.down = False
    for person in (world.agent, world.customer):
        await world.connect(person)
    await world.recorder.join()
    assert world.live() is None
    assert await world.find(ConsentEvent, kind="withdrawn") == []
    await world.later(1)
    assert len(await world.find(ConsentEvent, kind="withdrawn")) == 2
    assert (world.files("unwritten"), world.live()) == ([], None)


async def test_written_down_before_the_crash_it_is_not_written_twice(world: World) -> None:
    await taken_back(world)
    (name,) = world.files("unwritten")
    data = (world.folder / "unwritten" / name).read_bytes()
    world.store.down = False
    await world.later(1)
    assert world.files("unwritten") == []
    (world.folder / "unwritten" / name).write_bytes(data)
    await world.restart()
    await withdrawn(world)


async def test_said_to_a_server_that_was_overtaken(world: World) -> None:
    """The one that took over has begun, and records on that consent again."""
    request = await world.record()
    said = TakenBack(
        party=world.customer.id,
        message=WithdrawConsent(request=request, key=world.key()),
        at_ms=world.clock.now_ms(),
    )
    await FolderUnwritten(world.folder / "unwritten").keep(said)
    assert world.live() is not None
    await world.later(1)
    assert world.live() is None
    await withdrawn(world)


@pytest.mark.parametrize("damage", [b"{", b"x" * 20_000])
async def test_a_damaged_one_holds_without_its_signature(
    world: World, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await taken_back(world)
    (name,) = world.files("unwritten")
    (world.folder / "unwritten" / name).write_bytes(damage)
    with caplog.at_level(logging.ERROR, "avsession.unwritten"):
        await world.restart()
    assert "damaged" in caplog.text
    event = await withdrawn(world)
    assert event.document["signature"] == {"status": "missing"}


async def test_half_written_is_none(world: World) -> None:
    """The server died while it was being written: nobody was told anything."""
    request = await world.record()
    half = world.folder / "unwritten" / f".tmp-{world.customer.id}.{request}.{'0' * 32}.json"
    half.parent.mkdir(mode=0o700, exist_ok=True)
    half.write_bytes(b'{"party":')
    await world.restart()
    await world.later(1)
    assert await world.find(ConsentEvent, kind="withdrawn") == []
    assert (await world.state()).request is not None


async def test_a_disk_that_refuses_keeps_no_gate_open(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    request = await world.record()
    (world.folder / "unwritten").write_text("in the way")
    world.store.down = True
    with pytest.raises(Unavailable):
        await world.withdraw(world.customer, request)
    assert world.live() is None
    assert "in memory only" in caplog.text
    await world.later(1)
    world.store.down = False
    await world.later(1)
    assert len(await world.find(ConsentEvent, kind="withdrawn")) == 1
    assert (await world.state()).request is None


async def test_kept_before_its_page_is_told(world: World) -> None:
    """And when its connection ends before the database has answered."""
    request, reached = await world.record(), asyncio.Event()

    async def hang() -> None:
        reached.set()
        await asyncio.Event().wait()

    world.store.before_commit = hang
    saying = world.meanwhile(world.withdraw(world.customer, request))
    await reached.wait()
    saying.cancel()
    await asyncio.wait([saying])
    assert len(world.files("unwritten")) == 1
    world.store.before_commit = None
    await world.restart()
    assert len(await world.find(ConsentEvent, kind="withdrawn")) == 1
    assert (await world.state()).request is None


async def test_kept_while_the_database_says_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor no: a server that is cut off from it may end before it hears that, or be killed."""
    monkeypatch.setattr(unwritten, "PATIENCE_S", 0.0)
    request, silent = await world.record(), asyncio.Event()

    async def hang() -> None:
        await silent.wait()

    world.store.before_commit = hang
    saying = world.meanwhile(world.withdraw(world.customer, request))
    async with asyncio.timeout(20):
        while not world.files("unwritten"):  # noqa: ASYNC110 - a thread writes it
            await asyncio.sleep(0.01)
    assert not saying.done()
    # the answer comes after all
    world.store.before_commit = None
    silent.set()
    await saying
    await withdrawn(world)


async def test_one_that_cannot_be_written_keeps_no_other_from_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, _ = await taken_back(world)
    world.clock.forward(1)
    with pytest.raises(Unavailable):
        await world.withdraw(world.agent, request)
    first, check = world.customer.id, withdrawals.check

    async def broken(tx: Reader, party: Party, asked: RecordingRequest) -> None:
        if party.id == first:
            raise RuntimeError("broken")
        await check(tx, party, asked)

    monkeypatch.setattr(withdrawals, "check", broken)
    await world.restart()
    (written,) = await world.find(ConsentEvent, kind="withdrawn")
    assert written.party == world.agent.id
    assert len(world.files("unwritten")) == 1
    assert world.app.gate.barred(request, [first])


async def test_it_does_not_outlive_the_erasure_of_its_party(world: World) -> None:
    request, _ = await taken_back(world)
    folder = world.folder / "unwritten"
    (name,) = world.files("unwritten")
    data = (folder / name).read_bytes()
    world.store.down = False
    await presence.left(world.app, world.agent.id)
    await world.recorder.end()
    await world.later(1)
    # whatever is left there of an earlier server, damaged or half written
    (folder / name).write_bytes(data)
    (folder / f"{world.customer.id}.{request}.{'0' * 32}.json").write_bytes(b"")
    (folder / f".tmp-{name}").write_bytes(data[:40])
    await forget(world.app, world.customer.id)
    assert world.files("unwritten") == []
    # the server died before it was let go: it is, with the next start
    (folder / name).write_bytes(data)
    await world.restart()
    assert world.files("unwritten") == []
