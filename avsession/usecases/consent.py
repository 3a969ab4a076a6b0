"""Asking, answering, taking back. The caller is the connection's party, never a field."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from avsession import notices
from avsession.audit.record import Shown
from avsession.config import PurposeSetting
from avsession.consent import (
    ConsentState,
    Expired,
    Extended,
    Given,
    Phase,
    Refused,
    Request,
    Requested,
    Stopped,
    Withdrawn,
)
from avsession.errors import (
    AskingEnded,
    AvsessionError,
    NoticeMismatch,
    NotPermitted,
    PurposesRefused,
    RequestOver,
    TooMany,
    Unavailable,
)
from avsession.messages import (
    ChooseFate,
    GiveConsent,
    MoreTime,
    NoticeShown,
    RefuseConsent,
    RequestRecording,
    StopRecording,
    WithdrawConsent,
)
from avsession.ports import Reader, Writer
from avsession.records import ConsentEvent, Notice, RecordingRequest
from avsession.session import Role, Session, new_id
from avsession.signed import Enrolment
from avsession.usecases import effects, erasure, events, keys, publishing, unwritten, withdrawals
from avsession.usecases.capture import open_gate
from avsession.usecases.closing import ending
from avsession.usecases.common import (
    advance,
    answered_before,
    load,
    load_live,
    load_state,
    remember,
)
from avsession.usecases.services import Services

log = logging.getLogger("avsession.consent")

MAX_REQUESTS = 20
"""Recording requests in one session, whatever became of them."""
MAX_SHOWN = 20
"""``consent.shown`` events of one party for one request: a language change is one."""


async def request_recording(
    app: Services, party_id: str, message: RequestRecording
) -> dict[str, str]:
    """The agent asks to record. The notice is rendered, hashed and archived in each language."""
    settings = app.settings
    known = {purpose.id: purpose for purpose in settings.consent.purposes}
    if not message.purposes or not set(message.purposes) <= set(known):
        raise PurposesRefused
    chosen = [p for p in settings.consent.purposes if p.id in message.purposes]
    async with app.store.write() as tx:
        if (said := await answered_before(tx, party_id, message.key, message)) is not None:
            return said
        session, party = await load_live(tx, party_id)
        if party.role is not Role.AGENT:
            raise NotPermitted("Only the agent can ask to record.")
        state = await load_state(tx, app, session.id)
        if not state.may_ask:
            raise AskingEnded
        if await tx.count(RecordingRequest, session=session.id) >= MAX_REQUESTS:
            raise TooMany("Recording was asked for too often in this session.")
        rendered = await _archive(app, tx, chosen)
        request = Request(
            id=new_id("req", app.entropy),
            by=party_id,
            purposes=tuple(p.id for p in chosen),
            notices=rendered,
            deadline_ms=app.clock.now_ms() + settings.consent.answer_s * 1000,
        )
        decision = await advance(app, tx, session.id, Requested(request))
        row = RecordingRequest(
            id=request.id,
            session=session.id,
            by=party_id,
            purposes=list(request.purposes),
            notices=rendered,
            at_ms=app.clock.now_ms(),
        )
        await tx.add(row)
        await events.add(app, tx, session, party, row, "requested")
        after = await effects.record(app, tx, session, decision)
        answer = await remember(app, tx, party_id, message.key, message, {"request": request.id})
    await effects.speak(app, after, open_gate)
    return answer


async def _archive(app: Services, tx: Writer, chosen: list[PurposeSetting]) -> dict[str, str]:
    """Render in every offered language and keep the bytes; language -> SHA-256."""
    version = notices.latest(notices.RECORDING)
    hashes = {}
    for language in notices.languages(notices.RECORDING, version):
        text = notices.render(notices.RECORDING, version, language, app.settings, chosen)
        hashes[language] = text.sha256
        await publishing.archive(app, tx, text)
    return hashes


async def _shown(app: Services, tx: Writer, sha256: str, language: str, method: str) -> Shown:
    notice = await tx.get(Notice, sha256)
    if notice is None or notice.language != language:
        raise NoticeMismatch
    return Shown(
        language=language, sha256=sha256, version=notice.version, method=method, build=app.build
    )


async def _row(tx: Writer, session: Session, request_id: str) -> RecordingRequest:
    """The request, if it is this session's."""
    request = await tx.get(RecordingRequest, request_id)
    if request is None or request.session != session.id:
        raise RequestOver
    return request


