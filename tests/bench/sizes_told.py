"""What `tests/bench/sizes.py` found, and how it is printed."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.bench.callers import PING_S, SENTENCE_EVERY
from tests.bench.echo import Echoed
from tests.bench.processes import Core, Stretch, cores
from tests.bench.relay import Relayed

MINUTES = 10
"""How long the calls are for which joining and ending are counted in."""


@dataclass(frozen=True)
class Talked:
    """So many calls at once, not recorded."""

    count: int
    joining: Stretch
    """While so many of them joined."""
    joined: int
    before: float
    """Of a core, what the server took until then."""
    window: Stretch
    held: int
    """Memory of the server, bytes."""
    trips_ms: list[float]
    """After how long pings were answered, in order of size."""

    @property
    def ms(self) -> float:
        """CPU of the server a second, all of them together."""
        return self.window.share("server") * 1000

    @property
    def join_ms(self) -> float:
        """CPU of the server for one that joins, above what it took already."""
        spent = self.joining.cpu_s["server"] - self.before * self.joining.lasted_s
        return spent / max(1, self.joined) * 1000


@dataclass(frozen=True)
class Recorded:
    """So many calls at once, all recorded."""

    count: int
    window: Stretch
    held: dict[str, int]
    around_ms: dict[str, float]
    """CPU that asking, allowing, connecting, stopping and sealing took, one recording."""
    seconds: float
    """Of recording, those of every call together."""
    frames: tuple[int, int]
    """Stored, and sent."""
    late: float
    """Of the packets, so many were sent more than 10 ms after their time."""
    media_bytes: int
    """What was sent of encoded video and sound, without any packet's head."""
    sealed_bytes: int
    segments: int
    database_a_second: float
    """Bytes, a recording and second."""
    database_a_call: float
    """Bytes that a recorded call leaves besides."""
    leaves_a_call: float

    @property
    def stored(self) -> float:
        """Of the frames that were sent."""
        return self.frames[0] / max(1, self.frames[1])

    def ms(self, name: str) -> float:
        """CPU of a process a second, all of them together."""
        return self.window.share(name) * 1000


@dataclass
class Found:
    """Everything that was measured."""

    core: Core = field(default_factory=Core)
    bits: float = 0.0
    """Of a publisher's video, a second."""
    idle: Stretch | None = None
    base: dict[str, int] = field(default_factory=dict)
    """Memory of each process before the first call, bytes."""
    talked: list[Talked] = field(default_factory=list)
    page: tuple[int, int] = (0, 0)
    """Requests and bytes of a customer's page."""
    page_ms: float = 0.0
    """CPU of the server for them, TLS included."""
    ending_ms: float = 0.0
    call_bytes: float = 0.0
    """What a call leaves in the database."""
    call_leaves: float = 0.0
    echoed: Echoed | None = None
    recorded: list[Recorded] = field(default_factory=list)
    relayed: Relayed | None = None
    troubles: list[str] = field(default_factory=list)
    """What did not happen as it should have."""


def slope(few: tuple[float, float], many: tuple[float, float]) -> float:
    """How much the second grows with the first; from nothing if there is only one."""
    if few[0] == many[0]:
        return many[1] / many[0]
    return (many[1] - few[1]) / (many[0] - few[0])


def a_core(ms: float) -> str:
    """How many of what takes so much CPU a second fill a core."""
    return f"{1000 / ms:.0f}" if ms > 0 else "?"


def report(found: Found) -> None:
    """Print it."""
    ms = sorted(found.core.ms_a_mb)
    print(f"\nsizes: {cores()} cores, which run callers and publishers, too; SQLite, one folder")
    print(
        f"a core here: AES-128-GCM and SHA-256 over a megabyte in {found.core.median:.2f} ms "
        f"({ms[0]:.2f} to {ms[-1]:.2f})"
    )
    if found.talked:
        _calls(found)
    if found.recorded:
        _recordings(found)
    if (relayed := found.relayed) is not None:
        a_megabit = relayed.core * 1000 / relayed.megabits
        print(
            f"\ncoturn: {relayed.megabits:.1f} Mbit/s through {relayed.ways} allocations over UDP, "
            f"{100 * relayed.arrived:.3f} % arrived: {a_megabit:.2f} CPU ms a megabit, "
            f"{a_core(a_megabit)} Mbit/s a core; memory {relayed.held / 1e6:.0f} MB"
        )
    print()
    if found.troubles:
        print(f"THIS RUN DOES NOT COUNT: {len(found.troubles)} things went wrong, such as")
        for trouble in dict.fromkeys(found.troubles[:5]):
            print(f"  {trouble}")
    else:
        said = "every call connected, every ping was answered" if found.talked else ""
        if found.recorded:
            said += f"{', ' if said else ''}the frames are stored, every recording sealed"
        print(f"this run counts: {said or 'everything was relayed'}")


