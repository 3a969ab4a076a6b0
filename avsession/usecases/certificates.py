"""Who is shown a certificate of destruction: the parties of its session, and admins."""

from __future__ import annotations

from typing import Any

import msgspec

from avsession.audit import certificate as certificates
from avsession.errors import NotFound
from avsession.ports import Reader
from avsession.recording import State
from avsession.records import Certificate, Recording
from avsession.session import Party
from avsession.usecases.permissions import REVIEW_READ, Principal, require
from avsession.usecases.services import Services

ERASING = "erasing"
"""What a recording's state is called while its destruction is decided and not done."""


async def of_recording(tx: Reader, recording: str) -> list[dict[str, Any]]:
    """What a list says of each destruction in a recording, oldest first; done or not."""
    rows = await tx.find(Certificate, recording=recording, order="decided_ms")
    return [await _view(tx, row) for row in rows]


async def _view(tx: Reader, row: Certificate) -> dict[str, Any]:
    party = await tx.get(Party, row.party) if row.party else None
    tracks = msgspec.convert(_tracks(row), list[dict[str, Any]])
    return {
        "certificate": row.id,
        "whole": row.whole,
        "reason": row.reason,
        "by": str(party.role) if party else "server",
        "roles": [track["role"] for track in tracks],
        "decided_ms": row.decided_ms,
        "done_ms": row.done_ms,
    }


def _tracks(row: Certificate) -> object:
    what = row.document if row.done_ms is None else row.document["what"]
    return msgspec.convert(what, dict[str, Any])["tracks"]


async def state_of(tx: Reader, recording: Recording) -> str:
    """The recording's state as it is told: destroyed only when that is done and certified."""
    if recording.state is State.ERASED and await tx.find(
        Certificate, recording=recording.id, done_ms=None, limit=1
    ):
        return ERASING
    return str(recording.state)


async def for_admin(app: Services, who: Principal, certificate: str) -> dict[str, Any]:
    """A certificate's machine form. Raises NotFound, also while the destruction is not done."""
    require(who, REVIEW_READ)
    async with app.store.read() as tx:
        return whole(await tx.get(Certificate, certificate))


async def for_party(tx: Reader, party: Party, certificate: str) -> dict[str, Any]:
    """As :func:`for_admin`, for a party of the recording's session."""
    row = await tx.get(Certificate, certificate)
    recording = await tx.get(Recording, row.recording) if row else None
    if recording is None or recording.session != party.session:
        raise NotFound
    return whole(row)


def whole(row: Certificate | None) -> dict[str, Any]:
    """The document, its digest, and the number of the leaf that holds the digest."""
    if row is None or row.done_ms is None:
        raise NotFound
    return {
        "certificate": row.document,
        "sha256": certificates.digest(row.document),
        "leaf": row.leaf,
    }
