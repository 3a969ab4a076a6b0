"""What a party can see and do after the call, by the private link.

The link's secret comes in the body: not in a path or a query, where logs and histories are.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from avsession.config import Controller
from avsession.errors import Conflict, Erased, NotFound, NotPermitted, RequestOver
from avsession.messages.common import Id, Key
from avsession.signed import Enrolment, Signed
from avsession.usecases import mydata
from web.access import LINK, LINK_SESSION, Access, By, Reach
from web.api import examples
from web.api.holds import CERTIFICATE
from web.api.rights import REQUEST, RESTRICTION
from web.routing import Body, Call, Route

Secret = Annotated[str, Meta(min_length=1, max_length=128)]


class MyData(Body, frozen=True, kw_only=True):
    """The private link's secret."""

    secret: Secret


class Withdraw(Body, frozen=True, kw_only=True):
    """Withdraw. Without ``fate`` the recording is destroyed when the time to choose is over.

    ``key`` makes a repeat harmless. ``enrol`` brings the key of the page that the link opened,
    ``signed`` its signature; a withdrawal holds whatever they are worth.
    """

    secret: Secret
    request: Id
    fate: Literal["keep", "destroy"] | None = None
    key: Key
    enrol: Enrolment | None = None
    signed: Signed | None = None


async def get(call: Call[MyData]) -> object:
    """Everything that is kept about the party who holds the link."""
    return await mydata.my_data(call.app, call.body.secret)


async def withdraw(call: Call[Withdraw]) -> object:
    """Withdraw consent after the call."""
    body = call.body
    return await mydata.withdraw(
        call.app, body.secret, body.request, body.fate, body.key, body.enrol, body.signed
    )


class Certificate(Body, frozen=True, kw_only=True):
    """A certificate of destruction, by its id."""

    secret: Secret
    certificate: Id


async def get_certificate(call: Call[Certificate]) -> object:
    """The machine form of a certificate of the holder's session."""
    return await mydata.certificate(call.app, call.body.secret, call.body.certificate)


EXAMPLE: dict[str, Any] = {
    "name": "Ben",
    "role": "customer",
    "preferences": {"language": "en", "contact": "ben@example.com"},
    "seat": {"joined_ms": examples.NOW, "left_ms": None},
    "session": {"session": examples.SESSION, "created_ms": examples.NOW, "ended_ms": None},
    "signing": {"party": examples.PARTY, "challenge": "1750000000000.bWFyaw"},
    "controller": msgspec.to_builtins(Controller()),
    "events": examples.EVENTS,
    "notices": {examples.SHA256: "The notice as it was shown."},
    "recordings": [
        {
            "recording": examples.RECORDING,
            "request": examples.REQUEST,
            "state": "sealed",
            "duration_ms": 10_000,
            "created_ms": examples.NOW,
            "mine_erased": False,
            "purposes": ["quality"],
            "can_withdraw": True,
            "withdrawn": False,
            "fate": None,
            "held": {"category": "claim", "review_ms": examples.LATER},
            "certificates": [examples.DESTRUCTION],
        }
    ],
    "held": {"category": "claim", "review_ms": examples.LATER},
    "accesses": [
        {
            "at_ms": examples.NOW,
            "reason": "Complaint 4711",
            "purpose": "quality",
            "by": "reviewer",
        }
    ],
    "requests": [REQUEST],
    "restrictions": [RESTRICTION],
    "links": [examples.NOW],
    "renewed": [examples.NOW],
    "handed": [examples.NOW],
    "receipts": "open",
    "disclosures": [
        {
            "disclosure": examples.DISCLOSURE,
            "at_ms": examples.NOW,
            "category": "authority",
            "given_to": "District Court of Example City",
            "basis": "order",
            "basis_text": "Order 12 C 34/26 of 1 May",
            "reason": "Ordered in Muster ./. Example Support Ltd",
            "parts": ["records"],
        }
    ],
}

ROUTES = (
    Route(
        method="POST",
        path="/api/my-data",
        handle=get,
        summary="What is kept about the holder of the private link",
        access=LINK,
        body=MyData,
        answer=EXAMPLE,
    ),
    Route(
        method="POST",
        path="/api/my-data/withdraw",
        handle=withdraw,
        summary="Withdraw consent, and keep or destroy what was recorded",
        access=Access(By.LINK, Reach.SESSION, foreign=RequestOver),
        body=Withdraw,
        answer={"state": "withdrawn", "fate": "destroy"},
        errors=(NotFound, NotPermitted, Conflict, Erased),
    ),
    Route(
        method="POST",
        path="/api/my-data/certificate",
        handle=get_certificate,
        summary="The certificate of a destruction that is done",
        access=LINK_SESSION,
        body=Certificate,
        answer=CERTIFICATE,
        errors=(NotFound,),
    ),
)
