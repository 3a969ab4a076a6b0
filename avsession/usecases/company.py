"""Staff who sign in at their company's provider (OpenID Connect): whose account, and which role.

What the provider said is verified before it comes here (``web.oidc``). An account is tied to the
provider's ``sub`` alone, never to a name or an address that somebody there could change; the first
sign-in makes it. Whom no entry of ``company.roles`` fits is refused, and what they had open ends.
When the provider says that somebody's session is over, it is over here, live calls included.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from avsession.audit import log
from avsession.config_outside import Company
from avsession.errors import Conflict, NotFound, Refused, SignInFailed, TooMany
from avsession.ports import Writer
from avsession.privacy.stored import COMPANY_S
from avsession.records import Account, AuthSession
from avsession.session import new_id
from avsession.signin_records import Identity, PendingSignIn, StepUp
from avsession.usecases import accounts
from avsession.usecases.accounts import MAX_NAME, SignedIn
from avsession.usecases.limits import address_key
from avsession.usecases.services import Services
from avsession.usecases.tokens import new_secret, secret_hash

METHOD = "company"
"""How ``access.granted`` calls this way in."""
MOST_PENDING = 10_000
"""Sign-ins under way at once; more are refused until some have come back or run out."""
HEARD_MS = 600_000
"""For how long a logout token is known again: for longer than one is believed."""
MOST_SESSIONS = 1000
"""Sessions that one word of the provider's ends."""


class NoRole(Refused):
    """The company's provider vouches for them, but what it says gives them no role here."""

    code = "auth.no_role"
    sentence = "Your company knows you, but has given you no role here. Ask its administrators."


async def start(app: Services) -> tuple[str, str, PendingSignIn]:
    """Somebody goes to the provider: the state, the browser's secret, and what is kept of it.

    Raises NotFound when there is no provider, TooMany.
    """
    if app.settings.company.issuer is None:
        raise NotFound
    state, browser = new_secret(app.entropy), new_secret(app.entropy)
    pending = PendingSignIn(
        state_hash=secret_hash(state),
        browser_hash=secret_hash(browser),
        nonce=new_secret(app.entropy),
        verifier=new_secret(app.entropy),
        expires_ms=app.clock.now_ms() + COMPANY_S * 1000,
    )
    async with app.store.write() as tx:
        if await tx.count(PendingSignIn) >= MOST_PENDING:
            raise TooMany
        await tx.add(pending)
    return state, browser, pending


async def take(app: Services, state: str, browser: str, *, address: str = "") -> PendingSignIn:
    """What was kept of a sign-in under way, once: whatever comes of it, it is spent.

    Raises SignInFailed unless this very browser began it, and in time; TooMany.
    """
    key, now = address_key(address), app.clock.now_ms()
    if not app.limits.addresses.take(key, now):
        await accounts.refused(app, "too_many", address=address)
        raise TooMany
    async with app.store.write() as tx:
        pending = await tx.get(PendingSignIn, secret_hash(state))
        if pending is not None:
            await tx.remove(PendingSignIn, state_hash=pending.state_hash)
    if pending is None or pending.expires_ms <= now or pending.browser_hash != secret_hash(browser):
        await accounts.refused(app, METHOD, address=address)
        raise SignInFailed("The sign-in at your company ran out, or began in another browser.")
    app.limits.addresses.give_back(key)
    return pending


async def sign_in(app: Services, claims: Mapping[str, Any], *, address: str = "") -> SignedIn:
    """Begin a session for whom the claims of a verified ID token are about.

    Raises NoRole, and SignInFailed when their account was disabled here.
    """
    company = app.settings.company
    subject = subject_of(claims["iss"], claims["sub"])
    sid = claims.get("sid")
    role = role_of(company, claims)
    if role is None:
        await _end_all(app, subject=subject, reason="no_role")
        await accounts.refused(app, "no_role", address=address)
        raise NoRole
    async with app.store.write() as tx:
        account = await _account(app, tx, subject, role, _name(claims.get(company.name_claim)))
        if not account.disabled:
            return await accounts.begin(
                app,
                tx,
                account,
                METHOD,
                subject=subject,
                sid=sid_of(claims["iss"], sid) if isinstance(sid, str) else None,
            )
    await accounts.refused(app, "disabled", address=address)
    raise SignInFailed("Your account here was disabled.")


