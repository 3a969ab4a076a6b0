"""The entries of a recording's manifest that are not media: beginning, generations, end.

Everything here runs in the spool's thread, and raises OSError when the disk does.
"""

from __future__ import annotations

from avsession.grant import Grant
from avsession.recording import Attach, Begin, Detach, End, State, TrackInfo
from recorder.spool import Chain

LEFT_OPEN = "worker.restarted"
"""Why a generation ended that a worker attached and never detached."""


class Entries:
    """Writes them, each where it may stand: asked for anything else, it writes nothing."""

    def __init__(self, chain: Chain, signing_key: str) -> None:
        self._chain, self._signing_key = chain, signing_key
        self.failure = LEFT_OPEN
        """Why the generation ended that is still attached when another entry must follow."""

    def attach(self, grant: Grant, token_digest: str, clock: tuple[float, float]) -> None:
        """Capture begins under a grant; ``clock``: the server's offset and its uncertainty."""
        chain = self._chain
        if not chain.begun:
            tracks = tuple(TrackInfo(leg.track, leg.party, leg.recipient) for leg in grant.legs)
            chain.append(
                Begin, epoch_ms=grant.epoch_ms, recorder_key=self._signing_key, tracks=tracks
            )
        self._leftover()
        chain.append(
            Attach,
            generation=grant.generation,
            grant=token_digest,
            clock_offset_ms=round(clock[0], 3),
            clock_uncertainty_ms=round(clock[1], 3),
        )

    def detach(self, generation: int, reason: str) -> None:
        """Capture under this generation ended."""
        if self._chain.attached == generation and not self._chain.ended:
            self._chain.append(Detach, generation=generation, reason=reason)

    def end(self, *, interrupted: bool) -> None:
        """The last entry, if there is a first and no last one."""
        chain = self._chain
        if not chain.begun or chain.ended:
            return
        self._leftover()
        state = State.INTERRUPTED if interrupted else State.SEALED
        chain.append(End, state=state.value, duration_ms=chain.duration_ms)

    def _leftover(self) -> None:
        """What a crash left open is closed first."""
        if self._chain.attached is not None:
            self.detach(self._chain.attached, self.failure)