async def shown(app: Services, party_id: str, message: NoticeShown) -> None:
    """A page says that the notice is on its screen."""
    async with app.store.write() as tx:
        session, party = await load_live(tx, party_id)
        state = await load_state(tx, app, session.id)
        request = await _row(tx, session, message.request)
        if state.phase is not Phase.ASKING or not state.request or state.request.id != request.id:
            raise RequestOver
        if request.notices.get(message.language) != message.notice:
            raise NoticeMismatch
        seen = await tx.count(ConsentEvent, request=request.id, party=party_id, kind="shown")
        if seen >= MAX_SHOWN:
            raise TooMany
        notice = await _shown(app, tx, message.notice, message.language, "dialog/shown")
        await events.add(app, tx, session, party, request, "shown", shown=notice)


async def give(app: Services, party_id: str, message: GiveConsent) -> dict[str, str]:
    """A party allows recording. When it was the last one, the gate opens after the commit."""
    async with app.store.write() as tx:
        if (said := await answered_before(tx, party_id, message.key, message)) is not None:
            return said
        session, party = await load_live(tx, party_id)
        given = Given(
            party_id,
            message.request,
            message.notice,
            message.language,
            message.purposes,
            app.clock.now_ms(),
        )
        decision = await advance(app, tx, session.id, given)
        signature = await keys.required(
            app,
            tx,
            party,
            message.signed,
            action="give",
            request=message.request,
            notice=message.notice,
            language=message.language,
            purposes=message.purposes,
        )
        request = await _row(tx, session, message.request)
        notice = await _shown(app, tx, message.notice, message.language, "dialog/allow")
        event = await events.add(
            app,
            tx,
            session,
            party,
            request,
            "given",
            shown=notice,
            given=message.purposes,
            signature=signature,
        )
        after = await effects.record(app, tx, session, decision)
        after.ask = True
        answer = await remember(app, tx, party_id, message.key, message, {"event": event.id})
    await effects.speak(app, after, open_gate)
    return answer


async def refuse(app: Services, party_id: str, message: RefuseConsent) -> dict[str, str]:
    """A party declines; nothing about the call changes."""
    async with app.store.write() as tx:
        if (said := await answered_before(tx, party_id, message.key, message)) is not None:
            return said
        session, party = await load_live(tx, party_id)
        decision = await advance(app, tx, session.id, Refused(party_id, message.request))
        request = await _row(tx, session, message.request)
        signature = await keys.judged(
            app, tx, party, message.signed, action="refuse", request=request.id
        )
        event = await events.add(app, tx, session, party, request, "refused", signature=signature)
        after = await effects.record(app, tx, session, decision)
        answer = await remember(app, tx, party_id, message.key, message, {"event": event.id})
    await effects.speak(app, after, open_gate)
    return answer


async def more_time(app: Services, party_id: str, message: MoreTime) -> None:
    """A party needs longer to read."""
    async with app.store.write() as tx:
        session, _party = await load_live(tx, party_id)
        now = app.clock.now_ms()
        deadline = now + app.settings.consent.answer_s * 1000
        extended = Extended(party_id, message.request, deadline, now)
        decision = await advance(app, tx, session.id, extended)
        after = await effects.record(app, tx, session, decision)
    await effects.speak(app, after, open_gate)


async def expire(app: Services, session_id: str, state: ConsentState) -> None:
    """Silence is no: called when the deadline has passed."""
    if state.request is None:
        return
    async with app.store.write() as tx:
        session = await tx.get(Session, session_id)
        if session is None:
            return
        decision = await advance(app, tx, session_id, Expired(state.request.id, app.clock.now_ms()))
        after = await effects.record(app, tx, session, decision)
    await effects.speak(app, after, open_gate)


async def withdraw(
    app: Services, party_id: str, message: WithdrawConsent, enrolment: Enrolment | None = None
) -> dict[str, str]:
    """Stop now, then record. Nothing captured after this moment is kept.

    Whoever is recorded under a gate may close it: that half waits for nothing. What is written
    down is checked as ever, but for its signature: the record says what that was worth.
    ``enrolment``: a key made for this withdrawal.

    Raises Unavailable when it could not be written down: it has taken effect, is kept outside the
    database, and :func:`withdraw_again` writes it even if the page never says it again.
    """
    try:
        with ending(app, party_id, message, "withdrawn"):
            async with unwritten.kept_if_slow(app, party_id, message, enrolment):
                if enrolment is not None:
                    await keys.enrol_if_possible(app, party_id, enrolment)
                after, answer = await _record_withdrawal(app, party_id, message)
    except (Unavailable, asyncio.CancelledError):
        await unwritten.keep(app, party_id, message, enrolment)
        raise
    except AvsessionError:
        await unwritten.written(app, party_id, message)
        raise
    await unwritten.written(app, party_id, message)
    if after is not None:
        await effects.speak(app, after, open_gate)
        await withdrawals.hide(app, message.request)
    return answer


