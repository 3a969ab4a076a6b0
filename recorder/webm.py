"""Encoded frames into WebM: a header and whole clusters, as bytes. Pure; FORMAT.md has the layout.

Nothing here ever seeks back or patches a size: a cluster is made when all its frames are known.
Element ids and types are those of RFC 9559 (Matroska) and RFC 8794 (EBML).
"""

from __future__ import annotations

import bisect
import math
import operator
import struct
from collections.abc import Sequence

from avsession.recording import Cluster
from recorder.frames import EncodedFrame, Kind

SEGMENT_MS = 1000
"""A segment spans no more than this; a crash loses what is not yet sealed."""
MAX_SEGMENT_BYTES = 2 * 1024 * 1024
"""A segment is cut earlier when it holds this much: ten times the agreed rate still fits."""
MAX_SEGMENT_FRAMES = 1024
"""Or so many frames: with the ms that keeps each from the next they still fit a cluster's times."""
KEYFRAMES_APART_MS = 250
"""Another cluster begins at a keyframe unless one began with a keyframe less than this before: the
manifest's lines stay short, whatever is sent. A browser is asked every 500 ms at most."""
MAX_FRAME_BYTES = 2 * 1024 * 1024
"""No frame at 720p comes near it; a sender that exceeds it is broken."""

DEFAULT_WIDTH, DEFAULT_HEIGHT = 640, 360
"""Written when no keyframe has been seen yet (camera off); decoders go by the frames."""

_UNKNOWN_SIZE = b"\x01\xff\xff\xff\xff\xff\xff\xff"

_time = operator.attrgetter("timestamp_ms")
_SMALL_BLOCK = struct.Struct(">BBBhB").pack
_BLOCK = struct.Struct(">BHBhB").pack
_BLOCK_HEAD = struct.Struct(">BhB").pack

# OpusHead, RFC 7845 section 5.1. Pre-skip is 0: the tap is in mid-stream, there is no priming
# to discard, and cutting real sound would be worse than the encoder's 6.5 ms of delay.
OPUS_HEAD = b"OpusHead" + struct.pack("<BBHIhB", 1, 2, 0, 48000, 0, 0)


def size(value: int) -> bytes:
    """An element's size as the shortest EBML variable-size integer (RFC 8794 section 4)."""
    for length in range(1, 9):
        # all ones is reserved for "unknown"
        if value < (1 << (7 * length)) - 1:
            return (value | 1 << (7 * length)).to_bytes(length, "big")
    raise ValueError("element too large")


def element(identifier: int, payload: bytes) -> bytes:
    """One EBML element: id, size, payload."""
    name = identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")
    return name + size(len(payload)) + payload


