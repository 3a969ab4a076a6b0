"""An archive's bytes, made while they are read: documents from the recipe, media from its segments.

Nothing plain is written anywhere. Measuring reads every track once, for its digests; each later
range reads only the segments that it touches.
"""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from avsession.errors import RecordingTruncated
from avsession.privacy.recipe import File, Recipe
from avsession.sealing.open import VirtualFile
from avsession.usecases.services import Services

log = logging.getLogger("avsession.packing")

PIECE = 256 * 1024
"""Bytes that are made at a time."""

OpenTrack = Callable[[File], Awaitable[VirtualFile]]
"""Opens the track that a file of the recipe names."""


async def measured(
    name: str, taken: str, track: str, file: VirtualFile, note: Callable[[int], None]
) -> File:
    """A track as a file of the archive. ``note`` is told of the bytes as they are read.

    Raises RecordingTruncated when it cannot be read to its end.
    """
    crc, digest = 0, hashlib.sha256()
    for start in range(0, file.size, PIECE):
        data = await file.read(start, min(start + PIECE, file.size))
        crc = zlib.crc32(data, crc)
        digest.update(data)
        note(len(data))
    return File(
        name=name,
        type="video/webm",
        size=file.size,
        crc=crc,
        sha256=digest.hexdigest(),
        taken=taken,
        track=track,
    )


async def measured_all(
    app: Services, name: str, opened: Sequence[tuple[str, str, str, VirtualFile]]
) -> list[File]:
    """Each of these (file name, taken, track, file) as :func:`measured`; damaged ones are left out.

    ``name``: the export or disclosure, of which it is noted how far it is.
    """
    total, done, files = sum(file.size for *_, file in opened), 0, []

    def note(count: int) -> None:
        nonlocal done
        done += count
        app.building.note(name, done, total)

    for file_name, taken, track, file in opened:
        try:
            files.append(await measured(file_name, taken, track, file, note))
        except RecordingTruncated as error:
            log.warning("a track is left out: %s", error.code)
    return files


class Package:
    """The archive as a file: ``size`` in bytes. Use one for one reader."""

    def __init__(self, recipe: Recipe, open_track: OpenTrack) -> None:
        self._recipe, self._open = recipe, open_track
        self._archive = recipe.archive
        self.size = self._archive.size

    async def read(self, start: int, end: int) -> bytes:
        """Bytes ``start`` to ``end`` (exclusive). Raises ValueError outside the archive,
        RecordingTruncated when a track is not what was measured, and what opening raises."""
        found = []
        for piece in self._archive.pieces(start, end):
            if piece.member < 0:
                found.append(piece.data)
                continue
            file = self._recipe.files[piece.member]
            if file.data is not None:
                found.append(file.data[piece.start : piece.end])
                continue
            track = await self._open(file)
            if track.size != file.size:
                raise RecordingTruncated("The track is not the one that was measured.")
            found.append(await track.read(piece.start, piece.end))
        return b"".join(found)

    async def pieces(self, note: Callable[[int], None]) -> AsyncIterator[bytes]:
        """All of it, a piece at a time; raises as :meth:`read`."""
        for start in range(0, self.size, PIECE):
            data = await self.read(start, min(start + PIECE, self.size))
            note(len(data))
            yield data
