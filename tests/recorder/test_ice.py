"""Legs through TURN: a real coturn relays, and nothing else is told or used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiortc import RTCIceServer

from avsession.messages import IceServer
from recorder import ice
from recorder.frames import Kind
from tests.recorder.harness import Captured
from tests.recorder.publishers import AiortcPublisher
from tests.support.coturn import LOOPBACK, Relay, running, settings_for
from tests.support.ports import free_port


@pytest_asyncio.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    """coturn; of all addresses it relays to its own alone."""
    turn = settings_for(tmp_path, allowed_peers=(LOOPBACK,))
    async with running(turn, tmp_path) as started:
        yield started


def server(relay: Relay, *urls: str) -> IceServer:
    user, password = relay.credentials()
    return IceServer(urls=urls or relay.turn.urls, username=user, credential=password)


def candidates(offer: str) -> list[str]:
    return [line for line in offer.splitlines() if line.startswith("a=candidate")]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_relayed_leg_tells_no_address_of_its_own_and_carries_media(
    relay: Relay, transport: str
) -> None:
    told = server(relay, relay.url(f"transport={transport}"))
    captured = Captured(ice_servers=[told], relay_only=True)
    publisher = AiortcPublisher(
        turn=RTCIceServer([told.urls[0]], username=told.username, credential=told.credential)
    )
    try:
        offer = await captured.leg.offer()
        assert captured.leg.relayed
        assert len(candidates(offer)) == 1
        assert " typ relay raddr 0.0.0.0 rport 9" in candidates(offer)[0]
        await captured.leg.accept(await publisher.answer(offer))
        captured.start()
        await captured.until(
            lambda: captured.count(Kind.VIDEO) > 20 and captured.count(Kind.AUDIO) > 30
        )
        pair = captured.leg._ice._nominated[1]
        assert pair.local_candidate.type == "relay"
        assert pair.remote_addr[0] == LOOPBACK
    finally:
        await publisher.close()
        await captured.close()


async def test_without_turn_a_relayed_leg_has_no_way_and_says_so() -> None:
    nobody = IceServer(
        urls=(f"turn:{LOOPBACK}:{free_port()}?transport=tcp",), username="u", credential="c"
    )
    captured = Captured(ice_servers=[nobody], relay_only=True)
    try:
        assert captured.leg.relayed, "not asked yet"
        assert candidates(await captured.leg.offer()) == []
        assert not captured.leg.relayed
    finally:
        await captured.close()


async def test_relay_only_without_a_turn_server_is_as_before() -> None:
    captured = Captured(relay_only=True)
    try:
        assert candidates(await captured.leg.offer())
        assert captured.leg.relayed
    finally:
        await captured.close()


async def test_loopback_is_all_there_is_where_there_is_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda **_: [])
    connection = ice.connection([], relay_only=False)
    await ice.gather(connection)
    assert [one.host for one in connection.local_candidates] == ["127.0.0.1"]
    await ice.close(connection)


async def test_an_end_does_not_wait_for_a_turn_server_that_is_gone(relay: Relay) -> None:
    """aioice itself would ask it for half a minute to take its allocation back."""
    told = server(relay, relay.url("transport=udp"))
    connection = ice.connection([told], relay_only=True)
    await ice.gather(connection)
    assert ice.relayed(connection)
    relay.process.kill()
    await relay.process.wait()
    async with asyncio.timeout(15):
        await ice.close(connection)