def unsigned(identifier: int, value: int) -> bytes:
    """An element that holds an unsigned integer, in as few bytes as it needs (one at least)."""
    return element(identifier, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def header(width: int = DEFAULT_WIDTH, height: int = DEFAULT_HEIGHT) -> bytes:
    """EBML header, a Segment of unknown size, Info and Tracks: segment 0 of a track.

    Width and height are pixels of the first keyframe, 1 to 16383 (14 bits in VP8).
    """
    if not (0 < width < 1 << 14 and 0 < height < 1 << 14):
        raise ValueError("width and height are 1 to 16383")
    ebml = element(
        0x1A45DFA3,
        unsigned(0x4286, 1)  # EBMLVersion
        + unsigned(0x42F7, 1)  # EBMLReadVersion
        + unsigned(0x42F2, 4)  # EBMLMaxIDLength
        + unsigned(0x42F3, 8)  # EBMLMaxSizeLength
        + element(0x4282, b"webm")  # DocType
        + unsigned(0x4287, 4)  # DocTypeVersion
        + unsigned(0x4285, 2),  # DocTypeReadVersion
    )
    info = element(
        0x1549A966,
        unsigned(0x2AD7B1, 1_000_000)  # TimestampScale: 1 ms
        + element(0x4D80, b"avsession")  # MuxingApp
        + element(0x5741, b"avsession"),  # WritingApp
    )
    video = element(
        0xAE,
        unsigned(0xD7, Kind.VIDEO)  # TrackNumber
        + unsigned(0x73C5, Kind.VIDEO)  # TrackUID
        + unsigned(0x83, 1)  # TrackType: video
        + unsigned(0x9C, 0)  # FlagLacing
        + element(0x86, b"V_VP8")  # CodecID
        + element(0xE0, unsigned(0xB0, width) + unsigned(0xBA, height)),  # Video
    )
    audio = element(
        0xAE,
        unsigned(0xD7, Kind.AUDIO)
        + unsigned(0x73C5, Kind.AUDIO)
        + unsigned(0x83, 2)  # TrackType: audio
        + unsigned(0x9C, 0)
        + element(0x86, b"A_OPUS")
        + element(0x63A2, OPUS_HEAD)  # CodecPrivate
        + unsigned(0x56BB, 80_000_000)  # SeekPreRoll: 80 ms, RFC 7845 section 4.6
        + element(0xE1, element(0xB5, struct.pack(">d", 48000.0)) + unsigned(0x9F, 2)),  # Audio
    )
    return ebml + b"\x18\x53\x80\x67" + _UNKNOWN_SIZE + info + element(0x1654AE6B, video + audio)


def cluster(frames: Sequence[EncodedFrame]) -> bytes:
    """One whole Cluster of known size. Frames in timestamp order, spanning less than 32 s.

    Raises ValueError for no frames, an order that goes back, or times that do not fit.
    """
    if not frames:
        raise ValueError("a cluster holds at least one frame")
    start = int(frames[0].timestamp_ms)
    if start < 0:
        raise ValueError("before the recording's epoch")
    timestamp = unsigned(0xE7, start)
    parts = [b"", timestamp]
    total = len(timestamp)
    last = 0
    video = Kind.VIDEO
    for frame in frames:
        relative = int(frame.timestamp_ms) - start
        if not last <= relative < 1 << 15:
            raise ValueError("frames out of order, or too far apart for one cluster")
        last = relative
        flags = 0x80 if frame.keyframe else 0
        track = 0x81 if frame.kind is video else 0x82
        data = frame.data
        length = len(data) + 4
        # SimpleBlock A3, its size in the shortest form: see `size`
        total += length + 2
        if length < 0x7F:
            parts.append(_SMALL_BLOCK(0xA3, 0x80 | length, track, relative, flags))
        elif length < 0x3FFF:
            total += 1
            parts.append(_BLOCK(0xA3, 0x4000 | length, track, relative, flags))
        else:
            shown = size(length)
            total += len(shown) - 1
            parts.append(b"\xa3" + shown + _BLOCK_HEAD(track, relative, flags))
        parts.append(data)
    parts[0] = b"\x1f\x43\xb6\x75" + size(total)  # Cluster
    return b"".join(parts)


def clusters(frames: Sequence[EncodedFrame]) -> tuple[bytes, tuple[Cluster, ...]]:
    """Frames as whole clusters, one after the other, and where each begins.

    A video keyframe is always the first video block of its cluster, so that a player can seek
    there. Frames are as `cluster` wants them, on whole ms, and it raises what that raises.
    """
    parts: list[bytes] = []
    found: list[Cluster] = []
    offset = begins = 0
    for end in (*_cuts(frames), len(frames)):
        some = frames[begins:end]
        part = cluster(some)
        first = next((frame for frame in some if frame.kind is Kind.VIDEO), None)
        seekable = first is not None and first.keyframe
        found.append(Cluster(offset, int(some[0].timestamp_ms), seekable))
        parts.append(part)
        offset += len(part)
        begins = end
    return b"".join(parts), tuple(found)


def _cuts(frames: Sequence[EncodedFrame]) -> list[int]:
    """Where another cluster begins: at each keyframe that has video before it."""
    videos = [n for n, frame in enumerate(frames) if frame.kind is Kind.VIDEO]
    cuts = []
    began_ms = -math.inf
    for n in videos:
        frame = frames[n]
        if frame.keyframe and frame.timestamp_ms - began_ms >= KEYFRAMES_APART_MS:
            began_ms = frame.timestamp_ms
            if n != videos[0]:
                cuts.append(n)
    return cuts


class Cutter:
    """Collects frames in timestamp order and says when a segment is full. Holds one segment.

    Segments end at fixed moments, a second apart, whatever comes: so all that is recorded
    together is sealed together, and a process is woken once for all of it.
    """

    def __init__(self, phase_ms: float = 0.0) -> None:
        """``phase_ms``: the moments are this much later than whole seconds."""
        self._phase_ms = phase_ms
        self.frames: list[EncodedFrame] = []
        self._bytes = 0
        self._end_ms, self._gone_ms = 0.0, -math.inf

    def add(self, frame: EncodedFrame) -> list[EncodedFrame]:
        """Take a frame in; return the finished segment's frames if this one starts the next.

        A segment is cut at its end, and before it would exceed MAX_SEGMENT_BYTES or
        MAX_SEGMENT_FRAMES.
        """
        done: list[EncodedFrame] = []
        if self.frames and (
            frame.timestamp_ms >= self._end_ms
            or self._bytes + len(frame.data) > MAX_SEGMENT_BYTES
            or len(self.frames) >= MAX_SEGMENT_FRAMES
        ):
            done = self.over(frame.timestamp_ms) or self.flush()
        if not self.frames:
            whole = (frame.timestamp_ms - self._phase_ms) // SEGMENT_MS + 1
            self._end_ms = max(whole * SEGMENT_MS + self._phase_ms, self._gone_ms + SEGMENT_MS)
        self.frames.append(frame)
        self._bytes += len(frame.data)
        return done

    def take(self, frames: list[EncodedFrame]) -> list[list[EncodedFrame]]:
        """As `add`, for several in order; the segments that are finished."""
        done: list[list[EncodedFrame]] = []
        while frames:
            # nearly always all of them, or all that are left of a second, fit
            count = bisect.bisect_left(frames, self._end_ms, key=_time) if self.frames else 0
            length = sum([len(frame.data) for frame in frames[:count]])
            if (
                count
                and self._bytes + length <= MAX_SEGMENT_BYTES
                and len(self.frames) + count <= MAX_SEGMENT_FRAMES
            ):
                self.frames += frames[:count]
                self._bytes += length
            else:
                count = 1
                if cut := self.add(frames[0]):
                    done.append(cut)
            frames = frames[count:]
        return done

    def over(self, moment_ms: float) -> list[EncodedFrame]:
        """The segment, if it ends no later than this; what comes late for it is in the next."""
        if not self.frames or self._end_ms > moment_ms:
            return []
        self._gone_ms = self._end_ms
        return self.flush()

    def flush(self) -> list[EncodedFrame]:
        """Hand out what is held, and begin anew."""
        done, self.frames, self._bytes = self.frames, [], 0
        return done
