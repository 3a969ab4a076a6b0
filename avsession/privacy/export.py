"""What an export says: the document ``avsession.export.v1``, field by field. Pure.

``EXPORT.md``, beside this file, is what its readers are told. Times are RFC 3339 in UTC, durations
milliseconds. A field that is null is not known, or does not apply.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

SCHEMA: Literal["avsession.export.v1"] = "avsession.export.v1"
MANIFEST: Literal["avsession.export.manifest.v1"] = "avsession.export.manifest.v1"
DISCLOSURE: Literal["avsession.disclosure.v1"] = "avsession.disclosure.v1"


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the document."""


class Person(_Part, frozen=True, kw_only=True):
    """Whose data it is."""

    party: str
    pseudonym: str
    """What the audit log calls them."""
    role: str
    name: str
    language: str
    account: str | None
    created: str
    joined: str | None
    left: str | None
    contact: str | None = None
    """Where they wish to be told of answers."""


class Call(_Part, frozen=True, kw_only=True):
    """The session that it was in."""

    session: str
    pseudonym: str
    created: str
    ended: str | None
    end_reason: str | None


class Consent(_Part, frozen=True, kw_only=True):
    """A consent event of theirs; ``document`` is its whole record, ``avsession.consent.v1``."""

    event: str
    kind: str
    at: str
    leaf: int
    document: dict[str, Any]


class Notice(_Part, frozen=True, kw_only=True):
    """A notice that was offered to them, exactly."""

    sha256: str
    id: str
    version: str
    language: str
    text: str


class Request(_Part, frozen=True, kw_only=True):
    """An ask to record."""

    request: str
    at: str
    purposes: list[str]
    notices: dict[str, str]
    """Language -> SHA-256 of the notice."""
    outcome: str | None


class Key(_Part, frozen=True, kw_only=True):
    """A key that their browser signed with."""

    id: str
    public_key: str
    at: str
    leaf: int


class Gap(_Part, frozen=True, kw_only=True):
    """A part of the recording's time in which nothing of them is stored (ms)."""

    start_ms: int
    end_ms: int
    reason: str


class Track(_Part, frozen=True, kw_only=True):
    """A party's picture and sound in a recording."""

    track: str
    role: str
    erased: str | None
    segments: int
    bytes: int
    """As stored, sealed."""
    gaps: list[Gap]
    file: str | None
    """Its name in this archive."""
    why_not: str | None
    """Why there is no file: ``erased``, ``running``, ``empty``, ``damaged``, ``others``."""


class Withdrawn(_Part, frozen=True, kw_only=True):
    """Consent was taken back, and what was chosen for the recording."""

    at: str
    fate: str | None
    done: bool


class Recorded(_Part, frozen=True, kw_only=True):
    """A recording that they are in."""

    recording: str
    request: str
    state: str
    purposes: list[str]
    created: str
    closed: str | None
    duration_ms: int
    keep_until: str | None
    withdrawn: Withdrawn | None
    tracks: list[Track]


class Access(_Part, frozen=True, kw_only=True):
    """Somebody watched or exported a recording, and why."""

    recording: str
    at: str
    how: str  # watched, exported
    by: str
    purpose: str
    reason: str


class Held(_Part, frozen=True, kw_only=True):
    """A legal hold keeps something from being destroyed."""

    category: str
    review: str


class Disclosed(_Part, frozen=True, kw_only=True):
    """Something was given to an authority or a processor."""

    disclosure: str
    at: str
    category: str
    given_to: str
    basis: str
    basis_text: str
    reason: str
    parts: list[str]
    package_sha256: str
    leaf: int | None


class Certificate(_Part, frozen=True, kw_only=True):
    """A destruction that is done; ``document`` is ``avsession.certificate.v1``."""

    certificate: str
    leaf: int | None
    document: dict[str, Any]


class Detail(_Part, frozen=True, kw_only=True):
    """A field that a leaf commits to: HMAC-SHA-256, keyed with ``salt``, of ``[field, value]``."""

    field: str
    value: Any
    salt: str
    """Base64url."""


class Entry(_Part, frozen=True, kw_only=True):
    """A leaf of the audit log about them: its own bytes, and what it commits to."""

    leaf: int
    time: str
    kind: str
    entry: str
    details: list[Detail]


class Document(_Part, frozen=True, kw_only=True):
    """Everything that is held about one person, in one session."""

    schema: Literal["avsession.export.v1"]
    export: str
    made: str
    language: str
    controller: dict[str, Any]
    log_key: str
    """The audit log's public key, ``name+id+key``."""
    person: Person
    call: Call
    requests: list[Request]
    notices: list[Notice]
    consents: list[Consent]
    keys: list[Key]
    recordings: list[Recorded]
    accesses: list[Access]
    holds: list[Held]
    disclosures: list[Disclosed]
    certificates: list[Certificate]
    log: list[Entry]
    other: dict[str, list[dict[str, Any]]] = {}
    """Rows of other kinds about them, by kind, as they are stored."""


class Listed(_Part, frozen=True, kw_only=True):
    """A file of an archive."""

    name: str
    type: str
    schema: str | None
    size: int
    sha256: str


class Manifest(_Part, frozen=True, kw_only=True):
    """``manifest.json``: every other file of the archive."""

    schema: Literal["avsession.export.manifest.v1"]
    id: str
    kind: Literal["export", "disclosure", "recording"]
    made: str
    files: list[Listed]


SCHEMAS: dict[str, type[msgspec.Struct]] = {SCHEMA: Document, MANIFEST: Manifest}
"""What the JSON files of this module are, by the name that they carry."""


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one of :data:`SCHEMAS`."""
    found: dict[str, Any] = msgspec.json.schema(SCHEMAS[name])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name, **found}
