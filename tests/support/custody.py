"""Custody behind its socket, in the test's own process; and a small log to show it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from avsession.audit import checkpoint, merkle
from avsession.audit.checkpoint import Checkpoint, VerifierKey
from avsession.canonical import canonical, commitment
from avsession.messages.custody import Shown
from avsession.sealing.custodian import Custodian, PinnedKey
from avsession.sealing.custody import LocalCustody, create_custodian
from avsession.sealing.grounds import DAY_MS, Rules
from avsession.sealing.remote import RemoteCustody
from avsession.storage.anchor import FileAnchor
from avsession.storage.folders import FolderKeys

RULES = Rules(access_ms=3_600_000, export_ms=7 * DAY_MS)


@asynccontextmanager
async def custodian(
    folder: Path, now_ms: Callable[[], int], *, users: frozenset[int] | None = None
) -> AsyncIterator[Path]:
    """A custodian on ``folder``; its socket, in a short path of its own."""
    if not (folder / "custodian.key").exists():
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "tracks").mkdir(mode=0o700)
        create_custodian(folder / "custodian.key")
    made = Custodian(
        LocalCustody(FolderKeys(folder / "tracks"), folder / "custodian.key"),
        head=FileAnchor(folder / "seen"),
        pin=PinnedKey(folder / "log.pub", None),
        users=frozenset({os.geteuid()}) if users is None else users,
        rules=RULES,
        now_ms=now_ms,
    )
    with tempfile.TemporaryDirectory() as place:
        await made.start(Path(place) / "custody")
        try:
            yield Path(place) / "custody"
        finally:
            await made.close()


class SmallLog:
    """A log in memory, signed by a key of its own."""

    def __init__(self, key: Ed25519PrivateKey | None = None) -> None:
        self.private = key or Ed25519PrivateKey.generate()
        self.leaves: list[bytes] = []

    @property
    def key(self) -> VerifierKey:
        return VerifierKey("test.example/log", self.public_key)

    @property
    def public_key(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    async def sign(self, data: bytes) -> bytes:
        return self.private.sign(data)

    def add(self, kind: str, time: str = "2026-05-01T12:00:00.000Z", **refs: object) -> int:
        """A leaf that commits to an end, ``expires_ms`` 30 minutes after the usual time."""
        body = {
            "kind": kind,
            "time": time,
            "refs": refs,
            "commitments": {"expires_ms": commitment(SALT, "expires_ms", UNTIL_MS)},
        }
        self.leaves.append(canonical(body))
        return len(self.leaves) - 1

    def fork(self) -> SmallLog:
        """The same log, to go on differently, under the same key."""
        other = SmallLog(self.private)
        other.leaves = list(self.leaves)
        return other

    def _hash(self, part: merkle.Part) -> bytes:
        found = []
        for level, number in part:
            leaves = self.leaves[number << level : (number + 1) << level]
            found.append(_root([merkle.leaf_hash(one) for one in leaves]))
        return merkle.fold(found)

    async def head(self) -> Checkpoint:
        size = len(self.leaves)
        root = self._hash(merkle.edge(size))
        return await checkpoint.sign(self.key.name, size, root, self)

    async def shown(self, index: int, since: int = 0) -> Shown:
        """``ports.Grounds`` would show this."""
        head = await self.head()
        return Shown(
            leaf=self.leaves[index],
            index=index,
            hashes=tuple(map(self._hash, merkle.inclusion(index, head.size))),
            note=head.note,
            since=since,
            extends=tuple(map(self._hash, merkle.consistency(since, head.size))),
            until_ms=UNTIL_MS,
            salt=SALT,
        )


SALT = b"s" * 32
NOON_MS = 1_777_636_800_000
"""2026-05-01T12:00:00Z."""
UNTIL_MS = NOON_MS + 1_800_000


def _root(hashes: list[bytes]) -> bytes:
    """The root over a power of two of hashes."""
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [merkle.node_hash(left, right) for left, right in pairs]
    return hashes[0]


def remote(socket: Path, log: SmallLog) -> RemoteCustody:
    return RemoteCustody(socket, log.key.text)
