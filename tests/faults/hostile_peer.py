"""A browser that was taken over: real ICE, DTLS and SRTP with a leg, and then whatever it likes.

Everything goes out of its own socket, the one whose address the leg has validated.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from typing import Any

from aioice import stun

from recorder.frames import Kind
from recorder.receive import OPUS_PAYLOAD, VP8_PAYLOAD
from tests.recorder.harness import Captured
from tests.recorder.packets import VideoSource, audio_packet
from tests.recorder.publishers import AiortcPublisher

AT_ONCE = 60
"""Datagrams sent before the leg gets a turn: its socket holds them all."""
HONEST = {VP8_PAYLOAD: 0x5555_0001, OPUS_PAYLOAD: 0x5555_0002}


class HostilePeer(AiortcPublisher):
    """Has no tracks; sends what it is told."""

    def __init__(self) -> None:
        super().__init__(video=False, audio=False)
        self._sent = 0
        self.source = VideoSource(7, 0)
        self.frames = 0
        self.offered = ""
        self._socket: socket.socket | None = None

    async def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
        await super().close()

    async def answer(self, offer: str) -> str:
        """The answer's SDP; the connection comes about by itself."""
        self.offered = offer
        return await super().answer(offer)

    @property
    def dtls(self) -> Any:
        """Its DTLS transport."""
        return self.pc.getTransceivers()[0].receiver.transport

    @property
    def path(self) -> tuple[Any, tuple[str, int]] | None:
        """Its socket and the leg's address, once ICE has found them."""
        pair = self.dtls._transport._connection._nominated.get(1)
        return pair and (pair.protocol.transport, pair.remote_addr)

    async def connected(self) -> None:
        """Wait for DTLS."""
        async with asyncio.timeout(20):
            while self.dtls.state != "connected":  # noqa: ASYNC110 - aiortc's own state
                await asyncio.sleep(0.01)

    async def raw(self, *datagrams: bytes) -> None:
        """These, as they are."""
        assert self.path is not None
        transport, address = self.path
        if self._socket is None:  # asyncio's own would not send an empty datagram
            descriptor = transport.get_extra_info("socket").fileno()
            self._socket = socket.socket(fileno=os.dup(descriptor))
        for data in datagrams:
            self._socket.sendto(data, address)
            self._sent += 1
            if self._sent % AT_ONCE == 0:
                await asyncio.sleep(0.02)

    async def rtp(self, *packets: bytes) -> None:
        """These, encrypted as they should be."""
        await self.raw(*(self.dtls._tx_srtp.protect(packet) for packet in packets))

    async def rtcp(self, *packets: bytes) -> None:
        """The same for RTCP."""
        await self.raw(*(self.dtls._tx_srtp.protect_rtcp(packet) for packet in packets))

    async def dtls_data(self, data: bytes) -> None:
        """A DTLS record of application data, which nobody here has a use for."""
        self.dtls._ssl.send(data)
        await self.raw(self.dtls._ssl.bio_read(1500))

    def check(self, **attributes: Any) -> bytes:
        """A STUN check with the leg's password; more attributes, or ``name=None`` for one less."""
        lines = dict(
            line[2:].partition(":")[::2]
            for line in self.offered.splitlines()
            if line.startswith("a=ice-")
        )
        own = self.dtls._transport._connection.local_username
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        message.attributes = {"USERNAME": f"{lines['ice-ufrag']}:{own}", "PRIORITY": 1} | {
            name.replace("_", "-"): value for name, value in attributes.items()
        }
        for name in [name for name, value in message.attributes.items() if value is None]:
            del message.attributes[name]
        message.add_message_integrity(lines["ice-pwd"].encode())
        return bytes(message)

    def addresses(self) -> list[tuple[str, int]]:
        """Where the leg said that it listens, IPv4 only."""
        words = [x.split() for x in self.offered.splitlines() if x.startswith("a=candidate")]
        return [(w[4], int(w[5])) for w in words if ":" not in w[4]]

    async def honest(self, count: int = 1) -> None:
        """Frames as a browser sends them, on SSRCs of their own."""
        for _ in range(count):
            packets = self.source.frame(self.frames, keyframe=self.frames % 10 == 0)
            packets.append(audio_packet(self.frames, 960 * self.frames))
            self.frames += 1
            for packet in packets:
                ssrc = struct.pack("!L", HONEST[packet[1] & 0x7F])
                await self.rtp(packet[:8] + ssrc + packet[12:])
            await asyncio.sleep(0.02)

    async def is_stored(self, captured: Captured) -> None:
        """Send honest frames until some of both kinds are stored; fails after 20 s."""
        before = captured.count(Kind.VIDEO), captured.count(Kind.AUDIO)
        async with asyncio.timeout(20):
            while (
                captured.count(Kind.VIDEO) <= before[0] or captured.count(Kind.AUDIO) <= before[1]
            ):
                await self.honest()


def strangers(count: int) -> list[socket.socket]:
    """Sockets of other addresses than the peer's."""
    made = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for each in made:
        each.bind(("127.0.0.1", 0))
    return made
