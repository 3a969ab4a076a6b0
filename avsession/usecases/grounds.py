"""The grounds on which a key is unwrapped, proven to a custody that asks for a proof."""

from __future__ import annotations

from typing import Any

import msgspec

from avsession.audit import log, merkle
from avsession.errors import LogBroken, LogShrunk
from avsession.messages.custody import Shown
from avsession.records import Detail, Leaf
from avsession.usecases import evidence
from avsession.usecases.services import Services


class Logged:
    """``ports.Grounds``: a leaf that was committed before."""

    def __init__(self, app: Services, leaf: int) -> None:
        self._app, self._leaf = app, leaf

    async def shown(self, since: int) -> Shown:
        """As ``ports.Grounds.shown``. Signs a checkpoint if none covers the leaf yet.

        Raises LogShrunk when custody has seen more of the log than there is, and what
        ``evidence.checkpoint`` raises.
        """
        app, index = self._app, self._leaf
        async with app.store.read() as tx:
            if await log.size(tx) < since:
                raise LogShrunk("Custody has seen more leaves of the log than there are.")
        head = await evidence.checkpoint(app, max(index, since - 1))
        async with app.store.read() as tx:
            leaf = await tx.get(Leaf, index)
            if leaf is None:
                raise LogBroken
            hashes = await log.hashes(tx, merkle.inclusion(index, head.size))
            extends = await log.hashes(tx, merkle.consistency(since, head.size))
            end = await tx.get(Detail, index, "expires_ms")
        return Shown(
            leaf=leaf.data,
            index=index,
            hashes=hashes,
            note=head.note,
            since=since,
            extends=extends,
            until_ms=None if end is None else msgspec.json.decode(end.value, type=int),
            salt=b"" if end is None else end.salt,
        )


def names(leaf: Leaf, refs: dict[str, Any]) -> bool:
    """Whether the leaf speaks of exactly this."""
    return bool(msgspec.json.decode(leaf.data)["refs"] == refs)
