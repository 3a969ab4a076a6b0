"""What a leaf must be by itself: in its place, canonical, and as its columns repeat it."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import rfc8785
from msgspec import UNSET, UnsetType

from avsession.audit.findings import rows
from avsession.audit.log import KINDS
from avsession.canonical import canonical
from avsession.ports import Reader
from avsession.records import Leaf

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MS = datetime.timedelta(milliseconds=1)


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A leaf's bytes, read."""

    v: int
    index: int
    time: str
    kind: str
    session: str | None
    actor: str | None
    subject: str | None
    refs: dict[str, Any]
    commitments: dict[str, str]
    heads: list[int] | UnsetType = UNSET
    """Signed heads: the newest that the leaf before names, and those stored since. Older leaves
    name none."""

    @property
    def at_ms(self) -> int:
        """Its time in milliseconds since the Unix epoch; raises ValueError."""
        return (datetime.datetime.fromisoformat(self.time) - _EPOCH) // _MS


_decoder = msgspec.json.Decoder(Body)
_encoder = msgspec.json.Encoder(order="sorted")


def decode(data: bytes) -> Body:
    """A leaf's bytes; raises ValueError when they are none."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError("its bytes are no leaf") from error


def read(row: Leaf) -> tuple[Body | None, list[str]]:
    """A leaf's body, if it can be read, and every thing that is wrong with it."""
    try:
        body = decode(row.data)
    except ValueError:
        return None, ["its bytes are no leaf"]
    wrong = []
    if body.index != row.index:
        wrong.append(f"its bytes say that it is leaf {body.index}")
    if not _is_canonical(body, row.data):
        wrong.append("its bytes are not canonical JSON")
    if body.v != 1 or body.kind not in KINDS:
        wrong.append(f"its kind {body.kind} is not one of ours")
    if body.kind != row.kind:
        wrong.append(f"its kind is {body.kind}, its column says {row.kind}")
    if body.session != row.session:
        wrong.append("its session is not the one in its column")
    try:
        if body.at_ms != row.at_ms:
            wrong.append("its time is not the one in its column")
    except (ValueError, TypeError):
        wrong.append("its time is no time")
    return body, wrong


async def bodies(tx: Reader, kind: str, **where: Any) -> AsyncIterator[Body]:
    """Every leaf of a kind; one that cannot be read is named elsewhere."""
    async for leaf in rows(tx, Leaf, "index", kind=kind, **where):
        body, _ = read(leaf)
        if body is not None:
            yield body


def _is_canonical(body: Body, data: bytes) -> bool:
    """RFC 8785. Sorted JSON of plain ASCII without numbers but whole ones is the same, and fast."""
    try:
        if data.isascii() and b"\\" not in data and _plain(body.refs) and _plain_heads(body):
            return _encoder.encode(body) == data
        return canonical(body) == data
    except (rfc8785.CanonicalizationError, ValueError, RecursionError):
        return False


def _plain_heads(body: Body) -> bool:
    return body.heads is UNSET or all(abs(size) < 2**53 for size in body.heads)


def _plain(value: Any) -> bool:
    """Whether there is no number in it that JSON can write in several ways."""
    if isinstance(value, dict):
        return all(_plain(one) for one in value.values())
    if isinstance(value, list):
        return all(_plain(one) for one in value)
    if isinstance(value, int):
        return abs(value) < 2**53
    return value is None or isinstance(value, str)
