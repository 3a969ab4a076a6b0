"""A capture on a clock of the test's, with what it said; no browser anywhere."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyrage

from avsession.grant import Grant, GrantedLeg
from avsession.messages import CloseGate, LegOffer, ManifestLine, Message
from avsession.recording import AnyEntry, decode_line
from recorder.capture import Capture
from recorder.leg import Certificate
from recorder.party import LegSettings
from recorder.server_clock import ServerClock
from recorder.spool import Spool

RECIPIENT = str(pyrage.x25519.Identity.generate().to_public())
SERVER_MS = 5_000_000.0
"""The server's clock minus ours."""


class Room:
    """One worker's spool, clock and link, without the worker."""

    def __init__(self, folder: Path) -> None:
        self.ms = 10_000.0
        self.sent: list[Message] = []
        self.spool = Spool(folder / "spool")
        self.executor = ThreadPoolExecutor(1)
        self.clock = ServerClock()
        self.clock.answer(self.ms - 2, SERVER_MS + self.ms - 1, self.ms)
        self.captures: list[Capture] = []

    def open(self) -> Capture:
        capture = Capture(
            self.spool.open("rec_x", lambda: 1),
            executor=self.executor,
            legs=LegSettings(Certificate(), (), lambda: self.ms),
            clock=self.clock,
            send=self.sent.append,
            signing_key=self.spool.public_key,
        )
        self.captures.append(capture)
        capture.journal.sync(0)
        return capture

    def grant(self, generation: int = 1, recipient: str = RECIPIENT) -> Grant:
        return Grant(
            id="g", session="s", request="r", recording="rec_x", generation=generation,
            epoch_ms=int(SERVER_MS + self.ms), issued_ms=0, expires_ms=1, worker="w",
            fingerprint="f", recorder_key="k", purposes=(), consents=(),
            legs=(GrantedLeg("p", "trk_x", recipient),),
        )  # fmt: skip

    def order(self, generation: int = 1, **more: bool) -> CloseGate:
        return CloseGate(
            recording="rec_x", generation=generation, closed_ms=int(SERVER_MS + self.ms),
            reason="test", **{"final": False, **more},
        )  # fmt: skip

    def entries(self) -> list[AnyEntry]:
        return [decode_line(m.line).entry for m in self.sent if isinstance(m, ManifestLine)]

    def kinds(self) -> list[str]:
        return [type(entry).__name__ for entry in self.entries()]

    async def close(self) -> None:
        for capture in self.captures:
            await capture.aclose()
        self.executor.shutdown()
        self.spool.close()


async def offers(room: Room, capture: Capture, count: int) -> None:
    async with asyncio.timeout(10):
        while sum(isinstance(m, LegOffer) for m in room.sent) < count:
            capture.tick(room.ms)
            await asyncio.sleep(0.01)
