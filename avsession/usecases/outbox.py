"""Writing down whom to tell: a delivery for each endpoint, in the transaction that it tells of.

So what was committed is told, and what was rolled back is not, wherever a crash falls. Sending is
``usecases.delivering``'s. The list is as long as what happened in ``retention.webhook_days``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from avsession.config_outside import Endpoint
from avsession.ports import Writer
from avsession.session import new_id
from avsession.usecases.services import Services
from avsession.webhook_records import Delivery
from avsession.webhooks import events

WAITING, SENT, DEAD = "waiting", "sent", "dead"
"""The states of a delivery; dead ones only somebody's replay brings back."""


async def note(
    app: Services,
    tx: Writer,
    kind: str,
    leaf: int,
    session: str | None,
    refs: Mapping[str, Any],
) -> None:
    """A delivery of the leaf with this index for everyone who wants its kind.

    ``session`` is its pseudonym.
    """
    if kind not in events.EVENTS:
        return
    for endpoint in app.settings.webhooks.endpoints:
        if events.wanted(endpoint.events, kind):
            now = app.clock.now_ms()
            data = events.body(kind, leaf, session, refs, now)
            await tx.add(make(app, endpoint, kind, leaf, data, now))


def make(
    app: Services, endpoint: Endpoint, kind: str, leaf: int | None, data: bytes, now_ms: int
) -> Delivery:
    """A delivery that is due at once."""
    return Delivery(
        id=new_id("msg", app.entropy),
        endpoint=endpoint.name,
        kind=kind,
        leaf=leaf,
        body=data,
        state=WAITING,
        made_ms=now_ms,
        since_ms=now_ms,
        due_ms=now_ms,
    )
