"""The custody process's own side of its socket: who may ask, what they are answered.

The kernel says which user asks (SO_PEERCRED); anybody but the configured ones is hung up on. What
may be asked is the whole of ``messages.custody``. Each unwrapping is written to the program's log.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from avsession.audit import checkpoint
from avsession.audit.checkpoint import VerifierKey
from avsession.errors import (
    AvsessionError,
    CheckpointInvalid,
    Conflict,
    CustodyRefused,
    SettingsInvalid,
)
from avsession.messages import custody as wire
from avsession.messages.custody import Answer
from avsession.sealing import grounds
from avsession.sealing.custody import LocalCustody

log = logging.getLogger("avsession.custody")

MOST = 32
"""Connections at once; one more is hung up on."""
READ_S = 5.0
"""How long a question may take to arrive, and its answer to be taken."""
_CREDENTIALS = struct.Struct("3i")


class Head(Protocol):
    """Where custody keeps the checkpoint that it saw last; ``ports.Anchor`` is one."""

    async def get(self) -> str | None: ...
    async def put(self, note: str) -> None: ...


class Pin(Protocol):
    """The log's public key that custody goes by."""

    def key(self, said: str) -> VerifierKey:
        """The key; the first one that is ever ``said`` may become it.

        Raises CustodyRefused when it is another one, CheckpointInvalid when it is no key.
        """


