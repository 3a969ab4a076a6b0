"""On which grounds custody unwraps a key: a leaf of the log that says who opens what, proven.

Pure. Custody keeps the last checkpoint that it was shown, and takes only one that extends it. So
whoever took the server over leaves a leaf for each opening, in the one log that everyone sees:
a log without it, or another one, no longer extends what custody keeps, and is found out.
"""

from __future__ import annotations

import datetime
import hmac
from typing import Any

import msgspec

from avsession.audit import checkpoint, merkle
from avsession.audit.checkpoint import Checkpoint, VerifierKey
from avsession.canonical import commitment
from avsession.errors import CheckpointInvalid, CustodyMoved, CustodyRefused
from avsession.messages.custody import Shown

EARLY_MS = 300_000
"""How far a leaf's time may lie ahead of custody's clock."""
DAY_MS = 86_400_000


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How long a leaf opens anything, whatever it says itself (ms)."""

    access_ms: int
    """``recording.accessed``: ``signin.access_s``."""
    export_ms: int
    """``recording.exported``: ``export.keep_days``."""


class _Leaf(msgspec.Struct, frozen=True):
    """What is read of a leaf."""

    kind: str
    time: str
    refs: dict[str, Any]
    commitments: dict[str, str]


def check(
    shown: Shown,
    *,
    recording: str,
    track: str,
    key: VerifierKey,
    kept: Checkpoint | None,
    now_ms: int,
    rules: Rules,
) -> Checkpoint:
    """The checkpoint to be kept from now on, when the grounds hold.

    Raises CustodyMoved when they were made for another checkpoint than ``kept``, CustodyRefused,
    which says what does not hold.
    """
    if shown.since != (kept.size if kept else 0):
        raise CustodyMoved
    head = _head(shown, key, kept)
    if not merkle.verify_inclusion(
        merkle.leaf_hash(shown.leaf), shown.index, head.size, shown.hashes, head.root
    ):
        raise CustodyRefused("The leaf is not in the log at that place.")
    try:
        leaf = msgspec.json.decode(shown.leaf, type=_Leaf)
        at_ms = _ms(leaf.time)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise CustodyRefused("The leaf cannot be read.") from error
    until_ms = _until(shown, leaf, recording, track, at_ms, rules)
    if not at_ms - EARLY_MS <= now_ms < until_ms:
        raise CustodyRefused("The time of this opening is over.")
    return head


def _head(shown: Shown, key: VerifierKey, kept: Checkpoint | None) -> Checkpoint:
    try:
        head = checkpoint.verify(shown.note, key)
    except CheckpointInvalid as error:
        raise CustodyRefused(f"The checkpoint is not the log's: {error}") from error
    if kept and not merkle.verify_consistency(
        kept.size, head.size, shown.extends, kept.root, head.root
    ):
        raise CustodyRefused("The log is not the one that custody saw before.")
    return head


def _until(shown: Shown, leaf: _Leaf, recording: str, track: str, at_ms: int, rules: Rules) -> int:
    """When the leaf stops opening this track; raises CustodyRefused when it never did."""
    if leaf.refs.get("recording") != recording:
        raise CustodyRefused("The leaf is about another recording.")
    if leaf.kind == "recording.accessed":
        if "access" not in leaf.refs:
            raise CustodyRefused("The leaf names no access.")
        said = leaf.commitments.get("expires_ms", "")
        if shown.until_ms is None or not hmac.compare_digest(
            said, commitment(shown.salt, "expires_ms", shown.until_ms)
        ):
            raise CustodyRefused("The leaf says another end of this opening.")
        return min(shown.until_ms, at_ms + rules.access_ms)
    if leaf.kind == "recording.exported":
        tracks = leaf.refs.get("tracks")
        if not isinstance(tracks, list) or track not in tracks:
            raise CustodyRefused("The leaf is about other tracks.")
        return at_ms + rules.export_ms
    raise CustodyRefused("A leaf of that kind opens nothing.")


def _ms(text: str) -> int:
    """RFC 3339 with an offset as milliseconds since the Unix epoch; raises ValueError."""
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without an offset")
    return round(moment.timestamp() * 1000)
