"""What is kept of what left the house: a person's exports, exported recordings, disclosures.

Rows as in ``avsession.records``; times are milliseconds since the Unix epoch, UTC.
"""

from __future__ import annotations

import msgspec


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """A row."""


class Export(_Record, frozen=True, kw_only=True):
    """A person's own export, while it can be downloaded, and for a while after that, so that its
    person is told what became of it; then the row goes."""

    id: str
    party: str
    language: str
    """Of its readable part."""
    opens: bytes
    """SHA-256 of the download key, which only the private link's secret gives."""
    state: str  # waiting, ready, failed, expired
    requested_ms: int
    expires_ms: int
    size: int = 0
    """Bytes of the archive, once it is ready."""
    digest: str = ""
    """SHA-256 of its manifest, hex, once it is ready."""
    seals_to: bytes | None = None
    """The X25519 public key that it is sealed to; None: asked for before there was one."""


class Taken(_Record, frozen=True, kw_only=True):
    """A recording, or a part of it, was exported: its ``recording.exported``, row by row."""

    id: str
    recording: str
    why: str  # person, admin, disclosure
    what: str
    """The id of the export or disclosure; its own for an admin's."""
    tracks: list[str]
    account: str | None
    """Who did it; None: the person whose track it is."""
    purpose: str
    """The consented purpose that an admin named; empty for the others."""
    reason: str
    at_ms: int


class Disclosure(_Record, frozen=True, kw_only=True):
    """Something was disclosed to an authority or a processor, or is about to be."""

    id: str
    scope: str  # recording, session, party
    target: str
    session: str
    category: str  # authority, processor
    given_to: str
    """To whom, in words."""
    basis: str  # order, duty, claim, contract
    basis_text: str
    """The order's or the contract's own name, in words."""
    reason: str
    parts: list[str]  # records, media
    recipient: str
    """Their age public key."""
    made_by: str
    made_ms: int
    silent_until_ms: int | None
    """Until when the law forbids to tell the person; None: they are told."""
    state: str  # waiting, ready, failed
    expires_ms: int
    """Until when the package can be downloaded; then it is deleted, and this stays."""
    size: int = 0
    """Bytes of the sealed package."""
    sha256: str = ""
    """Of the sealed package, hex."""
    manifest: str = ""
    """SHA-256 of the manifest in it, hex."""
    leaf: int | None = None
    """The index of its ``disclosure.made``."""
    gone_ms: int | None = None
    """When the package was deleted."""
