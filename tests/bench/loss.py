"""What a bad network costs: frames, stalls, and the recorder's time, beside a run without loss.

Each row is a recorder process of its own and senders that behave as browsers do, each behind a
relay that loses, delays, reorders and duplicates datagrams the same way each time, both ways. The
last rows have a real Chromium as the sender, whose encoder goes down with its bitrate by itself.

    python -m tests.bench.loss [--senders 4] [--seconds 10] [--no-chromium]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import async_playwright

from recorder.frames import Kind
from tests.bench import media
from tests.bench.recorder_cost import cpu_seconds
from tests.faults.lossy import CALM, LossyPath, Weather
from tests.faults.lossy_run import running
from tests.recorder.harness import Captured
from tests.recorder.publishers import CHROMIUM_FLAGS, PAGE_ANSWERS

LOSSES = (0.0, 0.01, 0.05, 0.1, 0.2)
ROUND_TRIPS_MS = (50.0, 150.0)
WORST = [Weather(ms, 0.2, overtaking=0.25, twice=0.1) for ms in ROUND_TRIPS_MS]
WEATHER = [Weather(ms, loss) for ms in ROUND_TRIPS_MS for loss in LOSSES] + WORST
CHROMIUM = [CALM, Weather(50, 0.05), WORST[0]]
SENT = """async () => {
  const found = [...(await pc.getStats()).values()].filter(s => s.type === 'outbound-rtp');
  const video = found.find(s => s.kind === 'video'), audio = found.find(s => s.kind === 'audio');
  return [video.framesSent, audio.packetsSent - (audio.retransmittedPacketsSent ?? 0),
          video.nackCount];
}"""

HEAD = (
    "round trip  loss each way   video stored  audio stored  longest stall  gaps named"
    "  asks a second  CPU ms a second   beside no loss"
)


@dataclass(frozen=True)
class Row:
    """What came of one weather; for each sender and second where it says so."""

    weather: Weather
    video: float
    audio: float
    stall_ms: float
    gaps: int
    asks: float
    """Packets that the senders were asked for again, and heard of it."""
    cpu_ms: float = 0.0


async def measure_one(source: Path, weather: Weather, senders: int, seconds: float) -> Row:
    """One row, with synthetic senders."""
    with tempfile.TemporaryDirectory() as name:
        async with running(Path(name), source, senders) as run:
            before = cpu_seconds(run.domain.pid)
            sent = await run.send([weather] * senders, seconds)
            used = cpu_seconds(run.domain.pid) - before
            await run.domain.close_gates()
            tracks = [await run.stored(number) for number in range(senders)]
    for track in tracks:
        assert track.complaint == "", track.complaint
        assert not track.unsaid(track.video, "video.lost"), "a hole that the manifest does not name"
        assert not track.unsaid(track.audio, "audio.lost"), "a hole that the manifest does not name"
    total = {key: sum(each[key] for each in sent) for key in sent[0]}
    return Row(
        weather,
        video=sum(len(track.video) for track in tracks) / total["video"],
        audio=sum(len(track.audio) for track in tracks) / total["audio"],
        stall_ms=max(track.stall_ms for track in tracks),
        gaps=sum(len(track.gaps) for track in tracks),
        asks=total["nacked"] / senders / seconds,
        cpu_ms=used / senders / seconds * 1000,
    )


async def measure_chromium(weather: Weather, seconds: float) -> Row:
    """One row, with a page in a real Chromium as the sender; a leg, without a disk behind it."""
    captured, path = Captured(), LossyPath(CALM)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
        )
        try:
            page = await browser.new_page()
            await page.route("**/*", lambda route: route.fulfill(content_type="text/html", body=""))
            await page.goto("https://localhost/")
            offer = await path.open(await captured.leg.offer())
            answered = await page.evaluate(
                PAGE_ANSWERS, {"offer": offer, "audio": True, "video": True}
            )
            await captured.leg.accept(path.answer(answered["answer"]))
            captured.start()
            await captured.until(lambda: captured.count(Kind.VIDEO) > 30)
            before, had = await page.evaluate(SENT), [captured.count(kind) for kind in Kind]
            path.weather = weather
            await asyncio.sleep(seconds)
            path.weather = CALM
            await asyncio.sleep(1.0)  # for what is still missing: that nothing is, nobody says
            after = await page.evaluate(SENT)
            stored = [captured.count(kind) - count for kind, count in zip(Kind, had, strict=True)]
        finally:
            await captured.close()
            await browser.close()
            path.close()
    times = [frame.timestamp_ms for frame in captured.of(Kind.VIDEO)]
    sent = [max(1, b - a) for a, b in zip(before, after, strict=True)]
    return Row(
        weather,
        video=stored[0] / sent[0],
        audio=stored[1] / sent[1],
        stall_ms=max(b - a for a, b in itertools.pairwise(times)),
        gaps=sum(frame.after_loss for frame in captured.frames),
        asks=sent[2] / seconds,
    )


def line(row: Row, calm: Row | None) -> str:
    """One row of the table."""
    also = " +" if row.weather.overtaking else "  "
    cpu = f"{row.cpu_ms:15.2f}" if row.cpu_ms else " " * 15
    ratio = f"{row.cpu_ms / calm.cpu_ms:17.2f}" if calm is not None and row.cpu_ms else ""
    return (
        f"{row.weather.round_trip_ms:7.0f} ms {100 * row.weather.loss:10.0f} %{also}"
        f"{100 * row.video:13.2f} % {100 * row.audio:11.2f} % {row.stall_ms:11.0f} ms"
        f"{row.gaps:12}{row.asks:15.1f}{cpu}{ratio}"
    )


async def measure(senders: int = 4, seconds: float = 10.0, *, chromium: bool = True) -> None:
    """Print the table."""
    print(f"\nloss: {senders} senders of 720p30 at 1.5 Mbit/s, {seconds:.0f} s each; load", end=" ")
    print(f"{os.getloadavg()[0]:.1f}; +: a quarter of the packets overtake, a tenth come twice")
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source.ivf"
        media.encode(source, 6)
        calm: Row | None = None
        for weather in WEATHER:
            row = await measure_one(source, weather, senders, seconds)
            calm = calm or row
            print(line(row, calm), flush=True)
    if chromium and shutil.which("chromium"):
        print("Chromium as the sender (gaps: losses that stayed)", flush=True)
        for weather in CHROMIUM:
            print(line(await measure_chromium(weather, seconds), None), flush=True)


def main() -> None:
    """Read the options, and measure."""
    options = argparse.ArgumentParser(prog="python -m tests.bench.loss")
    options.add_argument("--senders", type=int, default=4)
    options.add_argument("--seconds", type=float, default=10.0)
    options.add_argument("--no-chromium", action="store_true")
    given = options.parse_args()
    asyncio.run(measure(given.senders, given.seconds, chromium=not given.no_chromium))


if __name__ == "__main__":
    main()
