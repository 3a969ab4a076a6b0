"""What each message does: one table for parties, one for recorders.

A line says how the message is carried out, which rate it counts against, and who does it:

- :class:`Now`: at once, while reading; relays and anything else that waits for nothing.
- :class:`InTurn`: a use case, after the connection's earlier ones.
- :class:`Ahead`: a use case that waits for none of them, because what it stops must stop now;
  if it does not fit yet, once more in its turn.

Whatever goes wrong becomes an ``error`` reply. The sender is the connection's party, always; no
message has a field for it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from avsession import sdp
from avsession.errors import (
    AvsessionError,
    Conflict,
    ManifestBroken,
    MessageInvalid,
    SdpRefused,
    TooMany,
    Unavailable,
)
from avsession.messages import (
    FROM_PARTY,
    FROM_RECORDER,
    Ack,
    ChooseFate,
    Codec,
    Confirm,
    Confirmed,
    Describe,
    Described,
    EnrolKey,
    EntryRefused,
    GiveConsent,
    GrantRefused,
    Heartbeat,
    Hello,
    Leave,
    LegAnswer,
    LegFailed,
    LegOffer,
    LegState,
    LegTrickle,
    ManifestLine,
    MediaState,
    Message,
    MoreTime,
    NoticeShown,
    PauseRecording,
    Ping,
    Pong,
    RefuseConsent,
    RequestRecording,
    ResumeRecording,
    StopRecording,
    Trickle,
    Trickled,
    WithdrawConsent,
    WorkerHello,
)
from avsession.recording import decode_line
from signaling.cases import UseCases
from signaling.connection import End, Peer
from signaling.hub import Hub
from signaling.lanes import Lanes
from signaling.limits import Limits

log = logging.getLogger("signaling.dispatch")

UNREADABLE = -1
"""``n`` of a manifest line that has none that can be read."""

Outcome = Message | dict[str, str] | None
"""A reply, what the acknowledgement says, or neither."""


@dataclass(frozen=True)
class Seat:
    """A connection whose owner is known: a party's, or a recorder worker's."""

    owner: str
    peer: Peer
    lanes: Lanes
    hub: Hub
    cases: UseCases
    limits: Limits
    hold: Callable[[str], None] = lambda key: None
    """Let no gate open before the change with this key has its answer. Waits for nothing."""
    relay_only: bool = False
    """Of what a party's page says of ways to it, only those through TURN are passed on."""

    def shown(self, description: str) -> str:
        """A description as others may see it."""
        return sdp.relayed_only(description) if self.relay_only else description

    def shown_candidate(self, candidate: str) -> str | None:
        """A candidate as others may see it; None: not at all. Empty stays empty: the end."""
        return sdp.relayed(candidate) if self.relay_only and candidate else candidate


@dataclass(frozen=True)
class Now:
    """Carried out while reading. ``rate`` names a field of Limits."""

    rate: str
    handle: Callable[[Seat, Any], Message | None]


@dataclass(frozen=True)
class InTurn:
    """Carried out after the earlier ones of its lane. ``check`` runs before it may wait."""

    rate: str
    handle: Callable[[Seat, Any], Awaitable[Outcome]]
    check: Callable[[Any], None] = lambda message: None
    lane: Callable[[Any], str] = lambda message: ""


@dataclass(frozen=True)
class Ahead:
    """Carried out without waiting for the earlier ones; the later ones wait for it."""

    rate: str
    handle: Callable[[Seat, Any], Awaitable[Outcome]]


Rule = Now | InTurn | Ahead


def _relay_description(seat: Seat, message: Describe) -> None:
    if message.kind != "rollback":
        sdp.check(message.sdp)
    elif message.sdp:
        raise SdpRefused("A rollback has no description.")
    text = seat.shown(message.sdp) if message.sdp else ""
    said = Described(sender=seat.owner, kind=message.kind, sdp=text, run=message.run, n=message.n)
    seat.hub.relay(seat.owner, message.to, said)


def _relay_candidate(seat: Seat, message: Trickle) -> None:
    if message.candidate:
        sdp.check_candidate(message.candidate)
    shown = seat.shown_candidate(message.candidate)
    if shown is None and message.n is None:
        return
    said = Trickled(
        sender=seat.owner,
        candidate=shown or "",  # its number is passed on all the same: none is missing
        mid=message.mid,
        line=message.line,
        run=message.run,
        n=message.n,
    )
    seat.hub.relay(seat.owner, message.to, said)


