"""Staff: their accounts, and how they sign in and out.

A sign-in makes a new token and a new pseudonym; the store keeps the token's hash, the log the
pseudonym. A session ends by sign-out, after ``signin.idle_s`` without a request, or
``signin.absolute_s`` after it began. Names stand only in the details beside a leaf.

One login's tries are limited wherever they come from, so a stranger can keep somebody from
signing in for as long as the stranger goes on trying; who is signed in is not touched by it.
"""

from __future__ import annotations

import contextlib
import re
import unicodedata

import msgspec

from avsession.audit import log
from avsession.errors import (
    Conflict,
    Invalid,
    LinkSpent,
    NotFound,
    NotPermitted,
    SignInFailed,
    SignInRequired,
    TooMany,
)
from avsession.ports import Writer
from avsession.records import Account, AuthSession, SignInLink, Ticket
from avsession.session import new_id
from avsession.usecases import presence
from avsession.usecases.limits import address_key
from avsession.usecases.permissions import PERMISSIONS, Principal
from avsession.usecases.services import Services
from avsession.usecases.tokens import new_secret, secret_hash

LOGIN = r"^[a-z0-9][a-z0-9._@+-]{0,63}$"
"""A login, after it was put in lower case."""
MAX_NAME = 80
"""Characters of a display name."""
MIN_PASSWORD = 12
MAX_PASSWORD = 1024
"""Characters of a password; the upper limit keeps hashing from being used as a load."""
LINK_S = 600
"""Seconds that a sign-in link lives, if nothing else is asked for."""
SIGN_IN_LINK_S = 86_400
"""How long the sign-in links that a server prints may be used, once."""
LOCAL_STAFF = (("agent", "Agent", "agent"), ("admin", "Admin", "admin"))
"""Login, name and role of the accounts that a loopback address gets at its first start."""
SEEN_EVERY_MS = 60_000
"""``seen_ms`` is written at most this often, so idle time may be counted this much too long."""


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh staff session. ``token`` goes into the cookie and is kept nowhere else."""

    token: str
    account: Account
    principal: Principal


async def create_account(
    app: Services, login: str, name: str, role: str, password: str | None
) -> Account:
    """A new account; with ``password`` None it can be entered by sign-in links only.

    ``access.granted`` says so: made from this machine's command line.

    Raises Invalid, which names the rule, and Conflict when the login is taken.
    """
    login, name = login.strip().lower(), " ".join(name.split())
    if not re.fullmatch(LOGIN, login):
        raise Invalid("A login has 1 to 64 characters of a-z, 0-9 and . _ @ + -")
    if not 1 <= len(name) <= MAX_NAME or any(unicodedata.category(c)[0] == "C" for c in name):
        raise Invalid(f"A name has 1 to {MAX_NAME} printable characters.")
    if role not in PERMISSIONS:
        raise Invalid(f"A role is one of: {', '.join(sorted(PERMISSIONS))}.")
    if password is not None:
        if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
            raise Invalid(f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
        if password.strip().lower() == login:
            raise Invalid("A password must not be the login.")
    account = Account(
        id=new_id("acc", app.entropy),
        login=login,
        name=name,
        role=role,
        password=None if password is None else await app.passwords.hash(password),
        created_ms=app.clock.now_ms(),
    )
    async with app.store.write() as tx:
        if await tx.one(Account, login=login) is not None:
            raise Conflict("That login is taken.")
        await tx.add(account)
        refs = {"what": "account", "role": role}
        await log.append(
            tx,
            app.clock,
            app.entropy,
            "access.granted",
            actor="server",
            refs=refs,
            details={"account": account.id},
        )
    return account


async def sign_in(app: Services, login: str, password: str, *, address: str = "") -> SignedIn:
    """Sign in by password. ``address`` is the caller's network address, for the limits only.

    Raises SignInFailed, whatever was wrong, and TooMany.
    """
    login, key, now = login.strip().lower(), address_key(address), app.clock.now_ms()
    if not (app.limits.addresses.take(key, now) and app.limits.logins.take(login, now)):
        await refused(app, "too_many", address=address)
        raise TooMany
    async with app.store.read() as tx:
        account = await tx.one(Account, login=login)
    known = account.password if account and not account.disabled else None
    # A longer password cannot be right; the work is the same all the same.
    right, rehashed = await app.passwords.verify(known, password[: MAX_PASSWORD + 1])
    if account is None or not right:
        await refused(app, "password", address=address, login=account.login if account else None)
        raise SignInFailed
    app.limits.addresses.give_back(key)
    app.limits.logins.give_back(login)
    async with app.store.write() as tx:
        # Read again: it may have been disabled, or its password changed, while we hashed.
        current = await tx.get(Account, account.id)
        if current is None or current.disabled or current.password != known:
            raise SignInFailed
        if rehashed is not None:
            current = msgspec.structs.replace(current, password=rehashed)
            await tx.put(current)
        return await begin(app, tx, current, "password")


async def make_sign_in_link(app: Services, account: str, *, valid_s: int = LINK_S) -> str:
    """The secret of a one-time sign-in link, good for ``valid_s`` seconds.

    Raises NotPermitted unless the public address is a loopback one, NotFound for no account.
    """
    if not app.settings.is_loopback:
        raise NotPermitted("Sign-in links exist only while the public address is a loopback one.")
    secret, now = new_secret(app.entropy), app.clock.now_ms()
    async with app.store.write() as tx:
        if await tx.get(Account, account) is None:
            raise NotFound
        for old in await tx.find(SignInLink, order="expires_ms", below=now + 1):
            await tx.remove(SignInLink, secret_hash=old.secret_hash)
        await tx.add(
            SignInLink(
                secret_hash=secret_hash(secret), account=account, expires_ms=now + valid_s * 1000
            )
        )
    return secret


async def sign_in_by_link(app: Services, secret: str, *, address: str = "") -> SignedIn:
    """Sign in by a one-time link, which is spent by it. Raises LinkSpent and TooMany."""
    key, now = address_key(address), app.clock.now_ms()
    if not app.limits.addresses.take(key, now):
        await refused(app, "too_many", address=address)
        raise TooMany
    if app.settings.is_loopback:
        async with app.store.write() as tx:
            link = await tx.get(SignInLink, secret_hash(secret))
            account = await tx.get(Account, link.account) if link else None
            if link and account and not account.disabled and now < link.expires_ms:
                # Writes are serialised: of two who come with one link, the second finds none.
                await tx.remove(SignInLink, secret_hash=link.secret_hash)
                app.limits.addresses.give_back(key)
                return await begin(app, tx, account, "link")
    await refused(app, "link", address=address)
    raise LinkSpent


async def authenticate(app: Services, token: str) -> Principal:
    """Whose token this is. Raises SignInRequired when its session is over or never was.

    Being seen moves the idle limit on.
    """
    now, key = app.clock.now_ms(), secret_hash(token)
    async with app.store.read() as tx:
        auth = await tx.get(AuthSession, key)
        account = await tx.get(Account, auth.account) if auth else None
    if auth is None or account is None or account.disabled or _over(app, auth, now):
        raise SignInRequired
    if now - auth.seen_ms >= min(SEEN_EVERY_MS, app.settings.signin.idle_s * 1000 // 4):
        async with app.store.write() as tx:
            # Only what is still there: a sign-out in between must not be undone.
            if (current := await tx.get(AuthSession, key)) is None:
                raise SignInRequired
            await tx.put(msgspec.structs.replace(current, seen_ms=max(now, current.seen_ms)))
    return _principal(account, auth)


async def sign_out(app: Services, token: str) -> bool:
    """End the token's session, what it watches, and the calls that it is in.

    Nothing happens when there is none. Whether it began at the company's provider.
    """
    return await end(app, secret_hash(token), "sign_out")


async def end(app: Services, key: bytes, reason: str) -> bool:
    """As :func:`sign_out`, for the session with this token hash; ``reason`` stands in the leaf."""
    app.opened.sign_out(key)
    for party in app.seated.sign_out(key):
        await presence.left(app, party)
    async with app.store.write() as tx:
        auth = await tx.get(AuthSession, key)
        if auth is None:
            return False
        await tx.remove(AuthSession, token_hash=key)
        await tx.remove(Ticket, auth=key)
        await log.append(
            tx,
            app.clock,
            app.entropy,
            "access.revoked",
            actor=auth.pseudonym,
            refs={"reason": reason},
        )
    return auth.subject is not None


async def refused(
    app: Services,
    reason: str,
    *,
    address: str,
    login: str | None = None,
    actor: str | None = None,
) -> None:
    """Write down that somebody was refused, at most once a minute for a group of addresses.

    ``login`` must be that of an account: what a stranger typed there may be a password. The
    leaf's ``times`` says how many refusals there were since the last such leaf.
    """
    times = app.limits.refusals.note(address_key(address), app.clock.now_ms())
    if not times:
        return
    async with app.store.write() as tx:
        await log.append(
            tx,
            app.clock,
            app.entropy,
            "access.denied",
            actor=actor,
            refs={"reason": reason, "times": times},
            details={} if login is None else {"login": login},
        )


async def begin(
    app: Services,
    tx: Writer,
    account: Account,
    method: str,
    *,
    subject: bytes | None = None,
    sid: bytes | None = None,
) -> SignedIn:
    """A new session with a new token, its leaf, and an end to sessions that are over.

    Whoever calls it has found out who it is. ``subject``, ``sid``: by the company's provider.
    """
    now, token = app.clock.now_ms(), new_secret(app.entropy)
    for old in await tx.find(AuthSession, account=account.id):
        if _over(app, old, now):
            await tx.remove(AuthSession, token_hash=old.token_hash)
    auth = AuthSession(
        token_hash=secret_hash(token),
        account=account.id,
        pseudonym=new_id("psn", app.entropy),
        created_ms=now,
        seen_ms=now,
        subject=subject,
        sid=sid,
    )
    await tx.add(auth)
    await log.append(
        tx,
        app.clock,
        app.entropy,
        "access.granted",
        actor=auth.pseudonym,
        refs={"method": method, "role": account.role},
        details={"login": account.login},
    )
    return SignedIn(token=token, account=account, principal=_principal(account, auth))


def _over(app: Services, auth: AuthSession, now_ms: int) -> bool:
    limits = app.settings.signin
    return (
        now_ms - auth.created_ms >= limits.absolute_s * 1000
        or now_ms - auth.seen_ms >= limits.idle_s * 1000
    )


def _principal(account: Account, auth: AuthSession) -> Principal:
    return Principal(
        account=account.id,
        name=account.name,
        role=account.role,
        permissions=PERMISSIONS[account.role],
        auth=auth.token_hash,
        pseudonym=auth.pseudonym,
    )


async def sign_in_links(app: Services) -> list[tuple[str, str]]:
    """Role and one-time sign-in address, for a loopback address only."""
    links = []
    for login, name, role in LOCAL_STAFF:
        with contextlib.suppress(Conflict):
            await create_account(app, login, name, role, None)
        async with app.store.read() as tx:
            account = await tx.one(Account, login=login)
        if account is not None:
            secret = await make_sign_in_link(app, account.id, valid_s=SIGN_IN_LINK_S)
            links.append((role, f"{app.settings.address}/signin#{secret}"))
    return links
