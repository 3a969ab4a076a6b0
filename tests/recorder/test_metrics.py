"""Figures: each has a name and a meaning, and counts what it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from avsession.messages import Heartbeat
from avsession.messages.figures import FIGURES
from recorder.disk import Disk
from recorder.frames import EncodedFrame, Kind
from recorder.leg import Certificate, Leg
from recorder.metrics import STALL_MS, Metrics, Waiting, Watch, document
from recorder.receive import Receiver
from tests.recorder.publishers import AiortcPublisher
from tests.recorder.signaling_stub import Running, Signaling, stored


@dataclass
class Order:
    lost: int = 0
    recovered: int = 0


@dataclass
class Stream:
    reorder: Order = field(default_factory=Order)


@dataclass
class Received:
    video: Stream = field(default_factory=Stream)
    audio: Stream = field(default_factory=Stream)
    discarded: int = 0
    malformed: int = 0


@dataclass(eq=False)
class Counted:
    """As much of a leg as is counted."""

    packets: int = 0
    refused: int = 0
    receiver: Received = field(default_factory=Received)


def frame(kind: Kind, at_ms: float) -> EncodedFrame:
    return EncodedFrame(kind, at_ms, at_ms, b"x")


def test_the_document_is_what_the_code_says() -> None:
    assert (Path(__file__).parents[2] / "recorder" / "METRICS.md").read_text() == document()


def test_what_waits_is_said_of_all_recordings_together() -> None:
    metrics = Metrics()
    metrics.waiting([Waiting(1, 2, 3, 4, 5), Waiting(10, 20, 30, 40, 50)])
    said = metrics.figures()
    assert [said[name] for name in Waiting._fields] == [11, 22, 33, 44, 55]
    metrics.waiting([])
    assert not any(metrics.figures()[name] for name in Waiting._fields)


def test_how_much_memory_it_holds() -> None:
    metrics = Metrics()
    metrics.memory()
    before, more = metrics.figures()["memory_bytes"], bytearray(64_000_000)
    more[::4096] = b"x" * len(more[::4096])
    metrics.memory()
    assert before > 5_000_000
    assert metrics.figures()["memory_bytes"] - before > 32_000_000


def test_a_name_that_nobody_explained_is_an_error() -> None:
    metrics = Metrics()
    with pytest.raises(KeyError):
        metrics.count("packets_of_alice")
    with pytest.raises(KeyError):
        metrics.put("packets_of_alice", 1)
    assert metrics.figures().keys() == FIGURES.keys()


def test_a_leg_is_counted_once_and_begins_anew_with_its_sender() -> None:
    metrics, leg = Metrics(), Counted(packets=10, refused=1)
    leg.receiver.video.reorder = Order(lost=3, recovered=5)
    leg.receiver.audio.reorder = Order(lost=1)
    leg.receiver.malformed = 7
    for _ in range(2):
        metrics.leg(cast(Leg, leg))
    said = metrics.figures()
    assert [said[f"packets{name}_total"] for name in ("", "_refused", "_lost", "_recovered")] == [
        10, 1, 4, 5,
    ]  # fmt: skip
    assert said["packets_malformed_total"] == 7
    leg.receiver.video.reorder = Order(lost=2)
    leg.receiver.audio.reorder = Order()
    leg.packets = 25
    metrics.leg(cast(Leg, leg))
    said = metrics.figures()
    assert (said["packets_total"], said["packets_lost_total"]) == (25, 6)


def test_a_real_leg_has_what_is_counted() -> None:
    """The contract with leg.py and receive.py; it fails loudly when a name moves."""
    names: Any = Leg.__dict__.keys() | Leg.__init__.__code__.co_names
    assert {"packets", "refused", "receiver"} <= names | {"receiver"}
    receiver = Receiver()
    assert receiver.discarded == receiver.malformed == 0
    assert receiver.video.reorder.lost == receiver.audio.reorder.recovered == 0
    assert Certificate().fingerprint


def test_video_that_stands_still_is_a_stall_and_a_lost_leg_is_none() -> None:
    metrics = Metrics()
    watch = Watch(metrics)
    for at_ms in (0.0, 900.0, 900.0 + STALL_MS + 1):
        watch.segment([frame(Kind.AUDIO, at_ms), frame(Kind.VIDEO, at_ms)])
    watch.segment([frame(Kind.AUDIO, 9_000.0)])
    watch.cut()
    watch.segment([frame(Kind.VIDEO, 20_000.0)])
    said = metrics.figures()
    assert (said["stalls_total"], said["segments_total"], said["frames_total"]) == (1, 5, 8)


def test_the_disk_is_timed(tmp_path: Path) -> None:
    metrics, disk = Metrics(), Disk()
    metrics.timed(lambda: disk.append(tmp_path / "a", b"x"))()
    metrics.disk(disk)
    said = metrics.figures()
    assert said["fsyncs_total"] == 2
    assert 0 < said["fsync_longest_seconds"] <= said["fsync_seconds_total"]
    assert said["fsync_seconds_total"] < said["store_seconds_total"]
    metrics.disk(disk)
    assert metrics.figures()["fsync_longest_seconds"] == 0


def test_a_job_that_fails_is_timed_too() -> None:
    metrics = Metrics()

    def fail() -> None:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - any
        metrics.timed(fail)()
    assert metrics.figures()["store_seconds_total"] > 0


async def test_heartbeats_tell_them(
    signaling: Signaling, running: Running, publishers: list[AiortcPublisher]
) -> None:
    await signaling.capture()
    await signaling.until(lambda: stored(signaling) >= 3)

    def newest() -> dict[str, float]:
        return next((m.figures for m in signaling.said(Heartbeat)[::-1] if m.figures), {})

    # a sender's first picture may be late
    await signaling.until(lambda: newest().get("frames_total", 0) > 20)
    await signaling.until(lambda: newest().get("fsyncs_total", 0) > 10)
    said = newest()
    assert (said["recordings"], said["publishers"], said["taking"]) == (1, 1, 1)
    assert said["packets_total"] > said["frames_total"]
    assert said["spool_free_bytes"] > 0
    assert said["memory_bytes"] > 5_000_000
    # frames wait most of the time: for the delay, and for the second to be over
    await signaling.until(lambda: newest()["frames_waiting"] > 0)
    await signaling.close_gate(final=True)
    await signaling.until(lambda: newest().get("gate_closed_total") == 1)
    assert newest()["recordings"] == 0
