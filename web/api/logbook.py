"""The admin's log: the standing sign, the leaves, one with its proof, exports."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from avsession.audit.log import KINDS
from avsession.errors import Invalid, LogBroken, NotFound
from avsession.usecases import logbook
from avsession.usecases.logbook import Filter
from avsession.usecases.permissions import LOG_READ
from web.access import staff
from web.api import examples
from web.api.log import NOTE, Count, text
from web.routing import Body, Call, Nothing, Route

NEWEST = 2**53 - 1

Word = Annotated[str, Meta(max_length=200)]
Moment = Annotated[int, Meta(ge=0, le=NEWEST)]


class Search(Body, frozen=True, kw_only=True):
    """What to look for, and before which leaf. Times: ms since the Unix epoch."""

    session: Word = ""
    person: Word = ""
    kind: Word = ""
    from_ms: Moment = 0
    to_ms: Moment = NEWEST
    below: Moment = NEWEST


class Export(Search, frozen=True, kw_only=True):
    """What to export; ``below`` does not count."""

    form: Word = "jsonl"


class Number(Body, frozen=True, kw_only=True):
    """Which leaf."""

    leaf: Count


def _filter(body: Search) -> Filter:
    if body.kind and body.kind not in KINDS:
        raise Invalid("There is no such kind of leaf.")
    return Filter(
        session=body.session.strip(),
        person=body.person.strip(),
        kind=body.kind,
        from_ms=body.from_ms,
        to_ms=body.to_ms,
    )


async def get_state(call: Call[Nothing]) -> object:
    """Whether the log verifies, since when, up to which size; and the kinds of leaves there are."""
    return logbook.state(call.app, call.who)


async def get_leaves(call: Call[Search]) -> object:
    """Leaves, newest first."""
    return await logbook.search(call.app, call.who, _filter(call.body), call.body.below)


async def get_leaf(call: Call[Number]) -> object:
    """One leaf with its bytes, details and proof."""
    return await logbook.one(call.app, call.who, call.body.leaf)


async def get_proof(call: Call[Number]) -> object:
    """The leaf's proof as a file."""
    response = text(await logbook.proof_of(call.app, call.who, call.body.leaf))
    _as_file(response, f"leaf-{call.body.leaf}.tlog-proof")
    return response


async def get_export(call: Call[Export]) -> object:
    """Every leaf that matches, as a stream."""
    form = call.body.form
    chunks = await logbook.export(call.app, call.who, _filter(call.body), form)
    response = web.StreamResponse()
    response.content_type = "text/csv" if form == "csv" else "application/jsonl"
    response.charset = "utf-8"
    _as_file(response, f"audit-log.{form}")
    await response.prepare(call.request)
    async for chunk in chunks:
        await response.write(chunk)
    await response.write_eof()
    return response


def _as_file(response: web.StreamResponse, name: str) -> None:
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'


LINE = {
    "leaf": 17,
    "at_ms": examples.NOW,
    "kind": "consent.given",
    "session": "psn_…",
    "actor": "psn_…",
    "subject": "psn_…",
    "refs": "{}",
}

ROUTES = (
    Route(
        method="GET",
        path="/api/admin/log/state",
        handle=get_state,
        summary="Whether the audit log verifies, since when, and up to which size",
        access=staff(LOG_READ),
        answer={
            "ok": True,
            "since_ms": examples.NOW,
            "checked_ms": examples.NOW,
            "full_ms": examples.NOW,
            "size": 18,
            "problem": None,
            "count": 0,
            "checking": False,
            "kinds": ["consent.given"],
        },
    ),
    Route(
        method="POST",  # what is looked for may be a name, and no name belongs into an address
        path="/api/admin/log/leaves",
        handle=get_leaves,
        summary="Leaves of the audit log, newest first; reading them is written down",
        access=staff(LOG_READ),
        body=Search,
        answer={"leaves": [LINE], "next": 17},
    ),
    Route(
        method="GET",
        path="/api/admin/log/leaf",
        handle=get_leaf,
        summary="One leaf: its bytes, the details that are there, its proof",
        access=staff(LOG_READ),
        body=Number,
        answer={
            **LINE,
            "data": "{}",
            "hash": examples.SHA256,
            "details": [{"field": "purposes", "value": "[]", "state": "ok"}],
            "checkpoint": NOTE,
            "size": 18,
            "proof": f"c2sp.org/tlog-proof@v1\nindex 17\nAA…=\n\n{NOTE}",
            "problem": None,
        },
        errors=(NotFound, LogBroken),
    ),
    Route(
        method="GET",
        path="/api/admin/log/proof",
        handle=get_proof,
        summary="A leaf's proof as a file (C2SP tlog-proof)",
        access=staff(LOG_READ),
        body=Number,
        media="text/plain",
        answer=f"c2sp.org/tlog-proof@v1\nindex 17\nAA…=\n\n{NOTE}",
        errors=(NotFound, LogBroken),
    ),
    Route(
        method="POST",
        path="/api/admin/log/export",
        handle=get_export,
        summary="Every leaf that matches, as JSON Lines or CSV; the export is written down",
        access=staff(LOG_READ),
        body=Export,
        media="application/jsonl",
        other_media=("text/csv",),
        answer="{}",
    ),
)
