"""A server's data folder with a finished, recorded call in it, as a running server leaves it."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from avsession.usecases import evidence, sessions
from tests.avsession.usecases.world import opened
from tests.support.world import Clock


@dataclass
class Data:
    """The folder, and what is in it."""

    folder: Path
    recording: str
    customer: str
    agent: str


async def made(tmp: Path) -> Data:
    """One call, recorded for three seconds just now, sealed and over."""
    there, here = tmp / "world", tmp / "data"
    there.mkdir()
    clock = Clock()
    clock.ms = int(time.time() * 1000) - 60_000
    async with opened(there, clock=clock) as world:
        recording = await world.sealed("quality", seconds=3)
        await sessions.end_session(world.app, world.session, "left")
        await evidence.checkpoint(world.app)
        data = Data(here, recording, world.customer.id, world.agent.id)
    for folder in ("keys", "custody"):
        (here / folder).mkdir(parents=True, mode=0o700)
    shutil.copy(there / "log.key", here / "keys" / "log.key")
    shutil.copy(there / "custodian.txt", here / "custody" / "custodian.key")
    shutil.copytree(there / "keys", here / "custody" / "tracks")
    shutil.copy(there / "avsession.db", here / "avsession.sqlite3")
    shutil.copytree(there / "objects", here / "objects")
    (here / "anchor").mkdir(mode=0o700)
    shutil.copy(there / "anchor" / "checkpoint", here / "anchor" / "checkpoint")
    here.chmod(0o700)
    shutil.rmtree(there)
    return data
