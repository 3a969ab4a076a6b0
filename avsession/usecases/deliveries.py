"""What other systems were told, for admins: seeing it, trying an endpoint, replaying.

A message holds nothing but pseudonyms and codes, so seeing them is not written down; a replay and
a test are, as ``access.granted`` with the endpoint's name.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from avsession.config_outside import Endpoint
from avsession.errors import Conflict, NotFound
from avsession.ports import Writer
from avsession.usecases import outbox
from avsession.usecases.common import leaf
from avsession.usecases.outbox import DEAD, SENT, WAITING
from avsession.usecases.permissions import WEBHOOKS, Principal, require
from avsession.usecases.services import Services
from avsession.webhook_records import Delivery
from avsession.webhooks import events

PAGE = 100
"""Deliveries that a list has at most."""
MOST_REPLAYED = 1000
"""Dead deliveries that one replay brings back."""
STATES = (WAITING, SENT, DEAD)


def endpoint_of(app: Services, name: str) -> Endpoint:
    """The endpoint of this name; raises NotFound."""
    for endpoint in app.settings.webhooks.endpoints:
        if endpoint.name == name:
            return endpoint
    raise NotFound(f"There is no webhook endpoint called {name}.")


async def listed(
    app: Services, who: Principal | None, *, state: str = "", before_ms: int | None = None
) -> dict[str, Any]:
    """The endpoints with their counts, and deliveries, the newest first.

    ``state``: only those in it; "": all. ``before_ms``: only those made before. ``who`` None: from
    this machine's command line. Raises NotPermitted.
    """
    if who is not None:
        require(who, WEBHOOKS)
    async with app.store.read() as tx:
        where = {"state": state} if state else {}
        rows = await tx.find(Delivery, order="-made_ms", below=before_ms, limit=PAGE, **where)
        endpoints = [
            {
                "name": one.name,
                "url": one.url,
                "events": list(one.events),
                **{
                    name: await tx.count(Delivery, endpoint=one.name, state=name) for name in STATES
                },
            }
            for one in app.settings.webhooks.endpoints
        ]
    return {"endpoints": endpoints, "deliveries": [view(row) for row in rows]}


def view(row: Delivery) -> dict[str, Any]:
    """A delivery as admins see it, with the very message."""
    return {
        "delivery": row.id,
        "endpoint": row.endpoint,
        "kind": row.kind,
        "leaf": row.leaf,
        "state": row.state,
        "made_ms": row.made_ms,
        "due_ms": row.due_ms if row.state == WAITING else None,
        "attempts": row.attempts,
        "tried_ms": row.tried_ms,
        "outcome": row.outcome,
        "message": row.body.decode(),
    }


async def replay(app: Services, who: Principal | None, delivery: str) -> dict[str, Any]:
    """Send a delivery again, with the same id and body, for another day if need be.

    Raises NotPermitted, NotFound (its endpoint may be gone, too), and Conflict while it waits.
    """
    if who is not None:
        require(who, WEBHOOKS)
    async with app.store.write() as tx:
        row = await tx.get(Delivery, delivery)
        if row is None:
            raise NotFound
        endpoint_of(app, row.endpoint)
        if row.state == WAITING:
            raise Conflict("That delivery is waiting to be sent anyway.")
        again = await _again(app, tx, row)
        await _noted(app, tx, who, "webhook.replay", row.endpoint, 1)
    return view(again)


async def replay_dead(app: Services, who: Principal | None, endpoint: str) -> dict[str, Any]:
    """Send every dead delivery of an endpoint again, the oldest first; how many those are.

    At most :data:`MOST_REPLAYED`; ask again for the rest. Raises NotPermitted and NotFound.
    """
    if who is not None:
        require(who, WEBHOOKS)
    endpoint_of(app, endpoint)
    async with app.store.write() as tx:
        rows = await tx.find(
            Delivery, endpoint=endpoint, state=DEAD, order="made_ms", limit=MOST_REPLAYED
        )
        for row in rows:
            await _again(app, tx, row)
        if rows:
            await _noted(app, tx, who, "webhook.replay", endpoint, len(rows))
    return {"endpoint": endpoint, "replayed": len(rows)}


async def test(app: Services, who: Principal | None, endpoint: str) -> dict[str, Any]:
    """Put a message about nothing into an endpoint's list. Raises NotPermitted and NotFound."""
    if who is not None:
        require(who, WEBHOOKS)
    found = endpoint_of(app, endpoint)
    now = app.clock.now_ms()
    row = outbox.make(
        app, found, events.TEST, None, events.body(events.TEST, None, None, {}, now), now
    )
    async with app.store.write() as tx:
        await tx.add(row)
        await _noted(app, tx, who, "webhook.test", endpoint, 1)
    return view(row)


async def _again(app: Services, tx: Writer, row: Delivery) -> Delivery:
    now = app.clock.now_ms()
    again = replace(row, state=WAITING, since_ms=now, due_ms=now, attempts=0)
    await tx.put(again)
    return again


async def _noted(
    app: Services, tx: Writer, who: Principal | None, what: str, endpoint: str, count: int
) -> None:
    await leaf(
        app,
        tx,
        "access.granted",
        actor=who.pseudonym if who else "server",
        refs={"what": what, "endpoint": endpoint, "count": count},
    )
