"""Real recordings, to be tampered with by somebody who has everything but time.

Where a chain must fit again, it is signed again with the recorder's own key, and the head in the
log is changed with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from avsession.audit import media
from avsession.audit.intervals import Said, Story
from avsession.audit.media_proof import File, Place, Proof
from avsession.recording import (
    GENESIS,
    AnyEntry,
    Sealed,
    decode_line,
    encode_line,
    entry_digest,
    sign_entry,
)
from avsession.usecases import binding
from tests.avsession.usecases.world import World, opened


@dataclass
class Made:
    """What a proof is made of, to be changed."""

    recording: str
    leaves: list[Said]
    lines: list[bytes]
    files: dict[Place, File]
    key: Ed25519PrivateKey = field(repr=False)

    def copy(self) -> Made:
        return Made(self.recording, list(self.leaves), list(self.lines), dict(self.files), self.key)

    @property
    def entries(self) -> list[AnyEntry]:
        return [decode_line(line).entry for line in self.lines]

    def proof(self, *, files: bool = True) -> Proof:
        story = Story(self.leaves, self.recording)
        return media.verify(story, self.lines, self.files if files else None)

    def found(self) -> tuple[int, str, str]:
        """The first thing that is wrong; there is one."""
        first = self.proof().first
        assert first is not None
        return first.step, first.where, first.what

    def sign(self, entries: Sequence[AnyEntry], *, head: bool = True) -> None:
        """The chain, made anew; with ``head`` the log's end is made to fit."""
        prev, self.lines = GENESIS, []
        for n, entry in enumerate(entries):
            fresh = replace(entry, n=n, prev=prev)
            prev = entry_digest(fresh)
            self.lines.append(encode_line(sign_entry(fresh, self.key)))
        if head:
            self.change("recording.sealed", manifest=prev, entries=len(entries))

    def change(self, kind: str, nth: int = 0, **refs: Any) -> Said:
        """Change what a leaf refers to (None takes a reference away)."""
        places = [n for n, one in enumerate(self.leaves) if one.kind == kind]
        old = self.leaves[places[nth]]
        merged = {k: v for k, v in {**old.refs, **refs}.items() if v is not None}
        self.leaves[places[nth]] = replace(old, refs=merged)
        return self.leaves[places[nth]]

    def edit(self, kind: type[AnyEntry], nth: int, **fields: Any) -> str:
        """Change an entry, and make the chain fit again; how a finding names it."""
        entries = self.entries
        places = [n for n, one in enumerate(entries) if isinstance(one, kind)]
        n = places[nth]
        entries[n] = replace(entries[n], **fields)
        self.sign(entries)
        return f"entry {n}"

    def sealed(self, nth: int) -> Sealed:
        return [one for one in self.entries if isinstance(one, Sealed)][nth]


async def _call(world: World) -> Made:
    """Two seconds, a pause of three, two seconds, stopped."""
    request = await world.record()
    await world.recorder.begin()
    await _speak(world)
    generation = await world.pause(world.agent, request)
    world.clock.forward(3)
    await world.resume(world.agent, request, generation)
    await world.recorder.begin()
    await _speak(world)
    await world.stop(world.agent, request)
    await world.recorder.end()
    recording = world.recorder.chain[0].recording
    async with world.store.read() as tx:
        session = await binding.session_of(tx, recording)
        assert session is not None
        gathered = await binding.gather(tx, world.app.objects, recording, session, reading=True)
    assert gathered.files is not None
    story = gathered.story
    return Made(
        recording, story.leaves, list(gathered.lines), dict(gathered.files), world.recorder.key
    )


async def _speak(world: World) -> None:
    for _ in range(2):
        world.clock.forward(1)
        for person in (world.agent, world.customer):
            await world.recorder.segment(person)


async def two(folder: Path) -> tuple[Made, Made]:
    async with opened(folder) as world:
        first = await _call(world)
        world.agent, world.customer = await world.new_call(world.staff)
        return first, await _call(world)
