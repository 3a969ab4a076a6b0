"""Hostile packets over real UDP, most from the very address that ICE has validated.

The leg survives (what an honest sender sends afterwards is stored) or ends with a named reason;
its buffers stay small, and it writes one line at most.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import pytest

from recorder import leg as leg_module
from recorder.leg import LegState
from recorder.shares import DTLS_LATER, STUN_A_SECOND
from recorder.stream import SSRC_CHANGE_MS
from tests.faults.hostile_peer import HostilePeer, strangers
from tests.fuzz import corpus
from tests.fuzz.targets import MOST_BYTES
from tests.fuzz.weight import weight
from tests.recorder.harness import Captured, monotonic_ms
from tests.recorder.packets import AUDIO_SSRC, VIDEO_SSRC, rtp_packet, sender_report

ALERT = b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28"
SEALED_ALERT = b"\x15\xfe\xfd\x00\x01" + bytes(6) + b"\x00\x20" + bytes(32)
NAMED = {"timeout", "ice", "dtls", "flood", "silent", "sources", "peer closed"}


class Scene:
    """A leg, a peer that means it harm, and what is written down meanwhile."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.late_ms = 0.0
        self.captured = Captured(now_ms=lambda: monotonic_ms() + self.late_ms, cap_bps=200_000)
        self.peer = HostilePeer()
        self._log = caplog
        caplog.set_level(logging.WARNING)

    async def connect(self) -> None:
        """Both ends are connected."""
        await self.captured.leg.accept(await self.peer.answer(await self.captured.leg.offer()))
        self.captured.start()
        await self.captured.until(lambda: self.captured.leg.state is not LegState.CONNECTING)
        assert self.captured.leg.state is LegState.CONNECTED
        await self.peer.connected()

    def small(self) -> None:
        """What the leg holds is bounded, and what it wrote too."""
        leg = self.captured.leg
        held = weight(leg.receiver, leg._pipe, leg._count, leg._shares, leg._flood)
        assert held <= MOST_BYTES
        assert leg._pipe._queue.qsize() <= 32
        assert leg._ice._queue.qsize() == 0
        assert len(leg._ice._check_list) <= leg_module.MAX_PAIRS
        assert len(self._log.records) <= 1, [r.getMessage() for r in self._log.records]

    async def survives(self) -> None:
        """The leg stands, and stores what is honest."""
        assert self.captured.leg.state is LegState.CONNECTED, self.captured.states
        self.small()
        await self.peer.is_stored(self.captured)
        self.small()

    async def close(self) -> None:
        await self.captured.close()
        await self.peer.close()


@pytest.fixture
async def scene(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Scene]:
    made = Scene(caplog)
    yield made
    await made.close()


def raw(*datagrams: bytes, times: int = 1) -> Callable[[HostilePeer], Awaitable[None]]:
    return lambda peer: peer.raw(*datagrams * times)


def stream(
    payloads: Iterable[bytes], *, ssrc: int = VIDEO_SSRC, step: int = 1, payload_type: int = 96,
    clock: int = 3000,
) -> list[bytes]:  # fmt: skip
    return [
        rtp_packet(
            payload, payload_type=payload_type, sequence=step * n, timestamp=clock * n,
            ssrc=ssrc, marker=n % 5 == 4,
        )
        for n, payload in enumerate(payloads)
    ]  # fmt: skip


def rtp(packets: Iterable[bytes]) -> Callable[[HostilePeer], Awaitable[None]]:
    kept = list(packets)
    return lambda peer: peer.rtp(*kept)


def rtcp(*packets: bytes) -> Callable[[HostilePeer], Awaitable[None]]:
    return lambda peer: peer.rtcp(*packets)


async def replays(peer: HostilePeer) -> None:
    packets = stream([b"\x10" + bytes(50)] * 5, ssrc=9)
    sealed = [peer.dtls._tx_srtp.protect(packet) for packet in packets]
    await peer.raw(*sealed * 60)


