"""Rows that are of no use once their time is over: secrets' hashes, answers, names beside the log.

None of them is a person's data by itself; each could be tied to one. Each batch is one
transaction with its leaf.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from avsession.ports import Reader
from avsession.privacy import retention as rules
from avsession.privacy.retention import Rule
from avsession.records import AuthSession, Detail, Idempotent, Leaf, SignInLink, Ticket
from avsession.session import Party, Role, Session
from avsession.signin_records import PendingSignIn, StepUp
from avsession.usecases.services import Services
from avsession.usecases.sweep import Cursor, Look, Sweep, applied, page
from avsession.webhook_records import Delivery

CLOSED = "closed"
"""The state of an invitation that nothing leads to any more."""
OPEN_STATES = ("open", "claimed", "revoked")
LOGIN = "login"
"""The detail beside ``access.granted`` and ``access.denied`` that names an account."""


@dataclasses.dataclass(frozen=True)
class _Rows:
    """Rows of one type that go when their time column says so."""

    what: str
    kind: type[Any]
    column: str
    key: str
    """A column that tells apart rows with the same time."""
    parts: tuple[str, ...]
    """The columns of the primary key."""

    async def look(
        self, app: Services, tx: Reader, rule: Rule, now_ms: int, after: Cursor | None
    ) -> Look:
        """Those whose time is over."""
        rows, on = await page(
            tx, self.kind, self.column, self.key, after, below=rule.cut(now_ms) + 1
        )
        return Look(due=tuple(self._id(row) for row in rows), after=on)

    async def go(self, app: Services, rule: Rule, ids: Sequence[str], now_ms: int) -> list[str]:
        """Remove them, unless they were used meanwhile."""
        gone = []
        async with app.store.write() as tx:
            for one in ids:
                where = dict(zip(self.parts, self._key(one), strict=True))
                row = await tx.get(self.kind, *where.values())
                if row is None or getattr(row, self.column) > rule.cut(now_ms):
                    continue
                await tx.remove(self.kind, **where)
                gone.append(one)
            if gone:
                await applied(app, tx, rule, len(gone))
        return gone

    def _id(self, row: Any) -> str:
        values = [getattr(row, part) for part in self.parts]
        return "/".join(one.hex() if isinstance(one, bytes) else one for one in values)

    def _key(self, text: str) -> list[bytes | str]:
        if self.parts[0].endswith("_hash"):
            return [bytes.fromhex(text)]
        return list(text.split("/", 1))


def _sweep(what: str, kind: type[Any], column: str, key: str, parts: tuple[str, ...] = ()) -> Sweep:
    rows = _Rows(what, kind, column, key, parts or (key,))
    return Sweep(what, rows.look, rows.go)


# --- invitations


async def _closing(
    app: Services, tx: Reader, rule: Rule, now_ms: int, after: Cursor | None
) -> Look:
    """Sessions that are over whose invitation still has its hash."""
    number, *cursor = after or (0,)
    rows, on = await page(
        tx, Session, "invitation_expires_ms", "id", tuple(cursor) or None,
        below=rule.cut(now_ms) + 1, invitation_state=OPEN_STATES[number],
    )  # fmt: skip
    due = tuple(row.id for row in rows if row.ended_ms is not None)
    if on is not None:
        return Look(due=due, after=(number, *on))
    return Look(due=due, after=(number + 1,) if number + 1 < len(OPEN_STATES) else None)


async def _close(app: Services, rule: Rule, ids: Sequence[str], now_ms: int) -> list[str]:
    """Nothing that somebody may have kept leads to the session, but its parties' private links."""
    gone = []
    async with app.store.write() as tx:
        for one in ids:
            session = await tx.get(Session, one)
            if session is None or session.invitation_state == CLOSED or session.ended_ms is None:
                continue
            nowhere = replace(session, invitation_state=CLOSED, invitation_hash=app.entropy(32))
            await tx.put(nowhere)
            for party in await tx.find(Party, session=one, role=str(Role.CUSTOMER)):
                if party.created_ms + app.settings.signin.seat_s * 1000 <= now_ms:
                    await tx.put(replace(party, token_hash=None))
            gone.append(one)
        if gone:
            await applied(app, tx, rule, len(gone))
    return gone


# --- names beside the log


async def _old_logins(
    app: Services, tx: Reader, rule: Rule, now_ms: int, after: Cursor | None
) -> Look:
    rows, on = await page(tx, Detail, "leaf", "field", after, field=LOGIN)
    leaves = await tx.get_all(Leaf, [(row.leaf,) for row in rows])
    cut = rule.cut(now_ms)
    due = tuple(str(one.index) for one in leaves if one is not None and one.at_ms <= cut)
    # leaves stand in the order of time: after one that is not due there is none
    return Look(due=due, after=on if len(due) == len(rows) else None)


async def _forget_logins(app: Services, rule: Rule, ids: Sequence[str], now_ms: int) -> list[str]:
    """The leaf names the entries whose login went, so that an audit knows why it is not there."""
    async with app.store.write() as tx:
        gone = [one for one in ids if await tx.remove(Detail, leaf=int(one), field=LOGIN)]
        if gone:
            await applied(app, tx, rule, len(gone), texts=sorted(int(one) for one in gone))
    return gone


SWEEPS = (
    Sweep(rules.LOGINS, _old_logins, _forget_logins),
    Sweep(rules.INVITATIONS, _closing, _close),
    _sweep(rules.TICKETS, Ticket, "expires_ms", "secret_hash"),
    _sweep(rules.LINKS, SignInLink, "expires_ms", "secret_hash"),
    _sweep(rules.COMPANY, PendingSignIn, "expires_ms", "state_hash"),
    _sweep(rules.STEP_UPS, StepUp, "expires_ms", "key_hash"),
    _sweep(rules.STAFF_SESSIONS, AuthSession, "seen_ms", "token_hash"),
    _sweep(rules.DELIVERIES, Delivery, "made_ms", "id"),
    _sweep(rules.KEYS, Idempotent, "at_ms", "key", ("party", "key")),
)
"""How these rows go."""
