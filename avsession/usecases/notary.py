"""Who signs the log's heads, under which name, and where the last one is kept besides."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from avsession.audit.checkpoint import Checkpoint, VerifierKey, sign
from avsession.errors import AvsessionError, CheckpointInvalid, SignerFailed
from avsession.ports import Anchor, LogSigner

SIGN_S = 5.0
"""How long the signer may take; it may be another machine's."""


class Notary:
    """The log's name, its key, its anchors, and the newest head that this process knows.

    ``lock`` lets one task sign at a time: whoever waited for it finds the head that was signed
    meanwhile, so that many who ask at once share one signature.
    """

    def __init__(self, origin: str, signer: LogSigner, anchors: Sequence[Anchor] = ()) -> None:
        self.key = VerifierKey(origin, signer.public_key)
        self.anchors = tuple(anchors)
        self.newest: Checkpoint | None = None
        self.tried_ms = 0
        """When this process signed last, or tried to (ms since the Unix epoch); 0: not yet."""
        self.hurried = False
        """Whether a head is wanted with the next tick: a recording's proof waits for one."""
        self.lock = asyncio.Lock()
        self._signer = signer

    @property
    def origin(self) -> str:
        """The log's name: the first line of each of its checkpoints."""
        return self.key.name

    def covering(self, size: int) -> Checkpoint | None:
        """The newest head, if it has this many leaves."""
        return self.newest if self.newest is not None and self.newest.size >= size else None

    async def sign(self, size: int, root: bytes) -> Checkpoint:
        """A head, signed; raises SignerFailed, whatever went wrong with the signer.

        The caller has seen to it that this head extends every one that was signed before.
        """
        try:
            async with asyncio.timeout(SIGN_S):
                return await sign(self.origin, size, root, self._signer)
        except CheckpointInvalid as error:
            raise SignerFailed("The audit log's signer does not have the log's key.") from error
        except AvsessionError:
            raise
        except Exception as error:
            raise SignerFailed from error
