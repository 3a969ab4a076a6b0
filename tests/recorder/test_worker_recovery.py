import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from avsession.messages import LegLost, LegOffer, WorkerHello
from avsession.recording import Attach, Detach, End, Gap, Sealed
from tests.recorder.harness import decode
from tests.recorder.publishers import AiortcPublisher
from tests.recorder.signaling_stub import (
    PARTY,
    RECORDING,
    TRACK,
    Running,
    Signaling,
    stored,
)


async def test_a_lost_leg_is_made_again_and_the_gap_is_said(
    signaling: Signaling, running: Running, publishers: list[AiortcPublisher]
) -> None:
    await signaling.capture()
    await signaling.until(lambda: stored(signaling) >= 2)
    await signaling.say(LegLost(recording=RECORDING, generation=1, party=PARTY, reason="test"))
    await signaling.until(lambda: signaling.entries(Gap))
    await signaling.until(lambda: signaling.states().count("capturing") == 2)
    gap = signaling.entries(Gap)[0]
    assert gap.reason == "leg.lost"
    after = next(s for s in signaling.entries(Sealed) if s.n > gap.n)
    assert after.start_ms == gap.end_ms
    await signaling.close_gate(final=True)
    await signaling.until(lambda: signaling.manifest.complete)


async def test_another_generation_goes_on_in_the_same_chain(
    signaling: Signaling, running: Running, publishers: list[AiortcPublisher], tmp_path: Path
) -> None:
    await signaling.capture(1)
    await signaling.until(lambda: stored(signaling) >= 3)
    await signaling.close_gate(1, final=False)
    await signaling.until(lambda: signaling.entries(Detach))
    await signaling.capture(2)
    await signaling.until(lambda: any(s.generation == 2 for s in signaling.entries(Sealed)))
    await signaling.close_gate(2, final=True)
    await signaling.until(lambda: signaling.manifest.complete)
    assert [a.generation for a in signaling.entries(Attach)] == [1, 2]
    path = tmp_path / "both.webm"
    path.write_bytes(signaling.plain())
    assert decode(path) == ""


@pytest.mark.parametrize("how", ["goes on", "is stopped", "is killed"])
async def test_a_pause_is_a_gap_of_its_own_kind(
    signaling: Signaling, publishers: list[AiortcPublisher], how: str
) -> None:
    """Nothing of it is stored though media goes on arriving; it is no loss, whoever restarts."""
    running = Running(signaling)
    await signaling.until(lambda: signaling.hello)
    await signaling.capture(1)
    await signaling.until(lambda: stored(signaling) >= 3)
    paused = await signaling.close_gate(1, final=False, reason="paused")
    await signaling.until(lambda: signaling.entries(Detach))
    listed = len(signaling.entries(Sealed))
    if how != "goes on":
        signaling.hello = None
        await (running.stop() if how == "is stopped" else running.kill())
        running = Running(signaling)
        await signaling.until(lambda: signaling.hello)
    assert len(signaling.entries(Sealed)) == listed
    resumed = int(signaling.now_ms)
    await signaling.capture(2)
    await signaling.until(lambda: any(s.generation == 2 for s in signaling.entries(Sealed)))
    await signaling.close_gate(2, final=True)
    await signaling.until(lambda: signaling.manifest.complete)
    assert [d.reason for d in signaling.entries(Detach)] == ["paused", "withdrawn"]
    (gap,) = signaling.entries(Gap)
    assert gap.reason == "paused"
    assert signaling.entries(End)[0].state == "sealed"
    epoch = signaling.manifest.begin.epoch_ms
    for segment in signaling.entries(Sealed):
        if segment.generation == 1:
            assert segment.captured_ms + segment.uncertainty_ms <= paused
            assert segment.end_ms <= gap.start_ms
        else:
            assert epoch + segment.start_ms + segment.uncertainty_ms + 1 >= resumed
            assert segment.start_ms >= gap.end_ms
    await running.stop()


async def test_without_signaling_the_gate_closes_by_itself(
    signaling: Signaling, running: Running, publishers: list[AiortcPublisher]
) -> None:
    await signaling.capture()
    await signaling.until(lambda: stored(signaling) >= 2)
    signaling.answer_heartbeats = False
    stopped = signaling.now_ms
    await signaling.until(lambda: signaling.entries(Detach))
    assert signaling.entries(Detach)[0].reason == "signaling.lost"
    assert all(s.captured_ms < stopped + 5_200 for s in signaling.entries(Sealed))
    assert 3_500 < signaling.now_ms - stopped < 7_000
    # it comes back: what is live is not what was, and nothing starts without a new grant
    signaling.answer_heartbeats = True
    before = len(signaling.lines)
    await signaling.capture(2)
    await signaling.until(lambda: any(s.generation == 2 for s in signaling.entries(Sealed)))
    assert any(g.reason == "signaling.lost" for g in signaling.entries(Gap))
    assert len(signaling.lines) > before