async def ended(
    app: Services, issuer: str, subject: str | None, sid: str | None, *, token: str = ""
) -> int:
    """The provider says that a session of its own is over, or all of somebody's; how many ended.

    ``token`` is the ``jti`` of what said so. Raises SignInFailed when it was heard before: somebody
    who kept it would otherwise end a session that began later.
    """
    heard = hashlib.sha256(f"logout\0{issuer}\0{token}".encode()).digest()
    async with app.store.read() as tx:
        if token and await tx.get(StepUp, heard) is not None:
            raise SignInFailed
    count = await _ended(app, issuer, subject, sid)
    if token:
        # only now: what failed on the way may be said again
        async with app.store.write() as tx:
            until = app.clock.now_ms() + HEARD_MS
            await tx.put(StepUp(key_hash=heard, challenge=None, expires_ms=until))
    return count


async def _ended(app: Services, issuer: str, subject: str | None, sid: str | None) -> int:
    """Those of ``sid``; with none, all of ``subject``'s. With both also those of ``subject``'s that
    began without a ``sid``: which session there they belong to nobody can say."""
    whose = None if subject is None else subject_of(issuer, subject)
    if sid is None:
        return 0 if whose is None else await _end_all(app, subject=whose, reason="provider")
    count = await _end_all(app, sid=sid_of(issuer, sid), reason="provider")
    if whose is not None:
        count += await _end_all(app, subject=whose, sid=None, reason="provider")
    return count


def subject_of(issuer: str, subject: str) -> bytes:
    """By what somebody at a provider is known again here."""
    return hashlib.sha256(f"subject\0{issuer}\0{subject}".encode()).digest()


def sid_of(issuer: str, sid: str) -> bytes:
    """By what a session at a provider is known again here."""
    return hashlib.sha256(f"sid\0{issuer}\0{sid}".encode()).digest()


def role_of(company: Company, claims: Mapping[str, Any]) -> str | None:
    """The role of the first entry that fits; None: none does."""
    found = claims.get(company.role_claim)
    if company.role_claim == "email" and claims.get("email_verified") is not True:
        return None  # an address that somebody only typed there gives nobody a role
    values = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return next((one.role for one in company.roles if one.value in values), None)


def _name(found: object) -> str:
    """A display name out of a claim; "" when there is none that can be one."""
    if not isinstance(found, str):
        return ""
    plain = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in found)
    return " ".join(plain.split())[:MAX_NAME].strip()


async def _account(app: Services, tx: Writer, subject: bytes, role: str, name: str) -> Account:
    """Their account, made if there is none, with the role and the name that they have now."""
    known = await tx.get(Identity, subject)
    account = await tx.get(Account, known.account) if known is not None else None
    if account is None:
        return await _make(app, tx, subject, role, name)
    fresh = replace(account, role=role, name=name or account.name)
    if fresh != account and not account.disabled:
        await tx.put(fresh)
        return fresh
    return account


async def _make(app: Services, tx: Writer, subject: bytes, role: str, name: str) -> Account:
    account_id = new_id("acc", app.entropy)
    account = Account(
        id=account_id,
        # nobody signs in with it: there is no password; it cannot be anybody's own either
        login=f"company.{account_id[4:]}",
        name=name or role.title(),
        role=role,
        password=None,
        created_ms=app.clock.now_ms(),
    )
    if await tx.one(Account, login=account.login) is not None:
        raise Conflict
    await tx.add(account)
    await tx.put(Identity(subject=subject, account=account.id, created_ms=account.created_ms))
    await log.append(
        tx,
        app.clock,
        app.entropy,
        "access.granted",
        actor="server",
        refs={"what": "account", "role": role, "by": METHOD},
        details={"account": account.id},
    )
    return account


async def _end_all(app: Services, *, reason: str, **where: bytes | None) -> int:
    async with app.store.read() as tx:
        found = await tx.find(AuthSession, order="", limit=MOST_SESSIONS, **where)
    for one in found:
        await accounts.end(app, one.token_hash, reason)
    return len(found)
