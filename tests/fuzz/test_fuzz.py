"""Valid packets broken in every way we know, and the command that goes on looking."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings

from recorder.receive import Receiver
from tests.fuzz import __main__ as command
from tests.fuzz import corpus, search, strategies
from tests.fuzz.targets import MOST_BYTES, TARGETS, Step, decode, encode, put_through
from tests.fuzz.weight import weight
from tests.recorder.packets import VIDEO_SSRC, rtp_packet

HOSTILE_PACKETS = 200_000
MOST_GROWTH = 4 << 20
"""Bytes that may stay behind after so many hostile packets."""


@settings(max_examples=60, deadline=None)
@given(strategies.sessions())
def test_a_broken_session_is_survived(steps: list[Step]) -> None:
    put_through(steps)


@pytest.mark.parametrize("target", sorted(set(TARGETS) - {"receiver"}))
def test_nothing_breaks_a_parser(target: str) -> None:
    crash, tried = search.search(target, 0.0)
    assert crash is None, crash.hex()
    assert tried > 0


@given(strategies.sessions())
@settings(max_examples=20, deadline=None)
def test_steps_are_the_same_as_bytes(steps: list[Step]) -> None:
    assert list(decode(encode(steps))) == [(what, data[:1500]) for what, data in steps]


def test_memory_stays_where_it_was_after_very_many_hostile_packets() -> None:
    receiver = Receiver()  # 200 000 packets are 20 s of all that a worker reads of one leg

    def attack(count: int) -> None:
        """A little of everything: gaps, pieces, jumps, retransmissions, junk, reports."""
        for n in range(count):
            kind = n % 7
            payload = [b"\x10\x10", b"\x00" * 9, b"\x10" + b"\x11" * 900, b"", b"\xff" * 40,
                       b"\x90\x80", n.to_bytes(4, "big") * 9][kind]  # fmt: skip
            packet = rtp_packet(
                payload, payload_type=(96, 111, 96, 97, 96, 111, 97)[kind],
                sequence=n * (1, 1, 300, 7919, 1, 500, 1)[n // 1000 % 7],
                timestamp=n * (90, 48, 1 << 20)[n % 3],
                ssrc=VIDEO_SSRC + (n // 5000) % 3, marker=n % 11 == 0,
            )  # fmt: skip
            buffer = bytearray(packet)
            now_ms = n / 10.0
            receiver.take(buffer, 0, len(buffer), now_ms)
            if n % 50 == 0:
                receiver.on_rtcp(payload * 3, now_ms)
                receiver.collect()
                receiver.tick(now_ms)
                receiver.feedback(now_ms)
            if n % 5000 == 0:
                assert weight(receiver) <= MOST_BYTES

    attack(HOSTILE_PACKETS // 10)
    receiver.collect()
    gc.collect()
    tracemalloc.start()
    attack(HOSTILE_PACKETS)
    receiver.collect()
    gc.collect()
    left, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < MOST_GROWTH
    assert highest < 2 * MOST_BYTES
    assert receiver.malformed > 100
    assert receiver.discarded > 1_000


def test_the_command_keeps_what_it_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(data: bytes) -> str:
        assert b"\x90" not in data
        return ""

    monkeypatch.setattr(corpus, "FOLDER", tmp_path)
    assert command.main(["--seconds", "0", "--hypothesis", "vp8"]) == 0
    monkeypatch.setitem(TARGETS, "vp8", breaks)
    assert command.main(["--seconds", "20", "--hypothesis", "vp8"]) == 1
    (case,) = corpus.cases()
    assert b"\x90" in case.data
    assert f"BROKEN by {case.name}" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        command.main(["nothing"])


def test_everything_inside_is_weighed() -> None:
    receiver = Receiver()
    empty = weight(receiver)
    for n in range(100):
        receiver.on_rtp(
            rtp_packet(bytes(1000), payload_type=96, sequence=2 * n, timestamp=n, ssrc=1), 0.0
        )
    assert weight(receiver) > empty + 90_000
    assert weight(receiver, receiver) == weight(receiver)
