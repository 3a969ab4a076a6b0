"""How anything durable is written to a folder: whole, private, never through a link.

Everything works on an open folder (a file descriptor) and one name in it, so that nothing
between check and use can be swapped for a link. Files are 0600, folders 0700. Blocking; raises
OSError, FileNotFoundError among them.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
TEMPORARY = ".tmp-"
"""In front of the name of what is being written."""
# O_NONBLOCK: a FIFO put in its place must not hold us up
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""How a file is opened for reading: never through a link."""


@contextmanager
def root(path: Path) -> Iterator[int]:
    """An open folder, made if there is none. A link in its place is refused."""
    with suppress(FileExistsError):  # if it is no folder, opening it says so
        path.mkdir(mode=0o700, parents=True)
    folder = os.open(path, _FOLDER)
    try:
        yield folder
    finally:
        os.close(folder)


@contextmanager
def inside(folder: int, *names: str, create: bool = False) -> Iterator[int]:
    """An open folder below; with ``create`` made, durably, where it is missing."""
    here = os.dup(folder)
    try:
        for name in names:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=here)
                    os.fsync(here)
            below = os.open(name, _FOLDER, dir_fd=here)
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


def read(folder: int, name: str, limit: int | None = None) -> bytes:
    """The file's bytes. ValueError when it is not a plain file or exceeds ``limit`` bytes."""
    try:
        file = os.open(name, READ, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ValueError(f"{name} is a link") from error
        raise
    with os.fdopen(file, "rb") as stream:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(f"{name} is not a plain file")
        if limit is not None and found.st_size > limit:
            raise ValueError(f"{name} is larger than {limit} bytes")
        return stream.read()


def write(folder: int, name: str, data: bytes, *, replace: bool = False) -> None:
    """Write a whole file, so that after a crash there is all of it or none.

    Without ``replace`` raises FileExistsError when the name is taken. Two writers of one name
    must not run at once: both use the same temporary name, so that a crash leaves at most one.
    """
    temporary = TEMPORARY + name
    with suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(file)
        if replace:
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            # unlike rename, link fails when the name is taken
            os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
    os.fsync(folder)


def shred(folder: int, name: str) -> bool:
    """Overwrite a file's bytes, delete it, durably; False when there is none.

    Overwriting reaches the same blocks on plain disks and file systems; flash and copy-on-write
    ones keep old blocks for a while.
    """
    gone = True
    for each in (name, TEMPORARY + name):
        try:
            file = os.open(each, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        except FileNotFoundError:
            continue
        with os.fdopen(file, "wb") as stream:
            stream.write(bytes(os.fstat(file).st_size))
            stream.flush()
            os.fsync(file)
        if _unlink(each, folder):
            gone = gone and each != name
    os.fsync(folder)
    return not gone


def exchange(folder: int, name: str, data: bytes) -> bool:
    """Write a file in the place of another, whose bytes are overwritten; False when there is none.

    After a crash there is one of the two, whole. What `shred` says of disks holds here, too.
    """
    try:
        before = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return False
    with os.fdopen(before, "wb") as stream:
        write(folder, name, data, replace=True)
        stream.write(bytes(os.fstat(before).st_size))
        stream.flush()
        os.fsync(before)
    return True


def remove(folder: int, name: str) -> bool:
    """Delete a file, durably; False when there is none."""
    if not _unlink(name, folder):
        return False
    os.fsync(folder)
    return True


def _unlink(name: str, folder: int) -> bool:
    """False when it is not there, or somebody else was faster."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True


def clear(folder: int, name: str) -> int:
    """Delete the folder ``name`` with all in it, durably; how many files that were listed.

    Somebody else may be deleting it at the same time: when this returns nothing of it is left.
    """
    return _clear(folder, name)[0]


def drop(folder: int, name: str) -> bool:
    """As :func:`clear`; whether the folder itself went by this call: of two at once, by one."""
    return _clear(folder, name)[1]


def _clear(folder: int, name: str) -> tuple[int, bool]:
    count = 0
    try:
        with inside(folder, name) as here:
            for entry in os.scandir(here):
                if entry.is_dir(follow_symlinks=False):
                    count += clear(here, entry.name)
                elif _unlink(entry.name, here):
                    count += not entry.name.startswith(TEMPORARY)
    except FileNotFoundError:
        return count, False
    mine = False
    with suppress(FileNotFoundError):
        os.rmdir(name, dir_fd=folder)
        mine = True
    os.fsync(folder)
    return count, mine
