"""How large a machine has to be: what a call takes, and what a recording takes.

The product as it is started by `avsession serve`, on SQLite in one folder, its recorder a process
of its own; calls and publishers are real (`tests/bench/callers.py`, `tests/bench/publisher.py`) and
run beside it on the same machine. Counted is CPU time of each process, so that what runs beside it
costs it a share of the caches and no more. What is measured counts only if everything happened that
was asked for: this is looked at, and said in the last line.

    python -m tests.bench.sizes [--parts calls recordings relay]
        [--calls 50 150 300] [--recordings 2 8 16] [--window 8]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from avsession.recording import Sealed, decode_line
from avsession.tasks import Tasks
from tests.bench import echo, media, relay, sizes_told
from tests.bench.callers import PING_S, Call, Callers
from tests.bench.processes import Stretch, pss_bytes
from tests.bench.recorder_cost import GRACE_S, PER_PROCESS, WARM_S, Farm
from tests.bench.sizes_told import Found, Recorded, Talked
from tests.browser.product import Product, until
from tests.faults.outside import Person

ENOUGH = 0.999
"""Of the frames that were sent, so many must be stored."""
IDLE_S = 6.0
LOOKS = 25
"""Times that the page is loaded alone."""
SETTLE_S = 3.0
"""After joining, before anything is counted."""
ECHOED = 400
"""Connections to the peer: those of 200 calls."""
RELAYED, RELAYED_S = 16, 4.0
PARTS = ("calls", "recordings", "relay")
OVER = ("sealed", "interrupted")


class Bench:
    """What is measured, one thing after the other."""

    def __init__(self, folder: Path, window_s: float) -> None:
        self.folder, self.window_s = folder, window_s
        self.found = Found()
        self._began = time.monotonic()

    async def talk(self, counts: list[int]) -> None:
        """Calls that nobody records, more and more."""
        found = self.found
        async with self._product("calls") as (product, callers):
            worker = product.worker_pids()[0]
            await asyncio.sleep(SETTLE_S)
            idle = Stretch(server=product.pid, recorder=worker)
            await asyncio.sleep(IDLE_S)
            found.idle = idle.end()
            found.base = {"server": pss_bytes(product.pid), "recorder": pss_bytes(worker)}
            looking = Stretch(server=product.pid)
            await callers.look_in(LOOKS)
            found.page_ms = looking.end().cpu_s["server"] / LOOKS * 1000
            before = Stored(product)
            for count in counts:
                found.core.look()
                busy = (found.talked[-1].window if found.talked else found.idle).share("server")
                joining = Stretch(server=product.pid)
                joined = await callers.add(count - len(callers.calls))
                joining.end()
                await asyncio.sleep(SETTLE_S)
                callers.trips_ms.clear()
                window = Stretch(server=product.pid)
                await asyncio.sleep(self.window_s)
                window.end()
                callers.check()
                trips, held = sorted(callers.trips_ms), pss_bytes(product.pid)
                found.talked.append(
                    Talked(len(callers.calls), joining, len(joined), busy, window, held, trips)
                )
                self._say(f"{count} calls, {found.talked[-1].join_ms:.0f} CPU ms a join")
            found.page = len(callers.files), callers.loaded_bytes
            count, ending = len(callers.calls), Stretch(server=product.pid)
            await callers.end(list(callers.calls))
            ending.end()
            found.ending_ms = ending.cpu_s["server"] / count * 1000
            after = Stored(product)
            found.call_bytes = (after.database - before.database) / count
            found.call_leaves = (after.leaves - before.leaves) / count

    async def peer(self) -> None:
        """The same pings to a server that only says them back."""
        folder = self.folder / "echo"
        folder.mkdir()
        try:
            self.found.echoed = await echo.measure(folder, ECHOED, PING_S, self.window_s / 2)
        except (RuntimeError, OSError) as error:
            self.found.troubles.append(f"the peer: {error}")
        self._say(f"the peer, {ECHOED} connections")

    async def record(self, counts: list[int], source: Path) -> None:
        """Calls that are recorded, more and more; those before are over each time."""
        capacity = str(max(counts))
        async with self._product("recordings", recorder_capacity=capacity) as (product, callers):
            await asyncio.sleep(SETTLE_S)
            self.found.base["recorder"] = pss_bytes(product.worker_pids()[0])
            for count in counts:
                self.found.core.look()
                farm = Farm(source)
                try:
                    await farm.start(2 * count)
                    await self._recorded(product, callers, farm, count)
                finally:
                    await farm.stop()
                self._say(f"{count} recordings")

    async def relayed(self) -> None:
        """What a relay takes."""
        if shutil.which("turnserver") is None:
            print("coturn is not installed (Debian: coturn), and so not measured")
            return
        self.found.core.look()
        self.found.relayed = await relay.measure(RELAYED, RELAYED_S)
        if self.found.relayed.arrived < ENOUGH:
            self.found.troubles.append(f"the relay lost {1 - self.found.relayed.arrived:.2%}")
        self._say("the relay")

    async def _recorded(self, product: Product, callers: Callers, farm: Farm, count: int) -> None:
        pids = {"server": product.pid, "recorder": product.worker_pids()[0]}
        calls = await callers.add(count)
        await asyncio.sleep(SETTLE_S)
        empty, around = Stored(product), Stretch(**pids)
        async with asyncio.TaskGroup() as group:
            for number, call in enumerate(calls):
                group.create_task(begin(call, farm, 2 * number))
        around.end()
        start = time.monotonic() + 0.2
        stop = start + WARM_S + self.window_s
        tasks = Tasks()
        sending = tasks.spawn(farm.send("p", 2 * count, start, stop), name="sending")
        await asyncio.sleep(start + WARM_S - time.monotonic())
        before, window = Stored(product), Stretch(**pids)
        await asyncio.sleep(stop - time.monotonic() - 0.1)
        window.end()
        after, held = Stored(product), {name: pss_bytes(pid) for name, pid in pids.items()}
        await sending
        await asyncio.sleep(GRACE_S)
        callers.check()
        sent = await farm.counts("p")
        ending = Stretch(**pids)
        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(call.stop())
        requests = [call.request for call in calls]
        query = f"select * from recording where request in ({','.join('?' * count)})"  # noqa: S608
        rows = await until("they are sealed", lambda: over(product, query, requests), 60)
        ending.end()
        await callers.end(calls)
        full = Stored(product)
        frames, video, sealed, segments = kept(product, [row["id"] for row in rows])
        seconds = video / media.RATE / 2
        growth = (after.database - before.database) / (count * window.lasted_s)
        found = Recorded(
            count=count,
            window=window,
            held=held,
            around_ms={
                name: (around.cpu_s[name] + ending.cpu_s[name]) / count * 1000 for name in pids
            },
            seconds=seconds,
            frames=(frames, sent["video"] + sent["audio"]),
            late=sent["late"] / max(1, sent["packets"]),
            media_bytes=sent["bytes"],
            sealed_bytes=sealed,
            segments=segments,
            database_a_second=growth,
            database_a_call=(full.database - empty.database - growth * seconds) / count,
            leaves_a_call=(full.leaves - empty.leaves) / count,
        )
        self.found.recorded.append(found)
        if len(calls) != count or len(rows) != count:
            self.found.troubles.append(f"{len(rows)} of {count} calls were recorded")
        if found.stored < ENOUGH:
            self.found.troubles.append(f"{found.stored:.2%} of the frames were stored")
        self.found.troubles += [
            f"a recording ended as {row['state']}" for row in rows if row["state"] != "sealed"
        ]

    @asynccontextmanager
    async def _product(self, name: str, **settings: str) -> AsyncIterator[tuple[Product, Callers]]:
        product = Product(self.folder / name, recorder_min_free_mb="1", **settings)
        await product.start()
        callers = Callers(product)
        try:
            await callers.open()
            await until("a recorder", product.worker_pids)
            yield product, callers
        finally:
            self.found.troubles += callers.troubles
            await callers.close()
            await product.stop()

    def _say(self, what: str) -> None:
        print(f"  {time.monotonic() - self._began:4.0f} s: {what}", flush=True)


class Stored:
    """What the database holds right now."""

    def __init__(self, product: Product) -> None:
        def pragma(name: str) -> int:
            return int(product.rows(f"pragma {name}")[0][name])

        used = pragma("page_count") - pragma("freelist_count")
        self.database = used * pragma("page_size")
        """Bytes in use."""
        self.leaves = int(product.rows("select count(*) as n from leaf")[0]["n"])


async def begin(call: Call, farm: Farm, first: int) -> None:
    """Everybody allows, and both legs connect: publishers ``first`` and the next."""
    after = [len(person.wire.heard) for person in call.people]
    await call.allow()

    async def leg(person: Person, since: int, number: int) -> None:
        offer = await person.wire.hear("leg.offer", after=since)
        name, index = f"p{number}", number // PER_PROCESS
        connected = farm.expect(index, "connected", name)
        answer = await farm.order(index, "answer", op="answer", name=name, sdp=offer["sdp"])
        here = {key: offer[key] for key in ("recording", "generation")}
        await person.wire.say("leg.answer", sdp=answer["sdp"], **here)
        async with asyncio.timeout(30):
            await connected

    async with asyncio.TaskGroup() as group:
        for person, since, number in zip(call.people, after, (first, first + 1), strict=True):
            group.create_task(leg(person, since, number))


def over(product: Product, query: str, requests: list[str]) -> list[dict[str, object]] | None:
    """The recordings of these requests, once all have ended."""
    rows = product.rows(query, *requests)
    done = len(rows) == len(requests) and all(row["state"] in OVER for row in rows)
    return rows if done else None


def kept(product: Product, recordings: list[object]) -> tuple[int, int, int, int]:
    """Of these recordings: frames, those of video among them, bytes of segments, segments."""
    marks = ",".join("?" * len(recordings))
    query = f"select line from manifest_entry where recording in ({marks})"  # noqa: S608
    entries = [decode_line(row["line"]).entry for row in product.rows(query, *recordings)]
    sealed = [entry for entry in entries if isinstance(entry, Sealed)]
    video, audio = sum(e.video_frames for e in sealed), sum(e.audio_frames for e in sealed)
    query = f"select sum(size) as n, count(*) as m from segment where recording in ({marks})"  # noqa: S608
    row = product.rows(query, *recordings)[0]
    return video + audio, video, int(row["n"]), int(row["m"])


async def measure(options: argparse.Namespace) -> Found:
    """Everything, in order."""
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), options.window)
        source = Path(name) / "source.ivf"
        await asyncio.to_thread(media.encode, source)
        bench.found.bits = media.bitrate(media.read(source))
        if "calls" in options.parts:
            await bench.talk(options.calls)
            await bench.peer()
        if "recordings" in options.parts:
            await bench.record(options.recordings, source)
        if "relay" in options.parts:
            await bench.relayed()
    return bench.found


def main(arguments: list[str]) -> int:
    """Measure and print."""
    options = argparse.ArgumentParser(prog="python -m tests.bench.sizes")
    options.add_argument("--calls", type=int, nargs="+", default=[50, 150, 300])
    options.add_argument("--recordings", type=int, nargs="+", default=[2, 8, 16])
    options.add_argument("--window", type=float, default=8.0)
    options.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    given = options.parse_args(arguments)
    print(f"load of this machine over the last minute: {os.getloadavg()[0]:.1f}")
    sizes_told.report(asyncio.run(measure(given)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
