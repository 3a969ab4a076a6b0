"""Messages between a recorder worker and the server."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from avsession.messages.common import (
    ErrorReply,
    Generation,
    IceServer,
    Id,
    Message,
    Reason,
    Sdp,
)
from avsession.recording import MAX_LINE

FigureName = Annotated[str, Meta(pattern=r"^[a-z_]{1,40}$(?!\n)")]

# --- a recorder worker speaks


class WorkerHello(Message, frozen=True, kw_only=True, tag="worker.hello"):
    """The first message, within 5 s. The connection itself carries the credential."""

    worker: Id
    fingerprint: Annotated[str, Meta(pattern=r"^([0-9A-F]{2}:){31}[0-9A-F]{2}$(?!\n)")]
    recorder_key: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}$(?!\n)")]
    capacity: Annotated[int, Meta(ge=0, le=1000)]
    """How many recordings it can carry at once."""
    recordings: Annotated[tuple[Id, ...], Meta(max_length=1000)] = ()
    """Recordings whose spool it holds: live ones, and leftovers of a crash."""


class Heartbeat(Message, frozen=True, kw_only=True, tag="worker.heartbeat"):
    """Every second; ``sent`` comes back, so the worker can estimate the clocks' offset."""

    sent: float
    figures: Annotated[dict[FigureName, float], Meta(max_length=64)] = msgspec.field(
        default_factory=dict
    )
    """What the worker counts, by name (``recorder/METRICS.md``); empty when there is no news."""


class LegOffer(Message, frozen=True, kw_only=True, tag="worker.leg.offer"):
    """An offer for one party's leg; its fingerprint must be the grant's."""

    recording: Id
    generation: Generation
    party: Id
    sdp: Sdp


class LegState(Message, frozen=True, kw_only=True, tag="worker.leg.state"):
    """A leg is ``connected``, ``capturing`` (first frame kept), ``failed`` or ``closed``."""

    recording: Id
    generation: Generation
    party: Id
    state: Annotated[str, Meta(pattern=r"^(connected|capturing|failed|closed)$(?!\n)")]
    reason: Reason = ""


class ManifestLine(Message, frozen=True, kw_only=True, tag="worker.manifest"):
    """The next signed manifest entry of a recording, as its canonical JSON line."""

    recording: Id
    line: Annotated[str, Meta(max_length=MAX_LINE)]


class GrantRefused(Message, frozen=True, kw_only=True, tag="worker.grant_refused"):
    """The worker does not capture under this grant; ``code`` says why."""

    recording: str
    generation: int
    code: Reason


FromRecorder = WorkerHello | Heartbeat | LegOffer | LegState | ManifestLine | GrantRefused


# --- a recorder worker is told


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """A recording and the generation under which it may be captured right now."""

    recording: str
    generation: int


class WorkerWelcome(Message, frozen=True, kw_only=True, tag="recorder.welcome"):
    """The answer to ``worker.hello``: settings, and which recordings are known and how far.

    ``known`` maps each recording named in the hello to the number of manifest entries the
    domain has; -1 means that it is not to be kept (erased or unknown): delete its spool.
    """

    ice_servers: tuple[IceServer, ...]
    known: dict[str, int]
    relay_only: bool = False
    """Legs go through TURN only."""


class HeartbeatReply(Message, frozen=True, kw_only=True, tag="recorder.heartbeat"):
    """``sent`` as it came, the server's time, and every generation that is live for this worker.

    A recording of the worker that is not in ``live`` has a closed gate; one that is in ``paused``
    has it because a party wants it so.
    """

    sent: float
    server_ms: float
    live: tuple[Live, ...]
    paused: tuple[str, ...] = ()


class Capture(Message, frozen=True, kw_only=True, tag="recorder.capture"):
    """Capture under this grant: offer a leg to each party it names."""

    grant: str
    resume: int
    """How many manifest entries the domain has; 0 for a new recording."""
    ice_servers: tuple[IceServer, ...] = ()
    """For this recording's legs, besides those of the welcome."""


class CaptureServers(Message, frozen=True, kw_only=True, tag="recorder.servers"):
    """New credentials for a recording's legs, in place of those that its order came with.

    Legs that stand go on with the old ones, which TURN servers let a standing allocation keep;
    the next leg is made with these.
    """

    recording: str
    ice_servers: tuple[IceServer, ...]


class CloseGate(Message, frozen=True, kw_only=True, tag="recorder.close"):
    """The gate of ``generation`` closed at ``closed_ms`` (server time): keep nothing later.

    ``final``: the recording is over; drain, write ``end``. Otherwise wait for the next grant.
    ``erase``: do not finish; delete the spool of this recording at once.
    """

    recording: str
    generation: int
    closed_ms: int
    reason: str
    final: bool
    erase: bool = False


class LegAnswered(Message, frozen=True, kw_only=True, tag="recorder.leg.answer"):
    """A party's answer."""

    recording: str
    generation: int
    party: str
    sdp: str


class LegTrickled(Message, frozen=True, kw_only=True, tag="recorder.leg.trickle"):
    """A party's ICE candidate; empty at the end."""

    recording: str
    generation: int
    party: str
    candidate: str
    mid: str | None = None


class LegLost(Message, frozen=True, kw_only=True, tag="recorder.leg.lost"):
    """A party's browser refused or lost its leg."""

    recording: str
    generation: int
    party: str
    reason: str


class EntryAccepted(Message, frozen=True, kw_only=True, tag="recorder.accepted"):
    """Entry ``n`` is committed; its segment, if any, has been taken over from the spool."""

    recording: str
    n: int


class EntryRefused(Message, frozen=True, kw_only=True, tag="recorder.refused"):
    """Entry ``n`` is not accepted.

    ``code`` ``segment.refused``: the entry stays in the chain, its segment was outside the
    gate: delete it and append ``dropped``. Any other code: stop this recording, delete
    nothing, and wait for ``recorder.close``; what is written may be sent again. ``n`` is -1
    for a line that could not be read.
    """

    recording: str
    n: int
    code: str


ToRecorder = (
    WorkerWelcome | HeartbeatReply | Capture | CaptureServers | CloseGate | LegAnswered
    | LegTrickled | LegLost | EntryAccepted | EntryRefused | ErrorReply
)  # fmt: skip