async def withdraw_again(app: Services) -> None:
    """Write down what was taken back while nothing could be written; for the timers. Raises
    Unavailable when nothing can be written yet."""
    try:
        await unwritten.learn(app)
    except Unavailable as error:
        log.warning("what was kept of withdrawals cannot be read: %s", error)
    for party_id, message, enrolment in app.gate.taken_back():
        try:
            await withdraw(app, party_id, message, enrolment)
        except Unavailable:
            raise
        except AvsessionError as error:  # it was said again under another key, or all is erased
            log.warning("a withdrawal was not written down: %s", error.code)
        except Exception:
            log.exception("a withdrawal waits for its next turn")


async def recover(app: Services) -> None:
    """At start, before anybody can connect: what an earlier server could not write down is, or
    bars its party from any recording until it is. Raises Unavailable when it cannot be read."""
    await unwritten.learn(app)
    try:
        await withdraw_again(app)
    except Unavailable as error:
        log.warning("withdrawals wait to be written down: %s", error.code)


async def _record_withdrawal(
    app: Services, party_id: str, message: WithdrawConsent
) -> tuple[effects.After | None, dict[str, str]]:
    async with app.store.write() as tx:
        if (said := await answered_before(tx, party_id, message.key, message)) is not None:
            return None, said
        session, party = await load(tx, party_id)
        request = await _row(tx, session, message.request)
        await withdrawals.check(tx, party, request)
        signature = await keys.judged(
            app, tx, party, message.signed, action="withdraw", request=request.id
        )
        shown = await _taken_back(app, tx, party_id, request.id)
        choice = await withdrawals.new_choice(app, tx, party, request)
        event = await events.add(
            app, tx, session, party, request, "withdrawn", shown=shown, signature=signature,
            refs=withdrawals.opened(choice),
        )  # fmt: skip
        state = await load_state(tx, app, session.id)
        after = effects.After(session.id)
        if state.request is not None and state.request.id == request.id:
            decision = await advance(app, tx, session.id, Withdrawn(party_id, request.id))
            after = await effects.record(app, tx, session, decision)
        if choice is not None:
            await tx.put(choice)
        fate_s = app.settings.consent.fate_s if choice is not None else 0
        result = {"event": event.id, "fate_s": str(fate_s)}
        result |= await withdrawals.kept_by(tx, request.id, "destroy")
        answer = await remember(app, tx, party_id, message.key, message, result)
    return after, answer


async def _taken_back(app: Services, tx: Reader, party: str, request: str) -> Shown | None:
    """The notice that the withdrawn consent was given to."""
    given = await tx.one(ConsentEvent, request=request, party=party, kind="given")
    notice: Any = given.document.get("notice") if given is not None else None
    if not notice:
        return None
    return Shown(
        language=notice["language"],
        sha256=notice["sha256"],
        version=notice["version"],
        method="button/withdraw",
        build=app.build,
    )


async def choose_fate(app: Services, party_id: str, message: ChooseFate) -> dict[str, str]:
    """Keep or destroy what was recorded before the withdrawal.

    When a legal hold keeps it for now, the answer has the hold's category as ``held`` and
    ``review_ms``, when the hold is reviewed (ms since the Unix epoch).
    """
    async with app.store.write() as tx:
        if (said := await answered_before(tx, party_id, message.key, message)) is not None:
            return said
        session, _party = await load(tx, party_id)
        await _row(tx, session, message.request)
        await withdrawals.choose(app, tx, party_id, message.request, message.fate)
        said = {
            "fate": message.fate,
            **await withdrawals.kept_by(tx, message.request, message.fate),
        }
        answer = await remember(app, tx, party_id, message.key, message, said)
    await erasure.begin(app, message.request)
    return answer


async def stop(app: Services, party_id: str, message: StopRecording) -> dict[str, str]:
    """End the recording, or the asking, without withdrawing; what was recorded is kept."""
    with ending(app, party_id, message, "stopped"):
        after, answer = await _record_stop(app, party_id, message)
    if after is not None:
        await effects.speak(app, after, open_gate)
    return answer


async def _record_stop(
    app: Services, party_id: str, message: StopRecording
) -> tuple[effects.After | None, dict[str, str]]:
    async with app.store.write() as tx:
        if (said := await answered_before(tx, party_id, message.key, message)) is not None:
            return None, said
        session, _party = await load_live(tx, party_id)
        decision = await advance(app, tx, session.id, Stopped(party_id, message.request))
        after = await effects.record(app, tx, session, decision)
        answer = await remember(app, tx, party_id, message.key, message, {})
    return after, answer
