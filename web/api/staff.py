"""The staff: their accounts, their own data; and the fast path for a child's."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from avsession.errors import Conflict, SignInRequired, TooMany
from avsession.messages.common import Id
from avsession.privacy.requests import Right
from avsession.usecases import children, leaving, staffdata, staffrequests
from avsession.usecases.permissions import ACCOUNT_MANAGE, PRIVACY_DESK
from avsession.usecases.requests import MAX_TEXT
from avsession.usecases.sessions import MAX_NAME
from avsession.usecases.stepup import StepUpRequired
from web import auth
from web.access import BROWSER, own, staff
from web.api import examples
from web.api.requests import ONE
from web.routing import Body, Call, Nothing, Route

OwnRight = Literal["access", "rectify", "restrict", "object", "erase", "complain"]


class AskForOwn(Body, frozen=True, kw_only=True):
    """What a member of staff asks for themselves; ``name``: the one that is to stand instead."""

    right: OwnRight
    text: Annotated[str, Meta(max_length=MAX_TEXT)] = ""
    name: Annotated[str, Meta(max_length=MAX_NAME)] = ""


class OneOfOwn(Body, frozen=True, kw_only=True):
    """One of one's own requests."""

    request: Id


class EnterFor(Body, frozen=True, kw_only=True):
    """What a member of staff, or one who has left, asked another way."""

    right: OwnRight
    text: Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]


async def get_accounts(call: Call[Nothing]) -> object:
    """Every account, the newest first."""
    return {"accounts": await leaving.listed(call.app, call.who)}


async def disable(call: Call[Nothing]) -> object:
    """Disable an account: its sign-ins and calls end at once."""
    return await leaving.disable(call.app, call.who, call.param("account"))


async def get_own(call: Call[Nothing]) -> object:
    """One's own data for who is signed in; ``mine`` is null for anybody else."""
    try:
        who = await auth.staff(call.app, call.request)
    except SignInRequired:
        return {"mine": None}
    return {"mine": await staffdata.own(call.app, who)}


async def ask(call: Call[AskForOwn]) -> object:
    """Put a request of one's own to the desk."""
    body = call.body
    return await staffrequests.ask(call.app, call.who, Right(body.right), body.text, body.name)


async def take_back(call: Call[OneOfOwn]) -> object:
    """Take one of one's own requests back."""
    return await staffrequests.withdraw(call.app, call.who, call.body.request)


async def enter(call: Call[EnterFor]) -> object:
    """Enter what a member of staff asked another way."""
    body = call.body
    account = call.param("account")
    return await staffrequests.enter(call.app, call.who, account, Right(body.right), body.text)


async def erase_child(call: Call[Nothing]) -> object:
    """End the session and erase its customer, who is a child."""
    return await children.erase(call.app, call.who, call.param("session"))


