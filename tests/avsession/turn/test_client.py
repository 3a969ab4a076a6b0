"""A real coturn, configured by the product, keeps its promises; the client says what it does."""

from __future__ import annotations

import asyncio
import datetime
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from avsession import keys
from avsession.errors import Invalid
from avsession.turn.client import Client, TurnRefused, probe
from avsession.turn.credentials import Secret, make
from avsession.turn.stun import TurnUnreachable
from tests.support.coturn import LOOPBACK, Relay, running, settings_for
from tests.support.ports import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")
QUOTA = 4
SPECIAL = [
    *("0.0.0.1", "10.0.0.1", "100.64.0.1", "127.0.0.2", "169.254.169.254", "172.16.0.1"),
    *("192.0.0.8", "192.0.2.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
    *("224.0.0.1", "240.0.0.1", "255.255.255.255"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def relay(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Relay]:
    """coturn over UDP, TCP and TLS, with a small quota; of loopback only 127.0.0.1 is a peer."""
    folder = tmp_path_factory.mktemp("turn")
    made = keys.local_certificate(folder, datetime.datetime.now(datetime.UTC))
    turn = settings_for(folder, certificate=made[:2], user_quota=QUOTA, allowed_peers=(LOOPBACK,))
    async with running(turn, folder) as started:
        yield started


def authority(relay: Relay) -> Path:
    """What signed its certificate."""
    return relay.log.parent / "ca.pem"


@pytest.mark.parametrize("start", ["transport=udp", "turn:127.0.0.1", "turns:"])
async def test_good_credentials_get_an_allocation_over_each_transport(
    relay: Relay, start: str
) -> None:
    url = relay.url(start)
    found = await probe(url, *relay.credentials(), ca_file=authority(relay))
    assert found.relayed[0] == LOOPBACK
    assert found.relayed[1] >= 49_152
    assert found.lifetime_s == 600
    assert found.mapped != found.relayed


async def test_what_is_relayed_arrives_and_comes_back(relay: Relay) -> None:
    """Two clients behind one relay, one over UDP, one over TLS: only who is permitted is heard."""
    first = await Client.connect(relay.url("transport=udp"), *relay.credentials(name="a"))
    second = await Client.connect(
        relay.url("turns:"), *relay.credentials(name="b"), ca_file=authority(relay)
    )
    try:
        one, other = await first.allocate(), await second.allocate()
        await first.permit(LOOPBACK)
        await second.permit(LOOPBACK)
        first.send(b"there", other.relayed)
        assert await second.receive() == (b"there", one.relayed)
        second.send(b"and back", one.relayed)
        assert await first.receive() == (b"and back", other.relayed)
    finally:
        await first.close()
        await second.close()


@pytest.mark.parametrize("what", ["expired", "forged", "altered", "without an end"])
async def test_credentials_that_do_not_hold_are_refused(relay: Relay, what: str) -> None:
    user, password = relay.credentials()
    if what == "expired":
        user, password = relay.credentials(good_s=-2)
    elif what == "forged":
        user, password = make(Secret("f" * 64), 2_000_000_000, "somebody")
    elif what == "altered":
        user = user.replace("somebody", "somebodyelse")
    else:
        user, password = make(relay.secret, 0, "somebody")
    with pytest.raises(TurnRefused) as refused:
        await probe(relay.url("transport=udp"), user, password)
    assert refused.value.number == 401


async def test_an_allocation_outlives_its_credentials_and_a_new_one_needs_new_ones(
    relay: Relay,
) -> None:
    """What long calls rest on: coturn looks at the time when one is made, not when it is kept."""
    told = relay.credentials(good_s=1, name="late")
    client = await Client.connect(relay.url("transport=udp"), *told)
    try:
        await client.allocate()
        await _refused_by_now(relay, int(told[0].partition(":")[0]))
        assert await client.refresh() == 600
        await client.permit(LOOPBACK)
    finally:
        await client.close()


async def _refused_by_now(relay: Relay, expires_s: int) -> None:
    """Wait until nobody gets in with this moment in the name: each try has a quota of its own."""
    for n in itertools.count():
        try:
            await probe(relay.url("transport=udp"), *make(relay.secret, expires_s, f"late{n}"))
        except TurnRefused as error:
            assert error.number == 401  # noqa: PT017 - a loop until it comes
            return
        await asyncio.sleep(0.1)  # its clock is in its own process, and no event of ours


@pytest.mark.parametrize(
    "host",
    SPECIAL,
)
async def test_special_purpose_addresses_are_no_peers(relay: Relay, host: str) -> None:
    client = await Client.connect(relay.url("transport=udp"), *relay.credentials(name=f"p{host}"))
    try:
        await client.allocate()
        await client.permit("8.8.8.8")  # a public one is
        with pytest.raises(TurnRefused) as refused:
            await client.permit(host)
        assert refused.value.number == 403
    finally:
        await client.close()


async def test_one_party_has_its_quota_and_others_theirs(relay: Relay) -> None:
    """Newer credentials of the same party count with its older ones."""
    url = relay.url("transport=udp")
    clients = [
        await Client.connect(url, *relay.credentials(good_s=60 + n, name="greedy"))
        for n in range(QUOTA + 1)
    ]
    try:
        given = await asyncio.gather(*(c.allocate() for c in clients), return_exceptions=True)
        refused = [one for one in given if isinstance(one, TurnRefused)]
        assert {one.number for one in refused} == {486}
        assert len(given) - len(refused) in {QUOTA - 1, QUOTA}
        await probe(url, *relay.credentials(name="modest"))
    finally:
        for client in clients:
            await client.close()


async def test_a_certificate_of_nobody_we_know_is_said(relay: Relay) -> None:
    with pytest.raises(TurnUnreachable, match="certificate"):
        await probe(relay.url("turns:"), *relay.credentials())


async def test_nobody_there_is_said() -> None:
    told = ("1:x", "y")
    port = free_port()
    with pytest.raises(TurnUnreachable):
        await probe(f"turn:{LOOPBACK}:{port}?transport=tcp", *told, timeout_s=1)
    with pytest.raises(TurnUnreachable):
        await probe(f"turn:{LOOPBACK}:{port}", *told, timeout_s=1)
    with pytest.raises(Invalid):
        await probe("stun:localhost", *told)
