"""Pausing a recording for what must not be in it, and resuming it. Consent and request stand.

Any party may pause; what it paused only it resumes. A pause outlasts who paused, a restart and
a recorder; anybody may still stop, withdraw or leave.
"""

from __future__ import annotations

from avsession.consent import Paused, Phase, Resumed
from avsession.errors import RequestOver
from avsession.messages import PauseRecording, ResumeRecording
from avsession.usecases import effects
from avsession.usecases.capture import open_gate
from avsession.usecases.closing import pausing
from avsession.usecases.common import advance, answered_before, load_live, load_state, remember
from avsession.usecases.services import Services


async def pause(app: Services, party_id: str, message: PauseRecording) -> dict[str, str]:
    """Close the gate now, then record who paused. Nothing captured after this moment is kept.

    Answers with the ``generation`` that resuming must name. Raises RequestOver, NotPermitted for
    who is not seated, Conflict before anything was recorded; Unavailable: closed all the same,
    and to be said again.
    """
    with pausing(app, party_id, message):
        after, answer = await _record_pause(app, party_id, message)
    await effects.speak(app, after, open_gate)
    return answer


async def _record_pause(
    app: Services, party_id: str, message: PauseRecording
) -> tuple[effects.After, dict[str, str]]:
    async with app.store.write() as tx:
        if (said := await answered_before(tx, party_id, message.key, message)) is not None:
            session, _party = await load_live(tx, party_id)
            # Said again after its own resuming it has closed what is open by what is written.
            state = await load_state(tx, app, session.id)
            return effects.After(session.id, opens=state.phase is Phase.OPEN), said
        session, _party = await load_live(tx, party_id)
        decision = await advance(app, tx, session.id, Paused(party_id, message.request))
        after = await effects.record(app, tx, session, decision)
        request = decision.state.request
        mine = request.pause_of(party_id) if request else None
        if mine is None:
            raise RequestOver
        # Said again without a new leaf it has a new number all the same.
        after.paused = True
        result = {"generation": str(mine.generation)}
        answer = await remember(app, tx, party_id, message.key, message, result)
    return after, answer


async def resume(app: Services, party_id: str, message: ResumeRecording) -> dict[str, str]:
    """End this party's own pause; the gate opens after the commit if nothing else closes it.

    Nobody is asked again: consent stands. Raises PausedByOther when only others have paused,
    Conflict when nobody has or this party has paused again since, RequestOver, NotPermitted.
    """
    async with app.store.write() as tx:
        if (said := await answered_before(tx, party_id, message.key, message)) is not None:
            return said
        session, _party = await load_live(tx, party_id)
        resumed = Resumed(party_id, message.request, message.generation)
        decision = await advance(app, tx, session.id, resumed)
        after = await effects.record(app, tx, session, decision)
        answer = await remember(app, tx, party_id, message.key, message, {})
    await effects.speak(app, after, open_gate)
    return answer
