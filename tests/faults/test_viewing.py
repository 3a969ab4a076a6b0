"""What an open player may still read when consent, the recording or the viewing itself is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from avsession.errors import AvsessionError, ConsentRequired, Erased, NotFound, RecordingTruncated
from avsession.ports import Grounds
from avsession.records import TrackRecord
from avsession.sealing.open import VirtualFile
from avsession.usecases import accounts, review
from avsession.usecases.permissions import Principal
from tests.avsession.usecases.parts import Person
from tests.avsession.usecases.world import World, opened
from tests.faults.outside import Outside, agree, key
from tests.faults.taken import Worker

WHY = "complaint 4711"


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A call, of real parts."""
    async with opened(tmp_path) as made:
        yield made


async def watch(world: World, recording: str, who: Principal, person: Person) -> VirtualFile:
    """The person's track, open in a player that has read all of it, so that it is in memory."""
    access = await review.open_recording(world.app, who, recording, WHY, "quality")
    track = await world.only(TrackRecord, party=person.id)
    file = await review.track_file(world.app, who, access["access"], track.id)
    assert person.id.encode() in await file.read(0, file.size)
    return file


async def nothing_more(file: VirtualFile) -> None:
    """A player that is in the middle of it gets nothing more, from memory neither."""
    with pytest.raises(RecordingTruncated):
        await file.read(0, 10)
    with pytest.raises(RecordingTruncated):
        await file.read(file.size - 10, file.size)


async def test_destroyed_while_it_plays(world: World) -> None:
    recording = await world.sealed(seconds=3)
    request = world.recorder.grant.request
    file = await watch(world, recording, world.admin, world.customer)
    other = await watch(world, recording, world.admin, world.agent)
    await world.withdraw(world.agent, request)
    await nothing_more(other)
    await file.read(0, file.size)
    await world.choose(world.agent, request, "keep")
    await world.withdraw(world.customer, request)
    await world.choose(world.customer, request, "destroy")
    await nothing_more(file)


async def test_the_viewing_is_over_while_it_plays(world: World) -> None:
    recording = await world.sealed(seconds=3)
    file = await watch(world, recording, world.admin, world.customer)
    await world.later(world.settings.signin.access_s - 1)
    await file.read(0, file.size)
    await world.later(2)
    await nothing_more(file)


async def test_signed_out_while_it_plays(world: World) -> None:
    recording = await world.sealed(seconds=3)
    account = await accounts.create_account(world.app, "eve", "Eve", "admin", None)
    link = await accounts.make_sign_in_link(world.app, account.id)
    eve = await accounts.sign_in_by_link(world.app, link)
    mine = await watch(world, recording, world.admin, world.customer)
    hers = await watch(world, recording, eve.principal, world.customer)
    await accounts.sign_out(world.app, eve.token)
    await nothing_more(hers)
    await mine.read(0, mine.size)


async def test_destroyed_while_it_is_being_opened(world: World) -> None:
    recording = await world.sealed(seconds=3)
    request = world.recorder.grant.request
    access = await review.open_recording(world.app, world.admin, recording, WHY, "quality")
    track = await world.only(TrackRecord, party=world.customer.id)
    unwrapped, go_on = asyncio.Event(), asyncio.Event()
    unwrap = world.app.custody.unwrap

    async def slow(recording: str, track: str, grounds: Grounds | None = None) -> str:
        identity = await unwrap(recording, track, grounds)
        unwrapped.set()
        await go_on.wait()
        return identity

    world.app.custody.unwrap = slow  # type: ignore[method-assign]
    opening = world.meanwhile(review.track_file(world.app, world.admin, access["access"], track.id))
    await unwrapped.wait()
    await world.withdraw(world.customer, request)
    go_on.set()
    with pytest.raises(AvsessionError) as refused:
        await opening
    assert isinstance(refused.value, ConsentRequired | Erased | NotFound)


async def test_nobody_watches_what_awaits_its_end(out: Outside) -> None:
    """Between a withdrawal and the choice, and until a destruction is done, nothing is shown."""
    agent, customer = await out.call(await out.sign_in("agent"))
    admin = await out.sign_in("admin")
    worker = Worker(out)
    await worker.join()
    request = await agree(agent, customer)
    recording = (await worker.granted()).recording
    await worker.begin()
    await worker.store(agent, customer)
    assert (await agent.wire.ask("recording.stop", request=request))["type"] == "ack"
    await worker.end()
    path, opening = f"/api/admin/recordings/{recording}/open", {"reason": WHY, "purpose": "quality"}

    async def open_it() -> list[str]:
        status, body = await out.post(path, opening, cookie=admin)
        if status != 200:
            assert (status, body["code"]) == (403, "consent.required")
            return []
        return sorted(track["role"] for track in body["tracks"])

    async def playable() -> bool:
        _, body, _ = await out.request("GET", "/api/admin/recordings", cookie=admin)
        return bool(body["recordings"][0]["playable"])

    _, body = await out.post(path, opening, cookie=admin)
    url = next(track["url"] for track in body["tracks"] if track["role"] == "customer")
    assert (await out.request("GET", url, cookie=admin))[0] == 200
    # the agent's choice covers the agent's own track
    assert (await agent.wire.ask("consent.withdraw", request=request))["type"] == "ack"
    assert await open_it() == ["customer"]
    assert await playable()
    # the customer's the whole recording, from any device
    mine = {"secret": customer.data_secret, "request": request}
    assert (await out.post("/api/my-data/withdraw", mine | {"key": key()}))[0] == 200
    before = out.product.rows("select count(*) as n from access")
    assert await open_it() == []
    assert not await playable()
    assert (await out.request("GET", url, cookie=admin))[0] == 403
    assert out.product.rows("select count(*) as n from access") == before
    kept = mine | {"fate": "keep", "key": key()}
    assert (await out.post("/api/my-data/withdraw", kept))[0] == 200
    assert await open_it() == ["customer"]
    assert (await out.request("GET", url, cookie=admin))[0] == 200
    said = await agent.wire.ask("consent.fate", request=request, fate="keep")
    assert said["type"] == "ack"
    assert await open_it() == ["agent", "customer"]
    await worker.wire.close()
