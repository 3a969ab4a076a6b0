"""The first tables: people, sessions, consent, recordings, the audit log."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

WORD = sa.String(64)
DEFERRED: dict[str, Any] = {"deferrable": True, "initially": "DEFERRED"}

# The audit log refuses at the database what the code never does: a leaf is neither changed nor
# removed, and the next one's number is always the count of those before it.
SQLITE = (
    """CREATE TRIGGER leaf_is_dense BEFORE INSERT ON leaf
    WHEN NEW.number IS NOT (SELECT coalesce(max(number) + 1, 0) FROM leaf)
    BEGIN SELECT RAISE(ABORT, 'leaf: numbers are dense'); END""",
    """CREATE TRIGGER leaf_no_update BEFORE UPDATE ON leaf
    BEGIN SELECT RAISE(ABORT, 'leaf: append-only'); END""",
    """CREATE TRIGGER leaf_no_delete BEFORE DELETE ON leaf
    BEGIN SELECT RAISE(ABORT, 'leaf: append-only'); END""",
)
POSTGRESQL = (
    """CREATE FUNCTION leaf_is_dense() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.number IS DISTINCT FROM (SELECT coalesce(max(number) + 1, 0) FROM leaf) THEN
            RAISE integrity_constraint_violation USING MESSAGE = 'leaf: numbers are dense';
        END IF;
        RETURN NEW;
    END $$""",
    """CREATE FUNCTION leaf_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE integrity_constraint_violation USING MESSAGE = 'leaf: append-only';
    END $$""",
    """CREATE TRIGGER leaf_is_dense BEFORE INSERT ON leaf
    FOR EACH ROW EXECUTE FUNCTION leaf_is_dense()""",
    """CREATE TRIGGER leaf_no_change BEFORE UPDATE OR DELETE ON leaf
    FOR EACH ROW EXECUTE FUNCTION leaf_is_append_only()""",
    """CREATE TRIGGER leaf_no_truncate BEFORE TRUNCATE ON leaf
    FOR EACH STATEMENT EXECUTE FUNCTION leaf_is_append_only()""",
)


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", WORD, nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", WORD, nullable=False),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("login", name="uq_account_login"),
    )
    op.create_table(
        "leaf",
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("session", WORD, nullable=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_leaf"),
    )
    op.create_index("ix_leaf_at_ms", "leaf", ["at_ms"])
    op.create_index("ix_leaf_kind", "leaf", ["kind"])
    op.create_index("ix_leaf_session", "leaf", ["session"])
    op.create_table(
        "notice",
        sa.Column("sha256", WORD, nullable=False),
        sa.Column("id", WORD, nullable=False),
        sa.Column("version", WORD, nullable=False),
        sa.Column("language", WORD, nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_notice"),
    )
    op.create_table(
        "session",
        sa.Column("id", WORD, nullable=False),
        sa.Column("pseudonym", WORD, nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_by", WORD, nullable=False),
        sa.Column("invitation_hash", sa.LargeBinary(), nullable=False),
        sa.Column("invitation_expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("invitation_state", WORD, nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("end_reason", WORD, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_session"),
        sa.UniqueConstraint("invitation_hash", name="uq_session_invitation_hash"),
        sa.UniqueConstraint("pseudonym", name="uq_session_pseudonym"),
    )
    op.create_index("ix_session_created_by", "session", ["created_by"])
    op.create_index("ix_session_created_ms", "session", ["created_ms"])
    op.create_index("ix_session_ended_ms", "session", ["ended_ms"])
    op.create_table(
        "auth_session",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("account", WORD, nullable=False),
        sa.Column("pseudonym", WORD, nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"], ["account.id"], name="fk_auth_session_account", **DEFERRED
        ),
        sa.PrimaryKeyConstraint("token_hash", name="pk_auth_session"),
    )
    op.create_index("ix_auth_session_account", "auth_session", ["account"])
    op.create_index("ix_auth_session_created_ms", "auth_session", ["created_ms"])
    op.create_index("ix_auth_session_seen_ms", "auth_session", ["seen_ms"])
    op.create_table(
        "consent_state",
        sa.Column("session", WORD, nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("deadline_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["session"], ["session.id"], name="fk_consent_state_session", **DEFERRED
        ),
        sa.PrimaryKeyConstraint("session", name="pk_consent_state"),
    )
    op.create_index("ix_consent_state_deadline_ms", "consent_state", ["deadline_ms"])
    op.create_table(
        "detail",
        sa.Column("leaf", sa.BigInteger(), nullable=False),
        sa.Column("field", WORD, nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("party", WORD, nullable=True),
        sa.ForeignKeyConstraint(["leaf"], ["leaf.number"], name="fk_detail_leaf", **DEFERRED),
        sa.PrimaryKeyConstraint("leaf", "field", name="pk_detail"),
    )
    op.create_index("ix_detail_party", "detail", ["party"])
    op.create_table(
        "party",
        sa.Column("id", WORD, nullable=False),
        sa.Column("session", WORD, nullable=False),
        sa.Column("pseudonym", WORD, nullable=False),
        sa.Column("role", WORD, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", WORD, nullable=False),
        sa.Column("account", WORD, nullable=True),
        sa.Column("token_hash", sa.LargeBinary(), nullable=True),
        sa.Column("data_hash", sa.LargeBinary(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("joined_ms", sa.BigInteger(), nullable=True),
        sa.Column("left_ms", sa.BigInteger(), nullable=True),
        sa.Column("presence", WORD, nullable=True),
        sa.Column("seat_deadline_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name="fk_party_account", **DEFERRED),
        sa.ForeignKeyConstraint(["session"], ["session.id"], name="fk_party_session", **DEFERRED),
        sa.PrimaryKeyConstraint("id", name="pk_party"),
        sa.UniqueConstraint("data_hash", name="uq_party_data_hash"),
        sa.UniqueConstraint("pseudonym", name="uq_party_pseudonym"),
        sa.UniqueConstraint("token_hash", name="uq_party_token_hash"),
    )
    op.create_index("ix_party_account", "party", ["account"])
    op.create_index("ix_party_seat_deadline_ms", "party", ["seat_deadline_ms"])
    op.create_index("ix_party_session", "party", ["session"])
    op.create_table(
        "recording_request",
        sa.Column("id", WORD, nullable=False),
        sa.Column("session", WORD, nullable=False),
        sa.Column("asked_by", WORD, nullable=False),
        sa.Column("purposes", sa.JSON(), nullable=False),
        sa.Column("notices", sa.JSON(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("outcome", WORD, nullable=True),
        sa.ForeignKeyConstraint(
            ["session"], ["session.id"], name="fk_recording_request_session", **DEFERRED
        ),
        sa.PrimaryKeyConstraint("id", name="pk_recording_request"),
    )
    op.create_index("ix_recording_request_session", "recording_request", ["session"])
    op.create_table(
        "sign_in_link",
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("account", WORD, nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"], ["account.id"], name="fk_sign_in_link_account", **DEFERRED
        ),
        sa.PrimaryKeyConstraint("secret_hash", name="pk_sign_in_link"),
    )
    op.create_index("ix_sign_in_link_account", "sign_in_link", ["account"])
    op.create_index("ix_sign_in_link_expires_ms", "sign_in_link", ["expires_ms"])
    op.create_table(
        "consent_event",
        sa.Column("id", WORD, nullable=False),
        sa.Column("session", WORD, nullable=False),
        sa.Column("request", WORD, nullable=False),
        sa.Column("party", WORD, nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("leaf", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["leaf"], ["leaf.number"], name="fk_consent_event_leaf", **DEFERRED
        ),
        sa.ForeignKeyConstraint(["party"], ["party.id"], name="fk_consent_event_party", **DEFERRED),
        sa.ForeignKeyConstraint(
            ["request"], ["recording_request.id"], name="fk_consent_event_request", **DEFERRED
        ),
        sa.ForeignKeyConstraint(
            ["session"], ["session.id"], name="fk_consent_event_session", **DEFERRED
        ),
        sa.PrimaryKeyConstraint("id", name="pk_consent_event"),
    )
    op.create_index("ix_consent_event_leaf", "consent_event", ["leaf"])
    op.create_index("ix_consent_event_party", "consent_event", ["party"])
    op.create_index("ix_consent_event_request", "consent_event", ["request"])
    op.create_index("ix_consent_event_session", "consent_event", ["session"])
    op.create_table(
        "idempotent",
        sa.Column("party", WORD, nullable=False),
        sa.Column("key", WORD, nullable=False),
        sa.Column("digest", WORD, nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["party"], ["party.id"], name="fk_idempotent_party", **DEFERRED),
        sa.PrimaryKeyConstraint("party", "key", name="pk_idempotent"),
    )
    op.create_index("ix_idempotent_at_ms", "idempotent", ["at_ms"])
    op.create_table(
        "recording",
        sa.Column("id", WORD, nullable=False),
        sa.Column("session", WORD, nullable=False),
        sa.Column("request", WORD, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("reason", WORD, nullable=False),
        sa.Column("purposes", sa.JSON(), nullable=False),
        sa.Column("epoch_ms", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("worker", WORD, nullable=True),
        sa.Column("recorder_key", WORD, nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("closed_ms", sa.BigInteger(), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("manifest_head", WORD, nullable=True),
        sa.Column("keep_until_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["request"], ["recording_request.id"], name="fk_recording_request", **DEFERRED
        ),
        sa.ForeignKeyConstraint(
            ["session"], ["session.id"], name="fk_recording_session", **DEFERRED
        ),
        sa.PrimaryKeyConstraint("id", name="pk_recording"),
    )
    op.create_index("ix_recording_created_ms", "recording", ["created_ms"])
    op.create_index("ix_recording_keep_until_ms", "recording", ["keep_until_ms"])
    op.create_index("ix_recording_request", "recording", ["request"])
    op.create_index("ix_recording_session", "recording", ["session"])
    op.create_index("ix_recording_state", "recording", ["state"])
    op.create_index("ix_recording_worker", "recording", ["worker"])
    op.create_table(
        "ticket",
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("party", WORD, nullable=False),
        sa.Column("session", WORD, nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["party"], ["party.id"], name="fk_ticket_party", **DEFERRED),
        sa.ForeignKeyConstraint(["session"], ["session.id"], name="fk_ticket_session", **DEFERRED),
        sa.PrimaryKeyConstraint("secret_hash", name="pk_ticket"),
    )
    op.create_index("ix_ticket_expires_ms", "ticket", ["expires_ms"])
    op.create_index("ix_ticket_party", "ticket", ["party"])
    op.create_index("ix_ticket_session", "ticket", ["session"])
    op.create_table(
        "access",
        sa.Column("id", WORD, nullable=False),
        sa.Column("recording", WORD, nullable=False),
        sa.Column("account", WORD, nullable=False),
        sa.Column("auth", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", WORD, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name="fk_access_account", **DEFERRED),
        sa.ForeignKeyConstraint(
            ["recording"], ["recording.id"], name="fk_access_recording", **DEFERRED
        ),
        sa.PrimaryKeyConstraint("id", name="pk_access"),
    )
    op.create_index("ix_access_account", "access", ["account"])
    op.create_index("ix_access_at_ms", "access", ["at_ms"])
    op.create_index("ix_access_recording", "access", ["recording"])
    op.create_table(
        "capture_grant",
        sa.Column("recording", WORD, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("issued_ms", sa.BigInteger(), nullable=False),
        sa.Column("closed_ms", sa.BigInteger(), nullable=True),
        sa.Column("reason", WORD, nullable=True),
        sa.ForeignKeyConstraint(
            ["recording"], ["recording.id"], name="fk_capture_grant_recording", **DEFERRED
        ),
        sa.PrimaryKeyConstraint("recording", "generation", name="pk_capture_grant"),
    )
    op.create_table(
        "manifest_entry",
        sa.Column("recording", WORD, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["recording"], ["recording.id"], name="fk_manifest_entry_recording", **DEFERRED
        ),
        sa.PrimaryKeyConstraint("recording", "n", name="pk_manifest_entry"),
    )
    op.create_table(
        "track",
        sa.Column("id", WORD, nullable=False),
        sa.Column("recording", WORD, nullable=False),
        sa.Column("party", WORD, nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("erased_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["party"], ["party.id"], name="fk_track_party", **DEFERRED),
        sa.ForeignKeyConstraint(
            ["recording"], ["recording.id"], name="fk_track_recording", **DEFERRED
        ),
        sa.PrimaryKeyConstraint("id", name="pk_track"),
        sa.UniqueConstraint("recipient", name="uq_track_recipient"),
        sa.UniqueConstraint("recording", "party", name="uq_track_recording_party"),
    )
    op.create_index("ix_track_party", "track", ["party"])
    op.create_table(
        "withdrawal",
        sa.Column("request", WORD, nullable=False),
        sa.Column("party", WORD, nullable=False),
        sa.Column("recording", WORD, nullable=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("fate", WORD, nullable=True),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["party"], ["party.id"], name="fk_withdrawal_party", **DEFERRED),
        sa.ForeignKeyConstraint(
            ["recording"], ["recording.id"], name="fk_withdrawal_recording", **DEFERRED
        ),
        sa.ForeignKeyConstraint(
            ["request"], ["recording_request.id"], name="fk_withdrawal_request", **DEFERRED
        ),
        sa.PrimaryKeyConstraint("request", "party", name="pk_withdrawal"),
    )
    op.create_index("ix_withdrawal_due_ms", "withdrawal", ["due_ms"])
    op.create_index("ix_withdrawal_recording", "withdrawal", ["recording"])
    op.create_table(
        "segment",
        sa.Column("track", WORD, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("recording", WORD, nullable=False),
        sa.Column("sha256", WORD, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("erased", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["recording"], ["recording.id"], name="fk_segment_recording", **DEFERRED
        ),
        sa.ForeignKeyConstraint(["track"], ["track.id"], name="fk_segment_track", **DEFERRED),
        sa.PrimaryKeyConstraint("track", "number", name="pk_segment"),
    )
    op.create_index("ix_segment_recording", "segment", ["recording"])

    for statement in {"sqlite": SQLITE, "postgresql": POSTGRESQL}[op.get_context().dialect.name]:
        op.execute(statement)
