"""Prepared exports in a plain folder: ``<parcels>/<export>``, one file each, 0600.

What lies here is sealed before it comes, for a key that is not on this disk. Every name is an
identifier that was checked; no caller gives a path.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from avsession.errors import Conflict, Invalid, NotFound, Unavailable
from avsession.storage import files

T = TypeVar("T")

_ID = re.compile(r"[a-z]{3}_[a-z2-7]{26}")
_NEW = ".new-"


def _checked(name: str) -> str:
    if not _ID.fullmatch(name):
        raise Invalid("That is not an identifier.")
    return name


async def _off_loop(work: Callable[[], T]) -> T:
    """Run blocking ``work`` in a thread, with the disk's answers by our names."""
    try:
        return await asyncio.to_thread(work)
    except FileNotFoundError as error:
        raise NotFound from error
    except FileExistsError as error:
        raise Conflict("That is there already.") from error
    except (OSError, ValueError) as error:
        raise Unavailable("The folder cannot be used right now.") from error


class FolderParcels:
    """``ports.Parcels`` in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, name: str, data: bytes) -> None:
        """As ``ports.Parcels.put``."""
        _checked(name)

        def work() -> None:
            with files.root(self._folder) as folder:
                files.write(folder, name, data, replace=True)

        await _off_loop(work)

    async def get(self, name: str) -> bytes:
        """As ``ports.Parcels.get``."""
        _checked(name)

        def work() -> bytes:
            with files.root(self._folder) as folder:
                return files.read(folder, name)

        return await _off_loop(work)

    async def read(self, name: str, start: int, end: int) -> bytes:
        """As ``ports.Parcels.read``."""
        _checked(name)

        def work() -> bytes:
            with (
                files.root(self._folder) as folder,
                os.fdopen(os.open(name, files.READ, dir_fd=folder), "rb") as stream,
            ):
                stream.seek(start)
                return stream.read(end - start)

        return await _off_loop(work)

    @asynccontextmanager
    async def new(self, name: str) -> AsyncIterator[BinaryIO]:
        """As ``ports.Parcels.new``."""
        _checked(name)

        def begin() -> tuple[int, BinaryIO]:
            with files.root(self._folder) as opened:
                folder = os.dup(opened)
            with ExitStack() as failed:
                failed.callback(os.close, folder)
                with suppress(FileNotFoundError):
                    os.unlink(_NEW + name, dir_fd=folder)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                file = os.open(_NEW + name, flags, 0o600, dir_fd=folder)
                failed.pop_all()
            return folder, os.fdopen(file, "wb")

        def keep() -> None:
            stream.flush()
            os.fsync(stream.fileno())
            stream.close()
            os.rename(_NEW + name, name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)

        def drop() -> None:
            with suppress(OSError):
                stream.close()
            with suppress(FileNotFoundError):
                os.unlink(_NEW + name, dir_fd=folder)
            os.close(folder)

        folder, stream = await _off_loop(begin)
        try:
            yield stream
            await _off_loop(keep)
        finally:
            await _off_loop(drop)

    async def remove(self, name: str) -> bool:
        """As ``ports.Parcels.remove``."""
        _checked(name)

        def work() -> bool:
            with files.root(self._folder) as folder:
                return files.remove(folder, name)

        return await _off_loop(work)

    async def names(self) -> list[str]:
        """As ``ports.Parcels.names``."""

        def work() -> list[str]:
            with files.root(self._folder) as folder:
                return sorted(name for name in os.listdir(folder) if _ID.fullmatch(name))

        return await _off_loop(work)

    async def tidy(self) -> None:
        """As ``ports.Parcels.tidy``."""

        def work() -> None:
            with files.root(self._folder) as folder:
                for name in os.listdir(folder):
                    if not _ID.fullmatch(name):
                        files.remove(folder, name)

        await _off_loop(work)
