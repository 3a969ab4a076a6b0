"""Who is given which ICE servers: credentials for one party of one session, renewed in time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from avsession.config import Media
from avsession.messages import Capture, CaptureServers, IceServer, IceServers, Welcome
from avsession.turn.credentials import Secret, make
from avsession.turn.settings import Turn
from avsession.usecases import presence
from tests.avsession.usecases.parts import Person
from tests.avsession.usecases.world import World, opened

SECRET = Secret("0123456789abcdef0123456789abcdef")
STUN = IceServer(urls=("stun:stun.example",))
URLS = ("turn:turn.example?transport=udp", "turns:turn.example:443?transport=tcp")
INSIDE = ("turn:turn.inside",)
TTL_S = 600


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    (tmp_path / "secret").write_text(SECRET.value)
    turn = Turn(urls=URLS, recorder_urls=INSIDE, secret_file=str(tmp_path / "secret"), ttl_s=TTL_S)
    async with opened(tmp_path, turn=turn, media=Media(ice_servers=(STUN,), relay_only=True)) as it:
        yield it


def end_of(server: IceServer) -> int:
    """When it ends (s), after a look at whether coturn would take it."""
    assert server.username is not None
    end, _, name = server.username.partition(":")
    assert (server.username, server.credential) == make(SECRET, int(end), name)
    return int(end)


def name_of(server: IceServer) -> str:
    return (server.username or "").partition(":")[2]


def given(person: Person) -> IceServer:
    servers = person.last(Welcome).ice_servers
    assert servers[:-1] == (STUN,)
    return servers[-1]


async def test_each_party_of_each_session_has_its_own_and_nothing_tells_whose(
    world: World,
) -> None:
    others = await world.new_call(world.staff)
    people = [world.agent, world.customer, *others]
    servers = [given(person) for person in people]
    assert len({name_of(server) for server in servers}) == 4
    now_s = world.clock.now_ms() / 1000
    for person, server in zip(people, servers, strict=True):
        assert server.urls == URLS
        assert now_s + TTL_S / 2 - 1 < end_of(server) <= now_s + TTL_S
        told = f"{server.username} {server.credential}"
        for private in (person.id, person.party.session, person.party.name, SECRET.value):
            assert private not in told
    assert world.agent.last(Welcome).relay_only


async def test_the_recorder_has_its_own_in_each_session(world: World) -> None:
    welcome = await world.recorder.join()
    assert welcome.ice_servers == ()
    assert welcome.relay_only
    await world.record()
    (server,) = world.recorder.last(Capture).ice_servers
    assert server.urls == INSIDE
    end_of(server)
    assert name_of(server) not in {name_of(given(p)) for p in (world.agent, world.customer)}


async def test_in_a_long_call_new_ones_come_before_the_old_ones_end(world: World) -> None:
    """Hours of a recorded call: nobody ever holds any that have ended, or live too long."""
    await world.record()
    first = {person: given(person) for person in (world.agent, world.customer)}
    held = dict(first)
    (recorders,) = world.recorder.last(Capture).ice_servers
    for _ in range(40):
        await world.later(60)
        now_s = world.clock.now_ms() / 1000
        for person, before in first.items():
            if news := person.all(IceServers):
                held[person] = news[-1].ice_servers[-1]
                assert news[-1].ice_servers[:-1] == (STUN,)
            assert now_s < end_of(held[person]) <= now_s + TTL_S
            assert name_of(held[person]) == name_of(before), "one party, one quota"
        if more := world.recorder.all(CaptureServers):
            assert more[-1].recording == world.gate.recording
            (recorders,) = more[-1].ice_servers
        assert now_s < end_of(recorders)
    told = len(world.agent.all(IceServers))
    assert told == 40 * 60 // (TTL_S // 2)
    assert len(world.customer.all(IceServers)) == told
    assert len(world.recorder.all(CaptureServers)) == told


async def test_who_comes_back_has_the_same_until_it_is_time(world: World) -> None:
    before = given(world.customer)
    await world.disconnect(world.customer)
    await world.connect(world.customer)
    assert given(world.customer) == before
    world.clock.forward(TTL_S / 2)
    await world.connect(world.customer)
    assert end_of(given(world.customer)) > end_of(before)


async def test_nobody_is_told_after_the_end(world: World) -> None:
    await presence.left(world.app, world.agent.id)
    await world.later(TTL_S)
    assert not world.customer.all(IceServers)
    assert world.app.relay.due == {}


async def test_a_database_that_is_away_delays_and_loses_nothing(world: World) -> None:
    world.store.down = True
    await world.later(TTL_S / 2)
    world.store.down = False
    await world.later(0)
    assert len(world.customer.all(IceServers)) == 1


async def test_without_turn_nothing_is_added(tmp_path: Path) -> None:
    async with opened(tmp_path, media=Media(ice_servers=(STUN,))) as world:
        assert world.customer.last(Welcome).ice_servers == (STUN,)
        assert not world.customer.last(Welcome).relay_only
        await world.later(600)
        assert not world.customer.all(IceServers)
