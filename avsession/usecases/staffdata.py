"""What is kept about a member of staff, as they see it themselves (GDPR Art. 15).

:data:`HELD` names every kind of row that says something about an account, and where it stands;
:data:`NOT_HELD` those that are not told, each with its reason. A test compares the two with the
database's tables, so that nothing new is forgotten.
"""

from __future__ import annotations

from typing import Any, TypeVar

from avsession.canonical import canonical
from avsession.errors import SignInRequired
from avsession.export_records import Disclosure, Taken
from avsession.ports import Reader
from avsession.records import (
    Access,
    Account,
    AuthSession,
    ConsentEvent,
    Detail,
    Hold,
    Leaf,
    Recording,
    SignInLink,
    TrackRecord,
)
from avsession.session import Party, Session
from avsession.signin_records import Identity, Passkey
from avsession.staff_records import StaffRequest
from avsession.usecases import holds, staffrequests, told
from avsession.usecases.permissions import Principal
from avsession.usecases.services import Services

MOST = 200
"""Rows of a kind that are told, the newest; ``counts`` says how many there are."""
MANY = 10_000
"""Rows of a kind that are counted; ``counts`` has no larger number."""
R = TypeVar("R")

HELD: dict[type, str] = {
    Account: "account",
    AuthSession: "sign_ins",
    SignInLink: "account.links",
    Identity: "account.company",
    Passkey: "account.passkeys",
    Party: "sessions",
    Session: "sessions",
    Access: "accesses",
    Taken: "taken",
    Hold: "holds",
    Disclosure: "disclosures",
    StaffRequest: "requests",
    Detail: "log",
}
"""Kind of row that names an account -> where it stands."""
NOT_HELD: dict[type, str] = {}
"""Kind of row that names an account -> why it is not told."""


async def own(app: Services, who: Principal) -> dict[str, Any]:
    """Everything kept about an account, in lists of the newest, and how many there are of each.

    Sign-ins; the sessions by their pseudonyms, with what was said there and who has watched the
    recordings of it; what was opened, exported, held and disclosed, and why; the log's entries
    beside which the account stands; requests. Whoever was in a session with them is not told: that
    is the other's data. Raises SignInRequired.
    """
    async with app.store.read() as tx:
        account = await tx.get(Account, who.account)
        if account is None:
            raise SignInRequired
        signed_in = await tx.find(AuthSession, account=account.id, order="-created_ms", limit=MOST)
        parties = await tx.find(Party, account=account.id, limit=MANY)
        parties.sort(key=lambda party: (-party.created_ms, party.id))
        sessions = await tx.get_all(Session, [(party.session,) for party in parties[:MOST]])
        accesses = await tx.find(Access, account=account.id, order="-at_ms", limit=MOST)
        opened = await tx.get_all(Recording, [(one.recording,) for one in accesses])
        taken = await _newest(tx, Taken, "at_ms", account=account.id)
        held = await _newest(tx, Hold, "placed_ms", placed_by=account.id)
        released = await _newest(tx, Hold, "released_ms", released_by=account.id)
        given = await _newest(tx, Disclosure, "made_ms", made_by=account.id)
        log = await _log(tx, account)
        leaves = await tx.get_all(Leaf, [(number,) for number in log[:MOST]])
        return {
            "account": {
                "login": account.login,
                "name": account.name,
                "role": account.role,
                "created_ms": account.created_ms,
                "password": account.password is not None,
                "company": await tx.count(Identity, account=account.id),
                "passkeys": [
                    {"name": one.name, "created_ms": one.created_ms, "used_ms": one.used_ms}
                    for one in await tx.find(Passkey, account=account.id, order="created_ms")
                ],
                "links": await tx.count(SignInLink, account=account.id),
            },
            "sign_ins": [
                {
                    "pseudonym": one.pseudonym,
                    "created_ms": one.created_ms,
                    "seen_ms": one.seen_ms,
                    "current": one.token_hash == who.auth,
                }
                for one in signed_in
            ],
            "sessions": [
                await _session(tx, session, party, app.clock.now_ms())
                for session, party in zip(sessions, parties, strict=False)
                if session is not None
            ],
            "accesses": [
                {
                    "recording": one.recording,
                    "made_ms": recording.created_ms if recording else None,
                    "purpose": one.purpose,
                    "reason": one.reason,
                    "at_ms": one.at_ms,
                }
                for one, recording in zip(accesses, opened, strict=True)
            ],
            "taken": [
                {
                    "recording": one.recording,
                    "why": one.why,
                    "purpose": one.purpose,
                    "reason": one.reason,
                    "at_ms": one.at_ms,
                }
                for one in taken[:MOST]
            ],
            "holds": [
                {
                    "hold": one.id,
                    "what": what,
                    "category": one.category,
                    "reason": one.reason if what == "placed" else one.release_reason,
                    "at_ms": at_ms,
                }
                for what, rows in (("placed", held), ("released", released))
                for one in rows[:MOST]
                if (at_ms := one.placed_ms if what == "placed" else one.released_ms) is not None
            ],
            "disclosures": [
                {
                    "disclosure": one.id,
                    "given_to": one.given_to,
                    "reason": one.reason,
                    "at_ms": one.made_ms,
                }
                for one in given[:MOST]
            ],
            "log": [
                {"leaf": one.index, "kind": one.kind, "at_ms": one.at_ms}
                for one in leaves
                if one is not None
            ],
            "requests": await staffrequests.views(tx, account.id),
            "counts": {
                "sessions": len(parties),
                "accesses": await tx.count(Access, account=account.id),
                "taken": len(taken),
                "holds": len(held) + len(released),
                "disclosures": len(given),
                "log": len(log),
            },
            "kept_days": app.settings.retention.session_days,
        }


async def _newest(tx: Reader, kind: type[R], order: str, **where: str) -> list[R]:
    return await tx.find(kind, order=f"-{order}", limit=MANY, **where)


async def _session(tx: Reader, session: Session, party: Party, now_ms: int) -> dict[str, Any]:
    """A session that they were in: their own part of it."""
    events = await tx.find(ConsentEvent, party=party.id, order="leaf", limit=MOST)
    tracks = await tx.find(TrackRecord, party=party.id, limit=MOST)
    watched = [
        one
        for track in tracks
        for one in await tx.find(Access, recording=track.recording, order="at_ms", limit=MOST)
    ]
    return {
        "session": session.pseudonym,
        "you": party.pseudonym,
        "name": party.name,
        "language": party.language,
        "contact": party.contact or "",
        "created_ms": session.created_ms,
        "ended_ms": session.ended_ms,
        "joined_ms": party.joined_ms,
        "left_ms": party.left_ms,
        "said": [{"kind": one.kind, "at_ms": one.at_ms, "leaf": one.leaf} for one in events],
        "recordings": [
            {"recording": one.recording, "erased": one.erased_ms is not None} for one in tracks
        ],
        "watched": [
            {"recording": one.recording, "purpose": one.purpose, "at_ms": one.at_ms}
            for one in watched
        ],
        "disclosed": [
            {"given_to": one.given_to, "at_ms": one.made_ms}
            for one in await told.disclosed(tx, party, now_ms)
        ],
        "held": holds.told(await holds.on_party(tx, party)),
    }


async def _log(tx: Reader, account: Account) -> list[int]:
    """The numbers of the leaves beside which their account or login stands, the newest first."""
    numbers = {
        one.leaf
        for field, value in (
            ("account", account.id), ("of", account.id), ("login", account.login),
        )
        for one in await tx.find(Detail, field=field, value=canonical(value), limit=MANY)
    }  # fmt: skip
    return sorted(numbers, reverse=True)
