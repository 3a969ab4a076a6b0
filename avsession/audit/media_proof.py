"""What a proof that media is bound to consent came to. See ``audit.media``, which makes it."""

from __future__ import annotations

import msgspec

from avsession.audit.findings import Finding

STEPS = {
    1: "the manifest is one chain, signed by the recorder that the log names",
    2: "it begins and ends where the log says",
    3: "everything was captured under a grant that the log has",
    4: "grants were issued only while everyone present had consented and nobody paused",
    5: "no segment is missing, swapped, out of order or of another recording",
    6: "every stored interval lies inside consent",
    7: "every sealed file is there, whole, in its place, and no other",
}
"""What is proven, in the order in which it is."""

Place = tuple[str, int]
"""A segment: its track and its index."""


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A segment that is kept, in server time (ms since the Unix epoch)."""

    n: int
    """Its entry's number in the manifest."""
    track: str
    index: int
    generation: int
    from_ms: float
    to_ms: float


class File(msgspec.Struct, frozen=True):
    """A sealed file as it lies in the object store; ``sha256`` empty: it was not read."""

    size: int
    sha256: str = ""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification came to."""

    recording: str
    finished: bool
    """Whether the log has its end; otherwise this is about what is there so far."""
    erased: bool
    """Whether the log says that the whole recording was destroyed."""
    segments: int
    intervals: tuple[Stored, ...]
    findings: tuple[Finding, ...]
    counts: dict[int, int]
    skipped: tuple[int, ...]
    """Steps that there was nothing for."""

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return not any(self.counts.values())

    @property
    def first(self) -> Finding | None:
        """The first thing that does not."""
        return self.findings[0] if self.findings else None
