"""What coturn takes for relaying: allocations with a channel each, datagrams of a call both ways.

Clients are `avsession.turn.client`, bound to a channel as browsers do (RFC 8656 section 12); on the
other side a plain socket stands for a peer. A megabit counts once, when it has come through.
"""

from __future__ import annotations

import asyncio
import os
import struct
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from avsession.turn.client import Client
from avsession.turn.stun import PEER, Endpoint, encode_address
from tests.bench import media
from tests.bench.processes import Stretch, pss_bytes
from tests.support.coturn import LOOPBACK, Relay, running, settings_for

BIND, CHANNEL = 0x009, 0x000C
"""ChannelBind, CHANNEL-NUMBER (RFC 8656 sections 18.1 and 18.3)."""
FIRST_CHANNEL = 0x4000
DATAGRAM = media.PACKET_BYTES
BITS_PER_SECOND = 1_500_000
STEP_S = 0.005
WARM_S = 1.0
GRACE_S = 0.1
SOCKET_BYTES = 4 << 20


class Counting(asyncio.DatagramProtocol):
    """A peer: knows who sent to it, and how much came."""

    def __init__(self) -> None:
        self.came = 0
        self.sender: Endpoint | None = None

    def datagram_received(self, data: bytes, addr: Endpoint) -> None:
        self.came += 1
        self.sender = addr


@dataclass
class Way:
    """One allocation, and the peer it talks to."""

    client: Client
    peer: Counting
    transport: asyncio.DatagramTransport
    back: int = 0

    @classmethod
    async def make(cls, relay: Relay, number: int) -> Way:
        """Allocate, bind a channel, and hear the first datagram through it."""
        loop = asyncio.get_running_loop()
        transport, peer = await loop.create_datagram_endpoint(Counting, local_addr=(LOOPBACK, 0))
        user, password = relay.credentials(600, f"caller{number}")
        client = await Client.connect(relay.url("transport=udp"), user, password)
        way = cls(client, peer, transport)
        await client.allocate()
        at = encode_address(transport.get_extra_info("sockname"), bytes(12))
        number_of = struct.pack("!HH", FIRST_CHANNEL, 0)
        await client._authenticated(BIND, {CHANNEL: number_of, PEER: at})
        link = client._link
        messages = link.datagram_received

        def heard(data: bytes, addr: object) -> None:
            if data[0] & 0xC0 == 0x40:  # channel data (RFC 8656 section 12.4)
                way.back += 1
            else:
                messages(data, addr)

        link.datagram_received = heard  # type: ignore[method-assign]
        async with asyncio.timeout(5):
            while peer.sender is None:
                way.there()
                await asyncio.sleep(0.02)
        return way

    def there(self) -> None:
        """A datagram to the peer."""
        cast(asyncio.DatagramTransport, self.client._transport).sendto(
            struct.pack("!HH", FIRST_CHANNEL, DATAGRAM) + bytes(DATAGRAM)
        )

    def and_back(self) -> None:
        """One from the peer."""
        assert self.peer.sender is not None
        self.transport.sendto(bytes(DATAGRAM), self.peer.sender)

    async def close(self) -> None:
        """Give everything back."""
        await self.client.close()
        self.transport.close()


@dataclass(frozen=True)
class Relayed:
    """What was found."""

    ways: int
    megabits: float
    """Through coturn, a second."""
    core: float
    """What it took of a core."""
    arrived: float
    """Of what was sent."""
    held: int
    """Memory, bytes."""


async def measure(ways: int, seconds: float) -> Relayed:
    """So many allocations, each with the bitrate of a call's one direction, both ways."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        turn = settings_for(folder, allowed_peers=(LOOPBACK,))
        async with running(turn, folder) as relay:
            pid = relay.process.pid
            made = [await Way.make(relay, number) for number in range(ways)]
            try:
                await _pump(made, WARM_S)
                before = sum(way.peer.came + way.back for way in made)
                stretch = Stretch(coturn=pid)
                sent = await _pump(made, seconds)
                came = await _arrived(made, before, sent)
                stretch.end()
                held = pss_bytes(pid)
            finally:
                for way in made:
                    await way.close()
    megabits = came * DATAGRAM * 8 / 1e6 / stretch.lasted_s
    return Relayed(ways, megabits, stretch.share("coturn"), came / sent, held)


async def _arrived(ways: list[Way], before: int, sent: int) -> int:
    """How many came of those that were sent, which may still be on their way."""
    until = time.monotonic() + GRACE_S
    while True:
        came = sum(way.peer.came + way.back for way in ways) - before
        if came >= sent or time.monotonic() > until:
            return came
        await asyncio.sleep(STEP_S)


async def _pump(ways: list[Way], seconds: float) -> int:
    """Send for so long, evenly; how many datagrams."""
    per_s = BITS_PER_SECOND / 8 / DATAGRAM
    start, sent = time.monotonic(), [0] * len(ways)
    while (passed := time.monotonic() - start) < seconds:
        for number, way in enumerate(ways):
            while sent[number] < (passed + number / len(ways) / per_s) * per_s:
                way.there()
                way.and_back()
                sent[number] += 1
        await asyncio.sleep(STEP_S)
    return 2 * sum(sent)


if __name__ == "__main__":
    print(os.getloadavg(), asyncio.run(measure(8, 4)))
