"""Consent events: the record, its row and its leaf, together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from avsession.audit import record, rows
from avsession.audit.record import Shown
from avsession.canonical import canonical, sha256_hex
from avsession.ports import Writer
from avsession.records import ConsentEvent, Recording, RecordingRequest
from avsession.session import Party, Session, new_id
from avsession.usecases.common import leaf
from avsession.usecases.services import Services


def _key(signature: Mapping[str, Any] | None) -> str | None:
    """The enrolled key that signed, by its digest; None when no signature holds."""
    if signature is None or signature["status"] != "valid":
        return None
    key: str = signature["statement"]["key"]
    return key


async def add(  # noqa: PLR0913 - an event has this many parts
    app: Services,
    tx: Writer,
    session: Session,
    party: Party,
    request: RecordingRequest,
    kind: str,
    *,
    shown: Shown | None = None,
    given: Sequence[str] = (),
    signature: Mapping[str, Any] | None = None,
    actor: str | None = None,
    refs: Mapping[str, Any] | None = None,
) -> ConsentEvent:
    """Append an event of ``party``: document, leaf that commits to it, row.

    ``refs``: what this kind's leaf refers to besides.
    """
    event_id = new_id("evt", app.entropy)
    now = app.clock.now_ms()
    recording = await tx.one(Recording, request=request.id)
    document = record.build(
        app.settings,
        event=event_id,
        kind=kind,
        at_ms=now,
        party=party,
        actor=actor or party.pseudonym,
        session=session.pseudonym,
        request=request.id,
        recording=recording.id if recording else None,
        asked=request.purposes,
        given=given,
        shown=shown,
        signature=signature,
        proof={},
    )
    # The document is committed to without its proof: that names the leaf, which it cannot hold.
    del document["proof"]
    asked = {"asked": rows.asked(request)} if kind == "requested" else {}
    index = await leaf(
        app,
        tx,
        rows.EVENT_LEAVES[kind],
        session=session,
        subject=party,
        actor=actor,
        refs={
            "event": event_id,
            "request": request.id,
            "notice": shown.sha256 if shown else None,
            "key": _key(signature),
            **asked,
            **(refs or {}),
        },
        details={"document": sha256_hex(canonical(document)), "purposes": list(given)},
    )
    document["proof"] = {"leaf": index}
    event = ConsentEvent(
        id=event_id,
        session=session.id,
        request=request.id,
        party=party.id,
        kind=kind,
        at_ms=now,
        document=document,
        leaf=index,
    )
    await tx.add(event)
    return event
