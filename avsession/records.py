"""What the store keeps, as frozen values. Each is a row of the table of the same name.

Times are milliseconds since the Unix epoch, UTC. ``*_hash`` is SHA-256 of a secret that only
its holder has. ``avsession.session`` has Session and Party, which are rows too.
"""

from __future__ import annotations

import msgspec

from avsession.recording import State


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """A row."""


# --- people


class Account(_Record, frozen=True, kw_only=True):
    """An agent or an admin. ``password`` is an argon2id hash; None: links only."""

    id: str
    login: str
    name: str
    role: str  # agent, admin
    password: str | None
    created_ms: int
    disabled: bool = False
    disabled_ms: int | None = None
    """When they left the house."""


class AuthSession(_Record, frozen=True, kw_only=True):
    """A signed-in staff session; the cookie's token is stored as its hash only."""

    token_hash: bytes
    account: str
    pseudonym: str
    created_ms: int
    seen_ms: int
    subject: bytes | None = None
    """Who it is at the company's provider, if it began there: ``signin_records.Identity``."""
    sid: bytes | None = None
    """Its session there: SHA-256 of issuer and ``sid``."""


class SignInLink(_Record, frozen=True, kw_only=True):
    """A one-time sign-in link; exists only while the public address is a loopback one."""

    secret_hash: bytes
    account: str
    expires_ms: int


class Ticket(_Record, frozen=True, kw_only=True):
    """Lets one signaling connection in, once."""

    secret_hash: bytes
    party: str
    session: str
    expires_ms: int
    auth: bytes | None = None
    """The token hash of the staff session that asked for it; None for a customer's."""


class Idempotent(_Record, frozen=True, kw_only=True):
    """What a change with this key already answered, so that a repeat changes nothing."""

    party: str
    key: str
    digest: str
    """SHA-256 of the message: the same key with another message is refused."""
    result: dict[str, str]
    at_ms: int


class PartyKey(_Record, frozen=True, kw_only=True):
    """A key that a party's browser signs with; the private half never leaves that page."""

    id: str
    """SHA-256 of the public key, hex."""
    party: str
    public_key: str
    at_ms: int
    leaf: int
    """The index of its ``key.created``."""


# --- consent


class ConsentState(_Record, frozen=True, kw_only=True):
    """The state machine's state of one session, as JSON."""

    session: str
    state: bytes
    deadline_ms: int | None = None
    """When silence becomes no; indexed, so that expiry survives a restart."""


class Notice(_Record, frozen=True, kw_only=True):
    """The archived bytes of a notice exactly as rendered."""

    sha256: str
    id: str
    version: str
    language: str
    text: bytes
    at_ms: int


class RecordingRequest(_Record, frozen=True, kw_only=True):
    """One ask to record. ``notices``: language -> SHA-256. ``outcome`` None while it lives."""

    id: str
    session: str
    by: str
    purposes: list[str]
    notices: dict[str, str]
    at_ms: int
    outcome: str | None = None


class ConsentEvent(_Record, frozen=True, kw_only=True):
    """What somebody was shown or said. ``document`` holds every field of the record."""

    id: str
    session: str
    request: str
    party: str
    kind: str  # requested, shown, given, refused, withdrawn, expired
    at_ms: int
    document: dict[str, object]
    leaf: int
    """The index of its leaf in the audit log."""


class Withdrawal(_Record, frozen=True, kw_only=True):
    """A withdrawal: what is to become of the recording. None until chosen; destroyed at due."""

    request: str
    party: str
    recording: str | None
    at_ms: int
    due_ms: int
    fate: str | None = None  # keep, destroy
    done: bool = False


# --- recordings


class Recording(_Record, frozen=True, kw_only=True):
    """A recording's life. ``generation`` is the newest one that was ever live for it."""

    id: str
    session: str
    request: str
    state: State
    reason: str
    purposes: list[str]
    epoch_ms: int
    generation: int
    worker: str | None
    recorder_key: str
    created_ms: int
    closed_ms: int | None = None
    """When it was over for good; the drain deadline counts from here."""
    duration_ms: int = 0
    manifest_head: str | None = None
    keep_until_ms: int | None = None
    """When it must be destroyed, once it is finished; None again when that was done."""


class TrackRecord(_Record, frozen=True, kw_only=True):
    """One party's track and its public key; the private half is the custodian's."""

    id: str
    recording: str
    party: str
    recipient: str
    erased_ms: int | None = None


class GrantRecord(_Record, frozen=True, kw_only=True):
    """A generation of the gate: open from ``issued_ms`` until ``closed_ms``."""

    recording: str
    generation: int
    token: str
    issued_ms: int
    closed_ms: int | None = None
    reason: str | None = None


