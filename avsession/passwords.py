"""Staff passwords: argon2id with the library's parameters, hashed off the event loop.

argon2-cffi's defaults are RFC 9106's low-memory choice (64 MiB, 3 passes, 4 lanes), above the
minimum of OWASP's Password Storage Cheat Sheet (19 MiB, 2 passes, 1 lane). Two hashes at most
are made at a time and a few may wait: a flood of sign-ins takes neither the memory nor the loop.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from avsession.errors import TooMany

AT_A_TIME = 2
"""Hashes made at once."""
WAITING = 32
"""Hashes asked for and not yet done; beyond it the caller is told to wait. A few seconds' work."""

T = TypeVar("T")


class Passwords:
    """Hashes and verifies. Give ``hasher`` only to make tests fast.

    Both methods raise TooMany when too many others wait.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        # Threads, not tasks: argon2 lets go of the interpreter's lock while it works.
        self._pool = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="argon2")
        self._decoy = _decoy(self._hasher)
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """An argon2id hash in the PHC string format, with a salt of its own."""
        return await self._run(lambda: self._hasher.hash(_plain(password)))

    async def verify(self, stored: str | None, password: str) -> tuple[bool, str | None]:
        """Whether ``password`` made ``stored``, and a new hash when it needs one.

        The new hash is there when the password is right and ``stored`` was made with other
        parameters than today's. With ``stored`` None (no such account, or one without a
        password) the same work is done and the answer is no: the time it takes must not tell
        which names exist.
        """
        right = await self._run(lambda: self._matches(stored or self._decoy, _plain(password)))
        if stored is None or not right:
            return False, None
        if not self._hasher.check_needs_rehash(stored):
            return True, None
        return True, await self.hash(password)

    def close(self) -> None:
        """Let the threads end; what waits is not done."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING:
            raise TooMany
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


def _plain(password: str) -> str:
    # NFKC (NIST SP 800-63B 3.1.1.2): the same keys on another keyboard are the same password.
    return unicodedata.normalize("NFKC", password)


def _decoy(hasher: PasswordHasher) -> str:
    """A hash that no password is known for, of the same cost; made without any work."""

    def random(size: int) -> str:
        return base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()

    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${cost}${random(hasher.salt_len)}${random(hasher.hash_len)}"
