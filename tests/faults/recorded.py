"""What a recording holds once it is over: verified, opened with its keys, decoded by ffmpeg."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TypeVar

import pyrage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from avsession.canonical import sha256_hex, unb64
from avsession.recording import Manifest, Sealed, decode_line, verify
from avsession.sealing.custody import LocalCustody
from avsession.storage.folders import FolderKeys
from tests.browser.product import Product
from tests.recorder.harness import decode

T = TypeVar("T")


class Recorded:
    """One recording in a product's data folder."""

    def __init__(self, product: Product, recording: str, *, whole: bool = True) -> None:
        """``whole``: from its file, which is there when it is over; else what is accepted."""
        self.product, self.recording = product, recording
        (row,) = product.rows("select recorder_key from recording where id = ?", recording)
        key = Ed25519PublicKey.from_public_bytes(unb64(row["recorder_key"]))
        if whole:
            path = product.data / "objects" / recording / "manifest.jsonl"
            lines = path.read_bytes().splitlines()
        else:
            found = product.rows(
                "select line from manifest_entry where recording = ? order by n", recording
            )
            lines = [line["line"] for line in found]
        self.manifest: Manifest = verify([decode_line(line) for line in lines], key)

    def entries(self, kind: type[T]) -> list[T]:
        """The manifest's entries of a kind."""
        return [entry for entry in self.manifest.entries if isinstance(entry, kind)]

    def tracks(self) -> list[str]:
        """The tracks' ids."""
        return [info.track for info in self.manifest.begin.tracks]

    def stored(self, segment: Sealed) -> Path:
        """Where the domain keeps a segment."""
        folder = self.product.data / "objects" / self.recording / segment.track
        return folder / f"{segment.index:06d}.age"

    def last_before(self, track: str, moment_ms: float) -> float:
        """When the newest stored frame of a track from before this moment was captured."""
        return max(
            s.captured_ms for s in self.manifest.segments(track) if s.captured_ms <= moment_ms
        )

    async def check(self, folder: Path) -> None:
        """Every listed segment is there, opens, and all of a track decodes without a word."""
        keys = FolderKeys(self.product.data / "custody" / "tracks")
        custody = LocalCustody(keys, self.product.data / "custody" / "custodian.key")
        for track in self.tracks():
            secret = await custody.unwrap(self.recording, track)
            identity = pyrage.x25519.Identity.from_str(secret)
            out = b""
            for segment in self.manifest.segments(track):
                data = self.stored(segment).read_bytes()
                assert sha256_hex(data) == segment.sha256
                out += pyrage.decrypt(data, [identity])
            path = folder / f"{track}.webm"
            path.write_bytes(out)
            said = await asyncio.to_thread(decode, path)
            assert said == "", said
