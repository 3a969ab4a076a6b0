"""What was taken back since a backup, taken back again by the server, each with a leaf of its own.

Accounts, passkeys, private links, receipts as a way in, consent, the free use of a recording, and
that something may be destroyed: a restored database knows them as they were before. Everything here
closes and opens nothing, and is harmless to repeat. Whoever is not in the backup has nothing there
that could come back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from avsession.consent import Withdrawn
from avsession.errors import Conflict, Erased, NotFound
from avsession.ports import Reader
from avsession.privacy.requests import Right, Step
from avsession.records import (
    Account,
    AuthSession,
    Hold,
    PrivacyRequest,
    RecordingRequest,
    SignInLink,
    Ticket,
    Withdrawal,
)
from avsession.session import Party, Role, Session
from avsession.signin_records import Passkey, PendingSignIn, StepUp
from avsession.usecases import (
    effects,
    events,
    holds,
    keys,
    leaving,
    mydata,
    outgoing,
    requests,
    restricting,
    withdrawals,
)
from avsession.usecases.capture import open_gate
from avsession.usecases.common import advance, leaf, load_state
from avsession.usecases.permissions import HOLD, PERMISSIONS
from avsession.usecases.persons import is_nobody
from avsession.usecases.services import Services
from avsession.usecases.tokens import new_secret, secret_hash

SERVER, REASON = "server", "restored"
SIGN_INS: dict[type[Any], str] = {
    AuthSession: "token_hash",
    Ticket: "secret_hash",
    SignInLink: "secret_hash",
    StepUp: "key_hash",
    PendingSignIn: "state_hash",
}
"""Rows by which somebody is, or is about to be, signed in; and their key."""
BATCH = 1000
RIGHTS = {
    restricting.ASKED: Right.RESTRICT,
    restricting.OBJECTION: Right.OBJECT,
    restricting.KEPT: Right.ERASE,
}
"""Why a restriction was placed -> what the person asked for."""
HELD = "It stood when the data was lost; its reason is in the log that was lost with it."
NOT_KNOWN = "not known any more"

Refs = Mapping[str, Any]


async def sign_out(app: Services) -> int:
    """Sign everybody out: who signed out, or was, since the backup is not told from who did not.
    How many sign-ins there were."""
    ended = 0
    for kind, key in SIGN_INS.items():
        while True:
            async with app.store.write() as tx:
                found = await tx.find(kind, limit=BATCH)
                for row in found:
                    await tx.remove(kind, **{key: getattr(row, key)})
            ended += len(found) if kind is AuthSession else 0
            if not found:
                break
    async with app.store.write() as tx:
        refs = {"what": "sign_ins", "reason": REASON, "sign_ins": ended}
        await leaf(app, tx, "access.revoked", actor=SERVER, refs=refs)
    return ended


async def _party(tx: Reader, subject: str | None) -> tuple[Session, Party] | None:
    party = await tx.one(Party, pseudonym=subject) if subject else None
    session = await tx.get(Session, party.session) if party is not None else None
    return (session, party) if session is not None and party is not None else None


async def disable(app: Services, subject: str | None, refs: Refs) -> int:
    """Disable an account, the last one that manages accounts, too; how many were."""
    account_id = str(refs.get("account"))
    async with app.store.read() as tx:
        account = await tx.get(Account, account_id)
    if account is None or account.disabled:
        return 0
    await leaving.disable(app, None, account_id, last=True)
    return 1


async def remove_passkey(app: Services, subject: str | None, refs: Refs) -> int:
    """Remove a passkey; how many there were."""
    async with app.store.write() as tx:
        removed = await tx.remove(Passkey, id=str(refs.get("passkey")))
        if removed:
            told = {"what": "passkey", "passkey": refs["passkey"], "reason": REASON}
            await leaf(app, tx, "access.revoked", actor=SERVER, refs=told)
    return removed


async def void_link(app: Services, subject: str | None, refs: Refs) -> int:
    """Let a private link that was replaced open nothing; nobody knows the one that came after.

    The person gets a new one with a receipt, or from the desk. How many there were.
    """
    async with app.store.write() as tx:
        if (found := await _party(tx, subject)) is None or found[1].data_hash is None:
            return 0
        session, party = found
        await tx.put(replace(party, data_hash=secret_hash(new_secret(app.entropy))))
        told = {"what": mydata.LINK, "reason": REASON}
        await leaf(
            app, tx, "access.revoked", session=session, subject=party, actor=SERVER, refs=told
        )
        dropped = await outgoing.drop_exports(tx, party.id)
    await outgoing.gone(app, dropped)
    return 1


async def close_receipts(app: Services, subject: str | None, refs: Refs) -> int:
    """Let no receipt open this person's page any more; how many were closed."""
    async with app.store.write() as tx:
        if (found := await _party(tx, subject)) is None:
            return 0
        session, party = found
        if await mydata.receipts_closed(tx, session, party):
            return 0
        told = {"what": mydata.RECEIPTS, "reason": REASON}
        await leaf(
            app, tx, "access.revoked", session=session, subject=party, actor=SERVER, refs=told
        )
    return 1


