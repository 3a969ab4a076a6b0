"""Confirming that it is really them, before what cannot be taken back or opens a recording.

A member of staff who is signed in confirms one action on one thing, with a passkey, or with the
password where there is no passkey. The confirmation is of use once, for that very action, in that
very sign-in, for two minutes. An account that has neither (on a loopback address, which signs in by
link) has nothing to confirm with, and is let through there only.
"""

from __future__ import annotations

import hashlib
from typing import Any

from msgspec.structs import replace

from avsession import passkeys
from avsession.errors import Refused, SignInFailed, SignInRequired, TooMany
from avsession.passkeys import PasskeyRefused
from avsession.ports import Reader, Writer
from avsession.records import Account, AuthSession
from avsession.signin_records import Passkey, StepUp
from avsession.usecases import accounts
from avsession.usecases.common import leaf
from avsession.usecases.limits import address_key
from avsession.usecases.permissions import Principal
from avsession.usecases.services import Services

PLAY, DISCLOSE, ERASE, LINK, PASSKEYS = "play", "disclose", "erase", "link", "passkeys"
ACTIONS = (PLAY, DISCLOSE, ERASE, LINK, PASSKEYS)
"""What is confirmed: opening a recording, disclosing, erasing a person, giving somebody a new
private link, changing one's passkeys."""
LIVES_MS = 120_000
"""How long a challenge may take to be answered, and a confirmation to be used."""
FRESH_MS = 600_000
"""How young a sign-in is that adds its account's first passkey where there is no password."""
CHALLENGE = 32


class StepUpRequired(Refused):
    """It must be confirmed first that it is really them who ask for this."""

    code = "auth.step_up"
    sentence = "Confirm that it is you first, with a passkey or your password."


async def start(app: Services, who: Principal, action: str, target: str) -> dict[str, Any]:
    """How ``who`` can confirm: ``passkey``, what the browser is to be asked; ``password``."""
    async with app.store.write() as tx:
        account, known = await _of(tx, who)
        if not known:
            return {"passkey": None, "password": account.password is not None}
        challenge = app.entropy(CHALLENGE)
        await _keep(app, tx, _key(b"asked", who, action, target), challenge)
    asked = passkeys.request(app.settings.public_host, challenge, [one.credential for one in known])
    return {"passkey": asked, "password": False}


async def confirm(
    app: Services,
    who: Principal,
    action: str,
    target: str,
    *,
    password: str = "",
    credential: dict[str, Any] | None = None,
    address: str = "",
) -> None:
    """``who`` confirms. Raises SignInFailed, PasskeyRefused and TooMany; each refusal is a leaf."""
    key, now = address_key(address), app.clock.now_ms()
    if not app.limits.addresses.take(key, now):
        await accounts.refused(app, "too_many", address=address, actor=who.pseudonym)
        raise TooMany
    try:
        if credential is not None:
            await _by_passkey(app, who, action, target, credential)
        else:
            await _by_password(app, who, action, target, password)
    except (SignInFailed, PasskeyRefused):
        await accounts.refused(app, "step_up", address=address, actor=who.pseudonym)
        raise
    app.limits.addresses.give_back(key)


async def spend(app: Services, tx: Writer, who: Principal, action: str, target: str) -> None:
    """Use up the confirmation of this action, inside the transaction that carries it out.

    Raises StepUpRequired when there is none.
    """
    found = await tx.get(StepUp, _key(b"confirmed", who, action, target))
    if found is not None:
        await tx.remove(StepUp, key_hash=found.key_hash)
        if app.clock.now_ms() < found.expires_ms:
            return
    account, known = await _of(tx, who)
    nothing = not known and account.password is None
    if nothing and (app.settings.is_loopback or await _first(app, tx, who, action)):
        return
    raise StepUpRequired


async def take(app: Services, tx: Writer, who: Principal, action: str, target: str) -> bytes:
    """The challenge that was given for this, once. Raises PasskeyRefused when there is none."""
    found = await tx.get(StepUp, _key(b"asked", who, action, target))
    if found is None or found.challenge is None:
        raise PasskeyRefused
    await tx.remove(StepUp, key_hash=found.key_hash)
    if app.clock.now_ms() >= found.expires_ms:
        raise PasskeyRefused
    return found.challenge


async def give(app: Services, tx: Writer, who: Principal, action: str, target: str) -> bytes:
    """A challenge for this action, kept until it is taken."""
    challenge = app.entropy(CHALLENGE)
    await _keep(app, tx, _key(b"asked", who, action, target), challenge)
    return challenge


async def _first(app: Services, tx: Reader, who: Principal, action: str) -> bool:
    """Whether it is the first passkey, right after signing in at the company's provider."""
    auth = await tx.get(AuthSession, who.auth)
    young = auth is not None and app.clock.now_ms() - auth.created_ms < FRESH_MS
    return action == PASSKEYS and young


async def _by_passkey(
    app: Services, who: Principal, action: str, target: str, credential: dict[str, Any]
) -> None:
    async with app.store.write() as tx:
        # spent whatever comes of it: a second try needs a challenge of its own
        try:
            challenge = await take(app, tx, who, action, target)
        except PasskeyRefused:
            challenge = b""
        _, known = await _of(tx, who)
    named = str(credential.get("id", ""))
    mine = next((one for one in known if passkeys.is_called(one.credential, named)), None)
    if mine is None or not challenge:
        raise PasskeyRefused
    settings = app.settings
    async with app.store.write() as tx:
        current = await tx.get(Passkey, mine.id)
        if current is None:
            raise PasskeyRefused
        count = passkeys.confirmed(
            credential,
            challenge,
            settings.public_host,
            settings.origin,
            public_key=current.public_key,
            count=current.sign_count,
        )
        await tx.put(replace(current, sign_count=count, used_ms=app.clock.now_ms()))
        await _confirmed(app, tx, who, action, target, "passkey")


async def _by_password(
    app: Services, who: Principal, action: str, target: str, password: str
) -> None:
    async with app.store.read() as tx:
        account, known = await _of(tx, who)
    if known:
        raise SignInFailed("Use your passkey.")
    right, _ = await app.passwords.verify(account.password, password)
    if not right:
        raise SignInFailed("That is not your password.")
    async with app.store.write() as tx:
        await _confirmed(app, tx, who, action, target, "password")


async def _confirmed(
    app: Services, tx: Writer, who: Principal, action: str, target: str, by: str
) -> None:
    await _keep(app, tx, _key(b"confirmed", who, action, target), None)
    refs = {"what": "step_up", "action": action, "target": target, "by": by}
    await leaf(app, tx, "access.granted", actor=who.pseudonym, refs=refs)


async def _keep(app: Services, tx: Writer, key: bytes, challenge: bytes | None) -> None:
    until = app.clock.now_ms() + LIVES_MS
    await tx.put(StepUp(key_hash=key, challenge=challenge, expires_ms=until))


async def _of(tx: Reader, who: Principal) -> tuple[Account, list[Passkey]]:
    account = await tx.get(Account, who.account)
    if account is None:
        raise SignInRequired
    return account, await tx.find(Passkey, account=who.account, order="created_ms")


def _key(which: bytes, who: Principal, action: str, target: str) -> bytes:
    return hashlib.sha256(b"\0".join((which, who.auth, action.encode(), target.encode()))).digest()
