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


FATE = "fate"
"""The ``right`` in a ``privacy.requested`` that says what is to become of a recording after a
withdrawal: ``fate`` in it is ``keep`` or ``destroy``. Other rights have other references."""


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


def kept(segments: Iterable[SegmentRecord]) -> list[dict[str, Any]]:
    """The segments that a finished recording keeps: of each track, how many, and SHA-256, in hex.

    A track of which nothing is kept is not in it. ``segments`` by track, then by index. Each
    track has a digest of its own, so that the others still verify when one is destroyed.
    """
    found: dict[str, tuple[int, Any]] = {}
    for one in segments:
        count, digest = found.get(one.track, (0, hashlib.sha256()))
        digest.update(canonical([one.track, one.index, one.sha256, one.size]) + b"\n")
        found[one.track] = count + 1, digest
    return [
        {"track": track, "count": count, "digest": digest.hexdigest()}
        for track, (count, digest) in found.items()
    ]