async def withdraw(app: Services, subject: str | None, refs: Refs) -> int:
    """Take a consent back: the recording is withheld at once, and destroyed when nobody chooses.

    How many were; none where there is nothing left of it.
    """
    async with app.store.write() as tx:
        found = await _party(tx, subject)
        request = await tx.get(RecordingRequest, str(refs.get("request")))
        if found is None or request is None or found[0].id != request.session:
            return 0
        session, party = found
        try:
            await withdrawals.check(tx, party, request)
        except (Conflict, Erased):  # it is taken back already, or there is nothing left
            return 0
        signature = await keys.judged(app, tx, party, None)
        choice = await withdrawals.new_choice(app, tx, party, request)
        await events.add(
            app, tx, session, party, request, "withdrawn", signature=signature, actor=SERVER,
            refs=withdrawals.opened(choice),
        )  # fmt: skip
        state = await load_state(tx, app, session.id)
        after = effects.After(session.id)
        if state.request is not None and state.request.id == request.id:
            decision = await advance(app, tx, session.id, Withdrawn(party.id, request.id))
            after = await effects.record(app, tx, session, decision)
        if choice is not None:
            await tx.put(choice)
    await effects.speak(app, after, open_gate)
    return 1


async def choose(app: Services, subject: str | None, refs: Refs) -> int:
    """Choose again what becomes of a withdrawn recording; how many choices were made."""
    request = str(refs.get("request"))
    async with app.store.write() as tx:
        found = await _party(tx, subject)
        row = await tx.get(Withdrawal, request, found[1].id) if found is not None else None
        if row is None or row.fate is not None or row.done:
            return 0
        await withdrawals.choose(app, tx, row.party, request, str(refs.get("fate")), actor=SERVER)
    return 1


async def restrict(app: Services, subject: str | None, refs: Refs) -> int:
    """Place a restriction, under the request that it follows from, or a new one of the same kind.

    ``refs`` gives as its reason one of :data:`RIGHTS`: an erasure that waited for a hold waits
    again. How many were placed.
    """
    why = str(refs.get("why"))
    right = RIGHTS[why]
    purposes = [str(one) for one in refs.get("purposes") or ()]
    async with app.store.write() as tx:
        if (found := await _party(tx, subject)) is None:
            return 0
        session, party = found
        standing = await restricting.of_party(tx, party.id)
        if any((one.why, one.purposes) == (why, purposes) for one in standing):
            return 0
        row = await tx.get(PrivacyRequest, str(refs.get("privacy_request")))
        if row is None and why == restricting.KEPT:
            row = await requests.waiting_for(tx, party.id, right)
        fresh = row is None
        if row is None:
            row = await requests.receive(
                app, tx, session, party, right, purposes=purposes, actor=SERVER
            )
        await restricting.place(app, tx, row, why, purposes=purposes, actor=SERVER)
        if fresh and right is Right.RESTRICT:
            await requests.step(app, tx, row, Step.ANSWER, actor=SERVER)
    return 1


async def child(app: Services, session: str | None) -> int:
    """Let the schedule go on with the erasure of a child, the customer of the session of this
    pseudonym; how many were not erased yet."""
    async with app.store.write() as tx:
        row = await tx.one(Session, pseudonym=session) if session else None
        if row is None or row.child_ms is not None:
            return 0
        customers = await tx.find(Party, session=row.id, role=str(Role.CUSTOMER))
        if all(is_nobody(one) for one in customers):
            return 0
        await tx.put(replace(row, child_ms=app.clock.now_ms()))
        told = {"right": "child", "by": SERVER}
        await leaf(app, tx, "privacy.requested", session=row, actor=SERVER, refs=told)
    return 1


async def hold(app: Services, session: str | None, subject: str | None, refs: Refs) -> int:
    """Place a legal hold, in the session of this pseudonym, so that nothing of what it kept goes
    before somebody looks. The log does not say why, nor who asked for it.

    It stands under the account that had placed it, or another one if that is not there. How many
    were placed.
    """
    hold_id, scope, about = str(refs.get("hold")), str(refs.get("scope")), refs.get("recording")
    async with app.store.write() as tx:
        row = await tx.one(Session, pseudonym=session) if session else None
        if row is None or await tx.get(Hold, hold_id) is not None:
            return 0
        party = await tx.one(Party, pseudonym=subject) if subject else None
        target = {"session": row.id, "recording": about, "party": party.id if party else None}
        try:
            await holds.target_of(tx, scope, str(target.get(scope)))
        except (NotFound, Erased):  # nothing there that could go
            return 0
        if (keeper := await _keeper(tx, row, str(refs.get("account")))) is None:
            return 0
        placed = Hold(
            id=hold_id,
            scope=scope,
            target=str(target[scope]),
            session=row.id,
            category=str(refs.get("category")),
            reason=HELD,
            asked_by=NOT_KNOWN,
            review_ms=int(refs.get("review_ms", 0)),
            placed_by=keeper,
            placed_ms=app.clock.now_ms(),
        )
        await tx.add(placed)
        told = {name: refs.get(name) for name in ("hold", "scope", "recording", "category")}
        await leaf(
            app, tx, "hold.placed", session=row, subject=party, actor=SERVER,
            refs=told | {"review_ms": placed.review_ms},
            details={
                "account": placed.placed_by, "reason": placed.reason, "asked_by": placed.asked_by,
            },
        )  # fmt: skip
    return 1


async def _keeper(tx: Reader, session: Session, account: str) -> str | None:
    """The account under which a hold stands; None: there is none at all."""
    rows = sorted(await tx.find(Account, limit=BATCH), key=lambda one: (one.created_ms, one.id))
    may = [one.id for one in rows if HOLD in PERMISSIONS.get(one.role, ())]
    for one in (account, *may, session.created_by):
        if await tx.get(Account, one) is not None:
            return one
    return None