async def flipped(peer: HostilePeer) -> None:
    sealed = peer.dtls._tx_srtp.protect(stream([b"\x10" + bytes(50)])[0])
    await peer.raw(*(sealed[:n] + bytes([sealed[n] ^ 1]) + sealed[n + 1 :] for n in range(60)))
    await peer.raw(*(sealed[:n] for n in range(len(sealed))))


async def good_checks(peer: HostilePeer) -> None:
    await peer.raw(*(peer.check() for _ in range(2 * STUN_A_SECOND)))
    await peer.raw(peer.check(ICE_CONTROLLING=2**64 - 1), peer.check(PRIORITY=None))


async def corpus_of_rtp(peer: HostilePeer) -> None:
    """What SRTP refuses to encrypt never arrives; the rest does."""
    for n, case in enumerate(corpus.cases()):
        if case.target in {"rtp", "rtcp"} and case.data:
            data = case.data
            if case.target == "rtp":
                data = data[:2] + n.to_bytes(2, "big") + data[4:]  # else it is a replay
            try:
                await (peer.rtp if case.target == "rtp" else peer.rtcp)(data)
            except Exception:  # noqa: BLE001 - libsrtp's own refusal
                await peer.raw(data)


KEY = b"\x10\x10\x02\x00\x9d\x01\x2a"
HELLO = b"\x16\xfe\xfd" + bytes(8) + b"\x00\x0c\x01"
SHORT_PRIORITY = b"\x00\x24\x00\x01\x01\0\0\0"
STUN = b"\x00\x01\x00\x00\x21\x12\xa4\x42"
ATTACKS: dict[str, Callable[[HostilePeer], Awaitable[None]]] = {
    "empty datagrams": raw(b"", times=300),
    "junk of every first byte": raw(*(bytes([n]) + os.urandom(40) for n in range(256))),
    "every first byte alone": raw(*(bytes([n]) for n in range(256))),
    "long datagrams": raw(*(bytes([n]) * size for n in (0, 22, 128, 255) for size in (1501, 9000))),
    "forged alerts": raw(ALERT, SEALED_ALERT, ALERT[:14], times=50),
    "DTLS cut and huge": raw(HELLO[:3], HELLO[:11] + b"\xff\xff" + bytes(1400),
                             b"\x17" + SEALED_ALERT[1:11] + b"\x05\x78" + bytes(1400), times=50),
    "a handshake anew": raw(HELLO + bytes(11), times=50),
    "STUN without integrity": raw(STUN + bytes(12), times=600),
    "STUN with lengths that lie": raw(*(STUN[:2] + n.to_bytes(2, "big") + STUN[4:] + bytes(40)
                                       for n in range(80)),
                                     STUN[:3] + b"\x08" + STUN[4:] + bytes(12) + SHORT_PRIORITY),
    "STUN with integrity": good_checks,
    "SRTP garbage": raw(*(b"\x80\x60" + os.urandom(200) for _ in range(300))),
    "SRTP a bit off": flipped,
    "replays": replays,
    "malformed RTP and RTCP": corpus_of_rtp,
    "RTCP of empty blocks": rtcp(*[b"\x80\xcc\0\0" + bytes(4) + b"\x80\xcc\0\0" * 320] * 250),
    "BYE": rtcp(b"\x81\xcb\x00\x01\x00\x00\x11\x11", b"\x9f\xcb\x00\x01" + bytes(4)),
    "SR with odd NTP": rtcp(*(sender_report(ssrc, ms, 1) for ssrc in (VIDEO_SSRC, AUDIO_SSRC)
                              for ms in (-2_208_988_800_000.0, 0.0, 2_085_978_495_000.0))),
    "one SSRC for all": rtp([*stream([KEY + bytes(20)] * 20),
                             *stream([b"abc"] * 20, payload_type=111),
                             *stream([b"\0\1" + bytes(9)] * 20, payload_type=97)]),
    "sequence jumps": rtp(stream([KEY + bytes(20)] * 300, step=7919)),
    "wide gaps": rtp(stream([KEY + bytes(20)] * 300, step=500)),
    "timestamp jumps": rtp(stream([KEY + bytes(20)] * 100, clock=1 << 31)),
    "malformed descriptors": rtp(stream([b"\x90", b"\x90\xf0", b"\x90\x80\x81", b"\xff"] * 40)),
    "a frame without an end": rtp(stream([b"\x10\x10", *[b"\x00" * 6] * 800], clock=0)),
    "huge pictures": rtp(stream([KEY + b"\xff\x3f\xff\x3f" + bytes(9)] * 50)),
    "Opus of 0 and of all": rtp(stream([b"", bytes(1340)] * 100, payload_type=111)),
    "keyframes only": rtp(stream([KEY + b"\x80\x02\x68\x01"] * 600)),
    "rubbish for every NACK": rtp([
        *stream([KEY + bytes(20)] * 60, step=3),
        *stream([n.to_bytes(2, "big") + os.urandom(40) for n in range(180)],
                payload_type=97, ssrc=5)]),
}  # fmt: skip
MOVES_REFUSED = {"empty datagrams", "junk of every first byte", "long datagrams", "SRTP garbage",
                 "STUN without integrity", "STUN with integrity", "SRTP a bit off", "replays",
                 "RTCP of empty blocks"}  # fmt: skip
