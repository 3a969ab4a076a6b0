"""That a recording's media is bound to consent: from its manifest and the log alone. Pure.

Needs no key that opens media, and no row of the database. What is proven, in the numbered steps of
``media_proof.STEPS``: the recorder signed a chain that begins and ends where the log says;
everything in it was captured under a grant that the log has; every stored interval lies inside one
in which everyone present had consented and nobody paused; and every sealed file is there, whole,
in its place.

Clocks. A segment's end is ``captured_ms`` less its uncertainty: once the gate has closed the domain
takes nothing that could be later, and what it had before then was captured before then, whatever
the recorder's estimate says. Its beginning is its place on
the timeline, give or take its uncertainty and what clocks may drift apart (:data:`DRIFT`) since the
recording began; where somebody set a clock meanwhile, its end less its length. At both ends no more
uncertainty counts than :data:`UNSURE_MS`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from avsession.audit.findings import Findings
from avsession.audit.intervals import FAULTS, Generation, Story
from avsession.audit.media_proof import STEPS, File, Place, Proof, Stored
from avsession.canonical import canonical, unb64
from avsession.errors import ManifestBroken
from avsession.recording import (
    AnyEntry,
    Attach,
    Begin,
    Detach,
    Dropped,
    End,
    Sealed,
    check_next,
    decode_line,
    entry_digest,
)

UNSURE_MS = 1000
"""How much uncertainty counts: nobody gets further by being less sure."""
DRIFT = 0.0005
"""By how much of the time that passed two clocks may be slewed apart."""
LATE_MS = 2000
"""How much later than its last frame was captured a segment may have been read."""


def verify(
    story: Story,
    lines: Sequence[bytes],
    files: Mapping[Place, File] | None = None,
    *,
    signed: int | None = None,
) -> Proof:
    """Prove it for the recording that ``story`` is about.

    ``lines``: the manifest's, in order. ``files``: what lies in the object store; None: it was not
    looked at, and step 7 is skipped. ``signed``: how many of the log's leaves are under a signed
    head; a leaf beyond them is anybody's who has the database, so nothing may rest on one. None:
    that is left to the caller. A finding names the first entry or segment that does not hold.
    """
    return _Run(story, lines, files).proof(signed)


class _Run:
    """One recording."""

    def __init__(
        self, story: Story, lines: Sequence[bytes], files: Mapping[Place, File] | None
    ) -> None:
        self.story, self.lines, self.files = story, lines, files
        self.findings = Findings(STEPS)
        self.skipped: list[int] = []
        ends = story.of("recording.sealed", "recording.interrupted")
        self.end = ends[-1] if ends else None
        erased = story.of("recording.erased")
        self.erased = any(one.refs.get("whole") is True for one in erased)
        self.erased_tracks = {
            str(track.get("track"))
            for one in erased
            for track in one.refs.get("tracks") or ()
            if isinstance(track, dict)
        }
        self.entries: list[AnyEntry] = []
        self.uncertain: dict[int, float] = {}
        """Generation -> what its ``attach`` says of the clock."""

    def wrong(self, step: int, where: str, what: str) -> None:
        self.findings.add(step, where, what)

    def proof(self, signed: int | None) -> Proof:
        intervals: list[Stored] = []
        if self.erased:
            self._nothing_left()
        elif self._chain():
            self._ends()
            self._grants()
            self._issued()
            stored = self._segments()
            intervals = self._intervals(stored)
            self._files(stored)
        else:
            self.skipped += [2, 3, 4, 5, 6, 7]
        if signed is not None:
            self._under_a_head(signed)
        return Proof(
            recording=self.story.recording,
            finished=self.end is not None,
            erased=self.erased,
            segments=len(intervals),
            intervals=tuple(intervals),
            findings=self.findings.sorted,
            counts=self.findings.count,
            skipped=tuple(sorted(self.skipped)),
        )

    def _nothing_left(self) -> None:
        """It was destroyed: nothing of it may be there."""
        self.skipped += [1, 2, 3, 5, 6]
        self._issued()
        if self.lines:
            self.wrong(7, "manifest", "is still there after the recording was destroyed")
        for track, index in sorted(self.files or {}):
            self.wrong(7, _name(track, index), "is still there after it was destroyed")

    # --- steps 1 and 2

    def _chain(self) -> bool:
        """Step 1; False when there is nothing that could be looked at further."""
        keys = {one.recorder_key for one in self.story.generations.values()}
        if not keys:
            self.wrong(1, self.story.recording, "the log has no grant for it")
            return False
        previous: AnyEntry | None = None
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(min(keys)))
        except ValueError:
            self.wrong(1, self.story.recording, "its grants name no key")
            return False
        for n, data in enumerate(self.lines):
            try:
                line = decode_line(data)
                entry = line.entry
                if entry.recording != self.story.recording:
                    raise ManifestBroken(f"it is an entry of {entry.recording}")
                if isinstance(entry, Begin) and keys != {unb64(entry.recorder_key).hex()}:
                    raise ManifestBroken("its key is not the one of the recording's grants")
                check_next(line, previous, key)
            except (ManifestBroken, ValueError) as error:
                self.wrong(1, f"entry {n}", str(error))
                return False
            previous = entry
            self.entries.append(entry)
        if not self.entries and self.end is not None and self.end.refs.get("manifest"):
            self.wrong(1, "manifest", "is gone")
            return False
        return True

    def _ends(self) -> None:
        if self.end is None:
            self.skipped.append(2)
            return
        last = self.entries[-1] if self.entries else None
        said = self.end.number("entries")
        if len(self.entries) < said:
            self.wrong(2, f"entry {len(self.entries)}", f"is gone: the log counts {said}")
        elif len(self.entries) > said:
            self.wrong(2, f"entry {said}", f"came after the end: the log counts {said}")
        elif self.end.refs.get("manifest") != (entry_digest(last) if last else None):
            where = f"entry {len(self.entries) - 1}"
            self.wrong(2, where, f"is not the head that leaf {self.end.index} names")
        if self.end.kind == "recording.sealed" and not isinstance(last, End):
            self.wrong(2, f"entry {len(self.entries) - 1}", "is not an end")

    def _under_a_head(self, signed: int) -> None:
        """Of step 2: what the log says of the recording is what was signed."""
        last = self.story.rests_on
        if last >= signed:
            what = f"is under no signed checkpoint: the newest is over {signed} leaves"
            self.wrong(2, f"leaf {last}", what)

    # --- steps 3 and 4

    def _grants(self) -> None:
        """Step 3: each ``attach``, what follows under it, and whose the tracks are."""
        attached: int | None = None
        tracks: dict[str, str] = {}
        for entry in self.entries:
            where = f"entry {entry.n}"
            if isinstance(entry, Begin):
                tracks = {one.track: one.recipient for one in entry.tracks}
                self._keys(entry)
            elif isinstance(entry, Attach):
                granted = self.story.generations.get(entry.generation)
                if granted is None:
                    self.wrong(3, where, f"the log has no grant of generation {entry.generation}")
                elif granted.grant != entry.grant:
                    said = f"is under another grant than leaf {granted.leaf} names"
                    self.wrong(3, where, said)
                attached = entry.generation
                self.uncertain.setdefault(entry.generation, entry.clock_uncertainty_ms)
            elif isinstance(entry, Detach):
                attached = None
            elif isinstance(entry, Sealed):
                self._captured(entry, attached, tracks)

    def _keys(self, begin: Begin) -> None:
        created = {one.ref("track"): one for one in self.story.of("key.created")}
        owners: dict[str, str] = {}
        for generation in self.story.generations.values():
            owners |= generation.tracks
        for track in begin.tracks:
            made = created.get(track.track)
            if made is None:
                self.wrong(3, f"entry {begin.n}", f"no leaf created the key of {track.track}")
            elif made.ref("recipient") != track.recipient:
                said = f"the key of {track.track} is not the one of leaf {made.index}"
                self.wrong(3, f"entry {begin.n}", said)
            elif track.track not in owners:
                self.wrong(3, f"entry {begin.n}", f"no grant names {track.track}")

    def _captured(self, entry: Sealed, attached: int | None, tracks: Mapping[str, str]) -> None:
        where = f"entry {entry.n} ({_name(entry.track, entry.index)})"
        granted = self.story.generations.get(entry.generation)
        if entry.track not in tracks:
            self.wrong(3, where, "its track is none of this recording's")
        elif granted is None:
            self.wrong(3, where, f"the log has no grant of generation {entry.generation}")
        elif entry.track not in granted.tracks:
            self.wrong(3, where, f"its track is not in the grant of leaf {granted.leaf}")
        elif entry.generation not in self.uncertain:
            self.wrong(3, where, f"nothing was attached under generation {entry.generation}")
        elif attached not in (None, entry.generation):
            self.wrong(3, where, f"generation {attached} was attached by then")

    def _issued(self) -> None:
        """Step 4."""
        for one in self.story.generations.values():
            where = f"leaf {one.leaf} (grant of generation {one.number})"
            if one.fault:
                whose = f" ({one.fault_party})" if one.fault_party else ""
                self.wrong(4, where, FAULTS[one.fault] + whose)
            elif strange := set(one.tracks.values()) - set(one.parties):
                self.wrong(4, where, f"names a track of {min(strange)}, who was not present")

    # --- steps 5, 6 and 7

    def _segments(self) -> list[Sealed]:
        """Step 5: the segments that are kept, in the manifest's order."""
        dropped = {(e.track, e.index) for e in self.entries if isinstance(e, Dropped)}
        listed = [e for e in self.entries if isinstance(e, Sealed)]
        next_index: dict[str, int] = {}
        ends: dict[str, int] = {}
        digests: dict[str, Place] = {}
        kept = []
        for entry in listed:
            where = f"entry {entry.n} ({_name(entry.track, entry.index)})"
            wanted = next_index.get(entry.track, 0)
            if entry.index != wanted:
                self.wrong(5, where, f"segment {wanted} of that track was to follow")
            next_index[entry.track] = entry.index + 1
            if (other := digests.setdefault(entry.sha256, (entry.track, entry.index))) != (
                entry.track, entry.index
            ):  # fmt: skip
                self.wrong(5, where, f"is the same file as {_name(*other)}")
            if (entry.track, entry.index) in dropped or self._refused(entry):
                continue
            if entry.start_ms < ends.get(entry.track, 0) or entry.end_ms < entry.start_ms:
                self.wrong(5, where, "begins before the one before it ends")
            ends[entry.track] = entry.end_ms
            kept.append(entry)
        self._said_kept(kept)
        return kept

    def _refused(self, entry: Sealed) -> bool:
        """Whether it was listed, lies outside, and is not there: the server did not take it."""
        if self.files is None or (entry.track, entry.index) in self.files:
            return False
        granted = self.story.generations.get(entry.generation)
        return granted is not None and not granted.allows(*self._times(entry))

    def _said_kept(self, kept: Sequence[Sealed]) -> None:
        """Of each track the segments that the log says were kept, if it says so."""
        said = self.end.refs.get("segments") if self.end else None
        if self.end is None or not isinstance(said, list):
            return
        tracks = {track for track, _ in self.files or {}} | {one.track for one in kept}
        known = {str(one.get("track")): one for one in said if isinstance(one, dict)}
        for track in sorted(tracks | known.keys()):
            mine = [one for one in kept if one.track == track]
            digest = hashlib.sha256()
            for one in mine:
                digest.update(canonical([one.track, one.index, one.sha256, one.size]) + b"\n")
            counted = known.get(track, {"count": 0, "digest": digest.hexdigest()})
            if (counted.get("count"), counted.get("digest")) != (len(mine), digest.hexdigest()):
                what = f"counts {counted.get('count')} kept segments of {track}, the manifest's "
                self.wrong(5, f"leaf {self.end.index}", f"{what}{len(mine)} are others")

    def _times(self, entry: Sealed) -> tuple[float, float]:
        """From when until when it was captured, in server time, at the widest."""
        begin = self.entries[0]
        epoch = begin.epoch_ms if isinstance(begin, Begin) else 0
        attached = abs(self.uncertain.get(entry.generation, 0.0))
        drift = min(abs(entry.uncertainty_ms), UNSURE_MS) + min(attached, UNSURE_MS)
        drift += max(0, entry.end_ms) * DRIFT
        late = entry.captured_ms - (epoch + entry.end_ms)
        start: float = epoch + entry.start_ms
        if not -drift <= late <= LATE_MS + drift:  # a clock was set
            start = entry.captured_ms - (entry.end_ms - entry.start_ms)
        end = entry.captured_ms - min(entry.uncertainty_ms, UNSURE_MS)
        return min(start + drift, end), end

    def _intervals(self, stored: Sequence[Sealed]) -> list[Stored]:
        """Step 6."""
        found = []
        for entry in stored:
            start, end = self._times(entry)
            granted = self.story.generations.get(entry.generation)
            place = Stored(
                n=entry.n, track=entry.track, index=entry.index, generation=entry.generation,
                from_ms=start, to_ms=end,
            )  # fmt: skip
            found.append(place)
            if granted is not None and (what := _outside(granted, entry, place)):
                where = f"entry {entry.n} ({_name(entry.track, entry.index)})"
                self.wrong(6, where, what)
        return found

    def _files(self, stored: Sequence[Sealed]) -> None:
        """Step 7."""
        if self.files is None:
            self.skipped.append(7)
            return
        left = dict(self.files)
        for entry in stored:
            name = _name(entry.track, entry.index)
            file = left.pop((entry.track, entry.index), None)
            if entry.track in self.erased_tracks:
                if file is not None:
                    self.wrong(7, name, "is still there after its track was destroyed")
            elif file is None:
                self.wrong(7, name, f"is gone, though entry {entry.n} lists it")
            elif file.size != entry.size or file.sha256 not in ("", entry.sha256):
                self.wrong(7, name, f"is not the file that entry {entry.n} lists")
        for track, index in sorted(left):
            self.wrong(7, _name(track, index), "is there, though no entry lists it as kept")


def _outside(granted: Generation, entry: Sealed, place: Stored) -> str:
    """How a segment lies outside its generation; empty when it does not."""
    if entry.uncertainty_ms < 0:
        return "its uncertainty is less than nothing"
    if granted.fault:
        return f"its grant should not have been issued (leaf {granted.leaf})"
    if place.from_ms < granted.from_ms:
        early = granted.from_ms - place.from_ms
        return f"begins {early:.0f} ms before its grant (leaf {granted.leaf})"
    if granted.to_ms is not None and place.to_ms > granted.to_ms:
        late = place.to_ms - granted.to_ms
        return f"ends {late:.0f} ms after {granted.closed_by} (leaf {granted.closed_leaf})"
    return ""


def kept_file(data: bytes) -> File:
    """A sealed file that was read."""
    return File(len(data), hashlib.sha256(data).hexdigest())


def _name(track: str, index: int) -> str:
    return f"{track}/{index:06d}" if index >= 0 else f"{track}/ (another file)"
