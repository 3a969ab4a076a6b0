"""One party's browser is hostile, the other's is not: one recording, one worker, real media."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pyrage
import pytest

from avsession.grant import GrantedLeg
from avsession.messages import Heartbeat, LegOffer, LegState
from avsession.recording import End
from tests.faults.hostile_peer import HostilePeer
from tests.recorder.packets import VIDEO_SSRC, rtp_packet
from tests.recorder.publishers import AiortcPublisher
from tests.recorder.signaling_stub import (
    PARTY,
    TRACK,
    Running,
    Signaling,
    answer_with,
    identifier,
    stored,
)

OTHER, OTHER_TRACK = identifier("pty", "b"), identifier("trk", "b")
KEY = b"\x10\x10\x02\x00\x9d\x01\x2a\x80\x02\x68\x01"
MOST_GROWTH = 64 << 20


def resident() -> int:
    """This process's memory, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_the_others_recording_goes_on(
    signaling: Signaling, running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    honest = AiortcPublisher()
    peers: list[HostilePeer] = []

    async def answer(offer: LegOffer) -> None:
        if offer.party == PARTY:
            peer: AiortcPublisher = honest
        else:
            peer = made = HostilePeer()
            peers.append(made)
        await answer_with(signaling, offer, await peer.answer(offer.sdp))

    def states(party: str) -> list[str]:
        return [m.state for m in signaling.said(LegState) if m.party == party]

    def figure(name: str) -> float:
        beats = [m.figures for m in signaling.said(Heartbeat) if m.figures]
        return beats[-1][name] if beats else 0.0

    signaling.on_offer = answer
    try:
        recipient = str(signaling.identity.to_public())
        other = str(pyrage.x25519.Identity.generate().to_public())
        await signaling.capture(
            legs=(GrantedLeg(PARTY, TRACK, recipient), GrantedLeg(OTHER, OTHER_TRACK, other))
        )
        await signaling.until(lambda: stored(signaling) > 1 and "connected" in states(OTHER), 60)
        peer = peers[0]
        await peer.connected()
        before, began = stored(signaling), resident()
        sequence = 0
        # keyframes of ten bytes: once each of them cost a segment, and a sync of the disk
        while stored(signaling) < before + 4:
            for _ in range(50):
                sequence += 1
                await peer.rtp(
                    rtp_packet(
                        KEY, payload_type=96, sequence=sequence & 0xFFFF, timestamp=sequence * 9,
                        ssrc=VIDEO_SSRC, marker=True,
                    )
                )  # fmt: skip
                junk = os.urandom(60)
                await peer.raw(b"", junk, b"\x80\x60" + junk, b"\x80\xc8" + junk, b"\x16" + junk)
                await peer.rtp(rtp_packet(junk, payload_type=5, sequence=sequence & 0xFFFF,
                                          timestamp=0, ssrc=5))  # fmt: skip
        await signaling.until(
            lambda: (
                figure("packets_refused_total") > 100 and figure("packets_malformed_total") > 100
            ),
            60,
        )
        assert resident() - began < MOST_GROWTH
        assert states(PARTY) == ["connected", "capturing"]
        assert "failed" not in states(OTHER), signaling.said(LegState)
        assert not running.task.done()
        lines = [r for r in caplog.records if r.name.startswith("recorder")]
        assert len(lines) <= 1, [r.getMessage() for r in lines]
        await signaling.close_gate(final=True)
        await signaling.until(lambda: signaling.entries(End))
        assert [entry.state for entry in signaling.entries(End)] == ["sealed"]
        # the hostile party's track took no more of the disk than anybody's
        ours, theirs = (len(signaling.manifest.segments(track)) for track in (TRACK, OTHER_TRACK))
        assert 0 < theirs <= ours + 4
    finally:
        await honest.close()
        for each in peers:
            await each.close()
