"""The staff: their accounts, their own data; and the fast path for a child's."""

from __future__ import annotations

from typing import Any

from avsession.errors import Conflict, SignInRequired
from avsession.usecases import children, leaving, staffdata
from avsession.usecases.permissions import ACCOUNT_MANAGE, PRIVACY_DESK
from web import auth
from web.access import BROWSER, staff
from web.api import examples
from web.routing import Call, Nothing, Route


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
MINE: dict[str, Any] = {
    "account": {
        "login": "ben",
        "name": "Ben Ito",
        "role": "agent",
        "created_ms": examples.NOW,
        "password": True,
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
            "created_ms": examples.NOW,
            "ended_ms": examples.LATER,
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
    "counts": {"sessions": 1, "accesses": 1},
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
    ),
    Route(
        method="GET",
        path="/api/my-data/staff",
        handle=get_own,
        summary="What is kept about who is signed in; null when nobody is",
        access=BROWSER,
        answer={"mine": MINE},
    ),
)
