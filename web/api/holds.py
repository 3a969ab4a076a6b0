"""Legal holds and certificates of destruction, for admins."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from avsession.errors import Conflict, Erased, NotFound
from avsession.messages.common import Id
from avsession.usecases import certificates, holds, permissions
from web.access import staff
from web.api import examples
from web.routing import Body, Call, Nothing, Route

Reason = Annotated[str, Meta(min_length=1, max_length=500)]


class Place(Body, frozen=True, kw_only=True):
    """What is held, why, who asked for it, and when it is looked at again (server time, ms)."""

    scope: Literal["recording", "session", "party"]
    target: Id
    category: Literal["claim", "order", "duty"]
    reason: Reason
    asked_by: Annotated[str, Meta(min_length=1, max_length=200)]
    review_ms: Annotated[int, Meta(ge=0, le=2**53 - 1)]


class Release(Body, frozen=True, kw_only=True):
    """Why the hold is over."""

    reason: Reason


async def place(call: Call[Place]) -> object:
    """Place a hold: from now on nothing that it covers is destroyed."""
    body = call.body
    return await holds.place(
        call.app,
        call.who,
        scope=body.scope,
        target=body.target,
        category=body.category,
        reason=body.reason,
        asked_by=body.asked_by,
        review_ms=body.review_ms,
    )


async def get_standing(call: Call[Nothing]) -> object:
    """What is held now, and when that is to be reviewed."""
    return {"holds": await holds.standing(call.app, call.who)}


async def release(call: Call[Release]) -> object:
    """Release a hold: what was decided meanwhile happens now."""
    return await holds.release(call.app, call.who, call.param("hold"), call.body.reason)


async def get_certificate(call: Call[Nothing]) -> object:
    """The machine form of a certificate of destruction."""
    return await certificates.for_admin(call.app, call.who, call.param("certificate"))


HOLD: dict[str, Any] = {
    "hold": examples.HOLD,
    "scope": "recording",
    "target": examples.RECORDING,
    "category": "claim",
    "reason": "Claim 12/26",
    "asked_by": "The company's lawyer",
    "review_ms": examples.LATER,
    "placed_ms": examples.NOW,
    "released_ms": None,
    "release_reason": "",
}

CERTIFICATE: dict[str, Any] = {
    "certificate": {
        "schema_version": "avsession.certificate.v1",
        "certificate": examples.CERTIFICATE,
        "what": {
            "recording": examples.RECORDING,
            "session": examples.PSEUDONYM,
            "whole": True,
            "manifest": {"head": examples.SHA256, "entries": 12},
            "tracks": [
                {
                    "track": examples.TRACK,
                    "recipient": "age1…",
                    "role": "customer",
                    "segments": 1,
                    "segments_sha256": [examples.SHA256],
                    "digest": examples.SHA256,
                }
            ],
        },
        "when": {
            "decided": "2025-06-15T15:06:40.000Z",
            "keys_destroyed": "2025-06-15T15:06:40.000Z",
            "done": "2025-06-15T15:06:40.000Z",
        },
        "why": "withdrawn",
        "by": {"role": "customer", "pseudonym": examples.PSEUDONYM},
        "left": {"key_backup_days": 0, "key_backups_until": None, "database": "overwritten"},
        "controller": {
            "name": "Example Support Ltd",
            "address": "1 Example Street, Example City",
            "contact": "privacy@example.com",
            "dpo": "dpo@example.com",
        },
        "privacy": "https://localhost:8443/privacy",
    },
    "sha256": examples.SHA256,
    "leaf": 42,
}

ROUTES = (
    Route(
        method="GET",
        path="/api/admin/holds",
        handle=get_standing,
        summary="The legal holds that stand, the one to be reviewed first in front",
        access=staff(permissions.HOLD),
        answer={"holds": [{**HOLD, "session": examples.SESSION, "due": False}]},
    ),
    Route(
        method="POST",
        path="/api/admin/holds",
        handle=place,
        summary="Place a legal hold on a recording, a session or a party, with a reason",
        access=staff(permissions.HOLD),
        body=Place,
        answer=HOLD,
        errors=(NotFound, Erased, Conflict),
    ),
    Route(
        method="POST",
        path="/api/admin/holds/{hold}/release",
        handle=release,
        summary="Release a legal hold, with a reason",
        access=staff(permissions.HOLD),
        body=Release,
        answer={**HOLD, "released_ms": examples.LATER, "release_reason": "Settled"},
        errors=(Conflict,),
    ),
    Route(
        method="GET",
        path="/api/admin/certificates/{certificate}",
        handle=get_certificate,
        summary="The certificate of a destruction that is done",
        access=staff(permissions.REVIEW_READ),
        answer=CERTIFICATE,
    ),
)
