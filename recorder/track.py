"""One party's track: from the frames of its legs to segments ready to be listed.

The first half runs in the event loop (delay, cut), `SegmentWriter` in the spool's thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from avsession.recording import Gap
from avsession.sealing.seal import Sealer
from recorder import webm
from recorder.frames import EncodedFrame, Kind, Span
from recorder.gate import DelayLine, Gate
from recorder.spool import LEG_LOST, Chain

GAP_MS = 500
"""Nothing stored for longer than this is a gap, even if no leg or gate explains it."""
NO_MEDIA = "no.media"
"""The reason of a gap that nothing explains: the browser sent nothing."""
LOST = {Kind.VIDEO: "video.lost", Kind.AUDIO: "audio.lost"}
"""The reasons of a gap in one kind: its packets were lost on the way, for good."""

CutSegment = tuple[list[EncodedFrame], str]
"""A segment's frames, and why there is a gap before it, if there is one."""


@dataclass(frozen=True)
class Timeline:
    """From the recorder's monotonic clock to the recording's timeline and to server time."""

    shift_ms: int
    """Add it to monotonic ms to get the timeline; fixed while this process lives."""
    server: Callable[[], tuple[float, float]]
    """The present estimate of the server's clock: offset and uncertainty."""


class TrackBuffer:
    """What is not yet on its way to the disk: the delay line and the open segment.

    Segments come out with a reason: why there is a gap before them, if there is one.
    """

    def __init__(self, delay_ms: float, reason: str, phase_ms: float = 0.0) -> None:
        """``phase_ms``: when within a second segments end, on the recorder's clock."""
        self._delay = DelayLine(delay_ms)
        self._cutter = webm.Cutter(phase_ms)
        self._reason = reason
        self._breaks: list[tuple[float, str]] = []

    def begin(self, from_ms: float, reason: str) -> None:
        """Another leg begins at this moment: a segment is cut there."""
        self._breaks = [*self._breaks[-7:], (from_ms, reason)]

    def add(self, frame: EncodedFrame) -> None:
        """A frame from the leg."""
        self._delay.add(frame)

    @property
    def silent_ms(self) -> float | None:
        """Since when sound came too late to be kept, if none that was kept has come since."""
        return self._delay.silent_ms

    def __len__(self) -> int:
        """How many frames wait."""
        return len(self._delay) + len(self._cutter.frames)

    @property
    def full(self) -> bool:
        """Whether more waits than may: `due` is to be called now."""
        return self._delay.full

    def due(self, now_ms: float) -> list[CutSegment]:
        """The segments that are complete now."""
        done: list[CutSegment] = []
        frames = self._delay.release(now_ms)
        while self._breaks and frames and frames[-1].timestamp_ms >= self._breaks[0][0]:
            from_ms, reason = self._breaks.pop(0)
            before = [frame for frame in frames if frame.timestamp_ms < from_ms]
            frames = frames[len(before) :]
            for cut in self._cutter.take(before):
                self._cut(done, cut)
            self._cut(done, self._cutter.flush())
            self._reason = reason
        for cut in self._cutter.take(frames):
            self._cut(done, cut)
        # what comes for that second from now on is too late for it, and is put into the next
        self._cut(done, self._cutter.over(now_ms - self._delay.delay_ms))
        return done

    def close(self, moment_ms: float) -> tuple[list[CutSegment], int]:
        """The gate closed: the segments from before the moment, and how many frames went."""
        dropped = self._delay.drop_after(moment_ms)
        done = self.due(math.inf)
        self._cut(done, self._cutter.flush())
        kept = [([f for f in frames if f.latest_ms <= moment_ms], why) for frames, why in done]
        dropped += sum(len(frames) for frames, _ in done) - sum(len(frames) for frames, _ in kept)
        return [segment for segment in kept if segment[0]], dropped

    def _cut(self, done: list[CutSegment], frames: list[EncodedFrame]) -> None:
        if frames:
            done.append((frames, self._reason))
            self._reason = NO_MEDIA