def _relay_confirmation(seat: Seat, message: Confirm) -> None:
    said = Confirmed(sender=seat.owner, run=message.run, n=message.n, again=message.again)
    seat.hub.relay(seat.owner, message.to, said)


async def _leg_answer(seat: Seat, message: LegAnswer) -> None:
    shown = replace(message, sdp=seat.shown(message.sdp))
    await seat.cases.leg_answer(seat.owner, shown)


async def _leg_candidate(seat: Seat, message: LegTrickle) -> None:
    shown = seat.shown_candidate(message.candidate)
    if shown is not None:
        await seat.cases.leg_trickle(seat.owner, replace(message, candidate=shown))


def _media(seat: Seat, message: MediaState) -> None:
    seat.hub.set_media(seat.owner, microphone=message.microphone, camera=message.camera)


def _second_hello(seat: Seat, message: Message) -> None:
    raise MessageInvalid("This connection has said hello before.")


def _check_sdp(message: LegAnswer | LegOffer) -> None:
    sdp.check(message.sdp)


def _check_candidate(message: LegTrickle) -> None:
    if message.candidate:
        sdp.check_candidate(message.candidate)


def _recording(message: Any) -> str:
    recording: str = message.recording
    return recording


PARTY: Mapping[type[Message], Rule] = {
    Hello: Now("others", _second_hello),
    Ping: Now("others", lambda seat, m: Pong()),
    Describe: Now("descriptions", _relay_description),
    Trickle: Now("candidates", _relay_candidate),
    Confirm: Now("candidates", _relay_confirmation),
    MediaState: Now("others", _media),
    EnrolKey: InTurn("others", lambda s, m: s.cases.enrol(s.owner, m)),
    RequestRecording: InTurn("others", lambda s, m: s.cases.request_recording(s.owner, m)),
    NoticeShown: InTurn("others", lambda s, m: s.cases.shown(s.owner, m)),
    GiveConsent: InTurn("others", lambda s, m: s.cases.give(s.owner, m)),
    RefuseConsent: InTurn("closing", lambda s, m: s.cases.refuse(s.owner, m)),
    MoreTime: InTurn("others", lambda s, m: s.cases.more_time(s.owner, m)),
    WithdrawConsent: Ahead("closing", lambda s, m: s.cases.withdraw(s.owner, m)),
    ChooseFate: InTurn("closing", lambda s, m: s.cases.choose_fate(s.owner, m)),
    StopRecording: Ahead("closing", lambda s, m: s.cases.stop(s.owner, m)),
    PauseRecording: Ahead("closing", lambda s, m: s.cases.pause(s.owner, m)),
    ResumeRecording: InTurn("others", lambda s, m: s.cases.resume(s.owner, m)),
    LegAnswer: InTurn("descriptions", _leg_answer, _check_sdp),
    LegTrickle: InTurn("candidates", _leg_candidate, _check_candidate),
    LegFailed: InTurn("closing", lambda s, m: s.cases.leg_failed(s.owner, m)),
    Leave: InTurn("closing", lambda s, m: s.cases.left(s.owner)),
}

# A recorder's lanes are its recordings: one that waits for a disk holds up no other. A heartbeat
# is answered while reading, because a recorder that hears nothing for 5 s closes every gate.
RECORDER: Mapping[type[Message], Rule] = {
    WorkerHello: Now("recorder_messages", _second_hello),
    Heartbeat: Now("recorder_messages", lambda s, m: s.cases.heartbeat(s.owner, m)),
    LegOffer: InTurn(
        "recorder_messages", lambda s, m: s.cases.leg_offer(s.owner, m), _check_sdp, _recording
    ),
    LegState: InTurn(
        "recorder_messages", lambda s, m: s.cases.leg_state(s.owner, m), lane=_recording
    ),
    ManifestLine: InTurn(
        "recorder_messages", lambda s, m: s.cases.manifest_line(s.owner, m), lane=_recording
    ),
    GrantRefused: InTurn(
        "recorder_messages", lambda s, m: s.cases.grant_refused(s.owner, m), lane=_recording
    ),
}


def receive_party(seat: Seat, frame: str | bytes) -> None:
    """Carry out, queue or refuse one frame of a party's page. Waits for nothing, never raises."""
    message: Message | None = None
    try:
        seat.peer.charge("messages")
        seat.peer.charge("message_bytes", len(frame))
        message = _decoded(FROM_PARTY, frame)
        rule = PARTY[type(message)]
        seat.peer.charge(rule.rate)
    except (MessageInvalid, TooMany) as error:
        _refuse(seat, message, error)
        seat.peer.violation()
        return
    try:
        _begin(seat, rule, message)
    except AvsessionError as error:
        _refuse(seat, message, error)
        if isinstance(error, MessageInvalid | SdpRefused):
            seat.peer.violation()


