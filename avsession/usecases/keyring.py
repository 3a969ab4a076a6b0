"""One's own passkeys: adding, seeing, removing. Each change is confirmed first, and a leaf."""

from __future__ import annotations

import unicodedata
from typing import Any

from avsession import passkeys
from avsession.errors import Conflict, Invalid, NotFound
from avsession.passkeys import PasskeyRefused
from avsession.ports import Reader
from avsession.records import Account
from avsession.session import new_id
from avsession.signin_records import Passkey
from avsession.usecases import stepup
from avsession.usecases.common import leaf
from avsession.usecases.permissions import Principal
from avsession.usecases.services import Services

MOST = 10
"""Passkeys of one account."""
MAX_NAME = 60
ADDING = "adding"
"""What the challenge of a new passkey is for, beside changing them."""


async def listed(app: Services, who: Principal) -> dict[str, Any]:
    """One's own passkeys, the oldest first."""
    async with app.store.read() as tx:
        rows = await tx.find(Passkey, account=who.account, order="created_ms")
    return {"passkeys": [view(row) for row in rows]}


def view(row: Passkey) -> dict[str, Any]:
    """A passkey as its owner sees it."""
    return {
        "passkey": row.id,
        "name": row.name,
        "created_ms": row.created_ms,
        "used_ms": row.used_ms,
    }


async def start(app: Services, who: Principal) -> dict[str, Any]:
    """What the browser is to be asked for a new one. Raises StepUpRequired and Conflict."""
    async with app.store.write() as tx:
        account = await tx.get(Account, who.account)
        if account is None:
            raise NotFound
        await _room(tx, who)
        known = await tx.find(Passkey, account=who.account)
        await stepup.spend(app, tx, who, stepup.PASSKEYS, "")
        challenge = await stepup.give(app, tx, who, stepup.PASSKEYS, ADDING)
    options = passkeys.creation(
        app.settings.public_host,
        app.settings.controller.name,
        account.name,
        account.id,
        challenge,
        [one.credential for one in known],
    )
    return {"options": options}


async def add(
    app: Services, who: Principal, name: str, credential: dict[str, Any]
) -> dict[str, Any]:
    """The browser has made one. Raises PasskeyRefused, Invalid, Conflict, and NotFound where the
    account was disabled meanwhile."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= MAX_NAME or any(unicodedata.category(c)[0] == "C" for c in name):
        raise Invalid(f"A name has 1 to {MAX_NAME} printable characters.")
    async with app.store.write() as tx:
        try:
            challenge = await stepup.take(app, tx, who, stepup.PASSKEYS, ADDING)
        except PasskeyRefused:
            challenge = b""
    settings = app.settings
    if not challenge:
        raise PasskeyRefused
    made = passkeys.created(credential, challenge, settings.public_host, settings.origin)
    row = Passkey(
        id=new_id("pky", app.entropy),
        account=who.account,
        credential=made[0],
        public_key=made[1],
        sign_count=made[2],
        name=name,
        created_ms=app.clock.now_ms(),
    )
    async with app.store.write() as tx:
        # since the challenge was given, others may have been added, or the account disabled
        account = await tx.get(Account, who.account)
        if account is None or account.disabled:
            raise NotFound
        await _room(tx, who)
        if await tx.one(Passkey, credential=row.credential) is not None:
            raise Conflict("That passkey is there already.")
        await tx.add(row)
        refs = {"what": "passkey", "passkey": row.id}
        await leaf(app, tx, "access.granted", actor=who.pseudonym, refs=refs)
    return view(row)


async def _room(tx: Reader, who: Principal) -> None:
    if await tx.count(Passkey, account=who.account) >= MOST:
        raise Conflict(f"An account has at most {MOST} passkeys.")


async def remove(app: Services, who: Principal, passkey: str) -> dict[str, Any]:
    """Remove one's own. Raises NotFound (somebody else's is none) and StepUpRequired."""
    async with app.store.write() as tx:
        row = await tx.get(Passkey, passkey)
        if row is None or row.account != who.account:
            raise NotFound
        await stepup.spend(app, tx, who, stepup.PASSKEYS, "")
        await tx.remove(Passkey, id=row.id)
        refs = {"what": "passkey", "passkey": row.id, "reason": "removed"}
        await leaf(app, tx, "access.revoked", actor=who.pseudonym, refs=refs)
    return {}
