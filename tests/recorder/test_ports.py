"""Legs within a range of ports, under another address: what a container or NAT needs."""

import asyncio
import errno
from functools import partial
from typing import Any

import pytest

from recorder.leg import Certificate, Leg
from recorder.ports import PortLoop, advertised
from recorder.receive import Receiver
from tests.support.ports import free_ports


async def bound() -> tuple[asyncio.DatagramTransport, int]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
    )
    return transport, transport.get_extra_info("sockname")[1]


def test_ports_come_from_the_range_in_turn_and_end() -> None:
    low, high = free_ports(4)

    async def use() -> None:
        made = [await bound() for _ in range(4)]
        assert sorted(port for _, port in made) == list(range(low, high + 1))
        with pytest.raises(OSError, match="range") as caught:
            await bound()
        assert caught.value.errno == errno.EADDRINUSE
        made[1][0].close()
        await asyncio.sleep(0)
        transport, port = await bound()
        assert port == made[1][1]
        for one, _ in (*made, (transport, 0)):
            one.close()

    with asyncio.Runner(loop_factory=partial(PortLoop, low, high)) as runner:
        runner.run(use())


def test_a_port_that_was_let_go_rests() -> None:
    low, high = free_ports(4)

    async def use() -> None:
        seen = []
        for _ in range(4):
            transport, port = await bound()
            seen.append(port)
            transport.close()
            await asyncio.sleep(0)
        assert sorted(seen) == list(range(low, high + 1))

    with asyncio.Runner(loop_factory=partial(PortLoop, low, high)) as runner:
        runner.run(use())


def test_what_names_a_port_or_only_its_peer_is_not_touched() -> None:
    low, other = free_ports(5)
    high = other - 1

    async def use() -> None:
        loop = asyncio.get_running_loop()
        wheres: tuple[dict[str, Any], ...] = (
            {"local_addr": ("127.0.0.1", other)},
            {"remote_addr": ("127.0.0.1", 9)},
        )
        for where in wheres:
            transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, **where)
            assert transport.get_extra_info("sockname")[1] not in range(low, high + 1)
            transport.close()
        # an address that is not ours: no port helps
        with pytest.raises(OSError, match=r"192\.0\.2\.1|assign"):
            await loop.create_datagram_endpoint(
                asyncio.DatagramProtocol, local_addr=("192.0.2.1", 0)
            )

    with asyncio.Runner(loop_factory=partial(PortLoop, low, high)) as runner:
        runner.run(use())


def test_a_legs_offer_names_ports_of_the_range() -> None:
    """aioice asks the loop for its sockets in the way that `PortLoop` answers."""
    low, high = free_ports(8)

    async def offer() -> str:
        leg = Leg(
            certificate=Certificate(), ice_servers=(), sink=lambda _: None,
            on_state=lambda *_: None, now_ms=lambda: 0.0,
            receiver=Receiver(hold_ms=100.0, cap_bps=1_000_000),
        )  # fmt: skip
        made = await leg.offer()
        await leg.close()
        return made

    with asyncio.Runner(loop_factory=partial(PortLoop, low, high)) as runner:
        said = runner.run(offer())
    hosts = [line.split(" ") for line in said.split("\r\n") if " typ host" in line]
    assert hosts
    assert all(low <= int(parts[5]) <= high for parts in hosts)
    outside = advertised(said, "203.0.113.7")
    fours = [line for line in outside.split("\r\n") if " typ host" in line and ":" not in line[12:]]
    assert [line.split(" ")[4:6] for line in fours] == [
        ["203.0.113.7", parts[5]] for parts in hosts if ":" not in parts[4]
    ]


def test_only_a_hosts_own_address_of_the_family_is_replaced() -> None:
    offer = (
        "v=0\r\n"
        "a=candidate:1 1 udp 2130706431 172.17.0.2 40001 typ host\r\n"
        "a=candidate:2 1 udp 2130706431 fd00::2 40002 typ host\r\n"
        "a=candidate:3 1 udp 1694498815 198.51.100.9 40001 typ srflx raddr 0.0.0.0 rport 0\r\n"
    )
    assert advertised(offer, None) == offer
    four = advertised(offer, "203.0.113.7").split("\r\n")
    assert four == offer.replace("172.17.0.2", "203.0.113.7").split("\r\n")
    assert advertised(offer, "2001:db8::7") == offer.replace("fd00::2", "2001:db8::7")
