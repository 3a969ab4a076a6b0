"""Keeping the log's last checkpoint in a file of its own, outside the database."""

from __future__ import annotations

import asyncio
from pathlib import Path

from avsession.audit.checkpoint import MAX_NOTE
from avsession.errors import AnchorInvalid, Unavailable
from avsession.storage import files

FILE = "checkpoint"


class FileAnchor:
    """``ports.Anchor`` in a folder: one file, replaced whole and durably each time.

    It finds out who changes the database alone. Whoever can write this folder too can roll both
    back: then only copies that others keep (receipts, ``/log/checkpoint``) show it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        """As ``ports.Anchor.name``: where the file is."""
        return str(self._folder / FILE)

    async def get(self) -> str | None:
        """As ``ports.Anchor.get``."""
        try:
            return await asyncio.to_thread(self._read)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise AnchorInvalid(f"{self.name} cannot be read: {error}") from error

    async def put(self, note: str) -> None:
        """As ``ports.Anchor.put``."""
        try:
            await asyncio.to_thread(self._write, note.encode())
        except OSError as error:
            raise Unavailable(f"{self.name} cannot be written.") from error

    def _read(self) -> str:
        with files.root(self._folder) as folder:
            return files.read(folder, FILE, MAX_NOTE).decode()

    def _write(self, data: bytes) -> None:
        with files.root(self._folder) as folder:
            files.write(folder, FILE, data, replace=True)
