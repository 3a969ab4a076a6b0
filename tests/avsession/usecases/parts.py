"""People with pages, and a database that can fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from avsession.errors import Unavailable
from avsession.messages import Message
from avsession.ports import Unreadable
from avsession.session import Party
from avsession.storage.sql import SqlReader, SqlStore, SqlWriter
from signaling.connection import End
from tests.support.signer import Signer

M = TypeVar("M", bound=Message)


class Store(SqlStore):
    """The real store; ``before_commit`` may look, wait or fail, ``down`` refuses everything."""

    before_commit: Callable[[], Awaitable[None]] | None = None
    down = False

    @asynccontextmanager
    async def read(self, unreadable: Unreadable | None = None) -> AsyncIterator[SqlReader]:
        if self.down:
            raise Unavailable
        async with super().read(unreadable) as tx:
            yield tx

    @asynccontextmanager
    async def write(self) -> AsyncIterator[SqlWriter]:
        if self.down:
            raise Unavailable
        async with super().write() as tx:
            yield tx
            if self.before_commit is not None:
                await self.before_commit()


class Person:
    """A party with a page; what the page was told is in ``heard``."""

    def __init__(self, party: Party, data_secret: str = "") -> None:
        self.id, self.party, self.data_secret = party.id, party, data_secret
        self.signer = Signer(party.session, party.id)
        self.heard: list[Message] = []
        self.ended: End | None = None

    def tell(self, message: Message) -> None:
        self.heard.append(message)

    def end(self, end: End) -> None:
        self.ended = end

    def all(self, kind: type[M]) -> list[M]:
        return [message for message in self.heard if isinstance(message, kind)]

    def last(self, kind: type[M]) -> M:
        return self.all(kind)[-1]
