"""Erasing a person: nothing that is left can be tied to them, and every proof still verifies.

A person is a party of one session. What goes: their recordings (a customer's whole, an agent's
own track), their name and language, every secret's hash that they could be found by, the details
and salts beside the log that are about them, free text that is about them or names them, what
their consent records say of them, their browser's keys, and the row that ties their pseudonym to
all of that. What stays: the leaves, which hold the pseudonym and commitments that nobody can
open any more without the salts, and the session with everything that is the other party's. Rows
that others need (that somebody agreed, and when) go on with a party that has no name.

``subject.erased`` says so in the log; :mod:`avsession.audit.absence` has the rule by which an
audit tells this from details that somebody took away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from msgspec.structs import replace

from avsession.audit import absence
from avsession.errors import Conflict, Held, SessionLive, Unavailable
from avsession.export_records import Disclosure, Export
from avsession.ports import Reader, Writer
from avsession.recording import State
from avsession.records import (
    Certificate,
    ConsentEvent,
    ConsentState,
    Detail,
    GrantRecord,
    Hold,
    Idempotent,
    PartyKey,
    Recording,
    RecordingRequest,
    Ticket,
    TrackRecord,
    Withdrawal,
)
from avsession.session import Party, Role, Session, new_id
from avsession.usecases import (
    erasure,
    exports,
    holds,
    outgoing,
    requests,
    restricting,
    typed,
    unwritten,
)
from avsession.usecases.common import leaf, load
from avsession.usecases.services import Services

MANY = 1_000_000
"""Rows of one session that are gone through at once."""
KEPT = (
    "schema_version", "event_state", "event_type", "event_time", "party_role", "purposes",
    "legal_basis", "notice", "policy", "proof",
)  # fmt: skip
"""What stays of a consent record: what was asked and answered, and nothing of who it was."""
GOES = (Ticket, Idempotent, PartyKey, Export)
"""Rows of a party that nobody else needs."""

Check = Callable[[Reader], Awaitable[None]]
"""Asked inside each transaction that erases something: raises what keeps it from going by now."""


async def forget(app: Services, party_id: str, still: Check | None = None) -> None:
    """Erase this party. Their recordings are destroyed first, each with its certificate.

    Raises NotFound, SessionLive while the call goes on, Held while a legal hold stands on
    anything of theirs, Conflict while a recorder still finishes a recording of theirs,
    Unavailable when a part of it cannot be done now. After either of the last two, ask again:
    what was done is not done twice. Raises, too, what ``still`` raises.
    """
    async with app.store.read() as tx:
        session, party = await load(tx, party_id)
        recordings = await _theirs(tx, session, party)
    for recording in recordings:
        await destroy(app, recording, party, still)
    async with app.store.write() as tx:
        session, party = await load(tx, party_id)
        if still is not None:
            await still(tx)
        for recording in await _theirs(tx, session, party):
            if not await _is_gone(tx, recording, party):
                raise Unavailable
        dropped = await outgoing.forget(app, tx, party)
        await _forget(app, tx, session, party)
    await outgoing.gone(app, dropped)
    app.gate.forget(party_id)
    await unwritten.forget(app, party_id)
    await exports.sweep(app)
    await app.leftovers.scrub(app.store)


async def _theirs(tx: Reader, session: Session, party: Party) -> list[Recording]:
    """The recordings that hold anything of this party. Raises SessionLive and Held."""
    if session.ended_ms is None:
        raise SessionLive
    if await holds.on_party(tx, party):
        raise Held
    tracks = await tx.find(TrackRecord, party=party.id)
    found = [await tx.get(Recording, track.recording) for track in tracks]
    return [recording for recording in found if recording is not None]


async def destroy(
    app: Services, recording: Recording, party: Party, still: Check | None = None
) -> None:
    """Destroy what is this party's of a recording.

    Raises Held, Conflict, Unavailable, and what ``still`` raises.
    """
    whole = party.role is Role.CUSTOMER
    async with app.store.write() as tx:
        fresh = await tx.get(Recording, recording.id)
        if fresh is None:
            return
        if still is not None:
            await still(tx)
        if not whole and fresh.state not in (*erasure.FINAL, State.ERASED):
            raise Conflict("A recording is still being finished. Try again in a moment.")
        await erasure.decide(app, tx, fresh, party, "forgotten", whole=whole)
    await erasure.go_on(app, recording.id)


async def _is_gone(tx: Reader, recording: Recording, party: Party) -> bool:
    """Whether it is destroyed to the end, as far as it is this party's."""
    if await tx.count(Certificate, recording=recording.id, done_ms=None):
        return False
    if party.role is Role.CUSTOMER:
        return recording.state is State.ERASED
    track = await tx.one(TrackRecord, recording=recording.id, party=party.id)
    return track is None or track.erased_ms is not None


