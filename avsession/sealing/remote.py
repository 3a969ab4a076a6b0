"""``ports.Custody`` in another process: the server's side of custody's socket."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from avsession.audit import checkpoint
from avsession.errors import (
    AvsessionError,
    Conflict,
    CustodyMoved,
    CustodyRefused,
    CustodyUnavailable,
    Invalid,
    MessageInvalid,
    NotFound,
    Unavailable,
)
from avsession.logs import SESSION
from avsession.messages import custody as wire
from avsession.messages.custody import Answer
from avsession.ports import Grounds

ASK_S = 5.0
"""How long a question may take: a transaction may be waiting for its answer."""
CALM_S = 5.0
"""After one that took longer nobody waits for the next for so long."""
TURNS = 5
"""Attempts while others are shown to custody at the same time."""

_ERRORS: dict[str, type[AvsessionError]] = {
    kind.code: kind
    for kind in (Conflict, CustodyMoved, CustodyRefused, Invalid, NotFound, Unavailable)
}


class RemoteCustody:
    """Asks the custody process; each method raises CustodyUnavailable when it does not answer."""

    def __init__(self, path: Path, log_key: str) -> None:
        """``log_key``: the log's public key in its text form, by which custody knows us."""
        self._path, self._log = path, log_key
        self._calm_until = 0.0

    async def recipient(self) -> str:
        """The custodian's age recipient."""
        return (await self._ask(wire.AskHead(log=self._log))).recipient

    async def head(self) -> str | None:
        """The note of the checkpoint that custody saw last; None: it unwrapped nothing yet."""
        return (await self._ask(wire.AskHead(log=self._log))).head

    async def create(self, recording: str, track: str) -> str:
        """As ``ports.Custody.create``."""
        asked = wire.AskCreate(log=self._log, recording=recording, track=track)
        return (await self._ask(asked)).recipient

    async def unwrap(self, recording: str, track: str, grounds: Grounds | None = None) -> str:
        """As ``ports.Custody.unwrap``; raises CustodyRefused when custody does not accept the
        grounds, and what proving them raises."""
        if grounds is None:
            raise CustodyRefused
        for _ in range(TURNS):
            note = await self.head()
            since = 0 if note is None else checkpoint.parse(note).size
            shown = await grounds.shown(since)
            asked = wire.AskUnwrap(log=self._log, recording=recording, track=track, grounds=shown)
            try:
                return (await self._ask(asked)).identity
            except CustodyMoved:
                continue
        raise CustodyUnavailable

    async def destroy(self, track: str) -> bool:
        """As ``ports.Custody.destroy``."""
        return (await self._ask(wire.AskDestroy(log=self._log, track=track))).destroyed

    async def reach(self) -> None:
        """Raise CustodyUnavailable unless the process takes a connection."""
        try:
            async with asyncio.timeout(ASK_S):
                _, writer = await asyncio.open_unix_connection(self._path)
        except (OSError, TimeoutError) as error:
            raise CustodyUnavailable from error
        writer.close()

    async def _ask(self, asked: wire.AnyQuestion) -> Answer:
        loop = asyncio.get_running_loop()
        if loop.time() < self._calm_until:
            raise CustodyUnavailable
        try:
            async with asyncio.timeout(ASK_S):
                named = msgspec.structs.replace(asked, session=SESSION.get())
                said = await self._exchange(wire.frame(named))
        except TimeoutError:
            self._calm_until = loop.time() + CALM_S
            raise CustodyUnavailable from None
        except (OSError, EOFError, MessageInvalid) as error:
            raise CustodyUnavailable from error
        if said.error:
            raise _ERRORS.get(said.error, Unavailable)(said.sentence)
        return said

    async def _exchange(self, frame: bytes) -> Answer:
        reader, writer = await asyncio.open_unix_connection(self._path)
        try:
            writer.write(frame)
            await writer.drain()
            size = wire.length(await reader.readexactly(wire.HEADER))
            return wire.answer(await reader.readexactly(size))
        finally:
            writer.close()
