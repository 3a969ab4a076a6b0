"""The schema: one explicit table a record type, and the one place that maps names.

A column's ``key`` is the record's field; its name differs only where the field's is a word of
SQL. Columns stand in the order of the fields (a test holds this). Only types that SQLite and
PostgreSQL both have. Times are BIGINT milliseconds since the Unix epoch; ``*_hash`` is 32 bytes.

Foreign keys are checked at commit, so that the order of writes inside a transaction is free.
They stand only where the field always names such a row: not at ``Detail.party``,
``Session.created_by``, ``RecordingRequest.by`` (an account or a party, by the kind of event) nor
at ``Access.auth`` (the staff session may end before its accesses are history).
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, LargeBinary, Table, Text, UniqueConstraint

from avsession import records, session
from avsession.storage import export_tables, privacy_tables, signin_tables, webhook_tables
from avsession.storage.columns import ID as _ID
from avsession.storage.columns import WORD as _WORD
from avsession.storage.columns import column as _c
from avsession.storage.columns import metadata

__all__ = ["APPEND_ONLY", "TABLES", "metadata"]

# --- people

account = Table(
    "account",
    metadata,
    _c("id", _ID, key=True),
    _c("login", Text, unique=True),
    _c("name", Text),
    _c("role", _WORD),
    _c("password", Text, null=True),
    _c("created_ms", BigInteger),
    _c("disabled", Boolean),
    _c("disabled_ms", BigInteger, null=True, index=True),
)
auth_session = Table(
    "auth_session",
    metadata,
    _c("token_hash", LargeBinary, key=True),
    _c("account", _ID, "account.id", index=True),
    _c("pseudonym", _ID),
    _c("created_ms", BigInteger, index=True),
    _c("seen_ms", BigInteger, index=True),
    _c("subject", LargeBinary, null=True, index=True),
    _c("sid", LargeBinary, null=True, index=True),
)
sign_in_link = Table(
    "sign_in_link",
    metadata,
    _c("secret_hash", LargeBinary, key=True),
    _c("account", _ID, "account.id", index=True),
    _c("expires_ms", BigInteger, index=True),
)
ticket = Table(
    "ticket",
    metadata,
    _c("secret_hash", LargeBinary, key=True),
    _c("party", _ID, "party.id", index=True),
    _c("session", _ID, "session.id", index=True),
    _c("expires_ms", BigInteger, index=True),
    _c("auth", LargeBinary, null=True, index=True),
)
idempotent = Table(
    "idempotent",
    metadata,
    _c("party", _ID, "party.id", key=True),
    _c("key", _ID, key=True),
    _c("digest", _ID),
    _c("result", JSON),
    _c("at_ms", BigInteger, index=True),
)

party_key = Table(
    "party_key",
    metadata,
    _c("id", _ID, key=True),
    _c("party", _ID, "party.id", index=True),
    _c("public_key", Text),
    _c("at_ms", BigInteger),
    _c("leaf", BigInteger, "leaf.index"),
)

# --- sessions

session_table = Table(
    "session",
    metadata,
    _c("id", _ID, key=True),
    _c("pseudonym", _ID, unique=True),
    _c("created_ms", BigInteger, index=True),
    _c("created_by", _ID, index=True),
    _c("invitation_hash", LargeBinary, unique=True),
    _c("invitation_expires_ms", BigInteger, index=True),
    _c("invitation_state", _WORD),
    _c("ended_ms", BigInteger, null=True, index=True),
    _c("end_reason", _WORD, null=True),
    _c("child_ms", BigInteger, null=True, index=True),
    _c("forgotten_ms", BigInteger, null=True, index=True),
)
party = Table(
    "party",
    metadata,
    _c("id", _ID, key=True),
    _c("session", _ID, "session.id", index=True),
    _c("pseudonym", _ID, unique=True),
    _c("role", _WORD),
    _c("name", Text),
    _c("language", _WORD),
    _c("account", _ID, "account.id", null=True, index=True),
    _c("token_hash", LargeBinary, null=True, unique=True),
    _c("data_hash", LargeBinary, null=True, unique=True),
    _c("created_ms", BigInteger),
    _c("joined_ms", BigInteger, null=True),
    _c("left_ms", BigInteger, null=True),
    _c("presence", _WORD, null=True),
    _c("seat_deadline_ms", BigInteger, null=True, index=True),
    _c("contact", Text, null=True),
)

# --- consent

consent_state = Table(
    "consent_state",
    metadata,
    _c("session", _ID, "session.id", key=True),
    _c("state", LargeBinary),
    _c("deadline_ms", BigInteger, null=True, index=True),
)
notice = Table(
    "notice",
    metadata,
    _c("sha256", _ID, key=True),
    _c("id", _ID),
    _c("version", _WORD),
    _c("language", _WORD),
    _c("text", LargeBinary),
    _c("at_ms", BigInteger),
)
recording_request = Table(
    "recording_request",
    metadata,
    _c("id", _ID, key=True),
    _c("session", _ID, "session.id", index=True),
    _c("by", _ID),
    _c("purposes", JSON),
    _c("notices", JSON),
    _c("at_ms", BigInteger),
    _c("outcome", _WORD, null=True),
)
consent_event = Table(
    "consent_event",
    metadata,
    _c("id", _ID, key=True),
    _c("session", _ID, "session.id", index=True),
    _c("request", _ID, "recording_request.id", index=True),
    _c("party", _ID, "party.id", index=True),
    _c("kind", _WORD),
    _c("at_ms", BigInteger),
    _c("document", JSON),
    _c("leaf", BigInteger, "leaf.index", index=True),
)
withdrawal = Table(
    "withdrawal",
    metadata,
    _c("request", _ID, "recording_request.id", key=True),
    _c("party", _ID, "party.id", key=True),
    _c("recording", _ID, "recording.id", null=True, index=True),
    _c("at_ms", BigInteger),
    _c("due_ms", BigInteger, index=True),
    _c("fate", _WORD, null=True),
    _c("done", Boolean),
)

# --- recordings

recording = Table(
    "recording",
    metadata,
    _c("id", _ID, key=True),
    _c("session", _ID, "session.id", index=True),
    _c("request", _ID, "recording_request.id", index=True),
    _c("state", _WORD, index=True),
    _c("reason", _WORD),
    _c("purposes", JSON),
    _c("epoch_ms", BigInteger),
    _c("generation", BigInteger),
    _c("worker", _ID, null=True, index=True),
    _c("recorder_key", _ID),
    _c("created_ms", BigInteger, index=True),
    _c("closed_ms", BigInteger, null=True),
    _c("duration_ms", BigInteger),
    _c("manifest_head", _ID, null=True),
    _c("keep_until_ms", BigInteger, null=True, index=True),
)
track = Table(
    "track",
    metadata,
    _c("id", _ID, key=True),
    _c("recording", _ID, "recording.id"),
    _c("party", _ID, "party.id", index=True),
    _c("recipient", Text, unique=True),
    _c("erased_ms", BigInteger, null=True),
    UniqueConstraint("recording", "party"),
)
capture_grant = Table(
    "capture_grant",
    metadata,
    _c("recording", _ID, "recording.id", key=True),
    _c("generation", BigInteger, key=True),
    _c("token", Text),
    _c("issued_ms", BigInteger),
    _c("closed_ms", BigInteger, null=True),
    _c("reason", _WORD, null=True),
)
manifest_entry = Table(
    "manifest_entry",
    metadata,
    _c("recording", _ID, "recording.id", key=True),
    _c("n", BigInteger, key=True),
    _c("line", LargeBinary),
)
segment = Table(
    "segment",
    metadata,
    _c("track", _ID, "track.id", key=True),
    _c("index", BigInteger, key=True),
    _c("recording", _ID, "recording.id", index=True),
    _c("sha256", _ID),
    _c("size", BigInteger),
)
access = Table(
    "access",
    metadata,
    _c("id", _ID, key=True),
    _c("recording", _ID, "recording.id", index=True),
    _c("account", _ID, "account.id", index=True),
    _c("auth", LargeBinary),
    _c("purpose", _WORD),
    _c("reason", Text),
    _c("at_ms", BigInteger, index=True),
    _c("expires_ms", BigInteger),
)

certificate = Table(
    "certificate",
    metadata,
    _c("id", _ID, key=True),
    _c("recording", _ID, "recording.id", index=True),
    _c("party", _ID, "party.id", null=True, index=True),
    _c("reason", _WORD),
    _c("whole", Boolean),
    _c("decided_ms", BigInteger),
    _c("document", JSON),
    _c("done_ms", BigInteger, null=True, index=True),
    _c("leaf", BigInteger, "leaf.index", null=True),
)
hold = Table(
    "hold",
    metadata,
    _c("id", _ID, key=True),
    _c("scope", _WORD),
    _c("target", _ID, index=True),
    _c("session", _ID, "session.id", index=True),
    _c("category", _WORD),
    _c("reason", Text),
    _c("asked_by", Text),
    _c("review_ms", BigInteger),
    _c("placed_by", _ID, "account.id", index=True),
    _c("placed_ms", BigInteger),
    _c("released_by", _ID, "account.id", null=True),
    _c("released_ms", BigInteger, null=True, index=True),
    _c("release_reason", Text),
)

quality = Table(
    "quality",
    metadata,
    _c("day", _WORD, key=True),
    _c("figure", _WORD, key=True),
    _c("number", BigInteger, key=True),
    _c("calls", BigInteger),
)

# --- the audit log; the migrations add triggers that keep leaf dense and all but detail append-only

leaf = Table(
    "leaf",
    metadata,
    _c("index", BigInteger, key=True),
    _c("kind", _WORD, index=True),
    _c("session", _ID, null=True, index=True),
    _c("at_ms", BigInteger, index=True),
    _c("data", LargeBinary),
)
detail = Table(
    "detail",
    metadata,
    _c("leaf", BigInteger, "leaf.index", key=True),
    _c("field", _WORD, key=True),
    _c("value", LargeBinary),
    _c("salt", LargeBinary),
    _c("party", _ID, null=True, index=True),
)
tree_node = Table(
    "tree_node",
    metadata,
    _c("level", BigInteger, key=True),
    _c("index", BigInteger, key=True),
    _c("hash", LargeBinary),
)
checkpoint = Table(
    "checkpoint",
    metadata,
    _c("size", BigInteger, key=True),
    _c("note", Text),
    _c("at_ms", BigInteger),
)
serving = Table(
    "serving",
    metadata,
    _c("id", BigInteger, key=True),
    _c("number", BigInteger),
    _c("token", _ID),
    _c("since_ms", BigInteger),
)

TABLES: dict[type, Table] = {
    records.Account: account,
    records.AuthSession: auth_session,
    records.SignInLink: sign_in_link,
    records.Ticket: ticket,
    records.Idempotent: idempotent,
    records.PartyKey: party_key,
    session.Session: session_table,
    session.Party: party,
    records.ConsentState: consent_state,
    records.Notice: notice,
    records.RecordingRequest: recording_request,
    records.ConsentEvent: consent_event,
    records.Withdrawal: withdrawal,
    records.Recording: recording,
    records.TrackRecord: track,
    records.GrantRecord: capture_grant,
    records.EntryRecord: manifest_entry,
    records.SegmentRecord: segment,
    records.Access: access,
    records.Certificate: certificate,
    records.Hold: hold,
    **export_tables.TABLES,
    **privacy_tables.TABLES,
    **webhook_tables.TABLES,
    **signin_tables.TABLES,
    records.QualityCount: quality,
    records.Leaf: leaf,
    records.Detail: detail,
    records.TreeNode: tree_node,
    records.SignedHead: checkpoint,
    records.Serving: serving,
}
"""Which table keeps which record."""

APPEND_ONLY: frozenset[type] = frozenset({records.Leaf, records.TreeNode, records.SignedHead})
"""What is never replaced or removed, erasure included."""
