"""What is kept about a member of staff, as they see it themselves (GDPR Art. 15)."""

from __future__ import annotations

from typing import Any

from avsession.errors import SignInRequired
from avsession.records import Access, Account, AuthSession, Recording
from avsession.session import Party, Session
from avsession.usecases.permissions import Principal
from avsession.usecases.services import Services

MOST = 200
"""Sessions and viewings that are told, the newest; ``counts`` says how many there are."""


async def own(app: Services, who: Principal) -> dict[str, Any]:
    """Account, sign-ins, sessions by their pseudonyms, and which recordings were opened and why.

    Whoever was in a session with them is not told: that is the other's data.
    """
    async with app.store.read() as tx:
        account = await tx.get(Account, who.account)
        if account is None:
            raise SignInRequired
        signed_in = await tx.find(AuthSession, account=account.id, order="-created_ms", limit=MOST)
        parties = await tx.find(Party, account=account.id, limit=10_000)
        parties.sort(key=lambda party: (-party.created_ms, party.id))
        sessions = await tx.get_all(Session, [(party.session,) for party in parties[:MOST]])
        accesses = await tx.find(Access, account=account.id, order="-at_ms", limit=MOST)
        opened = await tx.get_all(Recording, [(one.recording,) for one in accesses])
        count = await tx.count(Access, account=account.id)
    return {
        "account": {
            "login": account.login,
            "name": account.name,
            "role": account.role,
            "created_ms": account.created_ms,
            "password": account.password is not None,
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
            {
                "session": session.pseudonym,
                "you": party.pseudonym,
                "name": party.name,
                "created_ms": session.created_ms,
                "ended_ms": session.ended_ms,
            }
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
        "counts": {"sessions": len(parties), "accesses": count},
        "kept_days": app.settings.retention.session_days,
    }
