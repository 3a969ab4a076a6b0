"""Sealed segments and wrapped keys in plain folders.

Objects::

    <objects>/<recording>/manifest.jsonl
    <objects>/<recording>/<track>/000000.age

The spool is the recorder's (``recorder/FORMAT.md``) and looks the same; with several workers
each has a folder of its own in it. Keys: ``<keys>/<track>.age``, one file a track. Every name is
made here, from identifiers that were checked; no caller gives a path.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from avsession.errors import Conflict, Invalid, NotFound, RecordingTruncated, Unavailable
from avsession.recording import MAX_SEGMENT
from avsession.storage import files

T = TypeVar("T")

MANIFEST = "manifest.jsonl"
MAX_INDEX = 10**8
"""Segments of a track are numbered below this: three years of one a second."""

_ID = re.compile(r"[a-z]{3}_[a-z2-7]{26}")
_RECORDING = re.compile(r"rec_[a-z2-7]{26}")
_SEGMENT = re.compile(r"([0-9]{1,8})\.age")
_WORKER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _checked(identifier: str) -> str:
    if not _ID.fullmatch(identifier):
        raise Invalid("That is not an identifier.")
    return identifier


def _file_name(index: int) -> str:
    if not 0 <= index < MAX_INDEX:
        raise Invalid("That is not a segment's number.")
    return f"{index:06d}.age"


def segment_name(recording: str, track: str, index: int) -> str:
    """The object name of a segment; raises Invalid."""
    return f"{_checked(recording)}/{_checked(track)}/{_file_name(index)}"


def _split(name: str) -> tuple[list[str], str]:
    """The folders and the file of an object name; raises Invalid."""
    *folders, file = name.split("/")
    if len(folders) == 2 and (match := _SEGMENT.fullmatch(file)):
        file = _file_name(int(match[1]))
    elif len(folders) != 1 or file != MANIFEST:
        raise Invalid("That is not the name of an object.")
    return [_checked(folder) for folder in folders], file


def _sizes(folder: int, track: str) -> dict[tuple[str, int], int]:
    """The bytes of each segment in a track's folder."""
    try:
        with files.inside(folder, track) as here:
            found: dict[tuple[str, int], int] = {}
            for name in os.listdir(here):
                match = _SEGMENT.fullmatch(name)
                own = match is not None and _file_name(int(match[1])) == name
                if name.startswith(".") and match is None:
                    continue  # half written
                index = int(match[1]) if match and own else -1
                found[track, index] = os.stat(name, dir_fd=here, follow_symlinks=False).st_size
            return found
    except NotADirectoryError:
        return {(track, -1): 0}


async def _off_loop(work: Callable[[], T]) -> T:
    """Run blocking ``work`` in a thread; what the disk refuses is Unavailable."""
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise Unavailable("The folder cannot be used right now.") from error


