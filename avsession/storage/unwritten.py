"""Withdrawals that wait for the database, in a folder: a file each.

A file each, and not one to append to, because two servers share the folder for a moment when one
takes over from the other: neither can undo what the other writes. It is written under a temporary
name, so there is all of it or none. The names say whose withdrawal of what it is, by identifiers::

    <folder>/<party>.<request>.<SHA-256 of the idempotency key, 32 digits>.json

so a file that was damaged is a withdrawal still, though without its signature.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from avsession.errors import Invalid, StorageFull, Unavailable
from avsession.messages import WithdrawConsent
from avsession.ports import TakenBack
from avsession.storage import files

T = TypeVar("T")

MOST = 10_000
"""Files in the folder; beyond it a withdrawal is kept in memory only."""
MOST_OF_ONE = 64
"""Files of one party: nobody uses up the room of others."""
MAX_FILE = 16_384
"""Bytes of a file. No signature that holds needs a tenth of it: what is longer is kept without."""

_NAME = re.compile(r"([a-z]{3}_[a-z2-7]{26})\.([a-z]{3}_[a-z2-7]{26})\.([0-9a-f]{32})\.json")
_DAMAGED = re.compile(r"unwritten-([0-9a-f]{32})")
"""The key that a withdrawal has which is known by its file's name only."""

log = logging.getLogger("avsession.unwritten")


def file_name(party: str, message: WithdrawConsent) -> str:
    """What this withdrawal's file is called; raises Invalid."""
    damaged = _DAMAGED.fullmatch(message.key)
    key = damaged[1] if damaged else hashlib.sha256(message.key.encode()).hexdigest()[:32]
    name = f"{party}.{message.request}.{key}.json"
    if not _NAME.fullmatch(name):
        raise Invalid("That is not an identifier.")
    return name


class FolderUnwritten:
    """``ports.Unwritten`` in a folder, made 0700 when it is first used; its files are 0600."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._told: set[str] = set()
        """What was kept or found here already."""

    async def keep(self, said: TakenBack) -> None:
        """As ``Unwritten.keep``."""
        name, data = file_name(said.party, said.message), msgspec.json.encode(said)
        if len(data) > MAX_FILE:
            bare = replace(said, message=replace(said.message, signed=None), enrolment=None)
            data = msgspec.json.encode(bare)

        def work(folder: int) -> None:
            if name in self._told:
                return
            there = [one for one in os.listdir(folder) if _NAME.fullmatch(one)]
            if name not in there:
                own = sum(one.startswith(f"{said.party}.") for one in there)
                if len(there) >= MOST or own >= MOST_OF_ONE:
                    raise StorageFull("Too many withdrawals wait for the database.")
                files.write(folder, name, data, replace=True)
            self._told.add(name)

        await self._inside(work)

    async def find(self) -> list[TakenBack]:
        """As ``Unwritten.find``."""

        def work(folder: int) -> list[TakenBack]:
            names = sorted(one for one in os.listdir(folder) if _NAME.fullmatch(one))
            found = []
            for name in names[:MOST]:
                if name not in self._told and (said := _read(folder, name)) is not None:
                    self._told.add(name)
                    found.append(said)
            return sorted(found, key=lambda one: one.at_ms)

        return await self._inside(work)

    async def drop(self, party: str, message: WithdrawConsent) -> None:
        """As ``Unwritten.drop``."""
        name = file_name(party, message)

        def work(folder: int) -> None:
            self._told.discard(name)
            files.remove(folder, name)

        await self._inside(work)

    async def forget(self, party: str) -> None:
        """As ``Unwritten.forget``; what a crash left half written goes, too."""

        def work(folder: int) -> None:
            for name in os.listdir(folder):
                if name.removeprefix(files.TEMPORARY).startswith(f"{party}."):
                    files.remove(folder, name)
                    self._told.discard(name)

        await self._inside(work)

    async def _inside(self, work: Callable[[int], T]) -> T:
        def locked() -> T:
            with self._lock, files.root(self._folder) as folder:
                return work(folder)

        try:
            return await asyncio.to_thread(locked)
        except OSError as error:
            raise Unavailable("The folder of what waits cannot be used right now.") from error


def _read(folder: int, name: str) -> TakenBack | None:
    """None when it is gone by now. What cannot be read is what its name says."""
    try:
        said = msgspec.json.decode(files.read(folder, name, MAX_FILE), type=TakenBack)
        if file_name(said.party, said.message) == name:
            return said
        log.error("a withdrawal that waits is not what its name says: %s", name)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, Invalid) as error:  # msgspec's errors are ValueErrors
        log.error("a withdrawal that waits is damaged: %s: %s", name, type(error).__name__)
    return _by_name(name)


def _by_name(name: str) -> TakenBack:
    party, request, key, _ = name.split(".")
    return TakenBack(
        party=party, message=WithdrawConsent(request=request, key=f"unwritten-{key}"), at_ms=0
    )
