"""Passing a leg's offer, answer and candidates on, between a recorder and one party's page.

Nothing here is stored. A recorder may speak only for the generation that is live for it and
only with the fingerprint that its grant names; a party only for itself.
"""

from __future__ import annotations

import logging

from avsession import sdp
from avsession.errors import GrantStale, NotPermitted, RecorderStopping, SdpRefused
from avsession.messages import (
    GrantRefused,
    LegAnswer,
    LegAnswered,
    LegFailed,
    LegLost,
    LegOffer,
    LegOffered,
    LegState,
    LegTrickle,
    LegTrickled,
)
from avsession.usecases.closing import close_now
from avsession.usecases.gate import OpenGate
from avsession.usecases.services import Services
from avsession.usecases.stopping import stop_one

log = logging.getLogger("avsession.capture")

FATAL = ("disk.", "spool.", "worker.", "not.")
"""How a recorder's reasons begin when it can store nothing more of a recording."""
MARGIN_MS = 5_000
"""A grant that ends so soon is over for a leg that is only about to be made."""
REFUSALS = {"storage.full": "storage_full", "too_many": "recorder_unavailable"}
"""What everyone is told when a recorder refuses its grant for one of these codes."""


def _workers_gate(app: Services, worker: str, recording: str, generation: int) -> OpenGate:
    gate = app.gate.live(recording, generation)
    if gate is None or gate.worker != worker:
        raise GrantStale
    return gate


def _partys_gate(app: Services, party: str, recording: str, generation: int) -> OpenGate:
    gate = app.gate.live(recording, generation)
    if gate is None or party not in gate.parties:
        raise GrantStale
    return gate


async def leg_offer(app: Services, worker: str, message: LegOffer) -> None:
    """A recorder's offer to one party. Raises GrantStale, NotPermitted or SdpRefused."""
    gate = _workers_gate(app, worker, message.recording, message.generation)
    if message.party not in gate.parties:
        raise NotPermitted("The grant names no leg for that party.")
    if sdp.check(message.sdp) != gate.fingerprint:
        raise SdpRefused("The leg's fingerprint is not the one that the grant names.")
    app.bus.tell(
        message.party,
        LegOffered(recording=message.recording, generation=message.generation, sdp=message.sdp),
    )


async def leg_state(app: Services, worker: str, message: LegState) -> None:
    """What became of a leg: for the log of the running system, unless nothing can be stored.

    A recorder makes a new leg when one fails, under a new grant if that one may start none any
    more; when its disk fails, the recording is over.
    """
    if app.gate.live(message.recording, message.generation) is None:
        return  # the gate has closed meanwhile: that its legs end is no news
    gate = _workers_gate(app, worker, message.recording, message.generation)
    log.info("leg %s", message.state, extra={**_told(gate), "reason": message.reason})
    if message.state == "failed" and message.reason.startswith(FATAL):
        reason = "storage_failed" if message.reason.startswith("disk.") else "recorder_failed"
        await stop_one(app, gate.session, reason, gate.request)
    elif message.state == "failed":
        _granted_anew(app, gate)


def _granted_anew(app: Services, gate: OpenGate) -> bool:
    """A leg is to be made again: if the grant may start none any more, another one takes its place.

    That is a new generation, for which all is checked again; every leg of the old one ends.
    """
    now = app.clock.now_ms()
    if now < gate.until_ms - MARGIN_MS:
        return False
    if close_now(app, gate.session, "leg_lost", final=False, generation=gate.generation):
        app.gate.waiting[gate.session] = now
    return True


async def grant_refused(app: Services, worker: str, message: GrantRefused) -> None:
    """A recorder will not capture under a grant: nobody is told that recording is on any more.

    One that is stopping is waited for: it comes back, or another one does its work.
    """
    gate = _workers_gate(app, worker, message.recording, message.generation)
    log.error("grant refused by the recorder: %s", message.code, extra=_told(gate))
    if message.code == RecorderStopping.code:
        close_now(app, gate.session, "recorder_lost", final=False)
        app.gate.waiting[gate.session] = app.clock.now_ms()
        return
    reason = REFUSALS.get(message.code, "recorder_failed")
    await stop_one(app, gate.session, reason, gate.request)


async def leg_answer(app: Services, party: str, message: LegAnswer) -> None:
    """A party's answer to its own leg. Raises GrantStale or SdpRefused."""
    gate = _partys_gate(app, party, message.recording, message.generation)
    sdp.check(message.sdp)
    app.bus.tell_worker(
        gate.worker,
        LegAnswered(
            recording=message.recording,
            generation=message.generation,
            party=party,
            sdp=message.sdp,
        ),
    )


async def leg_trickle(app: Services, party: str, message: LegTrickle) -> None:
    """A party's ICE candidate for its own leg."""
    gate = _partys_gate(app, party, message.recording, message.generation)
    app.bus.tell_worker(
        gate.worker,
        LegTrickled(
            recording=message.recording,
            generation=message.generation,
            party=party,
            candidate=message.candidate,
            mid=message.mid,
        ),
    )


async def leg_failed(app: Services, party: str, message: LegFailed) -> None:
    """A party's browser refused its leg or lost it; the recorder makes another while it may."""
    gate = _partys_gate(app, party, message.recording, message.generation)
    log.warning("leg failed: %s", message.reason, extra=_told(gate))
    if _granted_anew(app, gate):
        return
    app.bus.tell_worker(
        gate.worker,
        LegLost(
            recording=message.recording,
            generation=message.generation,
            party=party,
            reason=message.reason,
        ),
    )


def _told(gate: OpenGate) -> dict[str, str]:
    """What each line of the log says of it besides."""
    return {"recording": gate.recording, "session": gate.session}