class FolderObjects:
    """``ports.ObjectStore`` in a folder, fed from the recorders' spool."""

    def __init__(self, objects: Path, spool: Path) -> None:
        self._objects = objects
        self._spool = spool
        # one change at a time: two of the same file would share a temporary name, and each one
        # waits for the disk anyway
        self._lock = threading.Lock()

    async def adopt(self, recording: str, track: str, index: int, sha256: str, size: int) -> None:
        """As ``ports.ObjectStore.adopt``; 0 <= ``size`` <= MAX_SEGMENT bytes."""
        folders, file = [_checked(recording), _checked(track)], _file_name(index)

        def fits(folder: int) -> bytes | None:
            try:
                data = files.read(folder, file, MAX_SEGMENT)
            except (FileNotFoundError, ValueError):
                return None
            good = len(data) == size and hashlib.sha256(data).hexdigest() == sha256
            return data if good else None

        def work() -> None:
            with self._lock, files.root(self._objects) as objects:
                with files.inside(objects, *folders, create=True) as target:
                    if fits(target) is None:
                        for spooled in self._spooled(folders):
                            if (data := fits(spooled)) is not None:
                                # what is written is what was checked, whatever happens to the
                                # spool meanwhile; and it is our file, not the recorder's
                                self._write_new(target, file, data)
                                break
                        else:
                            raise RecordingTruncated
                for spooled in self._spooled(folders):
                    files.remove(spooled, file)

        await _off_loop(work)

    @staticmethod
    def _write_new(folder: int, file: str, data: bytes) -> None:
        try:
            files.write(folder, file, data)
        except FileExistsError as error:
            raise RecordingTruncated("Another segment is kept under this number.") from error

    async def discard(
        self, recording: str, track: str, index: int, *, adopted: bool = False
    ) -> None:
        """As ``ports.ObjectStore.discard``."""
        folders, file = [_checked(recording), _checked(track)], _file_name(index)

        def work() -> None:
            for spooled in self._spooled(folders):
                files.remove(spooled, file)
            if not adopted:
                return
            with (
                suppress(FileNotFoundError),
                self._lock,
                files.root(self._objects) as objects,
                files.inside(objects, *folders) as folder,
            ):
                files.remove(folder, file)

        await _off_loop(work)

    async def put(self, name: str, data: bytes) -> None:
        """As ``ports.ObjectStore.put``."""
        folders, file = _split(name)

        def work() -> None:
            with (
                self._lock,
                files.root(self._objects) as objects,
                files.inside(objects, *folders, create=True) as folder,
            ):
                files.write(folder, file, data, replace=True)

        await _off_loop(work)

    async def get(self, name: str) -> bytes:
        """As ``ports.ObjectStore.get``."""
        folders, file = _split(name)

        def work() -> bytes:
            try:
                with (
                    files.root(self._objects) as objects,
                    files.inside(objects, *folders) as folder,
                ):
                    return files.read(folder, file)
            except FileNotFoundError as error:
                raise NotFound from error
            except ValueError as error:
                raise Unavailable("The object is not a plain file.") from error

        return await _off_loop(work)

    async def segments(self, recording: str) -> dict[tuple[str, int], int]:
        """As ``ports.ObjectStore.segments``."""
        folder = _checked(recording)

        def work() -> dict[tuple[str, int], int]:
            found: dict[tuple[str, int], int] = {}
            with files.root(self._objects) as objects:
                try:
                    with files.inside(objects, folder) as here:
                        for name in sorted(os.listdir(here)):
                            if name == MANIFEST or name.startswith("."):
                                continue
                            found |= _sizes(here, name)
                except FileNotFoundError:
                    pass
            return found

        return await _off_loop(work)

    async def remove(self, prefix: str) -> int:
        """As ``ports.ObjectStore.remove``; raises Invalid for any other prefix."""
        *folders, last = [_checked(part) for part in prefix.split("/")]
        if len(folders) > 1:
            raise Invalid("That is not the name of a recording or a track.")

        def work() -> int:
            try:
                with (
                    self._lock,
                    files.root(self._objects) as objects,
                    files.inside(objects, *folders) as folder,
                ):
                    return files.clear(folder, last)
            except FileNotFoundError:
                return 0

        return await _off_loop(work)

    async def spooled(self) -> list[str]:
        """As ``ports.ObjectStore.spooled``."""

        def work() -> list[str]:
            found: set[str] = set()
            for place in self._spooled([]):
                found |= {name for name in os.listdir(place) if _RECORDING.fullmatch(name)}
            return sorted(found)

        return await _off_loop(work)

    async def unspool(self, recording: str) -> bool:
        """As ``ports.ObjectStore.unspool``."""
        name = _checked(recording)

        def work() -> bool:
            found = False
            for place in self._spooled([]):
                found = files.drop(place, name) or found
            return found

        return await _off_loop(work)

    def _spooled(self, folders: list[str]) -> Iterator[int]:
        """These open folders (none: the whole) in the spool, and in each worker's part of it."""
        with files.root(self._spool) as spool:
            workers = [
                entry.name
                for entry in os.scandir(spool)
                if entry.is_dir(follow_symlinks=False) and _WORKER.fullmatch(entry.name)
            ]
            for place in ([], *([worker] for worker in sorted(workers))):
                try:
                    with files.inside(spool, *place, *folders) as folder:
                        yield folder
                except (FileNotFoundError, NotADirectoryError):
                    continue  # a link counts as no folder too


class FolderKeys:
    """``ports.KeyStore`` in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    @contextmanager
    def _open(self) -> Iterator[int]:
        with self._lock, files.root(self._folder) as folder:
            yield folder

    async def put(self, track: str, wrapped: bytes) -> None:
        """As ``ports.KeyStore.put``."""
        file = f"{_checked(track)}.age"

        def work() -> None:
            try:
                with self._open() as folder:
                    files.write(folder, file, wrapped)
            except FileExistsError as error:
                raise Conflict("There is a key for this track already.") from error

        await _off_loop(work)

    async def get(self, track: str) -> bytes:
        """As ``ports.KeyStore.get``."""
        file = f"{_checked(track)}.age"

        def work() -> bytes:
            try:
                with self._open() as folder:
                    return files.read(folder, file)
            except FileNotFoundError as error:
                raise NotFound("There is no key for this track, or none any more.") from error
            except ValueError as error:
                raise Unavailable("The key is not a plain file.") from error

        return await _off_loop(work)

    async def names(self) -> list[str]:
        """The tracks that have a key, in order."""

        def work() -> list[str]:
            with self._open() as folder:
                found = [name.removesuffix(".age") for name in os.listdir(folder)]
            return sorted(name for name in found if _ID.fullmatch(name))

        return await _off_loop(work)

    async def replace(self, track: str, wrapped: bytes) -> bool:
        """The same key, wrapped anew; False when it was destroyed before.

        The former wrapping is overwritten.
        """
        file = f"{_checked(track)}.age"

        def work() -> bool:
            with self._open() as folder:
                return files.exchange(folder, file, wrapped)

        return await _off_loop(work)

    async def destroy(self, track: str) -> bool:
        """As ``ports.KeyStore.destroy``."""
        file = f"{_checked(track)}.age"

        def work() -> bool:
            with self._open() as folder:
                return files.shred(folder, file)

        return await _off_loop(work)