def _calls(found: Found) -> None:
    assert found.idle is not None
    base = found.base["server"]
    print(
        f"\ncalls, not recorded: each of two pages pings every {PING_S:g} s, every "
        f"{SENTENCE_EVERY}th time it says something"
    )
    print("calls   server, of a core   CPU ms a call, second   memory   a ping, 50 %    99 %")
    idle = found.idle.share("server")
    print(f"    0 {100 * idle:16.1f} % {'':25} {base / 1e6:6.1f} MB")
    for one in found.talked:
        trips = one.trips_ms or [0.0]
        print(
            f"{one.count:5} {one.ms / 10:16.1f} % {one.ms / one.count:21.2f} "
            f"{one.held / 1e6:10.1f} MB {trips[len(trips) // 2]:9.1f} ms "
            f"{trips[len(trips) * 99 // 100]:6.1f} ms"
        )
    few, many = found.talked[0], found.talked[-1]
    a_call = (many.ms - idle * 1000) / many.count
    a_byte = slope((few.count, few.held), (many.count, many.held))
    print(
        f"each, above idle: {a_call:.2f} CPU ms a second, {a_core(a_call)} calls a core; each "
        f"further one {a_byte / 1e3:.0f} kB of memory"
    )
    print("joins         CPU ms each    a core and second    here, a second")
    for one in found.talked:
        print(
            f"{one.joined:5} {one.join_ms:18.1f} {1000 / one.join_ms:20.1f} "
            f"{one.joined / one.joining.lasted_s:17.1f}"
        )
    print(
        f"  of those {found.page_ms:.1f} CPU ms for the customer's page: {found.page[0]} requests, "
        f"{found.page[1] / 1e3:.0f} kB; both leave: {found.ending_ms:.1f} CPU ms"
    )
    whole = a_call + (many.join_ms + found.ending_ms) / MINUTES / 60
    print(
        f"calls of {MINUTES} minutes, joining and leaving counted in: {whole:.2f} CPU ms a call, "
        f"second; {a_core(whole)} calls a core"
    )
    print(f"left in the database: {found.call_bytes / 1e3:.1f} kB, {found.call_leaves:.1f} leaves")
    if (peer := found.echoed) is not None:
        print(
            f"peer, WebSockets over TLS that echo (aiohttp): {peer.making_ms:.1f} CPU ms to "
            f"connect, {peer.ms_a_second:.2f} ms a second, {peer.held_bytes / 1e3:.0f} kB; beside "
            f"two of them a join takes {many.join_ms / 2 / peer.making_ms:.1f} times as much, a "
            f"call {a_call / 2 / peer.ms_a_second:.2f} times, "
            f"memory {a_byte / 2 / peer.held_bytes:.2f} times"
        )


def _recordings(found: Found) -> None:
    print(
        f"\nrecordings: two publishers each, 720p30 VP8 at {found.bits / 1e6:.2f} Mbit/s and Opus"
    )
    print(
        "          recorder, CPU ms    server, CPU ms    frames stored    sent late    memory of\n"
        "recordings   each, second      each, second                                   recorder, "
        "server"
    )
    for one in found.recorded:
        print(
            f"{one.count:10} {one.ms('recorder') / one.count:14.2f} "
            f"{one.ms('server') / one.count:17.2f} {100 * one.stored:16.3f} % "
            f"{100 * one.late:10.2f} % {one.held['recorder'] / 1e6:9.1f} MB, "
            f"{one.held['server'] / 1e6:.1f} MB"
        )
    few, many = found.recorded[0], found.recorded[-1]
    each = {
        name: slope((few.count, few.ms(name)), (many.count, many.ms(name)))
        for name in ("recorder", "server")
    }
    held = {
        name: slope((few.count, few.held[name]), (many.count, many.held[name])) / 1e6
        for name in ("recorder", "server")
    }
    print(
        f"each further one: recorder {each['recorder']:.1f} CPU ms a second "
        f"({a_core(each['recorder'])} recordings a core), server {each['server']:.1f} "
        f"({a_core(each['server'])} a core), both {a_core(sum(each.values()))} a core; "
        f"memory {held['recorder']:.1f} and {held['server']:.1f} MB, from "
        f"{found.base['recorder'] / 1e6:.0f} MB that the recorder has when idle"
    )
    a_second = many.media_bytes / 1e6 / many.seconds * found.core.median
    print(
        f"  beside sealing and hashing the same bytes and nothing else: recorder "
        f"{each['recorder'] / a_second:.0f} times, server {each['server'] / a_second:.0f} times"
    )
    print(
        f"asking, allowing, connecting, stopping, sealing: server "
        f"{many.around_ms['server']:.0f} CPU ms a recording, recorder "
        f"{many.around_ms['recorder']:.0f}"
    )
    hour = 3600 / many.seconds
    print(
        f"an hour of a recording: {many.sealed_bytes * hour / 1e9:.3f} GB in "
        f"{many.segments * hour:.0f} files, {many.sealed_bytes / many.media_bytes:.4f} times the "
        f"media's own bytes; in the database {many.database_a_second * 3600 / 1e6:.1f} MB"
    )
    print(
        f"left in the database besides, by a recorded call: {many.database_a_call / 1e3:.0f} kB, "
        f"{many.leaves_a_call:.1f} leaves"
    )