ACCOUNT: dict[str, Any] = {
    "account": examples.ACCOUNT,
    "login": "ben",
    "name": "Ben Ito",
    "role": "agent",
    "created_ms": examples.NOW,
    "disabled": False,
    "disabled_ms": None,
}
OWN_REQUEST: dict[str, Any] = {
    "request": examples.STAFF_REQUEST,
    "right": "rectify",
    "state": "open",
    "text": "I have married.",
    "wanted": "Ben Ito-Maier",
    "by": "account",
    "received_ms": examples.NOW,
    "due_ms": examples.LATER,
    "extension": "",
    "answer": "",
    "done_ms": None,
}
MINE: dict[str, Any] = {
    "account": {
        "login": "ben",
        "name": "Ben Ito",
        "role": "agent",
        "created_ms": examples.NOW,
        "password": True,
        "company": 0,
        "passkeys": [{"name": "work key", "created_ms": examples.NOW, "used_ms": examples.LATER}],
        "links": 0,
    },
    "sign_ins": [
        {
            "pseudonym": examples.PSEUDONYM,
            "created_ms": examples.NOW,
            "seen_ms": examples.LATER,
            "current": True,
        }
    ],
    "sessions": [
        {
            "session": examples.PSEUDONYM,
            "you": examples.PSEUDONYM,
            "name": "Ben Ito",
            "language": "en",
            "contact": "",
            "created_ms": examples.NOW,
            "ended_ms": examples.LATER,
            "joined_ms": examples.NOW,
            "left_ms": examples.LATER,
            "said": [{"kind": "given", "at_ms": examples.NOW, "leaf": 12}],
            "recordings": [{"recording": examples.RECORDING, "erased": False}],
            "watched": [
                {"recording": examples.RECORDING, "purpose": "quality", "at_ms": examples.LATER}
            ],
            "disclosed": [{"given_to": "District Court", "at_ms": examples.LATER}],
            "held": {"category": "claim", "review_ms": examples.LATER},
        }
    ],
    "accesses": [
        {
            "recording": examples.RECORDING,
            "made_ms": examples.NOW,
            "purpose": "quality",
            "reason": "Complaint 4711",
            "at_ms": examples.LATER,
        }
    ],
    "taken": [
        {
            "recording": examples.RECORDING,
            "why": "admin",
            "purpose": "quality",
            "reason": "Complaint 4711",
            "at_ms": examples.LATER,
        }
    ],
    "holds": [
        {
            "hold": examples.HOLD,
            "what": "placed",
            "category": "claim",
            "reason": "Complaint 4711",
            "at_ms": examples.LATER,
        }
    ],
    "disclosures": [
        {
            "disclosure": examples.DISCLOSURE,
            "given_to": "District Court",
            "reason": "Case 12",
            "at_ms": examples.LATER,
        }
    ],
    "log": [{"leaf": 12, "kind": "access.granted", "at_ms": examples.NOW}],
    "requests": [OWN_REQUEST],
    "counts": {
        "sessions": 1,
        "accesses": 1,
        "taken": 1,
        "holds": 1,
        "disclosures": 1,
        "log": 1,
    },
    "kept_days": 365,
}

ROUTES = (
    Route(
        method="GET",
        path="/api/admin/accounts",
        handle=get_accounts,
        summary="Accounts, the newest first",
        access=staff(ACCOUNT_MANAGE),
        answer={"accounts": [ACCOUNT]},
    ),
    Route(
        method="POST",
        path="/api/admin/accounts/{account}/disable",
        handle=disable,
        summary="Disable an account; its sign-ins and calls end at once",
        access=staff(ACCOUNT_MANAGE),
        answer={**ACCOUNT, "disabled": True, "disabled_ms": examples.LATER},
        errors=(Conflict,),
    ),
    Route(
        method="POST",
        path="/api/admin/sessions/{session}/child",
        handle=erase_child,
        summary="End a session and erase its customer, who is a child",
        access=staff(PRIVACY_DESK),
        answer={"state": "held", "held": {"category": "order", "review_ms": examples.LATER}},
        errors=(StepUpRequired,),
    ),
    Route(
        method="GET",
        path="/api/my-data/staff",
        handle=get_own,
        summary="What is kept about who is signed in; null when nobody is",
        access=BROWSER,
        answer={"mine": MINE},
    ),
    Route(
        method="POST",
        path="/api/my-data/staff/requests",
        handle=ask,
        summary="Use a right about one's own data as a member of staff; the desk answers",
        access=own(),
        body=AskForOwn,
        answer=OWN_REQUEST,
        errors=(TooMany,),
    ),
    Route(
        method="POST",
        path="/api/my-data/staff/requests/withdraw",
        handle=take_back,
        summary="Take such a request back",
        access=own(),
        body=OneOfOwn,
        answer={**OWN_REQUEST, "state": "withdrawn", "done_ms": examples.LATER},
        errors=(Conflict,),
    ),
    Route(
        method="POST",
        path="/api/admin/accounts/{account}/requests",
        handle=enter,
        summary="Enter a privacy request of a member of staff that came by another way",
        access=staff(PRIVACY_DESK),
        body=EnterFor,
        answer={**ONE, "by": "staff", "state": "verifying", "of": "staff"},
        errors=(TooMany,),
    ),
)
