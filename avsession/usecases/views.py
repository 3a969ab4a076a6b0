"""What the parties are told: the wire's view of the state. Reads only."""

from __future__ import annotations

from avsession.consent import ConsentState, Phase
from avsession.messages import Ask, NoticeText, PartyInfo, RecordingStatus
from avsession.ports import Reader
from avsession.recording import PAUSED
from avsession.records import Notice, Recording, RecordingRequest
from avsession.session import Party
from avsession.usecases.services import Services

RECORDER = PartyInfo(party="recorder", role="recorder", name="Recorder", presence="present")
"""How the recorder appears to everyone: a participant, never a party."""


async def parties(app: Services, tx: Reader, session: str) -> tuple[PartyInfo, ...]:
    """Everyone seated, the recorder among them while the gate is open."""
    seated = [
        PartyInfo(
            party=party.id,
            role=str(party.role),
            name=party.name,
            presence=str(party.presence),
            microphone=app.bus.media(party.id)[0],
            camera=app.bus.media(party.id)[1],
        )
        for party in await tx.find(Party, session=session, order="created_ms")
        if party.presence is not None
    ]
    if app.gate.of_session(session) is not None:
        seated.append(RECORDER)
    return tuple(seated)


async def ask(app: Services, tx: Reader, state: ConsentState) -> Ask | None:
    """The live request while it waits for answers."""
    if state.phase is not Phase.ASKING or state.request is None:
        return None
    request = state.request
    texts = []
    for language, sha256 in request.notices.items():
        row = await tx.get(Notice, sha256)
        if row is not None:
            texts.append(NoticeText(language=language, sha256=sha256, text=row.text.decode()))
    consent = app.settings.consent
    return Ask(
        request=request.id,
        by=request.by,
        purposes=request.purposes,
        notices=tuple(texts),
        deadline_ms=max(0, request.deadline_ms - app.clock.now_ms()),
        warn_ms=(consent.answer_s - consent.warn_s) * 1000,
        answers={seat.party: str(seat.answer) for seat in state.seats},
    )


async def status(
    app: Services, tx: Reader, session: str, state: ConsentState, reason: str = ""
) -> RecordingStatus:
    """Whether recording is on, by the gate in memory: the one that capture obeys.

    ``reason``: why it is off, unless somebody has paused it: that is said before anything else.
    """
    gate = app.gate.of_session(session)
    request = state.request.id if state.request else None
    if gate is not None:
        return RecordingStatus(
            state="on",
            request=request,
            recording=gate.recording,
            generation=gate.generation,
            may_ask=state.may_ask,
        )
    recording = await tx.one(Recording, request=request) if request else None
    pauses = state.request.pauses if state.request else ()
    return RecordingStatus(
        state="paused" if pauses else "off",
        reason=PAUSED if pauses else reason,
        request=request,
        recording=recording.id if recording else None,
        generation=state.generation,
        may_ask=state.may_ask,
        paused={pause.party: pause.generation for pause in pauses},
    )


async def request_of(tx: Reader, request: str) -> RecordingRequest | None:
    """The stored request."""
    return await tx.get(RecordingRequest, request)
