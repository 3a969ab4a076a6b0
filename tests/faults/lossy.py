"""A bad network between one sender and the recorder: loss, delay, overtaking, duplicates, seeded.

A UDP relay on loopback or any other address of this machine. The recorder's offer is rewritten so
that the sender knows only the relay; the answer so that the recorder knows no address at all and
learns the relay's from the sender's checks. What `tc netem` does to packets happens here to each
datagram, each way, repeatably; it needs neither a kernel module nor rights.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass
from typing import Any

_CANDIDATE = re.compile(r"^a=candidate:.*\r?\n", re.MULTILINE)
_HOST = re.compile(r"^a=candidate:\S+ 1 udp \d+ ([0-9.]+) (\d+) typ host", re.MULTILINE)


@dataclass(frozen=True)
class Weather:
    """What happens to datagrams, each way; the shares are 0 to 1."""

    round_trip_ms: float = 50.0
    loss: float = 0.0
    overtaking: float = 0.0
    """Go at once, as netem's ``reorder``: they overtake what is on its way."""
    twice: float = 0.0


CALM = Weather()
LATE_S = 0.015


class _End(asyncio.DatagramProtocol):
    """One of the relay's two sockets."""

    def __init__(self, relay: LossyPath, number: int) -> None:
        self.relay, self.number = relay, number
        self.transport: asyncio.DatagramTransport | None = None
        self.peer: Any = None
        """Whom it speaks to; the sender's is learned from what it sends."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        if self.number == 0:
            self.peer = address
        self.relay.pass_on(data, self.number)

    def send(self, data: bytes) -> None:
        """To its peer, if it knows one."""
        transport = self.transport
        if self.peer is not None and transport is not None and not transport.is_closing():
            transport.sendto(data, self.peer)


class _Chance:
    """Numbers from 0 to 1 that are the same each time."""

    def __init__(self, seed: str) -> None:
        self._seed, self._count = seed, 0

    def __call__(self, share: float) -> bool:
        """Whether something happens that happens to so large a share."""
        self._count += 1
        text = f"{self._seed} {self._count}".encode()
        digest = hashlib.blake2b(text, digest_size=8).digest()
        return int.from_bytes(digest, "big") < share * (1 << 64)


class LossyPath:
    """The road of one leg. `open` with its offer, `close` at the end; `weather` may change."""

    def __init__(self, weather: Weather = CALM, seed: int = 1) -> None:
        self.weather = weather
        self._chances = [_Chance(f"{seed} {end}") for end in range(2)]
        self._ends: list[_End] = []
        self.passed = [0, 0]
        """Datagrams from the sender, and from the recorder."""
        self.lost = [0, 0]
        self.late = 0
        """Passed on more than LATE_S after their time: the machine was busy."""
        self.latest_s = 0.0
        """By how much at most."""

    async def open(self, offer: str) -> str:
        """The offer as the sender may see it."""
        found = _HOST.search(offer)
        assert found is not None, "the recorder has no address"
        host, port = found[1], int(found[2])
        loop = asyncio.get_running_loop()
        for number in range(2):
            _, end = await loop.create_datagram_endpoint(
                lambda number=number: _End(self, number),  # type: ignore[misc]
                local_addr=(host, 0),
            )
            self._ends.append(end)
        self._ends[1].peer = (host, port)
        front = self._ends[0].transport
        assert front is not None
        here = front.get_extra_info("sockname")[1]
        line = f"a=candidate:1 1 udp 2130706431 {host} {here} typ host\r\n"
        head, _, tail = _CANDIDATE.sub("", offer).partition("a=end-of-candidates\r\n")
        return f"{head}{line}a=end-of-candidates\r\n{tail}"

    @staticmethod
    def answer(text: str) -> str:
        """The answer as the recorder may see it."""
        return _CANDIDATE.sub("", text)

    def pass_on(self, data: bytes, origin: int) -> None:
        """A datagram came in at one end."""
        chance, weather = self._chances[origin], self.weather
        self.passed[origin] += 1
        if chance(weather.loss):
            self.lost[origin] += 1
            return
        delay_s = weather.round_trip_ms / 2_000
        if chance(weather.overtaking):
            delay_s = 0.0
        loop, other = asyncio.get_running_loop(), self._ends[1 - origin]
        for _ in range(2 if chance(weather.twice) else 1):
            loop.call_later(delay_s, self._leave, other, data, loop.time() + delay_s)

    def _leave(self, end: _End, data: bytes, due: float) -> None:
        late_s = asyncio.get_running_loop().time() - due
        self.late += late_s > LATE_S
        self.latest_s = max(self.latest_s, late_s)
        end.send(data)

    def close(self) -> None:
        """Take the road away."""
        for end in self._ends:
            if end.transport is not None:
                end.transport.close()
