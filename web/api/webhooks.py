"""What other systems were told by webhook, for admins."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from avsession.errors import Conflict, NotFound
from avsession.usecases import deliveries, permissions
from web.access import staff
from web.api import examples
from web.routing import Body, Call, Nothing, Route


class Listed(Body, frozen=True, kw_only=True):
    """Which deliveries: in this state, made before this moment (server time, ms)."""

    state: Literal["", "waiting", "sent", "dead"] = ""
    before: Annotated[int, Meta(ge=0, le=2**53 - 1)] | None = None


class Named(Body, frozen=True, kw_only=True):
    """An endpoint, by its name in the settings."""

    endpoint: Annotated[str, Meta(min_length=1, max_length=32)]


async def get_listed(call: Call[Listed]) -> object:
    """The endpoints with their counts, and deliveries, the newest first."""
    body = call.body
    return await deliveries.listed(call.app, call.who, state=body.state, before_ms=body.before)


async def replay(call: Call[Nothing]) -> object:
    """Send a delivery again."""
    return await deliveries.replay(call.app, call.who, call.param("delivery"))


async def replay_dead(call: Call[Named]) -> object:
    """Send every dead delivery of an endpoint again."""
    return await deliveries.replay_dead(call.app, call.who, call.body.endpoint)


async def test(call: Call[Named]) -> object:
    """Send a message that is about nothing."""
    return await deliveries.test(call.app, call.who, call.body.endpoint)


DELIVERY: dict[str, Any] = {
    "delivery": "msg_" + "a" * 26,
    "endpoint": "crm",
    "kind": "recording.sealed",
    "leaf": 42,
    "state": "dead",
    "made_ms": examples.NOW,
    "due_ms": examples.LATER,
    "attempts": 13,
    "tried_ms": examples.LATER,
    "outcome": "503",
    "message": '{"type":"recording.sealed","timestamp":"2025-06-15T15:06:40.000Z","data":{}}',
}
WAITING = {**DELIVERY, "state": "waiting", "attempts": 0}
ENDPOINT: dict[str, Any] = {
    "name": "crm",
    "url": "https://crm.example.com/hooks",
    "events": ["recording"],
    "waiting": 1,
    "sent": 12,
    "dead": 2,
}

ROUTES = (
    Route(
        method="GET",
        path="/api/admin/webhooks",
        handle=get_listed,
        summary="Webhook endpoints with their counts, and deliveries, the newest first",
        access=staff(permissions.WEBHOOKS),
        body=Listed,
        answer={"endpoints": [ENDPOINT], "deliveries": [DELIVERY]},
    ),
    Route(
        method="POST",
        path="/api/admin/webhooks/replay-dead",
        handle=replay_dead,
        summary="Send every dead delivery of an endpoint again",
        access=staff(permissions.WEBHOOKS),
        body=Named,
        answer={"endpoint": "crm", "replayed": 2},
        errors=(NotFound,),
    ),
    Route(
        method="POST",
        path="/api/admin/webhooks/test",
        handle=test,
        summary="Send an endpoint a message that is about nothing",
        access=staff(permissions.WEBHOOKS),
        body=Named,
        answer={**WAITING, "kind": "webhook.test", "leaf": None},
        errors=(NotFound,),
    ),
    Route(
        method="POST",
        path="/api/admin/webhooks/deliveries/{delivery}/replay",
        handle=replay,
        summary="Send a delivery again, with the same id and message",
        access=staff(permissions.WEBHOOKS),
        answer=WAITING,
        errors=(Conflict,),
    ),
)
