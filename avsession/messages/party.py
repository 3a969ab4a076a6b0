"""Messages between a party's page and the server."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from avsession.messages.common import (
    RESUME,
    Candidate,
    ErrorReply,
    Generation,
    IceServer,
    Id,
    Key,
    Language,
    Message,
    Mid,
    Purposes,
    Reason,
    Sdp,
    Sha256,
)
from avsession.messages.relayed import (
    Confirm,
    Confirmed,
    Describe,
    Described,
    Trickle,
    Trickled,
)
from avsession.signed import Signed

# --- a party's page speaks


class Hello(Message, frozen=True, kw_only=True, tag="hello"):
    """The first message, within 5 s: the single-use ticket, and what page this is.

    ``unsaid``: the keys of pauses, stops and withdrawals that this page has said and not had
    acknowledged. They are said again after ``welcome``; until then nothing is recorded, whatever
    became of them. ``resume``: what this page's last ``welcome`` gave it; with it ``ticket`` may
    be empty until 30 s after its connection has ended. A page that took the seat later keeps it:
    the one that comes back is told ``error replaced``.
    """

    ticket: Annotated[str, Meta(max_length=64)]
    build: Annotated[str, Meta(max_length=64)]
    unsaid: Annotated[tuple[Key, ...], Meta(max_length=16)] = ()
    resume: Annotated[str, Meta(pattern=RESUME)] | None = None


class Ping(Message, frozen=True, kw_only=True, tag="ping"):
    """Still here. Sent every 3 s, and whenever that is in doubt; answered with ``pong``."""


class MediaState(Message, frozen=True, kw_only=True, tag="media"):
    """Whether this party's microphone and camera are on, for the others' pages."""

    microphone: bool
    camera: bool


class EnrolKey(Message, frozen=True, kw_only=True, tag="key.enrol"):
    """The key that this page will sign its party's answers with; sent after each ``welcome``.

    ``public_key``: 65 bytes, ``proof``: 64 bytes, both base64url. The proof is a signature over
    ``avsession.key.v1``, a line feed, and the RFC 8785 JSON of ``challenge`` (the welcome's),
    ``key`` (SHA-256 of the public key), ``party`` and ``session``.
    """

    public_key: Annotated[str, Meta(max_length=128)]
    challenge: Annotated[str, Meta(max_length=256)]
    proof: Annotated[str, Meta(max_length=128)]
    key: Key


class RequestRecording(Message, frozen=True, kw_only=True, tag="recording.request"):
    """Ask everyone whether the call may be recorded, for these purposes."""

    purposes: Purposes
    key: Key


class NoticeShown(Message, frozen=True, kw_only=True, tag="consent.shown"):
    """The consent dialog is on the screen, with the notice of this hash."""

    request: Id
    notice: Sha256
    language: Language


class GiveConsent(Message, frozen=True, kw_only=True, tag="consent.give"):
    """Allow recording for the ticked purposes. The party is the connection's, never a field.

    Without a signature that holds it is refused with ``signature.invalid``. What is signed is
    ``avsession.consent.v1``, a line feed, and the RFC 8785 JSON of ``action`` (``give``,
    ``refuse``, ``withdraw``), ``session``, ``party``, ``request``, ``notice`` and ``language``
    (null unless given), ``purposes`` (empty unless given), ``time`` and ``key``.
    """

    request: Id
    notice: Sha256
    language: Language
    purposes: Purposes
    signed: Signed | None = None
    key: Key


class RefuseConsent(Message, frozen=True, kw_only=True, tag="consent.refuse"):
    """Decline. Changes nothing about the call, and holds whatever its signature is worth."""

    request: Id
    signed: Signed | None = None
    key: Key


class MoreTime(Message, frozen=True, kw_only=True, tag="consent.extend"):
    """Give me more time to read; allowed ten times (WCAG 2.2.1)."""

    request: Id


class WithdrawConsent(Message, frozen=True, kw_only=True, tag="consent.withdraw"):
    """Stop now. What becomes of what was recorded follows in ``consent.fate``.

    It holds whatever its signature is worth; the record says which.
    """

    request: Id
    signed: Signed | None = None
    key: Key


class ChooseFate(Message, frozen=True, kw_only=True, tag="consent.fate"):
    """Keep or destroy what was recorded before the withdrawal; no choice means destroy."""

    request: Id
    fate: Annotated[str, Meta(pattern=r"^(keep|destroy)$(?!\n)")]
    key: Key


class StopRecording(Message, frozen=True, kw_only=True, tag="recording.stop"):
    """End the recording; consent is not withdrawn, what was recorded is kept."""

    request: Id
    key: Key


class PauseRecording(Message, frozen=True, kw_only=True, tag="recording.pause"):
    """Record nothing until this party resumes. Any party may; the request and consent stand.

    The acknowledgement's ``generation`` is what ``recording.resume`` must name.
    """

    request: Id
    key: Key


class ResumeRecording(Message, frozen=True, kw_only=True, tag="recording.resume"):
    """End this party's own pause: the one of this ``generation``, so that one which was said later
    stands whatever arrives first. Recording goes on when no other party's pause stands."""

    request: Id
    generation: Generation
    key: Key


class LegAnswer(Message, frozen=True, kw_only=True, tag="leg.answer"):
    """This party's answer to the recorder's offer."""

    recording: Id
    generation: Generation
    sdp: Sdp


class LegTrickle(Message, frozen=True, kw_only=True, tag="leg.trickle"):
    """An ICE candidate of this party for its leg; an empty one ends the list."""

    recording: Id
    generation: Generation
    candidate: Candidate
    mid: Mid | None = None


class LegFailed(Message, frozen=True, kw_only=True, tag="leg.failed"):
    """This party's browser refused or lost the leg; says why by a code."""

    recording: Id
    generation: Generation
    reason: Reason


class Leave(Message, frozen=True, kw_only=True, tag="leave"):
    """Leave the call. The agent's leaving ends the session."""


FromParty = (
    Hello | Ping | Describe | Trickle | Confirm | MediaState | EnrolKey | RequestRecording
    | NoticeShown | GiveConsent | RefuseConsent | MoreTime | WithdrawConsent | ChooseFate
    | StopRecording | PauseRecording | ResumeRecording | LegAnswer | LegTrickle | LegFailed
    | Leave
)  # fmt: skip


# --- a party's page is told


class PartyInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A party as the others see it. ``recorder`` is the role of the visible recorder."""

    party: str
    role: str
    name: str
    presence: str
    microphone: bool = True
    camera: bool = True


class NoticeText(msgspec.Struct, frozen=True, kw_only=True):
    """The notice in one language: exactly these UTF-8 bytes are hashed and shown.

    Lines that begin with ``[ ] `` and a purpose's id stand for the checkboxes.
    """

    language: str
    sha256: str
    text: str


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """The live recording request as a party must see it."""

    request: str
    by: str
    purposes: tuple[str, ...]
    notices: tuple[NoticeText, ...]
    deadline_ms: int
    """Milliseconds from now until silence counts as no."""
    warn_ms: int
    """Warn when this much is left."""
    answers: dict[str, str]
    """Party -> pending, given, refused, withdrawn or expired."""


class RecordingStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether recording is on. ``reason`` is a stable code when it is not."""

    state: str  # on, paused, off
    reason: str = ""
    request: str | None = None
    recording: str | None = None
    generation: int = 0
    may_ask: bool = True
    """False once two refusals have ended the asking."""
    paused: dict[str, int] = msgspec.field(default_factory=dict)
    """Who has paused -> the generation that its ``recording.resume`` must name."""


class Welcome(Message, frozen=True, kw_only=True, tag="welcome"):
    """The answer to ``hello``: everything a page needs, after a reload too."""

    you: str
    session: str
    parties: tuple[PartyInfo, ...]
    ice_servers: tuple[IceServer, ...]
    relay_only: bool
    recording: RecordingStatus
    ask: Ask | None = None
    grant: str | None = None
    """The live grant, when the gate is open."""
    given: str | None = None
    """The live request, if this party's ``given`` for it is committed."""
    fate_due: str | None = None
    """A request whose withdrawal by this party still awaits keep or destroy."""
    fate_ms: int = 0
    """Milliseconds from now until no choice means destroy."""
    challenge: str = ""
    """To be signed in ``key.enrol``; good for ten minutes."""
    resume: str = ""
    """What this page's next ``hello`` may show in place of a ticket."""


class Pong(Message, frozen=True, kw_only=True, tag="pong"):
    """The answer to ``ping``."""


class Parties(Message, frozen=True, kw_only=True, tag="parties"):
    """Who is there, whenever that changes; the recorder is in it while it records."""

    parties: tuple[PartyInfo, ...]


class IceServers(Message, frozen=True, kw_only=True, tag="ice.servers"):
    """New credentials, before the old ones end: give them to every connection, and take a new path
    on the call's (ICE restart), so that nothing rests on the old ones."""

    ice_servers: tuple[IceServer, ...]


class Asked(Message, frozen=True, kw_only=True, tag="recording.asked"):
    """Show the consent dialog; sent again when a deadline or an answer changes."""

    ask: Ask


class AskOver(Message, frozen=True, kw_only=True, tag="recording.ask_over"):
    """The request needs no answer any more; ``outcome`` is a stable code."""

    request: str
    outcome: str  # given, refused, expired, withdrawn, stopped, left, ended, no_common_purpose


class RecordingChanged(Message, frozen=True, kw_only=True, tag="recording.state"):
    """Recording went on, off, or was paused. A page cuts its leg at once unless it is on."""

    recording: RecordingStatus


class Granted(Message, frozen=True, kw_only=True, tag="recording.grant"):
    """The signed grant that the coming leg must match."""

    grant: str


class LegOffered(Message, frozen=True, kw_only=True, tag="leg.offer"):
    """The recorder's offer for this party's leg."""

    recording: str
    generation: int
    sdp: str


class RecordingFinished(Message, frozen=True, kw_only=True, tag="recording.finished"):
    """What became of a recording: ``sealed``, ``interrupted`` or ``erased``.

    It comes again with a ``certificate`` when a party's track, or all of it, was destroyed.
    """

    recording: str
    request: str
    state: str
    duration_ms: int
    certificate: str | None = None
    """The id of the certificate of what has just been destroyed."""


class Ended(Message, frozen=True, kw_only=True, tag="session.ended"):
    """The session is over."""

    reason: str


class ServerStops(Message, frozen=True, kw_only=True, tag="server.stops"):
    """The server will stop when its calls have ended, or a little later. The call goes on."""


class Ack(Message, frozen=True, kw_only=True, tag="ack"):
    """The change with this idempotency key is committed."""

    key: str
    result: dict[str, str] = msgspec.field(default_factory=dict)


ToParty = (
    Welcome | Pong | Parties | IceServers | Described | Trickled | Confirmed | Asked | AskOver
    | RecordingChanged | Granted | LegOffered | RecordingFinished | Ended
    | ServerStops | Ack | ErrorReply
)  # fmt: skip
