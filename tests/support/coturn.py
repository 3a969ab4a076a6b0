"""A real coturn on loopback, with the configuration that the product ships."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from avsession.errors import AvsessionError
from avsession.turn.client import probe
from avsession.turn.coturn import Place, render
from avsession.turn.credentials import Secret, make, read_secret
from avsession.turn.settings import Turn
from tests.support.ports import free_port

LOOPBACK = "127.0.0.1"
ON_LOOPBACK = ("allow-loopback-peers",)
"""What a test on loopback adds to the file that the product makes."""
START_S = 20.0


@dataclass(frozen=True)
class Relay:
    """A coturn that runs."""

    turn: Turn
    log: Path
    process: asyncio.subprocess.Process

    @property
    def secret(self) -> Secret:
        """What it shares with the product."""
        assert self.turn.secret_file is not None
        return read_secret(Path(self.turn.secret_file))

    def credentials(self, good_s: int = 60, name: str = "somebody") -> tuple[str, str]:
        """User name and password, good for so long."""
        return make(self.secret, int(time.time()) + good_s, name)

    def url(self, start: str) -> str:
        """The first URL with this beginning or transport."""
        return next(url for url in self.turn.urls if url.startswith(start) or start in url)


def settings_for(
    folder: Path, host: str = LOOPBACK, certificate: Sequence[Path] = (), **more: Any
) -> Turn:
    """Settings for a coturn at free ports, over UDP and TCP, and TLS with a certificate."""
    port = free_port()
    urls = [f"turn:{host}:{port}?transport=udp", f"turn:{host}:{port}?transport=tcp"]
    if certificate:
        named = "localhost" if host == LOOPBACK else host
        urls.append(f"turns:{named}:{free_port()}?transport=tcp")
        more |= {"certificate": str(certificate[0]), "certificate_key": str(certificate[1])}
    file = folder / "turn.secret"
    if not file.exists():
        file.write_text(secrets.token_hex(32))
    return Turn(urls=tuple(urls), secret_file=str(file), listen=(host,), **more)


@asynccontextmanager
async def running(
    turn: Turn,
    folder: Path,
    extra: Sequence[str] = ON_LOOPBACK,
    inside: Sequence[str] = (),
) -> AsyncIterator[Relay]:
    """coturn with these settings until the block ends; ``inside``: what runs it, such as
    ``ip netns exec NAME``."""
    if shutil.which("turnserver") is None:
        pytest.skip("needs coturn's turnserver (Debian: coturn)")
    assert turn.secret_file is not None
    text = render(turn, Place("localhost", None, None), read_secret(Path(turn.secret_file)))
    file, log = folder / "turnserver.conf", folder / "turnserver.log"
    own = [f"pidfile={folder / 'turn.pid'}", f"userdb={folder / 'turn.db'}"]
    file.write_text(text + "\n".join([*own, *extra]) + "\n")
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *inside, "turnserver", "-c", str(file), stdout=out, stderr=out
        )
    relay = Relay(turn, log, process)
    try:
        await _ready(relay, inside)
        yield relay
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


PROBE = """
import asyncio, sys
from avsession.turn.client import probe
asyncio.run(probe(*sys.argv[1:], timeout_s=1))
"""


async def _ready(relay: Relay, inside: Sequence[str]) -> None:
    """Wait until it listens, one question at a time: its first makes its database."""
    async with asyncio.timeout(START_S):
        while True:
            if relay.process.returncode is not None:
                pytest.fail(f"coturn ended at once:\n{relay.log.read_text()}")
            asked = (relay.turn.urls[0], *relay.credentials(name="ready"))
            try:
                if not inside:
                    await probe(*asked, timeout_s=1)
                    return
                there = await asyncio.create_subprocess_exec(
                    *inside, sys.executable, "-c", PROBE, *asked, stderr=asyncio.subprocess.DEVNULL
                )
                if await there.wait() == 0:
                    return
            except AvsessionError:
                pass
            await asyncio.sleep(0.05)
