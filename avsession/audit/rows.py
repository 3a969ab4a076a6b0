"""What leaves say of rows of other tables: the digests that both writing and verifying need."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from avsession.canonical import canonical, sha256_hex
from avsession.records import RecordingRequest, SegmentRecord

EVENT_LEAVES = {
    "requested": "recording.requested",
    "shown": "consent.shown",
    "given": "consent.given",
    "refused": "consent.refused",
    "withdrawn": "consent.withdrawn",
    "expired": "consent.expired",
}
"""The leaf that each kind of consent event has."""


def asked(request: RecordingRequest) -> str:
    """What was asked: purposes, notices and time, SHA-256 in hex. No person is in it."""
    return sha256_hex(
        canonical(
            {
                "id": request.id,
                "purposes": request.purposes,
                "notices": request.notices,
                "at_ms": request.at_ms,
            }
        )
    )


def kept(segments: Iterable[SegmentRecord]) -> dict[str, Any]:
    """The segments that a finished recording keeps: how many, and SHA-256 over all, in hex.

    ``segments`` by track, then by index; whether they were erased later does not count.
    """
    digest, count = hashlib.sha256(), 0
    for one in segments:
        digest.update(canonical([one.track, one.index, one.sha256, one.size]) + b"\n")
        count += 1
    return {"count": count, "digest": digest.hexdigest()}
