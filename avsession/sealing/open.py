"""The read side: one track as a single seekable WebM file that exists nowhere.

What is stored is sealed segments without duration or index, since nothing sealed is rewritten.
Here a header with both is made from the manifest, and the file around it is only arithmetic:
EBML header, Segment of known size, SeekHead, Info, Tracks, Cues, then the plain segments that
hold clusters, as they are. ``recorder/FORMAT.md`` has the layout of what is stored.

The caller's duty: a verified manifest, the permission to read, a ``fetch`` that may do I/O.
Here is no other I/O. Plain bytes are held only as long as the cache keeps them, never written.
"""

from __future__ import annotations

import bisect
import itertools
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pyrage

from avsession.canonical import sha256_hex
from avsession.errors import Invalid, ManifestBroken, NotFound, RecordingTruncated
from avsession.recording import Manifest, Sealed
from avsession.sealing import ebml

Fetch = Callable[[int], Awaitable[bytes]]
"""Gives a sealed segment of the track by its index; raises NotFound."""

CACHE_BYTES = 8 * 1024 * 1024
"""Of plain segments, kept a viewer: some 40 s at the agreed rate, so that seeking back is free."""

SOUND_CUES_MS = 3_000
"""While there is no picture, a place to begin at each of these."""

_VIDEO = 1  # TrackType
_LAST_MS = 20  # the manifest says when the last block begins; it lasts an Opus packet, or longer


class Opener:
    """Opens a track's sealed segments one by one, and believes nothing but the manifest."""

    def __init__(self, identity: str, fetch: Fetch) -> None:
        """``identity``: the track's age identity. Raises Invalid on anything else."""
        try:
            self._identity = pyrage.x25519.Identity.from_str(identity)
        except (ValueError, pyrage.IdentityError):
            raise Invalid("That is not an age identity.") from None
        self._fetch = fetch
        self._closed = False

    def close(self) -> None:
        """Open nothing more, what is being fetched neither."""
        self._closed = True

    @property
    def recipient(self) -> str:
        """The public key that this opener has the private half of."""
        return str(self._identity.to_public())

    async def open(self, segment: Sealed) -> bytes:
        """The plain bytes of a segment.

        Raises RecordingTruncated when it is missing, not the one that the manifest names, does
        not open, or does not hold what the manifest says: nothing of it is released then.
        """
        try:
            sealed = await self._fetch(segment.index)
        except NotFound as error:
            raise RecordingTruncated(f"Segment {segment.index} is missing.") from error
        if len(sealed) != segment.size or sha256_hex(sealed) != segment.sha256:
            raise RecordingTruncated(f"Segment {segment.index} is not the one that was listed.")
        if self._closed:
            raise RecordingTruncated("The track was closed.")
        try:
            plain = bytes(pyrage.decrypt(sealed, [self._identity]))
        except pyrage.DecryptError as error:
            raise RecordingTruncated(f"Segment {segment.index} does not open.") from error
        if len(plain) != segment.plain_size or not _has_clusters(plain, segment):
            raise RecordingTruncated(f"Segment {segment.index} does not hold what was listed.")
        return plain


def _has_clusters(plain: bytes, segment: Sealed) -> bool:
    """Whether the segment's clusters begin and end where the manifest says, with no rest."""
    if not segment.clusters:
        return True  # a header; _parts reads it
    try:
        found = list(ebml.children(plain, 0, len(plain)))
    except ValueError:
        return False
    return [(one.id, one.start) for one in found] == [
        (ebml.CLUSTER, cluster.offset) for cluster in segment.clusters
    ]