class Custodian:
    """Answers questions on a unix socket. Call :meth:`start`, and :meth:`close` at the end."""

    def __init__(
        self,
        custody: LocalCustody,
        *,
        head: Head,
        pin: Pin,
        users: frozenset[int],
        rules: grounds.Rules,
        now_ms: Callable[[], int],
    ) -> None:
        self._custody, self._head, self._pin = custody, head, pin
        self._users, self._rules, self._now_ms = users, rules, now_ms
        self._lock = asyncio.Lock()
        self._writers: set[asyncio.StreamWriter] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._server: asyncio.Server | None = None

    async def start(self, path: Path) -> None:
        """Listen at ``path``, for this user and this group (0660).

        Raises SettingsInvalid when the path cannot be used, or the system does not say who asks.
        """
        if not hasattr(socket, "SO_PEERCRED"):
            raise SettingsInvalid("This system does not tell who asks on a socket (SO_PEERCRED).")
        try:
            listening = listen(path)
            self._server = await asyncio.start_unix_server(self._connected, sock=listening)
        except (OSError, ValueError) as error:
            raise SettingsInvalid(f"custody.socket: {path} cannot be used: {error}") from error

    async def close(self) -> None:
        """Take no more questions; what is being asked is hung up on."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._idle.wait()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self._idle.clear()
        try:
            if len(self._writers) <= MOST and self._known(writer):
                async with asyncio.timeout(READ_S):
                    data = await reader.readexactly(
                        wire.length(await reader.readexactly(wire.HEADER))
                    )
                said = await self._said(data)
                async with asyncio.timeout(READ_S):
                    writer.write(wire.frame(said))
                    await writer.drain()
        except EOFError:
            pass  # somebody who only looked whether we are there
        except (AvsessionError, OSError, TimeoutError) as error:
            log.warning("a question was not answered: %s", type(error).__name__)
        finally:
            writer.close()
            self._writers.discard(writer)
            if not self._writers:
                self._idle.set()

    def _known(self, writer: asyncio.StreamWriter) -> bool:
        peer: socket.socket = writer.get_extra_info("socket")
        raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, user, _ = _CREDENTIALS.unpack(raw)
        # our own user is `custody check`, which only looks whether we are there
        if user not in self._users and user != os.geteuid():
            log.warning("user %d (process %d) is not let in", user, pid)
        return user in self._users

    async def _said(self, data: bytes) -> Answer:
        asked: wire.AnyQuestion | None = None
        try:
            asked = wire.question(data)
            return await self._answer(asked)
        except AvsessionError as error:
            if isinstance(error, CustodyRefused):
                log.warning("refused: %s", error, extra=_told(asked))
            return Answer(error=error.code, sentence=str(error)[:500])

    async def _answer(self, asked: wire.AnyQuestion) -> Answer:
        try:
            key = self._pin.key(asked.log)
        except CheckpointInvalid as error:
            raise CustodyRefused("That is no log's key.") from error
        match asked:
            case wire.AskHead():
                return Answer(recipient=self._custody.recipient, head=await self._head.get())
            case wire.AskCreate(recording=recording, track=track):
                recipient = await self._custody.create(recording, track)
                log.info("made", extra=_told(asked, recording=recording, track=track))
                return Answer(recipient=recipient)
            case wire.AskUnwrap():
                return await self._unwrap(asked, key)
            case wire.AskDestroy(track=track):
                gone = await self._custody.destroy(track)
                if gone:  # whether we answer is asked with tracks that never were
                    log.info("destroyed", extra=_told(asked, track=track))
                return Answer(destroyed=gone)

    async def _unwrap(self, asked: wire.AskUnwrap, key: VerifierKey) -> Answer:
        # one at a time: what is kept must grow in the order in which it was shown
        async with self._lock:
            note = await self._head.get()
            kept = None if note is None else checkpoint.verify(note, key)
            head = grounds.check(
                asked.grounds,
                recording=asked.recording,
                track=asked.track,
                key=key,
                kept=kept,
                now_ms=self._now_ms(),
                rules=self._rules,
            )
            # kept first: what was opened is in what custody saw, whatever happens next
            if kept is None or head.size > kept.size:
                await self._head.put(head.note)
        identity = await self._custody.unwrap(asked.recording, asked.track)
        told = _told(
            asked, recording=asked.recording, track=asked.track, leaf=str(asked.grounds.index)
        )
        log.info("unwrapped", extra=told)
        return Answer(identity=identity)


def _told(asked: wire.AnyQuestion | None, **more: str) -> dict[str, str]:
    """What a line says besides: for which session it was asked, if that was said."""
    session = asked.session if asked is not None else None
    return more if session is None else {"session": session, **more}


def listen(path: Path) -> socket.socket:
    """A socket at ``path``, in the place of one that a process before us left. Blocking, briefly.

    Raises OSError, ValueError when something else is there.
    """
    if path.is_symlink() or (path.exists() and not path.is_socket()):
        raise ValueError("what is there is no socket")
    path.unlink(missing_ok=True)
    with ExitStack() as failed:
        made = failed.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        before = os.umask(0o117)
        try:
            made.bind(str(path))
            made.listen(MOST)
        finally:
            os.umask(before)
        failed.pop_all()
    return made


class PinnedKey:
    """The log's key in a file: the one that is set, or the first that custody was told."""

    def __init__(self, path: Path, said: str | None) -> None:
        """``said``: ``custody.log_key``. Blocking. Raises SettingsInvalid when it is no key, or
        another one than custody went by until now."""
        self._path = path
        self._key: VerifierKey | None = None
        try:
            if path.exists():
                self._key = checkpoint.parse_key(path.read_text("utf-8"))
            wanted = None if said is None else checkpoint.parse_key(said)
        except (CheckpointInvalid, OSError, UnicodeDecodeError) as error:
            raise SettingsInvalid("custody.log_key, or what was kept of it, is no key.") from error
        if self._key is None:
            self._key = wanted
        elif wanted not in (None, self._key):
            raise SettingsInvalid("custody.log_key: custody went by another log until now.")

    def key(self, said: str) -> VerifierKey:
        """As ``Pin.key``. The first key is written down before it is used."""
        told = checkpoint.parse_key(said)
        if self._key is None:
            self._write(told)
            self._key = told
            log.warning("from now on custody goes by this log: %s", told.text)
        if told != self._key:
            raise CustodyRefused("That is another log than the one that custody goes by.")
        return self._key

    def _write(self, key: VerifierKey) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(self._path, flags, 0o600), "w", encoding="utf-8") as file:
                file.write(key.text + "\n")
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError as error:
            raise Conflict("Another custody uses this folder.") from error
