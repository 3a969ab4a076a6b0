"""Confirming that it is really them who asks, and the passkeys that staff do it with."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from avsession.errors import Conflict, SignInFailed, TooMany
from avsession.passkeys import TIMEOUT_MS, PasskeyRefused
from avsession.usecases import keyring, stepup
from avsession.usecases.accounts import MAX_PASSWORD
from avsession.usecases.stepup import StepUpRequired
from web import auth
from web.access import own
from web.api import examples
from web.routing import Body, Call, Nothing, Route


class About(Body, frozen=True, kw_only=True):
    """Which action, on what: an identifier, or nothing for one's passkeys."""

    action: Literal["play", "disclose", "erase", "link", "passkeys"]
    target: Annotated[str, Meta(max_length=64)] = ""


class Confirm(About, frozen=True, kw_only=True):
    """The same, and the confirmation: a passkey's answer, or the password."""

    password: Annotated[str, Meta(max_length=MAX_PASSWORD)] = ""
    credential: dict[str, Any] | None = None


class Made(Body, frozen=True, kw_only=True):
    """What the browser made, and what its owner calls it."""

    name: Annotated[str, Meta(min_length=1, max_length=keyring.MAX_NAME)]
    credential: dict[str, Any]


async def start(call: Call[About]) -> object:
    """How it can be confirmed."""
    return await stepup.start(call.app, call.who, call.body.action, call.body.target)


async def confirm(call: Call[Confirm]) -> object:
    """Confirm an action, which may then be carried out once."""
    body = call.body
    await stepup.confirm(
        call.app,
        call.who,
        body.action,
        body.target,
        password=body.password,
        credential=body.credential,
        address=auth.address(call.request),
    )
    return {}


async def get_passkeys(call: Call[Nothing]) -> object:
    """One's own passkeys."""
    return await keyring.listed(call.app, call.who)


async def begin(call: Call[Nothing]) -> object:
    """What the browser is to be asked for a new passkey."""
    return await keyring.start(call.app, call.who)


async def add(call: Call[Made]) -> object:
    """Add a passkey."""
    return await keyring.add(call.app, call.who, call.body.name, call.body.credential)


async def remove(call: Call[Nothing]) -> object:
    """Remove one of one's own."""
    return await keyring.remove(call.app, call.who, call.param("passkey"))


PASSKEY: dict[str, Any] = {
    "passkey": "pky_" + "a" * 26,
    "name": "Key ring",
    "created_ms": examples.NOW,
    "used_ms": examples.LATER,
}
NAMED = {"id": "a" * 43, "type": "public-key"}
ASKED: dict[str, Any] = {
    "challenge": "c" * 43,
    "timeout": TIMEOUT_MS,
    "rpId": "calls.example.com",
    "allowCredentials": [NAMED],
    "userVerification": "required",
}
"""``PublicKeyCredentialRequestOptionsJSON`` of Web Authentication, level 3."""
CREATED: dict[str, Any] = {
    "rp": {"name": "Example Support Ltd", "id": "calls.example.com"},
    "user": {"id": "u" * 40, "name": "Ann Lee", "displayName": "Ann Lee"},
    "challenge": "c" * 43,
    "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
    "timeout": TIMEOUT_MS,
    "excludeCredentials": [NAMED],
    "authenticatorSelection": {"requireResidentKey": False, "userVerification": "required"},
    "attestation": "none",
}
"""``PublicKeyCredentialCreationOptionsJSON``."""

ROUTES = (
    Route(
        method="POST",
        path="/api/step-up/start",
        handle=start,
        summary="How to confirm that it is really you: by which passkeys, or by password",
        access=own(),
        body=About,
        answer={"passkey": ASKED, "password": False},
    ),
    Route(
        method="POST",
        path="/api/step-up",
        handle=confirm,
        summary="Confirm one action, which may then be carried out once, within two minutes",
        access=own(),
        body=Confirm,
        errors=(SignInFailed, PasskeyRefused, TooMany),
    ),
    Route(
        method="GET",
        path="/api/passkeys",
        handle=get_passkeys,
        summary="One's own passkeys",
        access=own(),
        answer={"passkeys": [PASSKEY]},
    ),
    Route(
        method="POST",
        path="/api/passkeys/start",
        handle=begin,
        summary="Begin to add a passkey",
        access=own(),
        answer={"options": CREATED},
        errors=(StepUpRequired, Conflict),
    ),
    Route(
        method="POST",
        path="/api/passkeys",
        handle=add,
        summary="Add the passkey that the browser has made",
        access=own(),
        body=Made,
        answer=PASSKEY,
        errors=(PasskeyRefused, Conflict),
    ),
    Route(
        method="POST",
        path="/api/passkeys/{passkey}/remove",
        handle=remove,
        summary="Remove one of one's own passkeys",
        access=own(),
        errors=(StepUpRequired,),
    ),
)
