"""The product on a PostgreSQL database: alone, or as one of two that share it."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import asyncpg

from tests.browser.product import Product, until
from tests.support.postgres import Cluster


class Served(Product):
    """``avsession serve`` on a database of PostgreSQL."""

    def __init__(self, root: Path, cluster: Cluster, database: str, **settings: str) -> None:
        self.cluster, self.database = cluster, database
        settings = {"database": cluster.url(database), "recorders": "0"} | settings
        super().__init__(root, **settings)

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Rows of the database, read beside the server."""
        numbers = iter(range(1, 100))
        numbered = re.sub(r"\?", lambda _: f"${next(numbers)}", query)

        async def read(connection: asyncpg.Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in await connection.fetch(numbered, *values)]

        return self.cluster.run(read, self.database)

    async def says(self, *command: str) -> tuple[int, str]:
        """Exit status and output of a command of the product on this data."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "avsession", *command, "--data", str(self.data)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self.environ(),
        )
        out = (await process.communicate())[0].decode()
        assert process.returncode is not None
        return process.returncode, out

    async def logged(self, words: str) -> None:
        """Wait until its log says this."""
        await until(words, lambda: words in self.log.read_text())
