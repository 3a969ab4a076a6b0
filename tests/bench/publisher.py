"""A process of synthetic publishers: real ICE, DTLS-SRTP and RTCP, media from a file, by the clock.

Spoken to by JSON lines on standard input and output, so that what is measured is another process:
``open`` (make publishers, their offers come back), ``answer`` (an offer's answer), ``accept`` (an
answer to our offer), ``send`` (from a moment on, for so long), ``report``, ``pictures`` (which).
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import json
import re
import secrets
import struct
import sys
import time
from collections import deque
from functools import partial
from pathlib import Path
from typing import Any

import aioice
import pylibsrtp
from aiortc import RTCCertificate, RTCDtlsTransport
from aiortc.rtcdtlstransport import SRTP_AES128_CM_SHA1_80, RTCDtlsFingerprint, RTCDtlsParameters

from avsession.tasks import Tasks
from recorder import rtp
from tests.bench import media

VP8, RTX, OPUS = 96, 97, 111
LATE_S = 0.010
"""A packet sent this much after its time is counted as late."""
BURST, BURST_S = 2, 0.005
"""Browsers pace a frame's packets: so many at once, then a pause."""
KEPT = 1024
"""Video packets kept to be sent again."""
KEYFRAME_SPACING_S = 0.3
"""Browsers' encoders ignore what asks for a keyframe sooner than this after the last asking."""
NTP_S = 2_208_988_800


class Pipe:
    """DTLS over what aioice received."""

    role = "auto"

    def __init__(self, publisher: Publisher) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._publisher = publisher

    async def _recv(self) -> bytes:
        return await self.queue.get()

    async def _send(self, data: bytes) -> None:
        self._publisher.raw(data)


