"""One party's WebRTC connection to the recorder. Only this file and `ice` touch aiortc and aioice.

aioice does ICE, aiortc the DTLS handshake; SRTP packets never enter their queues. Once connected,
the leg's socket is taken out of the event loop: each tick reads what waits there, many datagrams
with one system call, and libsrtp decrypts them where they lie. A recorder is in no hurry.
`private_names` lists every private name used here; its test fails when one moves.
"""

from __future__ import annotations

import asyncio
import enum
import ipaddress
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import aioice
import pylibsrtp
from aiortc import RTCCertificate, RTCDtlsTransport
from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters

from avsession.errors import SdpRefused
from avsession.messages import IceServer
from avsession.tasks import Tasks
from recorder import ice, rtp, sdp
from recorder.dtls import DtlsPipe, without_plain_alerts
from recorder.frames import EncodedFrame
from recorder.intake import MAX_DATAGRAM, Counters, Intake
from recorder.receive import Receiver
from recorder.shares import Flood, Shares

CONNECT_S = 15.0
"""ICE and DTLS together; a leg that needs longer has failed."""
SILENCE_MS = 8_000.0
"""Nothing from the peer for this long: the path is gone. Browsers check every 2.5 s at least."""
MAX_PAIRS = 256
"""Of addresses, tried before the leg stands; a party's candidates need half of them."""
CALM_MS = 125.0
"""While nothing is missing, the socket is read only so often: the rarer, the cheaper a packet."""
SETTLE_MS = 3_000.0
"""Not so at first: the clocks are learned from the earliest arrivals."""


class LegState(enum.StrEnum):
    """Forward only; the last two are final."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    FAILED = "failed"
    CLOSED = "closed"


class Certificate:
    """The worker's DTLS identity, made anew at each start and used for every leg."""

    def __init__(self) -> None:
        self.inner = RTCCertificate.generateCertificate()
        self.fingerprint: str = next(
            f.value.upper() for f in self.inner.getFingerprints() if f.algorithm == "sha-256"
        )
        """SHA-256, upper-case hex pairs with colons, as in SDP and in a grant."""


