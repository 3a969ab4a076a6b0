"""Somebody who looks for custody's keys in a folder, and asks it, and prints what came of it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable
from pathlib import Path

from avsession.errors import AvsessionError
from avsession.sealing.remote import RemoteCustody

KEYS = ("keys", "keys/custodian.key", "keys/tracks", "keys/seen")


def look(path: Path) -> str:
    """Whether the folder, or the file, can be read."""
    try:
        path.read_bytes() if path.suffix else list(path.iterdir())
    except PermissionError:
        return "EACCES"
    return "open"


async def told(asked: Awaitable[str]) -> str:
    """The answer, or the code of the refusal."""
    try:
        return await asked
    except AvsessionError as error:
        return error.code


def run(arguments: list[str]) -> int:
    """``PLACE LOG RECORDING TRACK``: look and ask."""
    place, log, recording, track = arguments
    custody = RemoteCustody(Path(place) / "run" / "custody", log)

    async def ask() -> dict[str, str]:
        return {
            "create": await told(custody.create(recording, track)),
            "unwrap": await told(custody.unwrap(recording, track)),
        }

    found = {name: look(Path(place) / name) for name in KEYS}
    sys.stdout.write(json.dumps(found | asyncio.run(ask())))
    return 0
