"""What the use cases share: leaves, idempotency, and finding who is who."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from avsession.audit import log
from avsession.canonical import canonical, sha256_hex
from avsession.consent import ConsentState, Decision, Event, Phase, decide
from avsession.errors import Conflict, NotFound, SessionOver
from avsession.messages.common import Message
from avsession.ports import Reader, Writer
from avsession.records import ConsentState as ConsentRow
from avsession.records import Idempotent
from avsession.session import Party, Session
from avsession.usecases import outbox
from avsession.usecases.services import Services


async def leaf(
    app: Services,
    tx: Writer,
    kind: str,
    *,
    session: Session | None = None,
    subject: Party | None = None,
    actor: str | None = None,
    refs: Mapping[str, Any] | None = None,
    details: Mapping[str, Any] | None = None,
) -> int:
    """Append a leaf about ``subject``; who acted is the subject unless ``actor`` says otherwise.

    Whoever is to be told of its kind by webhook has a delivery in the same transaction.
    """
    index = await log.append(
        tx,
        app.clock,
        app.entropy,
        kind,
        session=session.pseudonym if session else None,
        actor=actor if actor is not None else (subject.pseudonym if subject else None),
        subject=subject.pseudonym if subject else None,
        refs=refs,
        details=details,
        party=subject.id if subject else None,
    )
    await outbox.note(app, tx, kind, index, session.pseudonym if session else None, refs or {})
    return index


async def load(tx: Reader, party_id: str) -> tuple[Session, Party]:
    """A party and its session; raises NotFound."""
    party = await tx.get(Party, party_id)
    session = await tx.get(Session, party.session) if party else None
    if party is None or session is None:
        raise NotFound
    return session, party


async def load_live(tx: Reader, party_id: str) -> tuple[Session, Party]:
    """As :func:`load`; raises SessionOver when the session has ended."""
    session, party = await load(tx, party_id)
    if session.ended_ms is not None:
        raise SessionOver
    return session, party


async def load_state(tx: Reader, app: Services, session: str) -> ConsentState:
    """The session's consent state; a fresh one when nothing has happened yet."""
    row = await tx.get(ConsentRow, session)
    if row is not None:
        return msgspec.json.decode(row.state, type=ConsentState)
    consent = app.settings.consent
    return ConsentState(max_refusals=consent.max_refusals, max_extensions=consent.max_extensions)


async def save_state(tx: Writer, session: str, state: ConsentState) -> None:
    """Persist the state; its deadline stands beside it, so that expiry is found by a query."""
    request = state.request
    deadline = request.deadline_ms if request and state.phase is Phase.ASKING else None
    await tx.put(
        ConsentRow(session=session, state=msgspec.json.encode(state), deadline_ms=deadline)
    )


async def advance(app: Services, tx: Writer, session: str, event: Event) -> Decision:
    """Decide and persist; the effects are the caller's to carry out."""
    before = await load_state(tx, app, session)
    decision = decide(before, event)
    if decision.state != before:
        await save_state(tx, session, decision.state)
    return decision


async def answered_before(
    tx: Reader, party: str, key: str, message: Message
) -> dict[str, str] | None:
    """The earlier answer to this key, or None; raises Conflict when the message differs."""
    row = await tx.get(Idempotent, party, key)
    if row is None:
        return None
    if row.digest != sha256_hex(canonical(message)):
        raise Conflict("That key was used for something else.")
    return row.result


async def remember(
    app: Services, tx: Writer, party: str, key: str, message: Message, result: dict[str, str]
) -> dict[str, str]:
    """Keep the answer to this key, in the transaction that made it true."""
    await tx.add(
        Idempotent(
            party=party,
            key=key,
            digest=sha256_hex(canonical(message)),
            result=result,
            at_ms=app.clock.now_ms(),
        )
    )
    return result