MOVES_MALFORMED = {"malformed RTP and RTCP", "malformed descriptors"}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_the_leg_survives(scene: Scene, attack: str) -> None:
    await scene.connect()
    await scene.peer.is_stored(scene.captured)
    leg = scene.captured.leg
    refused, malformed = leg.refused, leg.receiver.malformed
    scene.late_ms += 1.5 * SSRC_CHANGE_MS  # so that what comes now is not merely another's SSRC
    await ATTACKS[attack](scene.peer)
    scene.late_ms += 1.5 * SSRC_CHANGE_MS
    await scene.survives()
    assert (leg.refused > refused) >= (attack in MOVES_REFUSED)
    assert (leg.receiver.malformed > malformed) >= (attack in MOVES_MALFORMED)


async def test_ever_new_ssrcs_end_the_leg(scene: Scene) -> None:
    await scene.connect()
    packets = (rtp_packet(KEY, payload_type=96, sequence=1, timestamp=1, ssrc=n)
               for n in range(1000, 1600))  # fmt: skip
    await scene.peer.rtp(*packets)
    await scene.captured.until(lambda: scene.captured.leg.state is LegState.FAILED)
    assert scene.captured.states[-1] == (LegState.FAILED, "sources")
    scene.small()


async def test_ten_times_the_agreed_rate_ends_the_leg(scene: Scene) -> None:
    await scene.connect()
    leg = scene.captured.leg
    sequence = 0
    while leg.state is LegState.CONNECTED:
        assert sequence < 20 * 200
        for _ in range(200):  # 1.9 Mbit of an agreed 0.2
            sequence += 1
            await scene.peer.rtp(
                rtp_packet(KEY + bytes(1170), payload_type=96, sequence=sequence % 65_536,
                           timestamp=sequence, ssrc=VIDEO_SSRC, marker=True)
            )  # fmt: skip
            scene.late_ms += 5
        scene.small()
    assert scene.captured.states[-1] == (LegState.FAILED, "flood")


async def test_dtls_data_does_not_pile_up(scene: Scene) -> None:
    """OpenSSL would keep it: one record is read a datagram, however many are in it."""
    await scene.connect()
    refused = scene.captured.leg.refused
    for _ in range(10 * DTLS_LATER):
        await scene.peer.dtls_data(bytes(1_000))
        scene.late_ms += 5
    await scene.survives()
    assert scene.captured.leg.refused - refused >= 9 * DTLS_LATER


