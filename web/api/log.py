"""The audit log's heads and proofs, for anybody who wants to keep a copy. No person is in them.

Nothing is signed for a caller here: heads come by themselves, at the latest a minute after a leaf.
"""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta

from avsession.audit.checkpoint import MAX_SIZE, b64
from avsession.errors import Invalid, LogBroken, NotFound, TooMany
from avsession.usecases import evidence
from avsession.usecases.limits import Buckets, address_key
from web import auth
from web.access import ANYBODY
from web.routing import Body, Call, Nothing, Route

BURST = 60
EVERY_MS = 500
"""Questions from one address: sixty at once, then two a second."""
READERS: web.AppKey[Buckets] = web.AppKey("log_readers", Buckets)

Count = Annotated[int, Meta(ge=0, le=MAX_SIZE)]

NOTE = "log.example/avsession\n3\nAA…=\n\n— log.example/avsession AA…=\n"


class LeafQuery(Body, frozen=True, kw_only=True):
    """Which leaf, and in which signed head; without a size the newest."""

    leaf: Count
    size: Count | None = None


class FromQuery(Body, frozen=True, kw_only=True, rename={"from_": "from"}):
    """How many leaves the log had that is to be extended."""

    from_: Count


async def get_checkpoint(call: Call[Nothing]) -> object:
    """The newest head. Raises NotFound while there is none."""
    _limited(call)
    return text((await evidence.newest(call.app)).note)


async def get_proof(call: Call[LeafQuery]) -> object:
    """A leaf's proof, without the leaf: who has it can check it. Raises NotFound."""
    _limited(call)
    size = call.body.size
    if size is None:
        size = (await evidence.newest(call.app)).size
    return text((await evidence.proof(call.app, call.body.leaf, size)).text)


async def get_consistency(call: Call[FromQuery]) -> object:
    """The proof that today's log extends an older one. Raises Invalid, NotFound."""
    _limited(call)
    found = await evidence.consistency(call.app, call.body.from_)
    return {
        "from": found.old_size,
        "size": found.checkpoint.size,
        "hashes": [b64(one) for one in found.hashes],
        "checkpoint": found.checkpoint.note,
    }


async def get_key(call: Call[Nothing]) -> object:
    """The key that checkpoints are verified with, in the form in which notes' keys travel."""
    _limited(call)
    return text(f"{call.app.notary.key.text}\n")


def _limited(call: Call[Any]) -> None:
    """Raises TooMany when somebody asks too fast."""
    key = address_key(auth.address(call.request))
    if not call.request.app[READERS].take(key, call.app.clock.now_ms()):
        raise TooMany


def text(body: str) -> web.Response:
    """Plain text, as the formats of the log are."""
    return web.Response(text=body, content_type="text/plain", charset="utf-8")


ROUTES = (
    Route(
        method="GET",
        path="/log/checkpoint",
        handle=get_checkpoint,
        summary="The audit log's newest signed head (C2SP tlog-checkpoint)",
        access=ANYBODY,
        media="text/plain",
        answer=NOTE,
        errors=(NotFound, TooMany, LogBroken),
    ),
    Route(
        method="GET",
        path="/log/proof",
        handle=get_proof,
        body=LeafQuery,
        summary="That a leaf is in the log (C2SP tlog-proof)",
        access=ANYBODY,
        media="text/plain",
        answer=f"c2sp.org/tlog-proof@v1\nindex 0\nAA…=\n\n{NOTE}",
        errors=(NotFound, TooMany, LogBroken),
    ),
    Route(
        method="GET",
        path="/log/consistency",
        handle=get_consistency,
        body=FromQuery,
        summary="That the log extends an older one (RFC 6962 section 2.1.2)",
        access=ANYBODY,
        answer={"from": 2, "size": 3, "hashes": ["AA…="], "checkpoint": NOTE},
        errors=(Invalid, NotFound, TooMany, LogBroken),
    ),
    Route(
        method="GET",
        path="/log/key",
        handle=get_key,
        summary="The key that checkpoints are verified with",
        access=ANYBODY,
        media="text/plain",
        answer="log.example/avsession+00000000+AA…=\n",
        errors=(TooMany,),
    ),
)
