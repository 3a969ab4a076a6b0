"""What a recorded publisher costs: our worker process beside Janus, fed by the same publishers.

Both run all the time and are fed in turn, a slice each, so that a noisy machine is noisy for
both. Counted is the CPU time of the whole process, user and system, all threads, between the
warm-up and the end of each slice; and every frame that was sent, against what was stored.

    python -m tests.bench.recorder_cost [--publishers 8 32] [--rounds 3] [--slice 10]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avsession.tasks import Tasks
from tests.bench import media
from tests.bench.domain import Domain, party_names
from tests.bench.janus import Janus

WARM_S = 2.0
PER_PROCESS = 8
GRACE_S = 1.5
"""After a slice, for what is still on its way to the disk."""
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
INTERFACE = "bench0"


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all its threads, those that ended too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def resident_bytes(pid: int) -> int:
    """RSS."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Side:
    """One recorder's figures."""

    name: str
    pid: int
    slices: list[float] = field(default_factory=list)
    """Milliseconds of CPU per publisher and second, one a slice."""
    resident: int = 0
    frames: tuple[int, int] = (0, 0)
    sent: tuple[int, int] = (0, 0)
    late: int = 0
    again: int = 0
    packets: int = 0

    @property
    def mean(self) -> float:
        """Over all slices."""
        return statistics.fmean(self.slices)

    @property
    def stored(self) -> float:
        """Of the frames that were sent, video and audio together."""
        return sum(self.frames) / max(1, sum(self.sent))


