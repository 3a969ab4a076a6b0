"""The few things the spool does to a disk, each durable when it returns.

Everything goes through one small class, so that a test can record the order of writes and
syncs, or make any of them fail.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

FILE_MODE, FOLDER_MODE = 0o600, 0o700


class Disk:
    """Plain POSIX files. Every method raises OSError."""

    def __init__(self) -> None:
        self.syncs = 0
        self.synced_s = self.longest_s = 0.0
        """How often, how long, and how long at the most the disk was waited for."""

    def folder(self, path: Path) -> None:
        """Make a folder, and make its name last."""
        if not path.is_dir():
            path.mkdir(mode=FOLDER_MODE)
            self.sync_folder(path.parent)

    def create(self, path: Path, data: bytes) -> None:
        """A new file with this content, synced; its name is not yet."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, FILE_MODE)
        try:
            self._write(descriptor, data)
            self._sync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        finally:
            os.close(descriptor)

    def publish(self, temporary: Path, final: Path) -> None:
        """Give a synced file its real name, and make the name last."""
        temporary.rename(final)
        self.sync_folder(final.parent)

    def append(self, path: Path, data: bytes) -> None:
        """Add to a file (made if it is not there), synced; on failure it is as it was before."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, FILE_MODE)
        try:
            before = os.fstat(descriptor).st_size
            try:
                self._write(descriptor, data)
                self._sync(descriptor)
            except OSError:
                os.ftruncate(descriptor, before)
                raise
        finally:
            os.close(descriptor)
        if before == 0:
            self.sync_folder(path.parent)

    def truncate(self, path: Path, size: int) -> None:
        """Cut a file to this many bytes, synced."""
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, size)
            self._sync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        """Delete a file if it is there; durable with its folder's next sync."""
        path.unlink(missing_ok=True)

    def sync_folder(self, path: Path) -> None:
        """Make the names in a folder last."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._sync(descriptor)
        finally:
            os.close(descriptor)

    def free_bytes(self, path: Path) -> int:
        """What this user may still write there."""
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize

    def _sync(self, descriptor: int) -> None:
        began = time.perf_counter()
        try:
            os.fsync(descriptor)
        finally:
            took = time.perf_counter() - began
            self.syncs += 1
            self.synced_s += took
            self.longest_s = max(self.longest_s, took)

    def _write(self, descriptor: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
