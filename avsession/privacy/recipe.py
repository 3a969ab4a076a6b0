"""What an archive is made of: its files, their digests, and the manifest that lists them. Pure.

The bytes of documents are in the recipe; media is only named, with its size and digests, and read
again from its sealed segments whenever a part of the archive is wanted.
"""

from __future__ import annotations

import json
import zlib
from typing import Any, Literal

import msgspec

from avsession.audit.log import rfc3339
from avsession.canonical import sha256_hex
from avsession.privacy.archive import Archive, Member
from avsession.privacy.export import MANIFEST, Listed, Manifest

MANIFEST_NAME = "manifest.json"


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the archive: a document with its bytes, or a track."""

    name: str
    type: str
    schema: str | None = None
    size: int
    crc: int
    sha256: str
    data: bytes | None = None
    taken: str = ""
    """The ``recording.exported`` that allows to open it."""
    track: str = ""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """The whole archive. The first file is the manifest."""

    at_ms: int
    files: tuple[File, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest, which names everything else; hex."""
        return self.files[0].sha256

    @property
    def archive(self) -> Archive:
        """Where everything is in it."""
        return Archive([Member(f.name, f.size, f.crc) for f in self.files], self.at_ms)


def document(name: str, data: bytes, media: str, schema: str | None = None) -> File:
    """A file of its own bytes; ``media`` is its media type."""
    return File(
        name=name,
        type=media,
        schema=schema,
        size=len(data),
        crc=zlib.crc32(data),
        sha256=sha256_hex(data),
        data=data,
    )


def as_json(value: Any) -> bytes:
    """JSON that people can read, too."""
    text = json.dumps(msgspec.to_builtins(value), ensure_ascii=False, indent=1)
    return f"{text}\n".encode()


def recipe(
    kind: Literal["export", "disclosure", "recording"],
    identifier: str,
    at_ms: int,
    files: list[File],
) -> Recipe:
    """The archive of these files, its manifest first. Raises Invalid as ``archive.Archive``."""
    listed = [
        Listed(name=f.name, type=f.type, schema=f.schema, size=f.size, sha256=f.sha256)
        for f in files
    ]
    manifest = Manifest(
        schema=MANIFEST, id=identifier, kind=kind, made=rfc3339(at_ms), files=listed
    )
    first = document(MANIFEST_NAME, as_json(manifest), "application/json", MANIFEST)
    made = Recipe(at_ms=at_ms, files=(first, *files))
    _ = made.archive.size  # raises now what it would raise later
    return made


def pack(made: Recipe) -> bytes:
    """The recipe as bytes."""
    return msgspec.msgpack.encode(made)


def unpack(data: bytes) -> Recipe:
    """The reverse; raises msgspec.DecodeError on anything else."""
    return msgspec.msgpack.decode(data, type=Recipe)