async def open_track(
    manifest: Manifest, track: str, identity: str, fetch: Fetch, *, cache_bytes: int = CACHE_BYTES
) -> VirtualFile:
    """The track as a file. Fetches the segment that holds the stored header, nothing else.

    ``manifest`` must have been verified. Raises NotFound when it has no such track, Invalid
    when the identity is not this track's, RecordingTruncated when there is nothing to play or
    the stored header is damaged.
    """
    info = next((info for info in manifest.begin.tracks if info.track == track), None)
    if info is None:
        raise NotFound("The recording has no such track.")
    opener = Opener(identity, fetch)
    if opener.recipient != info.recipient:
        raise Invalid("The key is another track's.")
    kept = manifest.segments(track)
    headers = [segment for segment in kept if not segment.clusters]
    media = [segment for segment in kept if segment.clusters]
    if not headers or not media:
        raise RecordingTruncated("Nothing of this track was stored.")
    head = header(await opener.open(headers[0]), media)
    return VirtualFile(head, media, opener, cache_bytes)


class VirtualFile:
    """A WebM file that is made while it is read. ``size`` is in bytes.

    Reads fetch and open only the segments that they touch. Use one for one viewer, and close it
    when that one may watch no longer.
    """

    def __init__(
        self, head: bytes, segments: Sequence[Sealed], opener: Opener, cache_bytes: int
    ) -> None:
        """Call :func:`open_track` instead."""
        self._head, self._segments, self._opener = head, segments, opener
        sizes = (segment.plain_size for segment in segments)
        self._starts = list(itertools.accumulate(sizes, initial=len(head)))
        self.size = self._starts.pop()
        self.duration_ms = duration_ms(segments)
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self._cache_bytes = cache_bytes
        self._closed = False

    def close(self) -> None:
        """Nobody reads on, whoever holds it: what goes on ends with RecordingTruncated."""
        self._closed = True
        self._opener.close()
        self._cache.clear()

    async def read(self, start: int, end: int) -> bytes:
        """Bytes ``start`` to ``end`` (exclusive); raises ValueError outside 0 <= start <= end <=
        size, RecordingTruncated when a segment it touches is not whole."""
        return b"".join([chunk async for chunk in self.stream(start, end)])

    async def stream(self, start: int, end: int) -> AsyncIterator[bytes]:
        """As :meth:`read`, a piece of at most one segment at a time; raises as it gets there."""
        if not 0 <= start <= end <= self.size:
            raise ValueError("the range is outside the file")
        self._check_open()
        if start < min(end, len(self._head)):
            yield self._head[start : min(end, len(self._head))]
            start = min(end, len(self._head))
        number = bisect.bisect_right(self._starts, start) - 1
        while start < end:
            plain, offset = await self._plain(number), start - self._starts[number]
            if chunk := plain[offset : offset + end - start]:
                yield chunk
            start += len(chunk)
            number += 1

    async def _plain(self, number: int) -> bytes:
        """A plain segment, from the cache if it is there."""
        self._check_open()
        plain = self._cache.get(number)
        if plain is None:
            plain = await self._opener.open(self._segments[number])
            self._cache[number] = plain
        self._cache.move_to_end(number)
        held = sum(map(len, self._cache.values()))
        while held > self._cache_bytes and len(self._cache) > 1:
            held -= len(self._cache.popitem(last=False)[1])
        return plain

    def _check_open(self) -> None:
        if self._closed:
            raise RecordingTruncated("The track was closed.")


def duration_ms(segments: Sequence[Sealed]) -> int:
    """Where the last frame ends, on the recording's timeline; a track seldom starts at 0."""
    return max(segment.end_ms for segment in segments) + _LAST_MS


def header(first: bytes, segments: Sequence[Sealed]) -> bytes:
    """All that stands before the first cluster: from the stored header, plain, and the manifest.

    Raises RecordingTruncated when ``first`` is no WebM header, ManifestBroken when the manifest
    places a cluster outside its segment.
    """
    try:
        ebml_header, tracks, video = _parts(first)
    except ValueError as error:
        raise RecordingTruncated("The stored header is not one of WebM.") from error
    info = ebml.element(
        ebml.INFO,
        ebml.unsigned(ebml.TIMESTAMP_SCALE, 1_000_000),  # ticks of 1 ms
        ebml.double(ebml.DURATION, float(duration_ms(segments))),
        ebml.element(ebml.MUXING_APP, b"avsession"),
        ebml.element(ebml.WRITING_APP, b"avsession"),
    )
    # Every position below has a fixed width, so that a first pass with zeros tells the lengths.
    points = _cue_points(segments)
    lengths = [len(part) for part in (_seek_head((0, 0, 0)), info, tracks, _cues(points, video, 0))]
    places = list(itertools.accumulate(lengths))  # of Info, Tracks, Cues, first cluster
    body = (
        _seek_head((places[0], places[1], places[2]))
        + info
        + tracks
        + _cues(points, video, places[3])
    )
    size = len(body) + sum(segment.plain_size for segment in segments)
    return ebml_header + ebml.encode_id(ebml.SEGMENT) + ebml.encode_size(size, 8) + body


