"""What a story has besides people: an admin who holds recordings, and a clock on a wall."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol

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


class Told(Protocol):
    """What the admin needs of the story: where it happens, when, and how."""

    world: World

    @property
    def now(self) -> int:
        """Its time, in ms."""

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do it, in its loop."""


class Admin:
    """Who keeps recordings from being destroyed, and sees that they were."""

    def __init__(self, story: Told) -> None:
        self._story = story
        self.held: dict[str, tuple[str, set[str]]] = {}
        """Recording -> its hold, and the tracks that were there when it was placed."""

    def hold(self) -> None:
        """The admin keeps the newest recording from being destroyed."""
        story, world = self._story, self._story.world
        rows = story.run(world.find(Recording, order="-created_ms", limit=1))
        if not rows or rows[0].state is State.ERASED or rows[0].id in self.held:
            return
        placed = story.run(
            holds.place(
                world.app, world.admin, scope="recording", target=rows[0].id,
                category="claim", reason="a claim", asked_by="legal",
                review_ms=story.now + 86_400_000,
            )
        )  # fmt: skip
        tracks = story.run(world.find(TrackRecord, recording=rows[0].id))
        there = {track.id for track in tracks if track.erased_ms is None}
        self.held[rows[0].id] = placed["hold"], there

    def release(self) -> None:
        """What a hold kept is there until now, whoever wanted it destroyed meanwhile."""
        story, world = self._story, self._story.world
        keys = " ".join(world.files("keys"))
        for hold, tracks in self.held.values():
            assert all(track in keys for track in tracks)
            story.run(holds.release(world.app, world.admin, hold, "settled"))
        self.held.clear()