class EntryRecord(_Record, frozen=True, kw_only=True):
    """An accepted manifest entry, as the signed line that came."""

    recording: str
    n: int
    line: bytes


class SegmentRecord(_Record, frozen=True, kw_only=True):
    """A sealed segment that the domain accepted and keeps; destroying it removes this, too."""

    track: str
    index: int
    recording: str
    sha256: str
    size: int


class Access(_Record, frozen=True, kw_only=True):
    """One opening of a recording: who, why, for which consented purpose, until when."""

    id: str
    recording: str
    account: str
    auth: bytes
    """The token hash of the staff session that may watch."""
    purpose: str
    reason: str
    at_ms: int
    expires_ms: int


class Certificate(_Record, frozen=True, kw_only=True):
    """A destruction: decided when it is written, done when ``done_ms`` stands in it."""

    id: str
    recording: str
    party: str | None
    """Who decided it; None: the server, because a time had passed."""
    reason: str  # withdrawn, retention, forgotten, objected
    whole: bool
    """Whether nothing of the recording is left by it."""
    decided_ms: int
    document: dict[str, object]
    """What the certificate says; while it is not done, what is to be destroyed."""
    done_ms: int | None = None
    leaf: int | None = None
    """The index of its ``recording.erased``, which holds the document's digest."""


class Hold(_Record, frozen=True, kw_only=True):
    """A legal hold: nothing of what it covers is destroyed while it stands."""

    id: str
    scope: str  # recording, session, party
    target: str
    """The id of the recording, session or party."""
    session: str
    """The session that it is about, whatever the scope."""
    category: str  # claim, order, duty
    reason: str
    asked_by: str
    """Who asked for it, in words."""
    review_ms: int
    """When it must be looked at again. It stands until it is released, later too."""
    placed_by: str
    placed_ms: int
    released_by: str | None = None
    released_ms: int | None = None
    release_reason: str = ""


class QualityCount(_Record, frozen=True, kw_only=True):
    """How many calls of a day fell into one range of one figure of call quality."""

    day: str
    """UTC, such as ``2026-11-22``."""
    figure: str
    number: int
    """Which of the figure's ranges, from 0."""
    calls: int


# --- what people ask for


class PrivacyRequest(_Record, frozen=True, kw_only=True):
    """A person uses a right; ``avsession.privacy.requests`` has its states and times."""

    id: str
    session: str
    party: str
    right: str
    state: str
    text: str
    """What the person wrote, or what a member of staff wrote for them."""
    purposes: list[str]
    """Those objected to; empty for anything else."""
    by: str  # party, staff: who brought it in
    received_ms: int
    due_ms: int
    extension: str = ""
    """Why it takes longer; empty while it does not."""
    answer: str = ""
    """What the person is told at its end."""
    done_ms: int | None = None


class Restriction(_Record, frozen=True, kw_only=True):
    """A party's recordings may be kept, and nothing else, until it is lifted."""

    id: str
    session: str
    party: str
    request: str
    """The privacy request that it follows from."""
    why: str  # asked, objection, kept
    purposes: list[str]
    """Those objected to; empty: whatever they may be used for."""
    whole: bool
    """Whether the recordings are shut altogether; otherwise for ``purposes`` only."""
    placed_ms: int
    lifted_ms: int | None = None
    lifted_by: str = ""  # party, staff, server
    lift_reason: str = ""
    """What the person is told, when staff lifted it."""


# --- the audit log


class Leaf(_Record, frozen=True, kw_only=True):
    """One leaf: dense index from 0, canonical JSON bytes. Append-only."""

    index: int
    kind: str
    session: str | None
    """The session's pseudonym, repeated from the bytes for searching."""
    at_ms: int
    data: bytes


class Detail(_Record, frozen=True, kw_only=True):
    """A field that a leaf commits to: value and salt. Erasing a person deletes these."""

    leaf: int
    field: str
    value: bytes
    """Canonical JSON."""
    salt: bytes
    party: str | None = None
    """Whose detail it is, so that erasure finds it."""


class TreeNode(_Record, frozen=True, kw_only=True):
    """A node of the log's Merkle tree over a complete subtree. Append-only."""

    level: int
    """0: a leaf's own hash."""
    index: int
    hash: bytes


class SignedHead(_Record, frozen=True, kw_only=True):
    """A checkpoint that was signed. Append-only."""

    size: int
    note: str
    """The whole signed note."""
    at_ms: int


class Serving(_Record, frozen=True, kw_only=True):
    """Which server may write: one row. Whoever took the database over last stands in it."""

    id: int = 1
    number: int
    """How often the database was taken over, this time included."""
    token: str
    """Random, anew each time; it stands in the data folder too."""
    since_ms: int
