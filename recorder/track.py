"""One party's track: from the frames of its legs to segments ready to be listed.

The first half runs in the event loop (delay, cut), `SegmentWriter` in the spool's thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from avsession.recording import Cluster, Gap
from avsession.sealing.seal import Sealer
from recorder import webm
from recorder.frames import EncodedFrame, Kind
from recorder.gate import DelayLine, Gate
from recorder.spool import Chain

GAP_MS = 500
"""Nothing stored for longer than this is a gap, even if no leg or gate explains it."""
FLUSH_AFTER_MS = 150.0
"""A cluster whose second is over waits this much longer for a frame, then it is sealed."""


NO_MEDIA = "no.media"
"""The reason of a gap that nothing explains: the browser sent nothing."""

CutCluster = tuple[list[EncodedFrame], str]
"""A cluster's frames, and why there is a gap before it, if there is one."""


@dataclass(frozen=True)
class Timeline:
    """From the recorder's monotonic clock to the recording's timeline and to server time."""

    shift_ms: int
    """Add it to monotonic ms to get the timeline; fixed while this process lives."""
    server: Callable[[], tuple[float, float]]
    """The present estimate of the server's clock: offset and uncertainty."""


class TrackBuffer:
    """What is not yet on its way to the disk: the delay line and the open cluster.

    Clusters come out with a reason: why there is a gap before them, if there is one.
    """

    def __init__(self, delay_ms: float, reason: str) -> None:
        self._delay = DelayLine(delay_ms)
        self._cutter = webm.Cutter()
        self._reason = reason
        self._breaks: list[tuple[float, str]] = []

    def begin(self, from_ms: float, reason: str) -> None:
        """Another leg begins at this moment: a cluster is cut there."""
        self._breaks = [*self._breaks[-7:], (from_ms, reason)]

    def add(self, frame: EncodedFrame) -> None:
        """A frame from the leg."""
        self._delay.add(frame)

    def due(self, now_ms: float) -> list[CutCluster]:
        """The clusters that are complete now."""
        done: list[CutCluster] = []
        for frame in self._delay.release(now_ms):
            if self._breaks and frame.timestamp_ms >= self._breaks[0][0]:
                self._cut(done, self._cutter.flush())
                self._reason = self._breaks.pop(0)[1]
            self._cut(done, self._cutter.add(frame))
        if self._cutter.frames:
            over = self._cutter.frames[0].timestamp_ms + webm.MAX_CLUSTER_MS
            if now_ms - self._delay.delay_ms > over + FLUSH_AFTER_MS:
                self._cut(done, self._cutter.flush())
        return done

    def close(self, moment_ms: float) -> tuple[list[CutCluster], int]:
        """The gate closed: the clusters from before the moment, and how many frames went."""
        dropped = self._delay.drop_after(moment_ms)
        done = self.due(math.inf)
        self._cut(done, self._cutter.flush())
        kept = [([f for f in frames if f.latest_ms <= moment_ms], why) for frames, why in done]
        dropped += sum(len(frames) for frames, _ in done) - sum(len(frames) for frames, _ in kept)
        return [cluster for cluster in kept if cluster[0]], dropped

    def _cut(self, done: list[CutCluster], frames: list[EncodedFrame]) -> None:
        if frames:
            done.append((frames, self._reason))
            self._reason = NO_MEDIA


class SegmentWriter:
    """Seals one track's clusters and lists them. Everything here runs in the spool's thread."""

    def __init__(
        self, track: str, recipient: str, chain: Chain, gate: Gate, timeline: Timeline
    ) -> None:
        """Raises Invalid when the recipient is not an age public key."""
        self.track = track
        self._sealer = Sealer(recipient)
        self._chain, self._gate, self._timeline = chain, gate, timeline

    def write(self, generation: int, frames: list[EncodedFrame], gap_reason: str) -> None:
        """One cluster as one segment, the header before it if it is the first; raises OSError.

        The generation is checked for every frame, and once more before the segment is listed.
        """
        closed_ms = self._gate.closed_at(generation)
        if closed_ms is not None:
            frames = [f for f in frames if f.latest_ms <= closed_ms]
        if not frames:
            return
        latest_ms = max([f.arrival_ms for f in frames] + [f.timestamp_ms for f in frames])
        offset, uncertainty = self._timeline.server()
        floor = self._chain.end_ms.get(self.track, -1)
        start, end = onto_timeline(frames, self._timeline.shift_ms, floor)
        common = {
            "captured_ms": math.ceil(latest_ms + offset),
            "uncertainty_ms": round(uncertainty, 3),
        }
        before = self._chain.end_ms.get(self.track)
        explained = gap_reason != NO_MEDIA
        gap = None
        if before is not None and start - before > (0 if explained else GAP_MS):
            gap = (before, gap_reason)
        if self._chain.needs_header(self.track):
            keys = [frame for frame in frames if frame.width]
            header = webm.header(keys[0].width, keys[0].height) if keys else webm.header()
            self._seal(header, generation, latest_ms, None, start_ms=start, end_ms=start, **common)
        videos = [frame for frame in frames if frame.kind is Kind.VIDEO]
        seekable = bool(videos) and videos[0].keyframe
        self._seal(
            webm.cluster(frames),
            generation,
            latest_ms,
            gap,
            start_ms=start,
            end_ms=end,
            clusters=(Cluster(offset=0, start_ms=start, keyframe=seekable),),
            video_frames=len(videos),
            audio_frames=len(frames) - len(videos),
            width=max((frame.width for frame in videos), default=0),
            height=max((frame.height for frame in videos), default=0),
            **common,
        )

    def _seal(
        self,
        plain: bytes,
        generation: int,
        latest_ms: float,
        gap: tuple[int, str] | None,
        **fields: int | float | tuple[Cluster, ...],
    ) -> None:
        """Seal and list; ``gap``: what is missing before it, from when, why."""

        def may_list() -> bool:
            if not self._gate.admits(generation, latest_ms):
                return False
            if gap is not None:
                self._chain.append(
                    Gap,
                    track=self.track,
                    start_ms=gap[0],
                    end_ms=fields["start_ms"],
                    reason=gap[1],
                )
            return True

        self._chain.seal(
            self.track,
            self._sealer.seal(plain),
            may_list,
            generation=generation,
            plain_size=len(plain),
            **fields,
        )


SOUNDS_APART_MS = 2
"""Two packets of sound one ms apart may decode to one moment: ffmpeg carries a sample-exact time
on, up to half a ms from what the block says. Opus has 400 packets a second at most."""


def onto_timeline(frames: list[EncodedFrame], shift_ms: int, floor_ms: int) -> tuple[int, int]:
    """Give the frames their place: whole ms, in order, no two of a kind at once; both ends.

    Nothing comes before ``floor_ms``, where the segment before ended (-1: there is none).
    Players and muxers take two frames of one moment for an error.
    """
    latest = video = floor_ms
    audio = floor_ms - 1 if floor_ms < 0 else floor_ms
    for frame in frames:
        moment = max(latest, int(frame.timestamp_ms + shift_ms))
        if frame.kind is Kind.VIDEO:
            video = moment = max(moment, video + 1)
        else:
            audio = moment = max(moment, audio + SOUNDS_APART_MS)
        frame.timestamp_ms = latest = moment
    return int(frames[0].timestamp_ms), latest
