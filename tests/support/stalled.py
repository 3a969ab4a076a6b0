"""A way to a PostgreSQL cluster that can hold everything back, as a broken network does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from tests.support.postgres import Cluster


class Way:
    """A Unix socket in front of the cluster's. While :attr:`free` is not set nothing passes, and
    nobody is told."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.folder, self._cluster, self.free = folder, cluster, asyncio.Event()
        self.free.set()
        self._name = f".s.PGSQL.{cluster.port}"
        self._writers: list[asyncio.StreamWriter] = []

    def url(self, url: str) -> str:
        """The cluster's URL, by this way."""
        return url.replace(str(self._cluster.folder), str(self.folder))

    async def serve(self) -> asyncio.Server:
        """Listen."""
        return await asyncio.start_unix_server(self._one, str(self.folder / self._name))

    def end(self) -> None:
        """Let go of every connection."""
        for writer in self._writers:
            writer.close()

    async def _one(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        self._writers.append(back)
        await self.free.wait()
        far = str(Path(self._cluster.folder) / self._name)
        answers, there = await asyncio.open_unix_connection(far)
        self._writers.append(there)
        await asyncio.gather(self._pipe(near, there), self._pipe(answers, back))

    async def _pipe(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                await self.free.wait()
                to.write(data)
                await to.drain()
        to.close()


@contextlib.asynccontextmanager
async def way(folder: Path, cluster: Cluster) -> AsyncIterator[Way]:
    """A way to the cluster; everything passes at first."""
    folder.mkdir()
    made = Way(folder, cluster)
    server = await made.serve()
    try:
        yield made
    finally:
        made.free.set()
        server.close()
        made.end()
