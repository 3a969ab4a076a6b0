"""Disclosures to authorities and processors, for admins with that permission."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from avsession.errors import Conflict, ConsentRequired, Erased, NotFound
from avsession.messages.common import Id
from avsession.usecases import disclosures
from avsession.usecases.permissions import DISCLOSE
from avsession.usecases.stepup import StepUpRequired
from web.access import staff
from web.api import examples
from web.api.playback import stream
from web.routing import Body, Call, Nothing, Route

Text = Annotated[str, Meta(min_length=1, max_length=500)]


class Disclose(Body, frozen=True, kw_only=True):
    """What is given to whom, on what basis, why, and sealed to which age public key.

    ``silent_until_ms``: until when the law forbids to tell the person (server time, ms).
    """

    scope: Literal["recording", "session", "party"]
    target: Id
    category: Literal["authority", "processor"]
    given_to: Annotated[str, Meta(min_length=1, max_length=200)]
    basis: Literal["order", "duty", "claim", "contract"]
    basis_text: Text
    reason: Text
    parts: Annotated[tuple[Literal["records", "media"], ...], Meta(min_length=1, max_length=2)]
    recipient: Annotated[str, Meta(min_length=1, max_length=200)]
    silent_until_ms: Annotated[int, Meta(ge=0, le=2**53 - 1)] | None = None


async def get_disclosures(call: Call[Nothing]) -> object:
    """What was disclosed, newest first."""
    return await disclosures.listed(call.app, call.who)


async def make(call: Call[Disclose]) -> object:
    """Disclose something; the package is built in the background."""
    body = call.body
    return await disclosures.make(
        call.app,
        call.who,
        scope=body.scope,
        target=body.target,
        category=body.category,
        given_to=body.given_to,
        basis=body.basis,
        basis_text=body.basis_text,
        reason=body.reason,
        parts=body.parts,
        recipient=body.recipient,
        silent_until_ms=body.silent_until_ms,
    )


async def download(call: Call[Nothing]) -> object:
    """The sealed package, whole or one range of it."""
    row, package = await disclosures.file(call.app, call.who, call.param("disclosure"))
    name = f"disclosure-{row.id[4:12]}.zip.age"
    return await stream(
        call.request, package, "application/octet-stream", etag=row.sha256, name=name
    )


DISCLOSURE: dict[str, Any] = {
    "disclosure": examples.DISCLOSURE,
    "session": examples.SESSION,
    "scope": "recording",
    "target": examples.RECORDING,
    "category": "authority",
    "given_to": "District Court of Example City",
    "basis": "order",
    "basis_text": "Order 12 C 34/26 of 1 May",
    "reason": "Ordered in Muster ./. Example Support Ltd",
    "parts": ["media", "records"],
    "recipient": "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq",
    "made_ms": examples.NOW,
    "silent_until_ms": None,
    "state": "ready",
    "expires_ms": examples.LATER,
    "size": 1_048_576,
    "sha256": examples.SHA256,
    "manifest": examples.SHA256,
    "leaf": 17,
    "done": 0,
    "total": 0,
}

ROUTES = (
    Route(
        method="GET",
        path="/api/admin/disclosures",
        handle=get_disclosures,
        summary="What was disclosed to authorities and processors, newest first",
        access=staff(DISCLOSE),
        answer={
            "disclosures": [DISCLOSURE],
            "processors": [
                {"name": "Typists Ltd", "what_for": {"en": "writing down"}, "where": {"en": "EU"}}
            ],
        },
    ),
    Route(
        method="POST",
        path="/api/admin/disclosures",
        handle=make,
        summary="Disclose records or recordings: a logged act, and a package for their key",
        access=staff(DISCLOSE),
        body=Disclose,
        answer=DISCLOSURE,
        errors=(StepUpRequired, NotFound, Erased, Conflict),
    ),
    Route(
        method="GET",
        path="/api/admin/disclosures/{disclosure}.zip.age",
        handle=download,
        summary="A disclosure's sealed package; takes Range, one range at most",
        access=staff(DISCLOSE),
        media="application/octet-stream",
        answer="",
        ranges=True,
        errors=(NotFound, Conflict, Erased, ConsentRequired),
    ),
)