def receive_recorder(seat: Seat, frame: str | bytes) -> None:
    """The same for a recorder's frame. It is ended, not refused, when it says too much: a manifest
    line that is dropped would break its chain, one that comes again after a reconnect does not."""
    message: Message | None = None
    try:
        message = _decoded(FROM_RECORDER, frame)
        rule = RECORDER[type(message)]
        seat.peer.charge(rule.rate)
        _begin(seat, rule, message)
    except TooMany:
        seat.peer.end(End.RATE)
    except AvsessionError as error:
        _refuse(seat, message, error)
        seat.peer.violation()


def _decoded(codec: Codec, frame: str | bytes) -> Message:
    message: Message = codec.decode(frame)
    return message


def _begin(seat: Seat, rule: Rule, message: Message) -> None:
    if isinstance(rule, Now):
        try:
            reply = rule.handle(seat, message)
        except AvsessionError:
            raise
        except Exception:
            log.exception("%s failed for %s", _tag(message), seat.peer.name)
            raise AvsessionError from None
        if reply is not None:
            seat.peer.tell(reply)
        return

    async def work() -> None:
        await _answer(seat, message, rule.handle)

    if isinstance(rule, InTurn):
        rule.check(message)
        seat.lanes.put(rule.lane(message), work)
    elif seat.lanes.ahead < seat.limits.withdrawals:
        # what is taken back may be waiting itself: then once more, behind it
        early = seat.lanes.waits("")
        seat.lanes.overtake(lambda: _answer(seat, message, rule.handle, early=early), "", work)
    else:
        seat.lanes.put("", work)


WRITTEN_DOWN = frozenset(
    {
        EnrolKey, RequestRecording, NoticeShown, GiveConsent, RefuseConsent, WithdrawConsent,
        ChooseFate, StopRecording, PauseRecording, ResumeRecording, LegAnswer, LegOffer,
        ManifestLine, GrantRefused,
    }
)  # fmt: skip
"""Attempts to consent or to capture: what is refused of them goes into the audit log."""


async def _write_down(seat: Seat, message: Message, error: AvsessionError) -> None:
    """The refusal is said already; this bounds itself and never fails."""
    if type(message) not in WRITTEN_DOWN or isinstance(error, Unavailable):
        return
    worker = type(message) in RECORDER
    await seat.cases.refused(
        error.code, None if worker else seat.owner, seat.owner if worker else None
    )


async def _answer(
    seat: Seat,
    message: Message,
    handle: Callable[[Seat, Any], Awaitable[Outcome]],
    *,
    early: bool = False,
) -> bool:
    """Carry a use case out and say what came of it: a reply, an acknowledgement or an error.

    False when nothing was said, because ``early`` it did not fit what is there yet. It is held
    then, so that what it has overtaken opens nothing before it is tried again.
    """
    try:
        outcome = await handle(seat, message)
    except AvsessionError as error:
        if early and isinstance(error, Conflict):
            # nothing was awaited since the use case let go: no gate can have opened
            seat.hold(getattr(message, "key", ""))
            return False
        _refuse(seat, message, error)
        await _write_down(seat, message, error)
    except Exception:
        log.exception("%s failed for %s", _tag(message), seat.peer.name)
        _refuse(seat, message, AvsessionError())
    else:
        key = getattr(message, "key", None)
        if isinstance(outcome, Message):
            seat.peer.tell(outcome)
        elif key is not None:
            seat.peer.tell(Ack(key=key, result=outcome or {}))
    return True


def _refuse(seat: Seat, message: Message | None, error: AvsessionError) -> None:
    """Answer with the error, and note it: what kind of message, which code, nothing of a person.

    A manifest line is answered by its name and number, so that its recording stops at once.
    """
    log.info("refused %s of %s: %s", _tag(message), seat.peer.name, error.code)
    if isinstance(message, ManifestLine):
        number = _number(message.line)
        refused = EntryRefused(recording=message.recording, n=number, code=error.code)
        seat.peer.tell(refused)
    else:
        seat.peer.refuse(error, getattr(message, "key", None))


def _number(line: str) -> int:
    try:
        return decode_line(line).entry.n
    except ManifestBroken:
        return UNREADABLE


def _tag(message: Message | None) -> str:
    return str(message.__struct_config__.tag) if message is not None else "a frame"
