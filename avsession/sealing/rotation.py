"""A new key for the custodian: every wrapped track key is wrapped anew, the former key destroyed.

What is recorded is not touched: segments are sealed to their tracks' keys, and those stay. Until
the last one is wrapped anew both of the custodian's keys open; a rotation that was interrupted
goes on where it stopped when it is started again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyrage

from avsession.errors import NotFound, Unavailable
from avsession.sealing.custody import create_custodian, next_key, read_custodian


class Wrapped(Protocol):
    """What rotating needs of a key store."""

    async def names(self) -> list[str]: ...
    async def get(self, track: str) -> bytes: ...
    async def replace(self, track: str, wrapped: bytes) -> bool: ...


@dataclass(frozen=True)
class Rotated:
    """What was done."""

    former: str
    """The age recipient until now,"""
    recipient: str
    """and from now on."""
    tracks: int
    """Keys that are wrapped to it."""

    @property
    def told(self) -> dict[str, str]:
        """The same, for a command's output."""
        return {"custodian": self.recipient, "former": self.former, "tracks": str(self.tracks)}


async def rotate(
    keys: Wrapped, custodian: Path, progress: Callable[[int, int], None] = lambda done, of: None
) -> Rotated:
    """Give the custodian a new key. Nobody else may use the folder meanwhile.

    ``progress`` is told how many of how many keys are done. Raises Unavailable when a key opens
    with neither of the custodian's keys (nothing is lost; both stay), SettingsInvalid as
    ``read_custodian``, OSError.
    """
    coming = next_key(custodian)
    if not coming.exists():
        await asyncio.to_thread(create_custodian, coming)
    old = await asyncio.to_thread(read_custodian, custodian)
    new = await asyncio.to_thread(read_custodian, coming)
    names = await keys.names()
    for done, track in enumerate(names):
        progress(done, len(names))
        try:
            wrapped = await keys.get(track)
        except NotFound:
            continue  # destroyed meanwhile
        if _opened(wrapped, new) is None:
            plain = _opened(wrapped, old)
            if plain is None:
                raise Unavailable(f"The key of {track} is damaged, or to another custodian.")
            await keys.replace(track, pyrage.encrypt(plain, [new.to_public()]))
    progress(len(names), len(names))
    await asyncio.to_thread(_put_in_place, coming, custodian)
    return Rotated(str(old.to_public()), str(new.to_public()), len(names))


def _opened(wrapped: bytes, identity: pyrage.x25519.Identity) -> bytes | None:
    try:
        return pyrage.decrypt(wrapped, [identity])
    except pyrage.DecryptError:
        return None


def _put_in_place(coming: Path, custodian: Path) -> None:
    """The new key takes the name; the bytes of the former one are overwritten."""
    with custodian.open("r+b") as former:
        os.replace(coming, custodian)
        size = os.fstat(former.fileno()).st_size
        former.write(b"#" * size)
        former.flush()
        os.fsync(former.fileno())
    folder = os.open(custodian.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
