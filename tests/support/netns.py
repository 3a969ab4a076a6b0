"""Network namespaces: places between which only the ways exist that a test lays."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from avsession.tasks import Tasks

NEW_NET = 0x40000000
"""CLONE_NEWNET, for setns(2)."""


def ip(*arguments: str) -> None:
    """``ip`` of iproute2; raises CalledProcessError, OSError where there is none."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@dataclass(frozen=True)
class Place:
    """A namespace of ours."""

    name: str

    @property
    def inside(self) -> tuple[str, ...]:
        """What runs a command there."""
        return ("ip", "netns", "exec", self.name)

    def ip(self, *arguments: str) -> None:
        """``ip`` there."""
        ip("-n", self.name, *arguments)

    def socket(self) -> socket.socket:
        """A TCP socket that belongs there, wherever it is used."""
        made: list[socket.socket] = []

        def make() -> None:
            # only this thread goes there, and it ends
            with Path(f"/run/netns/{self.name}").open("rb") as file:
                if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), NEW_NET):
                    raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.socket())

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return made[0]


@contextmanager
def places(*names: str) -> Iterator[list[Place]]:
    """New namespaces with loopback up; gone at the end.

    Raises CalledProcessError or OSError where this machine gives us none.
    """
    made: list[Place] = []
    try:
        for name in names:
            place = Place(f"avs{os.getpid()}{name}")
            ip("netns", "add", place.name)
            made.append(place)
            place.ip("link", "set", "lo", "up")
        subprocess.run([*made[0].inside, "true"], check=True, capture_output=True)
        yield made
    finally:
        for place in made:
            with contextlib.suppress(subprocess.CalledProcessError):
                ip("netns", "delete", place.name)


def lay(here: Place, there: Place, number: int, to: str) -> None:
    """A wire from ``here`` to ``there``, at whose other end ``to`` is all that is reached."""
    near, far = f"44.{number}.0.2", f"44.{number}.0.1"
    ends = (f"n{number}", f"f{number}")
    ip("link", "add", ends[0], "netns", here.name, "type", "veth",
       "peer", "name", ends[1], "netns", there.name)  # fmt: skip
    for place, end, address in ((here, ends[0], near), (there, ends[1], far)):
        place.ip("address", "add", f"{address}/30", "dev", end)
        place.ip("link", "set", end, "up")
    here.ip("route", "add", f"{to}/32", "via", far)


@asynccontextmanager
async def door(here: Place, there: Place, port: int) -> AsyncIterator[None]:
    """``localhost:port`` here leads to the same there, by TCP alone, through this process."""
    tasks = Tasks()
    listening = here.socket()
    listening.bind(("127.0.0.1", port))

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        out = there.socket()
        out.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(out, ("127.0.0.1", port))
        except OSError:
            out.close()
            writer.close()
            return
        back, onward = await asyncio.open_connection(sock=out)
        tasks.spawn(pump(reader, onward), name="onward")
        tasks.spawn(pump(back, writer), name="back")

    server = await asyncio.start_server(come, sock=listening)
    try:
        yield
    finally:
        server.close()
        await tasks.close()
