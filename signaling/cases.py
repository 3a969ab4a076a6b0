"""The use cases as signaling calls them: plain callables, without the world they need.

Tests give callables of their own; :func:`bind` gives the real ones. Each may raise an
AvsessionError, which the page is told, or anything else, which it is not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from avsession.messages import (
    ChooseFate,
    EnrolKey,
    EntryAccepted,
    EntryRefused,
    GiveConsent,
    GrantRefused,
    Heartbeat,
    HeartbeatReply,
    LegAnswer,
    LegFailed,
    LegOffer,
    LegState,
    LegTrickle,
    ManifestLine,
    MoreTime,
    NoticeShown,
    PauseRecording,
    RefuseConsent,
    RequestRecording,
    ResumeRecording,
    StopRecording,
    WithdrawConsent,
    WorkerHello,
    WorkerWelcome,
)
from avsession.session import Party
from avsession.usecases import (
    accept,
    closing,
    consent,
    denials,
    keys,
    legs,
    pausing,
    presence,
    sessions,
    workers,
)
from avsession.usecases.services import Services

Result = Awaitable[dict[str, str] | None]
"""What the acknowledgement says; None when the message has no idempotency key."""


@dataclass(frozen=True, kw_only=True)
class UseCases:
    """Everything that signaling may ask of the domain. A party is named by its id."""

    # coming and going
    redeem_ticket: Callable[[str], Awaitable[Party]]
    expect: Callable[[Party, tuple[str, ...]], None]
    """Before ``joined``: what the party's page says again, by its keys."""
    hold: Callable[[Party, str], None]
    """A change that came too early, by its key: no gate opens before it has its answer."""
    joined: Callable[[str], Awaitable[None]]
    """Tells the party ``welcome`` through the bus, then everyone what has changed."""
    lost: Callable[[str], Awaitable[None]]
    left: Callable[[str], Awaitable[None]]
    # consent
    enrol: Callable[[str, EnrolKey], Result]
    request_recording: Callable[[str, RequestRecording], Result]
    shown: Callable[[str, NoticeShown], Awaitable[None]]
    give: Callable[[str, GiveConsent], Result]
    refuse: Callable[[str, RefuseConsent], Result]
    more_time: Callable[[str, MoreTime], Awaitable[None]]
    withdraw: Callable[[str, WithdrawConsent], Result]
    choose_fate: Callable[[str, ChooseFate], Result]
    stop: Callable[[str, StopRecording], Result]
    pause: Callable[[str, PauseRecording], Result]
    resume: Callable[[str, ResumeRecording], Result]
    # a party's leg
    leg_answer: Callable[[str, LegAnswer], Awaitable[None]]
    leg_trickle: Callable[[str, LegTrickle], Awaitable[None]]
    leg_failed: Callable[[str, LegFailed], Awaitable[None]]
    # recorder workers, named by their id
    worker_joined: Callable[[WorkerHello], Awaitable[WorkerWelcome]]
    worker_ready: Callable[[str], Awaitable[None]]
    worker_gone: Callable[[str], Awaitable[None]]
    heartbeat: Callable[[str, Heartbeat], HeartbeatReply]
    leg_offer: Callable[[str, LegOffer], Awaitable[None]]
    leg_state: Callable[[str, LegState], Awaitable[None]]
    manifest_line: Callable[[str, ManifestLine], Awaitable[EntryAccepted | EntryRefused]]
    grant_refused: Callable[[str, GrantRefused], Awaitable[None]]
    # the log
    refused: Callable[[str, str | None, str | None], Awaitable[None]]
    """Writes down what was refused, by its code, to which party or which worker. Bounded."""


def bind(app: Services) -> UseCases:
    """The real use cases, in the world of ``app``."""
    return UseCases(
        redeem_ticket=partial(sessions.redeem_ticket, app),
        expect=partial(closing.expect, app),
        hold=partial(closing.hold, app),
        joined=partial(presence.joined, app),
        lost=partial(presence.lost, app),
        left=partial(presence.left, app),
        enrol=partial(keys.enrol, app),
        request_recording=partial(consent.request_recording, app),
        shown=partial(consent.shown, app),
        give=partial(consent.give, app),
        refuse=partial(consent.refuse, app),
        more_time=partial(consent.more_time, app),
        withdraw=partial(consent.withdraw, app),
        choose_fate=partial(consent.choose_fate, app),
        stop=partial(consent.stop, app),
        pause=partial(pausing.pause, app),
        resume=partial(pausing.resume, app),
        leg_answer=partial(legs.leg_answer, app),
        leg_trickle=partial(legs.leg_trickle, app),
        leg_failed=partial(legs.leg_failed, app),
        worker_joined=partial(workers.worker_joined, app),
        worker_ready=partial(workers.worker_ready, app),
        worker_gone=partial(workers.worker_gone, app),
        heartbeat=partial(workers.heartbeat, app),
        leg_offer=partial(legs.leg_offer, app),
        leg_state=partial(legs.leg_state, app),
        manifest_line=partial(accept.manifest_line, app),
        grant_refused=partial(legs.grant_refused, app),
        refused=partial(denials.refused, app),
    )
