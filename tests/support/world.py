"""Services for tests: real database, folders and keys in a temporary place; only the clock is made,
password hashes are cheap, and nobody is connected."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from avsession.config import Settings
from avsession.keys import FileSigner
from avsession.messages.common import Message
from avsession.passwords import Passwords
from avsession.ports import LogSigner, WorkerInfo
from avsession.sealing.custody import LocalCustody, create_custodian
from avsession.storage.anchor import FileAnchor
from avsession.storage.folders import FolderKeys, FolderObjects
from avsession.storage.parcels import FolderParcels
from avsession.storage.sql import SqlStore
from avsession.storage.unwritten import FolderUnwritten
from avsession.usecases.gate import Gate
from avsession.usecases.notary import Notary
from avsession.usecases.services import Services
from tests.support.engines import database, release

START_MS = 1_750_000_000_000


class Clock:
    """Stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.ms = START_MS

    def now_ms(self) -> int:
        return self.ms

    def forward(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)

    def away_ms(self) -> int:
        return 0

    def adopt(self) -> None:
        pass


class QuietBus:
    """``ports.Bus`` with nobody on it; remembers what was said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Message]] = []

    def tell(self, party: str, message: Message) -> None:
        self.said.append((party, message))

    def tell_session(self, session: str, message: Message) -> None:
        self.said.append((session, message))

    def tell_worker(self, worker: str, message: Message) -> bool:
        return False

    def workers(self) -> list[WorkerInfo]:
        return []

    def drop(self, party: str) -> None:
        pass

    def drop_worker(self, worker: str) -> None:
        pass

    def media(self, party: str) -> tuple[bool, bool]:
        return True, True


def notary(folder: Path, signer: LogSigner | None = None) -> Notary:
    """A log with a name, its key and its anchor in ``folder``; the same again for the same one."""
    key = signer or FileSigner(folder / "log.key")
    return Notary("test.example/log", key, [FileAnchor(folder / "anchor")])


def quick_passwords() -> Passwords:
    """argon2id at its cheapest."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@asynccontextmanager
async def world(
    folder: Path, *, signer: LogSigner | None = None, **settings: Any
) -> AsyncIterator[tuple[Services, Clock]]:
    """Everything that the use cases need, in ``folder``."""
    clock = Clock()
    store = SqlStore(database(folder))
    await store.open()
    for name in ("objects", "spool", "keys"):
        (folder / name).mkdir(mode=0o700)
    create_custodian(folder / "custodian.txt")
    app = Services(
        store=store,
        objects=FolderObjects(folder / "objects", folder / "spool"),
        custody=LocalCustody(FolderKeys(folder / "keys"), folder / "custodian.txt"),
        parcels=FolderParcels(folder / "exports"),
        unwritten=FolderUnwritten(folder / "unwritten"),
        clock=clock,
        entropy=secrets.token_bytes,
        settings=Settings(**settings),
        bus=QuietBus(),
        grant_key=Ed25519PrivateKey.generate(),
        build="0.1.0+test",
        gate=Gate(),
        notary=notary(folder, signer),
        passwords=quick_passwords(),
    )
    try:
        yield app, clock
    finally:
        app.passwords.close()
        await store.close()
        release(folder)