async def _forget(app: Services, tx: Writer, session: Session, party: Party) -> None:
    """Everything in one transaction: there is no moment in which they are half forgotten."""
    nobody = Party(
        id=new_id("pty", app.entropy),
        session=session.id,
        pseudonym=new_id("psn", app.entropy),
        role=party.role,
        name="",
        language="",
        created_ms=party.created_ms,
        joined_ms=party.joined_ms,
        left_ms=party.left_ms,
    )
    await tx.add(nobody)
    await requests.forget(app, tx, party, nobody)
    await restricting.forget(app, tx, party, nobody)
    names = await typed.names_of(tx, party)
    details = await tx.remove(Detail, party=party.id)
    texts = await typed.forget(tx, session, party, names)
    grants = await _grants(tx, session)
    for kind in GOES:
        await tx.remove(kind, party=party.id)
    await _hand_over(tx, party, nobody)
    await _session(app, tx, session, party, nobody)
    refs = {"party": party.pseudonym, "details": details, "texts": texts, "grants": grants}
    await leaf(app, tx, absence.ERASED, session=session, subject=party, actor="server", refs=refs)
    await tx.remove(Party, id=party.id)


async def _grants(tx: Writer, session: Session) -> list[str]:
    """The texts of grants, which name parties, of recordings that are destroyed; which those are.

    A recording of which the other's track is left keeps its grants and its manifest: they are
    signed as they stand, and name this party by an identifier that leads nowhere any more.
    """
    emptied = []
    for recording in await tx.find(Recording, session=session.id, state=State.ERASED):
        for grant in await tx.find(GrantRecord, recording=recording.id, limit=MANY):
            await tx.put(replace(grant, token=""))
        emptied.append(recording.id)
    return sorted(emptied)


async def _hand_over(tx: Writer, party: Party, nobody: Party) -> None:
    """What others need of this party's rows goes on with one that has no name."""
    for event in await tx.find(ConsentEvent, party=party.id, limit=MANY):
        kept = _nameless(event.document)
        await tx.put(replace(event, party=nobody.id, document=kept))
    for track in await tx.find(TrackRecord, party=party.id):
        await tx.put(replace(track, party=nobody.id))
    for row in await tx.find(Certificate, party=party.id):
        await tx.put(replace(row, party=nobody.id))
    for withdrawal in await tx.find(Withdrawal, party=party.id):
        await tx.remove(Withdrawal, request=withdrawal.request, party=party.id)
        await tx.add(replace(withdrawal, party=nobody.id))
    for request in await tx.find(RecordingRequest, session=party.session, by=party.id):
        await tx.put(replace(request, by=nobody.id))
    for hold in await tx.find(Hold, target=party.id):
        await tx.put(replace(hold, target=nobody.id))
    for disclosure in await tx.find(Disclosure, target=party.id):
        await tx.put(replace(disclosure, target=nobody.id))


def _nameless(document: Mapping[str, object]) -> dict[str, object]:
    return {key: document[key] for key in KEPT if key in document} | {"erased": True}


async def _session(
    app: Services, tx: Writer, session: Session, party: Party, nobody: Party
) -> None:
    """The session no longer leads to whoever made it, or came in by its invitation."""
    if party.role is Role.CUSTOMER:
        session = replace(session, invitation_hash=app.entropy(32))
    if session.created_by == party.account:
        session = replace(session, created_by="")
    await tx.put(session)
    state = await tx.get(ConsentState, session.id)
    if state is not None:
        # the state is JSON that names its parties; identifiers are all of one length and shape
        renamed = state.state.replace(party.id.encode(), nobody.id.encode())
        await tx.put(replace(state, state=renamed))