class Leg:
    """Offers, connects, and turns what arrives into frames.

    The owner's duty: call `tick` every 20 ms or so (one ticker serves all legs of a worker), and
    `close` at the end. `sink` gets frames on the clock of `now_ms`; `on_state` each new state
    with a short stable reason. Neither may raise.
    """

    def __init__(  # noqa: PLR0913 - its owner knows so many things of it
        self,
        *,
        certificate: Certificate,
        ice_servers: Sequence[IceServer],
        sink: Callable[[list[EncodedFrame]], None],
        on_state: Callable[[LegState, str], None],
        now_ms: Callable[[], float],
        receiver: Receiver,
        cap_bps: int = 1_500_000,
        max_height: int = 720,
        relay_only: bool = False,
    ) -> None:
        self.state = LegState.NEW
        self.receiver = receiver
        self._count = Counters()
        self._sink, self._on_state, self._now_ms = sink, on_state, now_ms
        self._certificate = certificate
        self._max_height = max_height
        self._tasks = Tasks(limit=4)
        self._ice = ice.connection(ice_servers, relay_only=relay_only)
        self._pipe = DtlsPipe(self._send)
        self._dtls = RTCDtlsTransport(cast(Any, self._pipe), [certificate.inner])
        self._dtls.on("statechange", self._dtls_changed)
        self._gathering: asyncio.Task[None] | None = None
        self._unprotect: Callable[[bytes], bytes] | None = None
        self._answer: sdp.Answer | None = None
        self._candidates = 0
        self._peer: tuple[Any, tuple[str, int]] | None = None
        self._intake: Intake | None = None
        self._next_ms = self._settled_ms = 0.0
        self._shares, self._flood = Shares(), Flood(cap_bps)

    @property
    def packets(self) -> int:
        """SRTP and SRTCP packets that arrived."""
        return self._count.packets

    @property
    def refused(self) -> int:
        """Datagrams dropped: empty, oversized, from strangers, undecryptable."""
        return self._count.refused

    @property
    def relayed(self) -> bool:
        """Whether TURN gave an address, if it was asked, or may do so yet."""
        return self._gathering is None or not self._gathering.done() or ice.relayed(self._ice)

    async def offer(self) -> str:
        """Gather candidates (at most 5 s) and return the offer's SDP. Once only."""
        if self.state is not LegState.NEW:
            raise ConnectionError("the leg is closed")
        # a task of its own: whoever waits here may be cancelled, the sockets must not be forgotten
        self._gathering = self._tasks.spawn(self._gather(), name="leg gather")
        await asyncio.shield(self._gathering)
        return sdp.offer(
            ufrag=self._ice.local_username,
            password=self._ice.local_password,
            fingerprint=self._certificate.fingerprint,
            candidates=[c.to_sdp() for c in self._ice.local_candidates],
            max_height=self._max_height,
        )

    async def _gather(self) -> None:
        await ice.gather(self._ice)
        for protocol in self._ice._protocols:
            hook = partial(self._datagram, protocol, protocol.datagram_received)
            protocol.datagram_received = hook  # type: ignore[method-assign]

    async def accept(self, answer: str) -> None:
        """Take the party's answer and begin to connect; raises SdpRefused, once only."""
        if self.state is not LegState.NEW:
            raise SdpRefused("The leg has been answered.")
        self._answer = sdp.read_answer(answer)
        self._become(LegState.CONNECTING, "")
        for candidate in self._answer.candidates:
            await self.add_candidate(candidate)
        self._tasks.spawn(self._connect(self._answer), name="leg connect")

    async def add_candidate(self, candidate: str | None) -> None:
        """A candidate of the party's; what cannot be used is left out without harm.

        Names (mDNS ``.local``, RFC draft) are never looked up: the browser's own checks reach our
        addresses, and its address is then learned from them (peer-reflexive, RFC 8445 7.3.1.3).
        The end of candidates is not passed on: aioice would then count no pair at all as final.
        """
        if not candidate or self._candidates >= sdp.MAX_CANDIDATES:
            return
        if self.state in (LegState.FAILED, LegState.CLOSED):
            return
        try:
            parsed = aioice.Candidate.from_sdp(candidate.removeprefix("candidate:"))
            address = ipaddress.ip_address(parsed.host)
        except (ValueError, IndexError):
            return
        if parsed.component != 1 or parsed.transport.lower() != "udp":
            return
        if address.is_multicast or address.is_unspecified:
            return
        if not 0 < parsed.port < 65_536:
            return
        self._candidates += 1
        await self._ice.add_remote_candidate(parsed)

    def request_keyframe(self) -> None:
        """Ask the browser for a keyframe, at the next tick."""
        self.receiver.request_keyframe()

    @property
    def hurried(self) -> bool:
        """Whether something is missing, or the leg is new, so that every tick counts."""
        return self.receiver.hurried or self._now_ms() < self._settled_ms

    def tick(self) -> None:
        """What happens by time: gaps given up, feedback sent, silence and floods noticed."""
        if self.state is not LegState.CONNECTED:
            return
        try:
            self._tick(self._now_ms())
        except Exception as error:  # noqa: BLE001 - the other legs of the recording go on
            self._count.complain(error)
            self._fail("fault")

    def _tick(self, now: float) -> None:
        if now < self._next_ms and not self.hurried:
            return
        # the same moments for all legs: woken once for all of them
        self._next_ms = (now // CALM_MS + 1) * CALM_MS
        if intake := self._intake:
            intake.drain(now)
            if intake.closed:
                return  # what it read ended the leg
        if frames := self.receiver.tick(now):
            self._sink(frames)
        for packet in self.receiver.feedback(now):
            self._send_rtcp(packet)
        if self._flood.lasts(now, self._count.size):
            self._fail("flood")
        if self.receiver.crowded:
            self._fail("sources")
        if now - self._count.heard_ms > SILENCE_MS:
            self._fail("silent")

    async def close(self) -> None:
        """End the leg, whatever its state; safe to call again."""
        self._become(LegState.CLOSED, "closed")
        self._unprotect = None
        self._let_go()
        if self._gathering is not None:
            await asyncio.wait([self._gathering])
        await self._dtls.stop()
        self._pipe.put(None)
        await self._tasks.close()
        await ice.close(self._ice)

    # --- connecting

    async def _connect(self, answer: sdp.Answer) -> None:
        try:
            async with asyncio.timeout(CONNECT_S):
                self._ice.remote_username = answer.ufrag
                self._ice.remote_password = answer.password
                await self._ice.connect()
                self._dtls._set_role(answer.dtls_role)
                fingerprint = RTCDtlsFingerprint(algorithm="sha-256", value=answer.fingerprint)
                await self._dtls.start(RTCDtlsParameters(fingerprints=[fingerprint]))
        except TimeoutError:
            self._fail("timeout")
            return
        except ConnectionError:
            self._fail("ice")
            return
        except Exception as error:  # noqa: BLE001 - whatever a peer made these libraries stumble on
            self._count.complain(error)
            self._fail("fault")
            return
        if self._dtls.state != "connected":
            self._fail("dtls")
            return
        self._unprotect = self._dtls._rx_srtp.unprotect
        self._shares.connected()
        self._take_socket()
        self._count.heard_ms = self._now_ms()
        self._settled_ms = self._count.heard_ms + SETTLE_MS
        self._become(LegState.CONNECTED, "")

    def _dtls_changed(self) -> None:
        if self._dtls.state == "closed" and self.state is LegState.CONNECTED:
            self._fail("peer closed")

    def _fail(self, reason: str) -> None:
        self._unprotect = None
        self._let_go()
        self._become(LegState.FAILED, reason)

    def _become(self, state: LegState, reason: str) -> None:
        if self.state in (LegState.FAILED, LegState.CLOSED) or state is self.state:
            return
        self.state = state
        self._on_state(state, reason)

    # --- the socket

    def _take_socket(self) -> None:
        """Read the nominated pair's socket in `tick`, no longer in the event loop."""
        pair = self._ice._nominated[1]
        self._peer = (pair.protocol, pair.remote_addr)
        sock = pair.protocol.transport.get_extra_info("socket")
        loop = asyncio.get_running_loop()
        if sock is None or not isinstance(loop, asyncio.SelectorEventLoop):
            return  # through TURN, or a loop of another kind: it stays there
        loop._remove_reader(sock.fileno())  # type: ignore[attr-defined]
        self._intake = Intake(
            sock.fileno(),
            pair.remote_addr,
            self._dtls._rx_srtp._srtp[0],
            take=self.receiver.take,
            other=pair.protocol.datagram_received,
            counters=self._count,
        )

    def _let_go(self) -> None:
        if self._intake is not None:
            self._intake.close()
            self._intake = None

    # --- a datagram

    def _datagram(
        self,
        protocol: Any,
        stun: Callable[[bytes, tuple[Any, ...]], None],
        data: bytes,
        address: tuple[Any, ...],
    ) -> None:
        """Sort one datagram by its first byte (RFC 7983), trusting nothing about it."""
        if not 0 < len(data) <= MAX_DATAGRAM:
            self._count.refused += 1
            return
        try:
            first = data[0]
            if first < 4:
                self._stun(partial(stun, data, address), (protocol, address[:2]))
            elif not self._validated(protocol, (address[0], address[1])):
                self._count.refused += 1
            elif 127 < first < 192:
                self._srtp(data)
            elif 19 < first < 64 and self._shares.dtls.takes(self._now_ms()):
                data = without_plain_alerts(data)
                if data:
                    self._pipe.put(data)
            else:
                self._count.refused += 1
        except Exception as error:  # noqa: BLE001 - of one datagram, perhaps a stranger's
            self._count.complain(error)

    def _stun(self, handle: Callable[[], None], source: tuple[Any, Any]) -> None:
        now = self._now_ms()
        # the peer may send on another pair than the one we chose, whose checks go on all the same
        known = source == self._peer or any(
            pair.protocol is source[0] and pair.remote_addr == source[1]
            for pair in self._ice._check_list
        )
        # each check of a stranger who knows the password would be an address more to try
        full = self.state is LegState.CONNECTED or len(self._ice._check_list) >= MAX_PAIRS
        if (full and not known) or not self._shares.stun[known].takes(now):
            self._count.refused += 1
            return
        if known:
            self._count.heard_ms = now
        handle()

    def _validated(self, protocol: Any, address: tuple[str, int]) -> bool:
        """Whether a connectivity check from us to this address has succeeded."""
        if self._peer == (protocol, address):
            return True
        for pair in self._ice._check_list:
            if (
                pair.protocol is protocol
                and pair.remote_addr == address
                and pair.state is pair.State.SUCCEEDED
            ):
                self._peer = (protocol, address)
                return True
        return False

    def _srtp(self, data: bytes) -> None:
        if self._unprotect is None:
            return
        now = self._now_ms()
        self._count.packets += 1
        self._count.size += len(data)
        try:
            if rtp.is_rtcp(data):
                if not self._shares.rtcp.takes(now):
                    self._count.refused += 1
                    return
                plain = self._dtls._rx_srtp.unprotect_rtcp(data)
                self.receiver.on_rtcp(plain, now)
                frames = []
            else:
                frames = self.receiver.on_rtp(self._unprotect(data), now)
        except pylibsrtp.Error:
            self._count.refused += 1
            return
        self._count.heard_ms = now
        if frames:
            self._sink(frames)

    def _send_rtcp(self, packet: bytes) -> None:
        if self._unprotect is not None:
            self._send(self._dtls._tx_srtp.protect_rtcp(packet))

    def _send(self, data: bytes) -> None:
        ice.send(self._ice, data)