async def test_a_short_break_of_the_link_costs_nothing(
    signaling: Signaling, running: Running, publishers: list[AiortcPublisher]
) -> None:
    await signaling.capture()
    await signaling.until(lambda: stored(signaling) >= 2)
    await signaling.drop()
    seen = stored(signaling)
    await signaling.until(lambda: stored(signaling) >= seen + 3)
    await signaling.close_gate(final=True)
    await signaling.until(lambda: signaling.manifest.complete)
    assert len(signaling.said(LegOffer)) == 1
    assert signaling.entries(Gap) == []
    assert signaling.plain()


async def test_a_gate_that_the_server_calls_closed_is_closed(
    signaling: Signaling, running: Running, publishers: list[AiortcPublisher]
) -> None:
    await signaling.capture()
    await signaling.until(lambda: stored(signaling) >= 2)
    signaling.live.clear()
    await signaling.until(lambda: signaling.entries(Detach))
    assert signaling.entries(Detach)[0].reason == "gate.closed"


async def test_a_crash_leaves_a_spool_that_the_next_worker_offers(
    signaling: Signaling, publishers: list[AiortcPublisher]
) -> None:
    first = Running(signaling)
    await signaling.until(lambda: signaling.hello)
    await signaling.capture()
    await signaling.until(lambda: stored(signaling) >= 3)
    await signaling.stop()  # nothing more is accepted…
    manifest = signaling.spool / RECORDING / "manifest.jsonl"
    async with asyncio.timeout(10):  # …while more media is sealed into the spool
        while manifest.read_bytes().count(b"\n") <= len(signaling.lines):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await first.kill()
    left = manifest.read_bytes()
    manifest.write_bytes(left + b'{"entry":{"kind":"en')
    known = len(signaling.lines)
    assert left.count(b"\n") > known

    signaling.hello = None
    await signaling.start()
    second = Running(signaling)
    await signaling.until(lambda: signaling.hello)
    assert signaling.said(WorkerHello)[-1].recordings == (RECORDING,)
    await signaling.until(lambda: len(signaling.lines) == left.count(b"\n"))
    # the gate is still open: the same chain goes on
    await signaling.capture(2)
    await signaling.until(lambda: any(s.generation == 2 for s in signaling.entries(Sealed)))
    await signaling.close_gate(2, final=True)
    await signaling.until(lambda: signaling.manifest.complete)
    assert [d.reason for d in signaling.entries(Detach)] == ["worker.restarted", "withdrawn"]
    assert [g.reason for g in signaling.entries(Gap)] == ["worker.restarted"]
    assert signaling.entries(End)[0].state == "interrupted"
    await second.stop()


async def test_stop_leaves_what_is_going_on_to_the_next_start(
    signaling: Signaling, publishers: list[AiortcPublisher]
) -> None:
    """Everything is written and reported, but only the server says that a recording is over."""
    running = Running(signaling)
    await signaling.until(lambda: signaling.hello)
    await signaling.capture()
    await signaling.until(lambda: stored(signaling) >= 2)
    async with asyncio.timeout(5):
        await running.stop()
    assert [d.reason for d in signaling.entries(Detach)] == ["worker.stopping"]
    assert not signaling.manifest.complete
    assert (signaling.spool / RECORDING).exists()

    signaling.live.clear()
    signaling.hello = None
    running = Running(signaling)
    await signaling.until(lambda: signaling.hello)
    await signaling.close_gate(final=True)
    await signaling.until(lambda: signaling.manifest.complete)
    assert signaling.entries(End)[0].state == "sealed"
    await signaling.until(lambda: not (signaling.spool / RECORDING).exists())
    await running.stop()


async def test_sigterm_ends_a_worker_process_in_order(
    signaling: Signaling, publishers: list[AiortcPublisher]
) -> None:
    process = await start_process(signaling)
    try:
        await signaling.capture()
        await signaling.until(lambda: stored(signaling) >= 2)
        os.kill(process.pid, signal.SIGTERM)
        async with asyncio.timeout(8):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert [d.reason for d in signaling.entries(Detach)] == ["worker.stopping"]
    assert signaling.plain()


async def start_process(signaling: Signaling) -> asyncio.subprocess.Process:
    """A worker in a process of its own, connected."""
    config = signaling.config
    signaling.hello = None
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "recorder", "--url", config.url, "--worker", config.worker,
        "--credential", str(config.credential), f"--grant-key={config.grant_key}",
        "--spool", str(config.spool),
    )  # fmt: skip
    await signaling.until(lambda: signaling.hello)
    return process


async def test_sigkill_loses_at_most_two_seconds(
    signaling: Signaling, publishers: list[AiortcPublisher], tmp_path: Path
) -> None:
    first = await start_process(signaling)
    await signaling.capture()
    await signaling.until(lambda: stored(signaling) >= 3)
    killed_ms = signaling.now_ms
    first.kill()
    await first.wait()
    signaling.live.clear()
    second = await start_process(signaling)
    try:
        await signaling.close_gate(final=True, closed_ms=int(killed_ms) + 1000)
        await signaling.until(lambda: signaling.manifest.complete)
    finally:
        second.terminate()
        await second.wait()
    assert signaling.entries(End)[0].state == "interrupted"
    last = signaling.manifest.segments(TRACK)[-1]
    assert killed_ms - last.captured_ms <= 2_000
    path = tmp_path / "killed.webm"
    path.write_bytes(signaling.plain())
    assert decode(path) == ""
