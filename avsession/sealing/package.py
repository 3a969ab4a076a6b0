"""Sealing for somebody outside, as one age file to their public key. Nothing here opens it again.

The plain bytes are read piece by piece and never held together; age's own writer, which blocks,
runs in a thread.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from typing import Any

import pyrage

from avsession.errors import AvsessionError, Invalid, Unavailable

PIECE = 256 * 1024
"""Bytes that are read and written at a time."""


def check_recipient(text: str) -> str:
    """An age X25519 recipient, ``age1…``, as it is; raises Invalid on anything else."""
    try:
        return str(pyrage.x25519.Recipient.from_str(text))
    except (ValueError, pyrage.RecipientError) as error:
        raise Invalid("That is not an age public key (age1…).") from error


async def seal_to(
    plain: AsyncIterator[bytes], write: Callable[[bytes], object], recipient: str
) -> None:
    """Write ``plain`` as one age v1 file to ``recipient``; ``write`` may block, it is in a thread.

    Raises Invalid when ``recipient`` is none, Unavailable when sealing or writing fails, and what
    reading ``plain`` raises. What was written until then is no whole age file.
    """
    whom = pyrage.x25519.Recipient.from_str(check_recipient(recipient))
    source = _Source(plain, asyncio.get_running_loop())
    try:
        await asyncio.to_thread(_encrypt, source, _Target(write), whom)
    except (OSError, ValueError, pyrage.EncryptError, RuntimeError) as error:
        if isinstance(source.failed, AvsessionError):
            raise source.failed from error
        raise Unavailable("The package could not be sealed.") from error
    finally:
        if not source.over:  # a thread that is left alone fails with its next reading
            source.failed, source.over = Unavailable(), True


def _encrypt(source: _Source, target: _Target, whom: pyrage.x25519.Recipient) -> None:
    # buffered: age writes 64 KiB at a time, with 16 bytes more, and asks for as much
    with io.BufferedReader(source, PIECE) as reader, io.BufferedWriter(target, PIECE) as writer:
        pyrage.encrypt_io(reader, writer, [whom])


class _Source(io.RawIOBase):
    """What age reads, from another thread than the one that makes it."""

    def __init__(self, plain: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self._plain, self._loop, self._rest = plain, loop, b""
        self.failed: BaseException | None = None
        self.over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while not self._rest and not self.over:
            try:
                self._rest = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
            except BaseException as error:
                self.failed, self.over = error, True
                raise OSError("the plain bytes ended early") from error
        if self.failed is not None:
            raise OSError("the plain bytes ended early")  # never let a part look like the whole
        count = min(len(self._rest), len(buffer))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count

    async def _next(self) -> bytes:
        """The next piece; empty at the end."""
        async for piece in self._plain:
            if piece:
                return piece
        self.over = True
        return b""


class _Target(io.RawIOBase):
    """What age writes to."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._write(bytes(data))
        return len(data)
