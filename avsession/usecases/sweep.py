"""What a rule of retention needs to be carried out: how its due rows are found, and how they go.

A sweep looks page by page and never holds more than a page; :mod:`avsession.usecases.retention`
drives it, for the command and for the schedule alike. Looking changes nothing, so that a dry run
is the same walk without the going.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from avsession.errors import AvsessionError
from avsession.ports import Reader, Writer
from avsession.privacy.requests import WAITING
from avsession.privacy.retention import Rule
from avsession.records import PrivacyRequest, Restriction
from avsession.usecases import holds
from avsession.usecases.common import leaf
from avsession.usecases.services import Services

R = TypeVar("R")

log = logging.getLogger("avsession.retention")

PAGE = 200
"""Rows that are looked at in one go."""

Cursor = tuple[Any, ...]
"""The last row that was looked at: its column's value, and its key among equals."""

HOLD = "hold"
"""Why something stays though its time is over: a legal hold stands on it."""
RESTRICTED = "restriction"
"""Somebody in it has it restricted."""
ASKED = "request"
"""Somebody in it waits for the answer to a privacy request."""
IN_USE = "recording"
"""A recording that the session's persons are in is kept for longer."""


@dataclasses.dataclass(frozen=True)
class Look:
    """One page: the ids that are due, why others are kept, and where to go on (None: the end)."""

    due: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    after: Cursor | None = None


Looker = Callable[[Services, Reader, Rule, int, Cursor | None], Awaitable[Look]]
"""Looks at the next page of what is due at a time (ms); raises Unavailable."""
Goer = Callable[[Services, Rule, Sequence[str], int], Awaitable[list[str]]]
"""Lets these go if they are still due; those that went. What cannot go now is left for later."""


@dataclasses.dataclass(frozen=True)
class Sweep:
    """How the rule called ``what`` is carried out."""

    what: str
    look: Looker
    go: Goer


async def page(
    tx: Reader,
    kind: type[R],
    order: str,
    key: str,
    after: Cursor | None,
    *,
    below: int | None = None,
    **where: Any,
) -> tuple[list[R], Cursor | None]:
    """The next :data:`PAGE` rows by ``order``, then ``key``; and the cursor, None at the end.

    Rows may go between two pages: none that is left is passed over.
    """
    rows: list[R] = []
    if after is not None:
        equal = {**where, order: after[0]}
        rows = await tx.find(kind, order=key, above=after[1], limit=PAGE, **equal)
    if len(rows) < PAGE:
        rows += await tx.find(
            kind,
            order=order,
            above=after[0] if after is not None else None,
            below=below,
            limit=PAGE - len(rows),
            **where,
        )
    if len(rows) < PAGE:
        return rows, None
    return rows, (getattr(rows[-1], order), getattr(rows[-1], key))


async def applied(app: Services, tx: Writer, rule: Rule, count: int, **refs: Any) -> None:
    """``retention.applied``: how many of what went and how, no persons."""
    said = {"what": rule.what, "how": rule.how, "count": count, **refs}
    await leaf(app, tx, "retention.applied", actor="server", refs=said)


async def one_by_one(
    ids: Sequence[str], go: Callable[[str], Awaitable[bool]], what: str
) -> list[str]:
    """Let each go by itself: what goes wrong with one is noted, and the others go on."""
    gone = []
    for one in ids:
        try:
            if await go(one):
                gone.append(one)
        except AvsessionError as error:
            log.warning("%s: one waits for its next turn: %s", what, error.code)
        except Exception:
            log.exception("%s: one failed", what)
    return gone


async def kept_by(tx: Reader, session: str) -> str | None:
    """Why nothing of this session may go by time; None when nothing keeps it."""
    if await holds.of_session(tx, session):
        return HOLD
    standing = await tx.find(Restriction, session=session, lifted_ms=None)
    if any(row.whole for row in standing):
        return RESTRICTED
    asked = await tx.find(PrivacyRequest, session=session, done_ms=None)
    return ASKED if any(row.state in WAITING for row in asked) else None
