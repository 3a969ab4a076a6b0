import os
import socket
from collections.abc import Iterator

import pytest
from pylibsrtp import Policy, Session

from recorder.frames import EncodedFrame
from recorder.intake import MAX_BATCHES, Counters, Intake
from recorder.receive import Receiver
from recorder.sockets import SLOTS
from tests.recorder.packets import VideoSource, audio_packet, sender_report


class Peer:
    """A sender, an intake that knows it, and what came out."""

    def __init__(self, receiver: Receiver) -> None:
        key = os.urandom(30)
        self.inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for each in (self.inside, self.outside):
            each.bind(("127.0.0.1", 0))
        self.encrypt = Session(Policy(key, Policy.SSRC_ANY_OUTBOUND))
        policy = Policy(key, Policy.SSRC_ANY_INBOUND)
        policy.allow_repeat_tx = True
        self.session = Session(policy)
        self.counters = Counters()
        self.others: list[bytes] = []
        self.receiver = receiver
        self.intake = Intake(
            self.inside.fileno(),
            self.outside.getsockname(),
            self.session._srtp[0],
            take=receiver.take,
            other=lambda data, source: self.others.append(data),
            counters=self.counters,
        )

    def raw(self, data: bytes) -> None:
        self.outside.sendto(data, self.inside.getsockname())

    def send(self, packet: bytes) -> None:
        self.raw(self.encrypt.protect(packet))

    def close(self) -> None:
        self.intake.close()
        self.inside.close()
        self.outside.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer(Receiver())
    yield made
    made.close()


def test_srtp_becomes_the_frames_that_plain_packets_would_be(peer: Peer) -> None:
    source = VideoSource()
    plain = Receiver()
    expected: list[EncodedFrame] = []
    for number in range(40):
        for packet in source.frame(number, keyframe=number % 10 == 0):
            peer.send(packet)
            expected += plain.on_rtp(packet, 1000.0 + number)
        sound = audio_packet(number, 960 * number)
        peer.send(sound)
        expected += plain.on_rtp(sound, 1000.0 + number)
        peer.intake.drain(1000.0 + number)
    assert peer.receiver.collect() == expected
    assert len(expected) == 80
    assert peer.counters.packets == 160
    assert peer.counters.refused == 0
    assert peer.counters.heard_ms == 1039.0


def test_everything_else_is_handed_on_or_refused(peer: Peer) -> None:
    good = peer.encrypt.protect(audio_packet(1, 960))
    bad = good[:-1] + bytes([good[-1] ^ 1])
    report = peer.encrypt.protect_rtcp(sender_report(1, 0.0, 0))
    others = [
        b"",
        b"\x00",
        b"\x16\xfe\xfd",
        b"\x80\x60",
        bytes([0x80]) * 1501,
        b"\xff" * 40,
        report,
    ]
    for data in [*others, bad, good, good]:
        peer.raw(data)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(peer.encrypt.protect(audio_packet(2, 1920)), peer.inside.getsockname())
        peer.intake.drain(5.0)
    assert [len(data) for data in peer.others[:-1]] == [len(data) for data in others]
    assert len(peer.others) == len(others) + 1
    assert len(peer.receiver.collect()) == 1  # the same packet twice is one
    assert peer.counters.refused >= 1


def test_a_tick_reads_no_more_than_its_share(peer: Peer) -> None:
    for _ in range(SLOTS * (MAX_BATCHES + 1)):
        peer.raw(b"\x80\x60" + bytes(20))
    peer.intake.drain(1.0)
    assert peer.counters.refused <= SLOTS * MAX_BATCHES
    assert peer.counters.heard_ms == 0.0


def test_a_fault_of_ours_costs_one_packet(
    peer: Peer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(peer.intake, "_take", fails)
    for number in range(3):
        peer.send(audio_packet(number, 960 * number))
    peer.intake.drain(1.0)
    assert peer.counters.refused == 3
    assert len(caplog.records) == 1


def test_closing_in_the_midst_ends_the_reading(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer.intake, "_other", lambda data, source: peer.intake.close())
    for _ in range(5):
        peer.raw(b"\x00")
    peer.intake.drain(1.0)
    assert peer.intake.closed
    peer.intake.drain(2.0)