async def test_forged_alerts_do_not_stop_a_handshake(scene: Scene) -> None:
    leg = scene.captured.leg
    answer = await scene.peer.answer(await leg.offer())
    outside = strangers(1)[0]

    async def forge() -> None:
        while leg.state is not LegState.CONNECTED:
            for address in scene.peer.addresses():
                outside.sendto(ALERT, address)
            if scene.peer.path is not None:
                await scene.peer.raw(ALERT, ALERT[:9], SEALED_ALERT)
            await asyncio.sleep(0.001)

    forging = scene.captured.tasks.spawn(forge(), name="forge")
    await leg.accept(answer)
    scene.captured.start()
    await scene.captured.until(lambda: leg.state is not LegState.CONNECTING)
    await forging
    await scene.peer.connected()
    await scene.survives()
    outside.close()


async def test_a_handshake_that_is_broken_has_a_named_end(scene: Scene) -> None:
    leg = scene.captured.leg
    answer = await scene.peer.answer(await leg.offer())

    async def forge() -> None:
        while leg.state is LegState.CONNECTING:
            if scene.peer.path is not None:
                await scene.peer.raw(HELLO + os.urandom(11))
            await asyncio.sleep(0.001)

    await leg.accept(answer)
    scene.captured.tasks.spawn(forge(), name="forge")
    scene.captured.start()
    await scene.captured.until(lambda: leg.state is not LegState.CONNECTING)
    assert leg.state is LegState.CONNECTED or scene.captured.states[-1][1] in NAMED
    scene.small()


async def test_checks_from_everywhere_are_not_all_tried(scene: Scene) -> None:
    """Each with the password in it: whoever has it could name any number of addresses."""
    leg = scene.captured.leg
    offer = await leg.offer()
    silent = await scene.peer.answer(offer)
    lines = [x for x in silent.splitlines(keepends=True) if not x.startswith("a=candidate")]
    await scene.peer.close()  # nobody will answer
    await leg.accept("".join(lines))
    await scene.captured.until_ticked(lambda: leg._ice._early_checks_done)
    protocol = leg._ice._protocols[0]
    for n in range(3 * leg_module.MAX_PAIRS):
        scene.late_ms += 10
        protocol.datagram_received(scene.peer.check(), ("127.0.0.2", 1_000 + n))
    assert len(leg._ice._check_list) == leg_module.MAX_PAIRS
    assert len(leg._ice._remote_candidates) <= leg_module.MAX_PAIRS
    assert leg.refused >= 2 * leg_module.MAX_PAIRS - 1


async def test_once_connected_strangers_with_the_password_are_nobody(scene: Scene) -> None:
    await scene.connect()
    leg = scene.captured.leg
    pairs, refused = len(leg._ice._check_list), leg.refused
    made = strangers(40)
    for each in made:
        for address in scene.peer.addresses():
            each.sendto(scene.peer.check(), address)
    await scene.captured.until_ticked(lambda: leg.refused >= refused + len(made))
    assert len(leg._ice._check_list) <= pairs
    await scene.survives()
    for each in made:
        each.close()


async def test_a_check_that_libraries_stumble_on_has_a_named_end(scene: Scene) -> None:
    """Before the answer, with the password, without a priority: aioice then fails to connect."""
    leg = scene.captured.leg
    answer = await scene.peer.answer(await leg.offer())
    leg._ice._protocols[0].datagram_received(scene.peer.check(PRIORITY=None), ("127.0.0.2", 9))
    await leg.accept(answer)
    await scene.captured.until(lambda: leg.state is not LegState.CONNECTING)
    assert scene.captured.states[-1] == (LegState.FAILED, "fault")
    scene.small()


async def test_a_fault_of_ours_ends_one_leg_with_a_reason(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.connect()

    def fails(_now_ms: float) -> None:
        raise RuntimeError

    monkeypatch.setattr(scene.captured.leg.receiver, "tick", fails)
    await scene.captured.until(lambda: scene.captured.leg.state is LegState.FAILED)
    assert scene.captured.states[-1] == (LegState.FAILED, "fault")
    scene.small()
