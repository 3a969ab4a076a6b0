"""Who is there. While that is unknown for anybody, the gate is closed."""

from __future__ import annotations

from msgspec.structs import replace

from avsession.consent import Answer, ConsentState, Joined, Left, Lost, Phase
from avsession.errors import NotFound, SessionOver, SignInRequired
from avsession.messages import Parties, Welcome
from avsession.records import GrantRecord, Withdrawal
from avsession.session import SEAT_TIMEOUT_MS, Party, Presence, Role, Session
from avsession.usecases import draining, effects, keys, relay, views
from avsession.usecases.capture import open_gate
from avsession.usecases.closing import going
from avsession.usecases.common import advance, leaf, load, load_live, load_state
from avsession.usecases.services import Services
from avsession.usecases.sessions import end_session


async def joined(app: Services, party_id: str) -> None:
    """A party's page is connected: it takes its seat, or has it again, and is welcomed.

    The welcome goes first; what the joining changes for everyone follows. Raises SessionOver,
    and SignInRequired when the sign-in that it comes by has ended meanwhile.
    """
    if app.seated.is_out(party_id):
        raise SignInRequired
    async with app.store.write() as tx:
        session, party = await load_live(tx, party_id)
        now = app.clock.now_ms()
        if party.presence is None:
            refs = {"role": str(party.role)}
            await leaf(app, tx, "party.joined", session=session, subject=party, refs=refs)
        await tx.put(
            replace(
                party,
                presence=Presence.PRESENT,
                seat_deadline_ms=None,
                joined_ms=party.joined_ms or now,
                left_ms=None,
            )
        )
        deadline = now + app.settings.consent.answer_s * 1000
        decision = await advance(app, tx, session.id, Joined(party_id, deadline))
        after = await effects.record(app, tx, session, decision)
    app.gate.unbar(party_id)
    # Open by what is written, though perhaps not in memory: a loss of this party may have
    # closed it there and failed to be written down.
    after.opens = after.opens or decision.state.phase is Phase.OPEN
    app.bus.tell(party_id, await _welcome(app, party_id))
    draining.tell(app, party_id)
    await _tell_parties(app, session.id)
    await effects.speak(app, after, open_gate)


async def _welcome(app: Services, party_id: str) -> Welcome:
    async with app.store.read() as tx:
        session, party = await load(tx, party_id)
        state = await load_state(tx, app, session.id)
        gate = app.gate.of_session(session.id)
        grant = await tx.get(GrantRecord, gate.recording, gate.generation) if gate else None
        choice = await tx.one(Withdrawal, party=party_id, fate=None, done=False)
        return Welcome(
            you=party.id,
            session=session.id,
            parties=await views.parties(app, tx, session.id),
            ice_servers=relay.for_party(app, session.id, party.id),
            relay_only=app.settings.media.relay_only,
            recording=await views.status(app, tx, session.id, state),
            ask=await views.ask(app, tx, state),
            grant=grant.token if grant else None,
            given=_given(state, party_id),
            fate_due=choice.request if choice else None,
            fate_ms=max(0, choice.due_ms - app.clock.now_ms()) if choice else 0,
            challenge=keys.challenge(app, party_id),
        )


def _given(state: ConsentState, party: str) -> str | None:
    seat = state.seat(party)
    given = seat is not None and seat.answer is Answer.GIVEN
    return state.request.id if given and state.request else None


async def _tell_parties(app: Services, session: str) -> None:
    async with app.store.read() as tx:
        seated = await views.parties(app, tx, session)
    app.bus.tell_session(session, Parties(parties=seated))


async def lost(app: Services, party_id: str) -> None:
    """A party's connection is gone: the gate closes now, the seat is held for 30 s."""
    with going(app, party_id, "presence_unknown"):
        try:
            async with app.store.write() as tx:
                session, party = await load_live(tx, party_id)
                if party.presence is None:
                    return
                deadline = app.clock.now_ms() + SEAT_TIMEOUT_MS
                await tx.put(replace(party, presence=Presence.UNKNOWN, seat_deadline_ms=deadline))
                decision = await advance(app, tx, session.id, Lost(party_id))
                after = await effects.record(app, tx, session, decision)
        except (SessionOver, NotFound):
            return
    await _tell_parties(app, session.id)
    await effects.speak(app, after, open_gate)


async def left(app: Services, party_id: str) -> None:
    """A party gives up its seat; it is not listened to any more. The agent ends the session."""
    with going(app, party_id, "party_left"):
        gone = await _give_up(app, party_id, "left")
    if gone is not None:
        await _without(app, gone, "left")
        app.bus.drop(party_id)


async def timed_out(app: Services, party_id: str) -> None:
    """A seat without signaling for too long is given up, unless its party is back by now.

    Its gate has closed when it was lost.
    """
    gone = await _give_up(app, party_id, "timeout", due_ms=app.clock.now_ms())
    if gone is not None:
        await _without(app, gone, "timeout")


async def _give_up(
    app: Services, party_id: str, reason: str, due_ms: int | None = None
) -> tuple[Party, effects.After] | None:
    """Empty the seat; None when there is nobody in it, or its time is not over at ``due_ms``."""
    try:
        async with app.store.write() as tx:
            session, party = await load_live(tx, party_id)
            if party.presence is None:
                return None
            deadline = party.seat_deadline_ms
            if due_ms is not None and (deadline is None or deadline > due_ms):
                return None
            now = app.clock.now_ms()
            await tx.put(replace(party, presence=None, seat_deadline_ms=None, left_ms=now))
            refs = {"reason": reason}
            await leaf(app, tx, "party.left", session=session, subject=party, refs=refs)
            decision = await advance(app, tx, session.id, Left(party_id))
            return party, await effects.record(app, tx, session, decision)
    except (SessionOver, NotFound):
        return None


async def _without(app: Services, gone: tuple[Party, effects.After], reason: str) -> None:
    party, after = gone
    await effects.speak(app, after, open_gate)
    if party.role is Role.AGENT:
        await end_session(app, party.session, f"agent_{reason}")
    else:
        await _tell_parties(app, party.session)


async def recover(app: Services) -> None:
    """At start: nobody is known to be there, so every gate is closed and every seat is held."""
    async with app.store.read() as tx:
        live = await tx.find(Session, ended_ms=None, limit=100_000)
        seated = [
            party.id
            for session in live
            for party in await tx.find(Party, session=session.id)
            if party.presence is not None
        ]
    for party_id in seated:
        await lost(app, party_id)
