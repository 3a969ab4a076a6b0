"""People of the house who leave: nothing lets them in any more, and old records change their name.

Disabling ends their sign-ins and calls at once. A server notices an account that another process
disabled (the command) at its next tick. Which name stays in old records ``retention.leaver_name``
says; it is changed in batches, gone on with after an interruption, the account's own at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from avsession.canonical import canonical
from avsession.errors import Conflict, NotFound
from avsession.ports import Reader
from avsession.privacy import retention as rules
from avsession.privacy.retention import Rule
from avsession.records import Account, AuthSession, Detail, SignInLink, Ticket
from avsession.session import Party, Session
from avsession.signin_records import Passkey
from avsession.usecases.common import leaf
from avsession.usecases.outdated import LOGIN
from avsession.usecases.permissions import ACCOUNT_MANAGE, PERMISSIONS, Principal, require
from avsession.usecases.services import Services
from avsession.usecases.sessions import end_session
from avsession.usecases.sweep import PAGE, Cursor, Look, Sweep, applied, one_by_one, page

LEFT = "(left) "
"""What the login of an account begins with whose names were changed; no login can."""
MOST = 1000
"""Accounts that a list has."""
LIVE = 10_000
"""Live sessions that are looked through."""


async def listed(app: Services, who: Principal) -> list[dict[str, Any]]:
    """Every account as admins see it, the newest first."""
    require(who, ACCOUNT_MANAGE)
    async with app.store.read() as tx:
        rows = await tx.find(Account, limit=MOST)
    rows.sort(key=lambda row: (-row.created_ms, row.id))
    return [view(row) for row in rows]


def is_gone(row: Account) -> bool:
    """Whether they have left and old records call them otherwise."""
    return row.login.startswith(LEFT)


def login_of(row: Account) -> str:
    """Their login; empty once it was changed."""
    return "" if is_gone(row) else row.login


def view(row: Account) -> dict[str, Any]:
    """An account as admins see it. A login that was changed is told as none."""
    return {
        "account": row.id,
        "login": login_of(row),
        "name": row.name,
        "role": row.role,
        "created_ms": row.created_ms,
        "disabled": row.disabled,
        "disabled_ms": row.disabled_ms,
    }


async def disable(
    app: Services, who: Principal | None, account_id: str, *, last: bool = False
) -> dict[str, Any]:
    """Disable an account, end its sign-ins and calls; the account as admins see it.

    ``who`` None: from this machine's command line. Repeating it is harmless. Raises NotFound,
    Conflict for one's own account, and for the last one that can manage accounts, unless ``last``:
    a restore has to disable that one, too.
    """
    if who is not None:
        require(who, ACCOUNT_MANAGE)
        if who.account == account_id:
            raise Conflict("Somebody else has to disable your account.")
    async with app.store.write() as tx:
        account = await tx.get(Account, account_id)
        if account is None:
            raise NotFound
        signed_in = await tx.find(AuthSession, account=account_id)
        if not account.disabled:
            if not last:
                await _another(tx, account)
            now = app.clock.now_ms()
            account = replace(account, disabled=True, disabled_ms=now, password=None)
            await tx.put(account)
            for auth in signed_in:
                await tx.remove(Ticket, auth=auth.token_hash)
            await tx.remove(AuthSession, account=account_id)
            await tx.remove(SignInLink, account=account_id)
            await tx.remove(Passkey, account=account_id)
            await leaf(
                app,
                tx,
                "access.revoked",
                actor=who.pseudonym if who else "server",
                refs={"reason": "disabled", "what": "account", "sign_ins": len(signed_in)},
                details={"account": account_id},
            )
    for auth in signed_in:
        app.seated.sign_out(auth.token_hash)
    app.opened.leave({account_id})
    async with app.store.read() as tx:
        live = await tx.find(Session, created_by=account_id, ended_ms=None)
    for session in live:
        await end_session(app, session.id, "agent_disabled")
    rule = next(one for one in rules.table(app.settings) if one.what == rules.LEAVERS)
    if not rule.days:
        await _rename(app, rule, [account_id], app.clock.now_ms())
    async with app.store.read() as tx:
        return view(await tx.get(Account, account_id) or account)


async def _another(tx: Reader, account: Account) -> None:
    """Raise Conflict when nobody else could manage accounts."""
    if ACCOUNT_MANAGE not in PERMISSIONS.get(account.role, ()):
        return
    others = await tx.find(Account, disabled=False, limit=MOST)
    if not any(ACCOUNT_MANAGE in PERMISSIONS[one.role] for one in others if one.id != account.id):
        raise Conflict("It is the last account that can manage accounts. Make another one first.")


async def of_login(app: Services, login: str, role: str) -> str:
    """The account of this login and role; raises NotFound."""
    async with app.store.read() as tx:
        account = await tx.one(Account, login=login.strip().lower())
    if account is None or account.role != role:
        raise NotFound(f"There is no {role} with that login.")
    return account.id


async def follow(app: Services) -> None:
    """End what accounts still have here that were disabled elsewhere. For the timers."""
    async with app.store.read() as tx:
        live = await tx.find(Session, ended_ms=None, limit=LIVE)
        out = {row.id for row in await tx.find(Account, disabled=True)}
    app.opened.leave(out)
    for session in live:
        if session.created_by in out:
            await end_session(app, session.id, "agent_disabled")


# --- names in old records


async def _left(app: Services, tx: Reader, rule: Rule, now_ms: int, after: Cursor | None) -> Look:
    rows, on = await page(tx, Account, "disabled_ms", "id", after, below=rule.cut(now_ms) + 1)
    return Look(tuple(row.id for row in rows if not is_gone(row)), after=on)


async def _rename(app: Services, rule: Rule, ids: Sequence[str], now_ms: int) -> list[str]:
    async def go(account_id: str) -> bool:
        async with app.store.read() as tx:
            account = await tx.get(Account, account_id)
        if account is None or is_gone(account):
            return False
        policy = app.settings.retention.leaver_name
        if policy == "keep":  # until now
            policy = "role"
        name = rules.leaver_name(policy, account.role, account.name, account_id[4:10].upper())
        await rename(app, account_id, name)
        while await _forget_logins(app, rule, account.login):
            pass
        async with app.store.write() as tx:
            if (fresh := await tx.get(Account, account_id)) is None or is_gone(fresh):
                return False
            await tx.put(replace(fresh, name=name, login=f"{LEFT}{account_id}"))
            await applied(app, tx, rule, 1)
        return True

    return await one_by_one(ids, go, rule.what)


async def rename(app: Services, account: str, name: str) -> None:
    """Put a name in every session that the account was in, in batches. Repeating is harmless."""
    while await _rename_some(app, account, name):
        pass


async def _rename_some(app: Services, account: str, name: str) -> bool:
    """A page of the account's parties under the new name; False when there was none left."""
    async with app.store.write() as tx:
        rows = [
            *await tx.find(Party, account=account, order="name", below=name, limit=PAGE),
            *await tx.find(Party, account=account, order="name", above=name, limit=PAGE),
        ]
        for row in rows:
            await tx.put(replace(row, name=name))
    return bool(rows)


async def _forget_logins(app: Services, rule: Rule, login: str) -> bool:
    """A page of the log's details that hold this login; False when there was none left."""
    async with app.store.write() as tx:
        rows = await tx.find(Detail, field=LOGIN, value=canonical(login), limit=PAGE)
        for row in rows:
            await tx.remove(Detail, leaf=row.leaf, field=LOGIN)
        if rows:
            texts = sorted(row.leaf for row in rows)
            await applied(app, tx, rule, len(rows), texts=texts)
    return bool(rows)


LEAVERS = Sweep(rules.LEAVERS, _left, _rename)
