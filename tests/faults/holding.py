"""What a story has besides people: an admin who holds recordings, and a clock on a wall."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from avsession.recording import State
from avsession.records import Recording, TrackRecord
from avsession.usecases import holds
from tests.avsession.usecases.world import World
from tests.faults.pair import Wall


class RecorderHost:
    """The clock on the recorder's wall, as its worker asks for it."""

    def __init__(self, clock: Wall) -> None:
        self.clock, self.set_by_ms = clock, 0

    def time(self) -> float:
        """Seconds since the Unix epoch, or what somebody made of them."""
        return (self.clock.ms + self.set_by_ms) / 1000


class Holding:
    """The part of a story that is the admin's."""

    world: World
    held: dict[str, tuple[str, set[str]]]

    @property
    def now(self) -> int:
        """The time of the story, in ms."""
        raise NotImplementedError

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do it, in the story's loop."""
        raise NotImplementedError

    def hold(self) -> None:
        """The admin keeps the newest recording from being destroyed."""
        rows = self.run(self.world.find(Recording, order="-created_ms", limit=1))
        if not rows or rows[0].state is State.ERASED or rows[0].id in self.held:
            return
        placed = self.run(
            holds.place(
                self.world.app, self.world.admin, scope="recording", target=rows[0].id,
                category="claim", reason="a claim", asked_by="legal",
                review_ms=self.now + 86_400_000,
            )
        )  # fmt: skip
        tracks = self.run(self.world.find(TrackRecord, recording=rows[0].id))
        there = {track.id for track in tracks if track.erased_ms is None}
        self.held[rows[0].id] = placed["hold"], there

    def release(self) -> None:
        """What a hold kept is there until now, whoever wanted it destroyed meanwhile."""
        keys = " ".join(self.world.files("keys"))
        for hold, tracks in self.held.values():
            assert all(track in keys for track in tracks)
            self.run(holds.release(self.world.app, self.world.admin, hold, "settled"))
        self.held.clear()
