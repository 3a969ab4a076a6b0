"""Processes that write consents into one database at once: one log, without a fork or a gap."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from avsession.audit import proof
from avsession.records import ConsentEvent, Leaf
from avsession.usecases import evidence
from tests.avsession.usecases.world import World
from tests.support.engines import database

ROOT = Path(__file__).parents[3]
CALLS = 4
"""Calls of each process, with two consents each."""

SERVER = """
import asyncio, sys
from pathlib import Path
from tests.avsession.usecases import world as worlds

async def main(folder, url, name, calls):
    worlds.database = lambda folder: url
    world = worlds.World(Path(folder), {})
    await world.start()
    world.staff = await world.staff_member(name, name, "agent")
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(calls):
        world.agent, world.customer = await world.new_call(world.staff)
        world.session = world.agent.party.session
        request = await world.ask()
        for person in (world.agent, world.customer):
            await world.allow(person, request=request)
            print(person.id, flush=True)  # it was told so: it is kept, whatever comes
    await world.close()

asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
"""


async def started(world: World, name: str, calls: int) -> asyncio.subprocess.Process:
    """A process that waits for its word."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, str(world.folder), database(world.folder), name, str(calls),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT,
    )  # fmt: skip


async def test_no_fork_no_gap_and_no_lost_consent(world: World) -> None:
    """Two run to their end; a third is killed between two of its consents, with work in flight."""
    await evidence.checkpoint(world.app)
    both = [await started(world, name, CALLS) for name in ("one", "two")]
    doomed = await started(world, "doomed", 1000)
    for process in (*both, doomed):
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    assert doomed.stdin is not None
    assert doomed.stdout is not None
    doomed.stdin.write(b"go\n")
    said = asyncio.gather(*(process.communicate(b"go\n") for process in both))
    told = [(await doomed.stdout.readline()).decode().strip() for _ in range(3)]
    doomed.kill()
    told += (await doomed.stdout.read()).decode().split()
    await doomed.wait()
    told += [party for out, _ in await said for party in out.decode().split()]
    assert [process.returncode for process in both] == [0, 0]
    assert len(told) >= 2 * 2 * CALLS + 3
    given = {event.party: event for event in await world.find(ConsentEvent, kind="given")}
    assert set(told) <= given.keys(), "whoever was told that it is kept, it is"
    leaves = await world.find(Leaf, order="index")
    assert [leaf.index for leaf in leaves] == list(range(len(leaves)))
    bodies = [json.loads(leaf.data) for leaf in leaves]
    assert sum(body["kind"] == "consent.given" for body in bodies) == len(given)
    head = await evidence.checkpoint(world.app)
    assert head.size == len(leaves)
    for event in given.values():
        found = await evidence.proof(world.app, event.leaf)
        assert proof.verify(found, world.app.notary.key).size == head.size
        assert event.id.encode() in found.leaf
    report = await evidence.verify(world.store, world.app.notary.key, world.app.notary.anchors)
    assert report.findings == ()