class Farm:
    """Processes of publishers."""

    def __init__(self, source: Path) -> None:
        self._source = source
        self._processes: list[asyncio.subprocess.Process] = []
        self._tasks = Tasks()
        self._waiting: dict[tuple[int, str, str], asyncio.Future[dict[str, Any]]] = {}

    async def start(self, count: int) -> None:
        """Start as many processes as ``count`` publishers need."""
        for _ in range(-(-count // PER_PROCESS)):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.bench.publisher", str(self._source),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 20,
            )  # fmt: skip
            self._tasks.spawn(self._read(len(self._processes), process), name="publishers")
            self._processes.append(process)

    async def stop(self) -> None:
        """End them."""
        for process in self._processes:
            if process.returncode is None:
                process.terminate()
            await process.wait()
        await self._tasks.close()

    def expect(self, index: int, event: str, name: str = "") -> asyncio.Future[dict[str, Any]]:
        """What a process will say."""
        return self._waiting.setdefault(
            (index, event, name), asyncio.get_running_loop().create_future()
        )

    async def order(self, index: int, event: str, **fields: Any) -> dict[str, Any]:
        """Say something to a process, and wait for its answer."""
        process = self._processes[index]
        assert process.stdin is not None
        answer = self.expect(index, event, fields.get("name", ""))
        process.stdin.write(json.dumps(fields).encode() + b"\n")
        async with asyncio.timeout(60):
            return await answer

    async def send(self, side: str, count: int, start: float, stop: float) -> None:
        """Let the publishers of one side send, all processes at once."""
        groups = [
            [f"{side}{n}" for n in range(count) if n // PER_PROCESS == index]
            for index in range(len(self._processes))
        ]
        await asyncio.gather(
            *(
                self.order(index, "sent", op="send", names=names, start=start, stop=stop)
                for index, names in enumerate(groups)
                if names
            )
        )

    async def counts(self, side: str) -> dict[str, int]:
        """Everything that the publishers of one side counted, together."""
        total: dict[str, int] = {}
        for index in range(len(self._processes)):
            reply = await self.order(index, "report", op="report")
            for name, counts in reply["counts"].items():
                if name.startswith(side):
                    for key, value in counts.items():
                        total[key] = total.get(key, 0) + value
        return total

    async def _read(self, index: int, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            said = json.loads(line)
            key = (index, said["event"], said.get("name", ""))
            self.expect(*key).set_result(said)
            del self._waiting[key]


async def compare(
    folder: Path, source: Path, count: int, rounds: int, slice_s: float, only: str = ""
) -> list[Side]:
    """One comparison with so many publishers."""
    farm = Farm(source)

    async def offered(_recording: str, party: str, sdp: str) -> None:
        number = numbers[party]
        index = number // PER_PROCESS

        async def reply() -> None:
            name = f"ours{number}"
            answer = await farm.order(index, "answer", op="answer", name=name, sdp=sdp)
            await domain.answer(_recording, party, answer["sdp"])

        connected[number] = farm.expect(index, "connected", f"ours{number}")
        tasks.spawn(reply(), name="answer")

    numbers = {party_names(number)[1]: number for number in range(count)}
    connected: dict[int, asyncio.Future[dict[str, Any]]] = {}
    tasks = Tasks()
    domain, janus = Domain(folder, offered), Janus(folder, interface())
    try:
        await farm.start(count)
        sides: list[Side] = []
        if only != "janus":
            await domain.start(capacity=count)
            sides.append(Side("ours", domain.pid))
            await domain.capture(range(count))
            await domain.until(lambda: len(connected) == count)
            await asyncio.wait_for(asyncio.gather(*connected.values()), 30)
        if only != "ours":
            await janus.start()
            sides.append(Side("janus", janus.pid))
            for number in range(count):
                index, name = number // PER_PROCESS, f"janus{number}"
                offer = await farm.order(index, "offer", op="offer", name=name)
                answer = await janus.publish(offer["sdp"])
                await farm.order(index, "connected", op="accept", name=name, sdp=answer)
        for _ in range(rounds):
            for side in sides:
                await one_slice(farm, side, count, slice_s)
        if only != "janus":
            await domain.close_gates()
            if domain.problems:
                print("the recorder complained:", domain.problems)
        for side in sides:
            counts = await farm.counts(side.name)
            side.sent = counts["video"], counts["audio"]
            side.late, side.again = counts["late"], counts["again"]
            side.packets = counts["packets"]
    finally:
        await farm.stop()
        await domain.stop()
        await janus.stop()
        await tasks.close()
    for side in sides:
        side.frames = janus.frames() if side.name == "janus" else domain.frames()
    return sides


async def one_slice(farm: Farm, side: Side, count: int, slice_s: float) -> None:
    """Feed one side, and take its time."""
    start = time.monotonic() + 0.2
    stop = start + WARM_S + slice_s
    sending = asyncio.ensure_future(farm.send(side.name, count, start, stop))  # noqa: TID251
    await asyncio.sleep(start + WARM_S - time.monotonic())
    before, since = cpu_seconds(side.pid), time.monotonic()
    await asyncio.sleep(stop - time.monotonic() - 0.1)
    used, lasted = cpu_seconds(side.pid) - before, time.monotonic() - since
    side.slices.append(used / lasted / count * 1000)
    side.resident = resident_bytes(side.pid)
    await sending
    await asyncio.sleep(GRACE_S)


def report(results: dict[int, list[Side]], bits: float) -> None:
    """The table."""
    print(f"\nrecorder cost: 720p30 VP8 {bits / 1e6:.2f} Mbit/s and Opus, AES-128-CM SHA1-80")
    print(f"load of this machine over the last minute: {os.getloadavg()[0]:.1f}")
    print(
        "publishers        CPU ms per publisher and second    frames stored        RSS  sent late"
    )
    for count, sides in results.items():
        for side in sides:
            spread = f"({min(side.slices):.2f} to {max(side.slices):.2f})"
            frames = f"{100 * side.stored:.3f} % of {sum(side.sent)}"
            print(
                f"{count:6} {side.name:7} {side.mean:12.2f} {spread:18} {frames:>24} "
                f"{side.resident / 1e6:8.1f} MB {100 * side.late / max(1, side.packets):.2f} %"
            )
        if len(sides) == 2:
            ratios = [o / j for o, j in zip(sides[0].slices, sides[1].slices, strict=True)]
            print(
                f"{count:6} ratio   {sides[0].mean / sides[1].mean:12.2f} "
                f"({min(ratios):.2f} to {max(ratios):.2f}); at most 0.50 is aimed at"
            )
    few, many = min(results), max(results)
    if few != many:
        for one, other in zip(results[few], results[many], strict=True):
            more = (other.resident - one.resident) / (many - few) / 1e6
            print(f"{one.name}: {more:.2f} MB for each further publisher")


def interface() -> str:
    """The device of `isolated`, or none in particular."""
    return INTERFACE if INTERFACE in (name for _, name in socket.if_nameindex()) else ""


def isolated(arguments: list[str]) -> int | None:
    """Measure in a network of its own, where possible: nobody outside is reached.

    Janus leaves the loopback device out, so the media's address is on one of a pair of virtual
    ones. Returns the exit status, or None where such a network cannot be made.
    """
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("ip") is None:
        return None
    script = (
        f"ip link set lo up && ip link add {INTERFACE} type veth peer name {INTERFACE}p "
        f"&& ip link set {INTERFACE} addrgenmode none && ip addr add 10.9.9.1/24 dev {INTERFACE} "
        f'&& ip link set {INTERFACE} up && ip link set {INTERFACE}p up && exec "$@"'
    )
    again = [sys.executable, "-m", "tests.bench.recorder_cost", "--inside", *arguments]
    return subprocess.run(
        ["unshare", "--net", "sh", "-c", script, "sh", *again], check=False
    ).returncode


def main(arguments: list[str]) -> int:
    """Measure and print."""
    options = argparse.ArgumentParser(prog="python -m tests.bench.recorder_cost")
    options.add_argument("--publishers", type=int, nargs="+", default=[8, 32])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--slice", type=float, default=10.0)
    options.add_argument("--only", choices=["ours", "janus"], default="")
    options.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args(arguments)
    if not given.inside and (status := isolated(arguments)) is not None:
        return status
    if shutil.which("janus") is None and given.only != "ours":
        print("recorder: janus is not installed; ours alone (Debian: apt-get install janus)")
        given.only = "ours"
    results: dict[int, list[Side]] = {}
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source.ivf"
        media.encode(source)
        bits = media.bitrate(media.read(source))
        for count in given.publishers:
            folder = Path(name) / str(count)
            folder.mkdir()
            results[count] = asyncio.run(
                compare(folder, source, count, given.rounds, given.slice, given.only)
            )
    report(results, bits)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