class SegmentWriter:
    """Seals one track's segments and stores them. Everything here runs in the spool's thread."""

    def __init__(
        self, track: str, recipient: str, chain: Chain, gate: Gate, timeline: Timeline
    ) -> None:
        """Raises Invalid when the recipient is not an age public key."""
        self.track = track
        self._sealer = Sealer(recipient)
        self._chain, self._gate, self._timeline = chain, gate, timeline
        self._until: dict[Kind, int] = {}
        """When the last frame of each kind was, on the timeline."""

    def write(self, generation: int, frames: list[EncodedFrame], gap_reason: str) -> None:
        """One segment, the header before it if it is the first; raises OSError.

        It is listed with the chain's next `list_stored`. The generation is checked for every
        frame, and once more before the segment is listed.
        """
        closed_ms = self._gate.closed_at(generation)
        if closed_ms is not None:
            frames = [f for f in frames if f.latest_ms <= closed_ms]
        if not frames:
            return
        if self._chain.holds(self.track):
            self._chain.list_stored()  # this one begins where that one ends
        latest_ms = max([f.arrival_ms for f in frames] + [f.timestamp_ms for f in frames])
        offset, uncertainty = self._timeline.server()
        before = self._chain.end_ms.get(self.track)
        floor = -1 if before is None else before
        start, end = onto_timeline(frames, self._timeline.shift_ms, floor)
        common: dict[str, Any] = {
            "generation": generation,
            "captured_ms": math.ceil(latest_ms + offset),
            "uncertainty_ms": round(uncertainty, 3),
        }
        may_list = partial(self._gate.admits, generation, latest_ms)
        if self._chain.needs_header(self.track):
            keys = [frame for frame in frames if frame.width]
            header = webm.header(keys[0].width, keys[0].height) if keys else webm.header()
            self._chain.store(
                self.track, self._sealer.seal(header), may_list, start_ms=start, end_ms=start,
                plain_size=len(header), **common,
            )  # fmt: skip
        videos = [frame for frame in frames if frame.kind is Kind.VIDEO]
        plain, clusters = webm.clusters(frames)
        self._chain.store(
            self.track,
            self._sealer.seal(plain),
            may_list,
            gaps=self._gaps(frames, before, gap_reason),
            start_ms=start,
            end_ms=end,
            plain_size=len(plain),
            clusters=clusters,
            video_frames=len(videos),
            audio_frames=len(frames) - len(videos),
            width=max((frame.width for frame in videos), default=0),
            height=max((frame.height for frame in videos), default=0),
            **common,
        )

    def tail(
        self,
        losing: Mapping[Kind, Span],
        moment_ms: float,
        *,
        legless: bool,
        begun: tuple[float, str] | None = None,
    ) -> None:
        """Say what is missing between the last frames and the gate's closing; raises OSError.

        ``losing``: kinds that something is lost of, and from when to when at most.
        ``legless``: the leg itself was lost, and no other has brought anything. ``begun``: when
        the generation began, and why there is a gap before it, for one of which nothing is
        stored. All times are monotonic ms.
        """
        shift_ms = self._timeline.shift_ms
        end = int(moment_ms) + shift_ms
        gaps = [
            (
                max(0, self._until.get(kind, 0), int(lost.since_ms) + shift_ms),
                min(end, math.ceil(min(lost.until_ms, moment_ms)) + shift_ms),
                LOST[kind],
            )
            for kind, lost in sorted(losing.items())
        ]
        if legless:
            since = max(self._until.values(), default=None)
            if since is None and begun is not None:
                since = self._never(int(begun[0]) + shift_ms, begun[1])
            if since is not None and end - since > GAP_MS:
                gaps.append((since, end, LEG_LOST))
        for start, until, reason in gaps:
            self._missing(start, until, reason)

    def _never(self, began_ms: int, reason: str) -> int | None:
        """Nothing of this generation is stored: say what is missing before it; since when it is.

        None if nothing of the track is stored at all.
        """
        self._chain.list_stored()
        before = self._chain.end_ms.get(self.track)
        if before is None:
            return None
        before = max(before, self._chain.lost_until_ms.get(self.track, 0))
        if began_ms - before <= GAP_MS and reason == NO_MEDIA:
            return before
        self._missing(before, began_ms, reason)
        return max(before, began_ms)

    def _missing(self, start: int, end: int, reason: str) -> None:
        if start < end:
            gap = {"start_ms": start, "end_ms": end, "reason": reason}
            self._chain.append(Gap, track=self.track, **gap)

    def _gaps(
        self, frames: list[EncodedFrame], before: int | None, reason: str
    ) -> list[tuple[int, int, str]]:
        """What is missing before this segment, or in it: from when, until when, why.

        Of a kind whose packets were lost on the way there is one gap at most; a frame that cannot
        be decoded for want of an earlier one counts as lost with it.
        """
        lost: dict[Kind, tuple[int, int, str]] = {}
        for frame in frames:
            moment, kind = int(frame.timestamp_ms), frame.kind
            since = self._until.get(kind)
            if frame.lost_since_ms is not None:
                # no earlier than what is stored: perhaps of another leg
                since = max(0, since or 0, int(frame.lost_since_ms) + self._timeline.shift_ms)
            if frame.after_loss and since is not None and since < moment:
                since = lost[kind][0] if kind in lost else since
                lost[kind] = (since, moment, LOST[kind])
            self._until[kind] = moment
        gaps = list(lost.values())
        if before is None:
            return gaps  # the beginning
        first = lost.get(frames[0].kind)
        if reason == NO_MEDIA and frames[0].after_loss and first and first[0] <= before:
            return gaps  # everything was lost, as said above, and not silence
        before = max(before, self._chain.lost_until_ms.get(self.track, 0))  # as said at that end
        start = int(frames[0].timestamp_ms)
        if start - before > (GAP_MS if reason == NO_MEDIA else 0):
            gaps.insert(0, (before, start, reason))
        return gaps


SOUNDS_APART_MS = 2
"""Two packets of sound one ms apart may decode to one moment: ffmpeg carries a sample-exact time
on, up to half a ms from what the block says. Opus has 400 packets a second at most."""


def onto_timeline(frames: list[EncodedFrame], shift_ms: int, floor_ms: int) -> tuple[int, int]:
    """Give the frames their place: whole ms, in order, no two of a kind at once; both ends.

    Nothing comes before ``floor_ms``, where the segment before ended (-1: there is none).
    Players and muxers take two frames of one moment for an error.
    """
    latest, video = floor_ms, Kind.VIDEO
    next_video = floor_ms + 1
    next_audio = floor_ms + (1 if floor_ms < 0 else SOUNDS_APART_MS)
    for frame in frames:
        moment = int(frame.timestamp_ms + shift_ms)
        # each max() would cost as much as all the rest
        if moment < latest:  # noqa: PLR1730
            moment = latest
        if frame.kind is video:
            if moment < next_video:  # noqa: PLR1730
                moment = next_video
            next_video = moment + 1
        else:
            if moment < next_audio:  # noqa: PLR1730
                moment = next_audio
            next_audio = moment + SOUNDS_APART_MS
        frame.timestamp_ms = latest = moment
    return int(frames[0].timestamp_ms), latest
