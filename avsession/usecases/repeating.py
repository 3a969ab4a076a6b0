"""What was taken back since a backup, taken back again by the server, each with a leaf of its own.

Accounts, passkeys, private links, receipts as a way in, consent, the free use of a recording: a
restored database knows them as they were before. Everything here closes and opens nothing, and is
harmless to repeat. Whoever is not in the backup has nothing there that could come back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from avsession.consent import Withdrawn
from avsession.errors import Conflict, Erased
from avsession.ports import Reader
from avsession.privacy.requests import Right, Step
from avsession.records import (
    Account,
    AuthSession,
    PrivacyRequest,
    RecordingRequest,
    Restriction,
    SignInLink,
    Ticket,
    Withdrawal,
)
from avsession.session import Party, Session
from avsession.signin_records import Passkey, PendingSignIn, StepUp
from avsession.usecases import (
    effects,
    events,
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
RIGHTS = {restricting.ASKED: Right.RESTRICT, restricting.OBJECTION: Right.OBJECT}
"""Why a restriction was placed -> what the person asked for."""

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

    ``refs`` gives as its reason one of :data:`RIGHTS`. How many were placed.
    """
    why = str(refs.get("why"))
    right = RIGHTS[why]
    purposes = [str(one) for one in refs.get("purposes") or ()]
    async with app.store.write() as tx:
        found = await _party(tx, subject)
        if found is None or await tx.get(Restriction, str(refs.get("restriction"))) is not None:
            return 0
        session, party = found
        row = await tx.get(PrivacyRequest, str(refs.get("privacy_request")))
        fresh = row is None
        if row is None:
            row = await requests.receive(app, tx, session, party, right, purposes=purposes)
        await restricting.place(app, tx, row, why, purposes=purposes, actor=SERVER)
        if fresh and right is Right.RESTRICT:
            await requests.step(app, tx, row, Step.ANSWER, actor=SERVER)
    return 1