class Publisher:
    """One sender of video and audio."""

    def __init__(self, name: str, pictures: list[media.Picture], *, controlling: bool) -> None:
        self.name, self._pictures = name, pictures
        self.ice = aioice.Connection(ice_controlling=controlling)
        self.ice.data_received = lambda data, component: None  # type: ignore[method-assign]
        self._pipe = Pipe(self)
        self._certificate = RTCCertificate.generateCertificate()
        self.dtls = RTCDtlsTransport(self._pipe, [self._certificate])  # type: ignore[arg-type]
        # what every browser must offer, and prefers; the same towards both recorders
        self.dtls._srtp_profiles = [SRTP_AES128_CM_SHA1_80]
        self.ssrc = [secrets.randbelow(1 << 32) for _ in range(3)]
        self._sequence = [secrets.randbelow(1 << 15) for _ in range(3)]
        self._stamp = secrets.randbelow(1 << 31)
        self._picture, self._picture_id = 0, 0
        self._history: dict[int, bytes] = {}
        self._order: deque[int] = deque()
        self._heard: dict[int, bytes] = {}
        self._again_at: dict[tuple[bool, int], float] = {}
        """When a packet was last sent again: not twice in a round trip, as browsers have it."""
        self._round_trip_s = 0.0
        self._asked_at = 0.0
        self._nominated: tuple[Any, Any] | None = None
        self.counts = dict.fromkeys(
            (
                "video",
                "audio",
                "keyframes",
                "bytes",
                "packets",
                "late",
                "latest_ms",
                "nacked",
                "again",
                "plis",
            ),
            0,
        )
        self.pictures: list[int] = []
        """Each frame that was sent, by its number in the file."""
        self._skip_to_keyframe = True

    # --- connecting

    async def gather(self) -> None:
        await self.ice.gather_candidates()
        for protocol in self.ice._protocols:
            hook = partial(self._received, protocol.datagram_received)
            protocol.datagram_received = hook  # type: ignore[method-assign]

    def describe(self, setup: str) -> str:
        """An offer's or answer's SDP."""
        fingerprint = next(
            f.value for f in self._certificate.getFingerprints() if f.algorithm == "sha-256"
        )
        transport = [
            "c=IN IP4 0.0.0.0", "a=sendonly", "a=rtcp-mux",
            f"a=ice-ufrag:{self.ice.local_username}", f"a=ice-pwd:{self.ice.local_password}",
            f"a=fingerprint:sha-256 {fingerprint}", f"a=setup:{setup}",
        ]  # fmt: skip
        lines = [
            "v=0", f"o=- {secrets.randbelow(1 << 60)} 1 IN IP4 0.0.0.0", "s=-", "t=0 0",
            "a=group:BUNDLE video audio", "a=msid-semantic: WMS s",
            f"m=video 9 UDP/TLS/RTP/SAVPF {VP8} {RTX}", *transport, "a=mid:video", "a=msid:s v",
            f"a=rtpmap:{VP8} VP8/90000", f"a=rtcp-fb:{VP8} nack", f"a=rtcp-fb:{VP8} nack pli",
            f"a=rtcp-fb:{VP8} goog-remb", f"a=rtpmap:{RTX} rtx/90000", f"a=fmtp:{RTX} apt={VP8}",
            f"a=ssrc-group:FID {self.ssrc[0]} {self.ssrc[1]}",
            f"a=ssrc:{self.ssrc[0]} cname:c", f"a=ssrc:{self.ssrc[1]} cname:c",
            *(f"a=candidate:{c.to_sdp()}" for c in self.ice.local_candidates),
            "a=end-of-candidates",
            f"m=audio 9 UDP/TLS/RTP/SAVPF {OPUS}", *transport, "a=mid:audio", "a=msid:s a",
            f"a=rtpmap:{OPUS} opus/48000/2", f"a=ssrc:{self.ssrc[2]} cname:c",
        ]  # fmt: skip
        return "\r\n".join(lines) + "\r\n"

    async def connect(self, remote: str, role: str) -> None:
        """Connect to whoever wrote this SDP; ``role`` is ours in DTLS."""

        def value(name: str) -> str:
            return str(re.findall(rf"^a={name}:(.*?)\r?$", remote, re.MULTILINE)[0])

        self.ice.remote_username, self.ice.remote_password = value("ice-ufrag"), value("ice-pwd")
        for line in sorted(set(re.findall(r"^a=candidate:(.*?)\r?$", remote, re.MULTILINE))):
            await self.ice.add_remote_candidate(aioice.Candidate.from_sdp(line))
        await self.ice.add_remote_candidate(None)
        await self.ice.connect()
        pair = self.ice._nominated[1]
        self._nominated = (pair.protocol.transport, pair.remote_addr)
        self.dtls._set_role(role)
        algorithm, fingerprint = value("fingerprint").split(" ", 1)
        await self.dtls.start(RTCDtlsParameters([RTCDtlsFingerprint(algorithm, fingerprint)]))
        if self.dtls.state != "connected":
            raise ConnectionError("no DTLS")

    def _received(self, stun: Any, data: bytes, address: Any) -> None:
        if not data or data[0] < 4:
            stun(data, address)
        elif data[0] < 64:
            self._pipe.queue.put_nowait(data)
        elif rtp.is_rtcp(data) and self.dtls._rx_srtp is not None:
            with contextlib.suppress(pylibsrtp.Error):  # a duplicate
                self._feedback(self.dtls._rx_srtp.unprotect_rtcp(data))

    def raw(self, data: bytes) -> None:
        if self._nominated is None:
            pair = self.ice._nominated[1]
            self._nominated = (pair.protocol.transport, pair.remote_addr)
        if not self._nominated[0].is_closing():
            self._nominated[0].sendto(data, self._nominated[1])

    # --- media

    def picture(self, due: float) -> list[tuple[float, int]]:
        """Make the next frame's packets; when to send which."""
        pictures = self._pictures
        if self._skip_to_keyframe:
            self._skip_to_keyframe = False
            while not pictures[self._picture % len(pictures)].keyframe:
                self._picture += 1
        picture = pictures[self._picture % len(pictures)]
        self.pictures.append(self._picture % len(pictures))
        self._picture += 1
        self._picture_id = (self._picture_id + 1) & 0x7FFF
        tail = struct.pack("!BH", 0x80, 0x8000 | self._picture_id)
        stamp = (self._stamp + round(due * 90_000)) & 0xFFFFFFFF
        times: list[tuple[float, int]] = []
        last = len(picture.parts) - 1
        for index, part in enumerate(picture.parts):
            sequence = self._sequence[0] = (self._sequence[0] + 1) & 0xFFFF
            second = VP8 | (0x80 if index == last else 0)
            head = struct.pack("!BBHLL", 0x80, second, sequence, stamp, self.ssrc[0])
            self._history[sequence] = head + (b"\x80" if index else b"\x90") + tail + part
            self._order.append(sequence)
            times.append((due + index // BURST * BURST_S, sequence))
        while len(self._order) > KEPT:
            gone = self._order.popleft()
            self._history.pop(gone, None)
            self._again_at.pop((False, gone), None)
        self.counts["video"] += 1
        self.counts["keyframes"] += picture.keyframe
        self.counts["bytes"] += sum(map(len, picture.parts))
        return times

    def send(self, sequence: int) -> None:
        """Send a video packet that `picture` made."""
        self.counts["packets"] += 1
        self.raw(self.dtls._tx_srtp.protect(self._history[sequence]))

    def sound(self, due: float) -> None:
        """Make and send an audio packet."""
        sequence = self._sequence[2] = (self._sequence[2] + 1) & 0xFFFF
        stamp = (self._stamp + round(due * 48_000)) & 0xFFFFFFFF
        head = struct.pack("!BBHLL", 0x80, OPUS, sequence, stamp, self.ssrc[2])
        self.counts["audio"] += 1
        self.counts["packets"] += 1
        number = struct.pack("!L", self.counts["audio"])
        self.counts["bytes"] += media.AUDIO_BYTES
        body = b"\xfc" + number + secrets.token_bytes(media.AUDIO_BYTES - 5)
        self._heard[sequence] = head + body
        gone = (sequence - KEPT) & 0xFFFF
        self._heard.pop(gone, None)
        self._again_at.pop((True, gone), None)
        self.raw(self.dtls._tx_srtp.protect(head + body))

    def reports(self, now: float) -> None:
        """A sender report for each stream."""
        wall = time.time() + now - time.monotonic()
        ntp = (int(wall) + NTP_S, int((wall % 1) * (1 << 32)))
        for index, rate in ((0, 90_000), (2, 48_000)):
            stamp = (self._stamp + round(now * rate)) & 0xFFFFFFFF
            report = struct.pack("!BBHLLLLLL", 0x80, 200, 6, self.ssrc[index], *ntp, stamp, 0, 0)
            self.raw(self.dtls._tx_srtp.protect_rtcp(report))

    def resume(self) -> None:
        """The next frame is a keyframe."""
        self._skip_to_keyframe = True

    def _feedback(self, data: bytes) -> None:
        now = time.monotonic()
        for kind, form, body in rtp.blocks(data):
            if kind == rtp.PSFB and form in (1, 4):
                self.counts["plis"] += 1
                if now - self._asked_at >= KEYFRAME_SPACING_S:
                    self._asked_at = now
                    self._skip_to_keyframe = True
            elif kind == rtp.RR:
                self._report(form, body)
            elif kind == rtp.RTPFB and form == 1:
                sound = int.from_bytes(body[4:8], "big") == self.ssrc[2]
                for at in range(8, len(body) - 3, 4):
                    first, mask = struct.unpack_from("!HH", body, at)
                    self._again(first, now, sound=sound)
                    for bit in range(16):
                        if mask >> bit & 1:
                            self._again((first + bit + 1) & 0xFFFF, now, sound=sound)

    def _report(self, count: int, body: bytes) -> None:
        """The round trip, from when our last sender report was heard (RFC 3550 section 6.4.1)."""
        for at in range(4, min(len(body), 4 + 24 * count) - 23, 24):
            last, delay = struct.unpack_from("!LL", body, at + 16)
            if last:
                wall = time.time() + NTP_S
                middle = (int(wall) & 0xFFFF) << 16 | int((wall % 1) * 65_536)
                took = (middle - last - delay) & 0xFFFFFFFF
                if took < 65_536:  # else one of the clocks was set, or they are a tick apart
                    self._round_trip_s = took / 65_536

    def _again(self, sequence: int, now: float, *, sound: bool) -> None:
        """A packet that is missed: of video as RFC 4588 sends it, of sound as it was."""
        self.counts["nacked"] += 1
        packet = (self._heard if sound else self._history).get(sequence)
        last = self._again_at.get((sound, sequence), -1.0)
        if packet is None or now - last < self._round_trip_s:
            return
        self._again_at[sound, sequence] = now
        self.counts["again"] += 1
        if sound:
            self.raw(self.dtls._tx_srtp.protect(packet))
            return
        number = self._sequence[1] = (self._sequence[1] + 1) & 0xFFFF
        head = struct.pack("!BBH", 0x80, packet[1] & 0x80 | RTX, number)
        ssrc = struct.pack("!L", self.ssrc[1])
        body = packet[4:8] + ssrc + packet[2:4] + packet[12:]
        self.raw(self.dtls._tx_srtp.protect(head + body))


async def run(publishers: list[Publisher], start: float, stop: float) -> None:
    """Send from ``start`` to ``stop`` (monotonic seconds), everything at its time."""
    order = 0
    due: list[tuple[float, int, str, Publisher, int]] = []

    def plan(when: float, what: str, publisher: Publisher, sequence: int = 0) -> None:
        nonlocal order
        order += 1
        heapq.heappush(due, (when, order, what, publisher, sequence))

    for index, publisher in enumerate(publishers):
        publisher.resume()
        phase = start + (index * 0.618) % 1 / media.RATE
        plan(phase, "picture", publisher)
        plan(phase + 0.003, "sound", publisher)
        plan(phase + 0.2, "report", publisher)
    while due:
        now = time.monotonic()
        while due and due[0][0] <= now:
            when, _, what, publisher, sequence = heapq.heappop(due)
            if now - when > LATE_S:
                publisher.counts["late"] += 1
                latest_ms = max(publisher.counts["latest_ms"], round((now - when) * 1000))
                publisher.counts["latest_ms"] = latest_ms
            if what == "packet":
                publisher.send(sequence)
            elif when >= stop:
                continue
            elif what == "picture":
                for at, number in publisher.picture(when):
                    if at <= now:
                        publisher.send(number)
                    else:
                        plan(at, "packet", publisher, number)
                plan(when + 1 / media.RATE, what, publisher)
            elif what == "sound":
                publisher.sound(when)
                plan(when + 0.02, what, publisher)
            else:
                publisher.reports(when)
                plan(when + 1.0, what, publisher)
            now = time.monotonic()
        if due:
            await asyncio.sleep(max(0.001, due[0][0] - time.monotonic()))


async def main(source: Path) -> None:
    """Serve the commands until standard input ends."""
    pictures = media.read(source)
    made: dict[str, Publisher] = {}
    tasks = Tasks()

    def say(**fields: Any) -> None:
        sys.stdout.write(json.dumps(fields) + "\n")
        sys.stdout.flush()

    async def connect(publisher: Publisher, remote: str, role: str) -> None:
        await publisher.connect(remote, role)
        say(event="connected", name=publisher.name)

    async def handle(order: dict[str, Any]) -> None:
        match order["op"]:
            case "offer":
                publisher = made[order["name"]] = Publisher(
                    order["name"], pictures, controlling=True
                )
                await publisher.gather()
                say(event="offer", name=publisher.name, sdp=publisher.describe("actpass"))
            case "accept":
                role = "client" if "a=setup:passive" in order["sdp"] else "server"
                await connect(made[order["name"]], order["sdp"], role)
            case "answer":
                publisher = made[order["name"]] = Publisher(
                    order["name"], pictures, controlling=False
                )
                await publisher.gather()
                say(event="answer", name=publisher.name, sdp=publisher.describe("active"))
                await connect(publisher, order["sdp"], "client")
            case "send":
                chosen = [made[name] for name in order["names"]]
                await run(chosen, order["start"], order["stop"])
                say(event="sent")
            case "pictures":
                name = order["name"]
                say(event="pictures", name=name, pictures=made[name].pictures)
            case "report":
                say(event="report", counts={name: p.counts for name, p in made.items()})

    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        tasks.spawn(handle(json.loads(line)), name="order")
    await tasks.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
