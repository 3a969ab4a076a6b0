"""The certificate of a destruction: what was destroyed, when, why, by whom, and what may be left.

It is a document of its own, beside the log: the leaf ``recording.erased`` holds the SHA-256 of
its canonical JSON (RFC 8785), :func:`digest`. It names nobody, only pseudonyms of the log and
random identifiers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from avsession.audit.log import rfc3339
from avsession.canonical import canonical, sha256_hex
from avsession.config import Settings

SCHEMA = "avsession.certificate.v1"
DAY_MS = 86_400_000

OVERWRITTEN = "overwritten"
"""What the database kept behind what was removed is gone from its files."""
SERVERS = "left_to_the_database_server"
"""The database server frees it by its own housekeeping."""


class Destroyed(msgspec.Struct, frozen=True, kw_only=True):
    """A track that was destroyed, or is about to be."""

    track: str
    recipient: str
    """The public half of the key that was destroyed."""
    role: str
    """Whose picture and sound it was."""
    segments: tuple[str, ...]
    """SHA-256 of each sealed segment, in order, hex."""


def segments_digest(segments: Sequence[str]) -> str:
    """SHA-256 over the segments' digests as they are written, one after the other; hex."""
    return hashlib.sha256("".join(segments).encode()).hexdigest()


def build(  # noqa: PLR0913 - a certificate has this many parts
    settings: Settings,
    *,
    certificate: str,
    recording: str,
    session: str | None,
    whole: bool,
    reason: str,
    by: Mapping[str, str],
    tracks: Sequence[Destroyed],
    manifest: Mapping[str, Any],
    decided_ms: int,
    keys_ms: int,
    done_ms: int,
    scrubbed: bool,
) -> dict[str, Any]:
    """The document. ``session`` and what stands in ``by`` are pseudonyms and codes.

    ``keys_ms``: when the last of the keys was destroyed. Times are server time (ms since the
    Unix epoch). ``scrubbed``: whether the database's files hold nothing of it any more.
    """
    days = settings.retention.key_backup_days
    controller = settings.controller
    return {
        "schema_version": SCHEMA,
        "certificate": certificate,
        "what": {
            "recording": recording,
            "session": session,
            "whole": whole,
            "manifest": dict(manifest),
            "tracks": [_track(track) for track in tracks],
        },
        "when": {
            "decided": rfc3339(decided_ms),
            "keys_destroyed": rfc3339(keys_ms),
            "done": rfc3339(done_ms),
        },
        "why": reason,
        "by": dict(by),
        "left": {
            "key_backup_days": days,
            "key_backups_until": rfc3339(keys_ms + days * DAY_MS) if days else None,
            "database": OVERWRITTEN if scrubbed else SERVERS,
        },
        "controller": {
            "name": controller.name,
            "address": controller.address,
            "contact": controller.contact,
            "dpo": controller.dpo,
        },
        "privacy": f"{settings.address}/privacy",
    }


def _track(track: Destroyed) -> dict[str, Any]:
    return {
        "track": track.track,
        "recipient": track.recipient,
        "role": track.role,
        "segments": len(track.segments),
        "segments_sha256": list(track.segments),
        "digest": segments_digest(track.segments),
    }


def digest(document: Mapping[str, Any]) -> str:
    """What the leaf holds of the certificate: SHA-256 of its canonical JSON, hex."""
    return sha256_hex(canonical(document))