def _parts(first: bytes) -> tuple[bytes, bytes, int]:
    """From the stored header: the EBML header, Tracks, and which track cues are for (the video)."""
    head = ebml.read_element(first, 0)
    if head.id != ebml.EBML or head.end is None:
        raise ValueError("no EBML header")
    segment = ebml.read_element(first, head.end)
    if segment.id != ebml.SEGMENT:
        raise ValueError("no Segment")
    inside = {found.id: found for found in ebml.children(first, segment.payload, len(first))}
    tracks = inside.get(ebml.TRACKS)
    if tracks is None or tracks.end is None:
        raise ValueError("no Tracks")
    video = 0
    for entry in ebml.children(first, tracks.payload, tracks.end):
        fields = {
            found.id: ebml.read_unsigned(first, found)
            for found in ebml.children(first, entry.payload, entry.end or 0)
            if found.id in (ebml.TRACK_NUMBER, ebml.TRACK_TYPE)
        }
        if fields.get(ebml.TRACK_TYPE) == _VIDEO or not video:
            video = fields.get(ebml.TRACK_NUMBER, 0)
    if not video:
        raise ValueError("no track")
    return first[: head.end], first[tracks.start : tracks.end], video


def _cue_points(segments: Sequence[Sealed]) -> list[tuple[int, int]]:
    """Where a player may begin: (ms on the timeline, bytes after the first cluster's start).

    The start, where nothing is stored that does not decode, and keyframes; while the camera is off
    sound alone, every few seconds.
    """
    points: list[tuple[int, int]] = []
    base = 0
    for segment in segments:
        for cluster in segment.clusters:
            if not 0 <= cluster.offset < segment.plain_size:
                raise ManifestBroken("A cluster lies outside its segment.")
            quiet = not segment.video_frames and (
                not points or cluster.start_ms - points[-1][0] >= SOUND_CUES_MS
            )
            if cluster.keyframe or quiet or not points:
                points.append((cluster.start_ms, base + cluster.offset))
        base += segment.plain_size
    return points


def _seek_head(positions: tuple[int, int, int]) -> bytes:
    """Where Info, Tracks and Cues are, in bytes from the start of the Segment's payload."""
    return ebml.element(
        ebml.SEEK_HEAD,
        *(
            ebml.element(
                ebml.SEEK,
                ebml.element(ebml.SEEK_ID, ebml.encode_id(identifier)),
                ebml.unsigned(ebml.SEEK_POSITION, position, 8),
            )
            for identifier, position in zip(
                (ebml.INFO, ebml.TRACKS, ebml.CUES), positions, strict=True
            )
        ),
    )


def _cues(points: Sequence[tuple[int, int]], track: int, base: int) -> bytes:
    """The index; ``base`` is where the first cluster stands in the Segment's payload."""
    return ebml.element(
        ebml.CUES,
        *(
            ebml.element(
                ebml.CUE_POINT,
                ebml.unsigned(ebml.CUE_TIME, time_ms),
                ebml.element(
                    ebml.CUE_TRACK_POSITIONS,
                    ebml.unsigned(ebml.CUE_TRACK, track),
                    ebml.unsigned(ebml.CUE_CLUSTER_POSITION, base + position, 8),
                ),
            )
            for time_ms, position in points
        ),
    )
