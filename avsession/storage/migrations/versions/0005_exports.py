"""A person's exports, exported recordings, disclosures."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

WORD = sa.String(64)
DEFERRED: dict[str, Any] = {"deferrable": True, "initially": "DEFERRED"}


def upgrade() -> None:
    op.create_table(
        "export",
        sa.Column("id", WORD, nullable=False),
        sa.Column("party", WORD, nullable=False),
        sa.Column("language", WORD, nullable=False),
        sa.Column("opens", sa.LargeBinary(), nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("requested_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", WORD, nullable=False),
        sa.ForeignKeyConstraint(["party"], ["party.id"], name="fk_export_party", **DEFERRED),
        sa.PrimaryKeyConstraint("id", name="pk_export"),
    )
    for name in ("expires_ms", "party", "state"):
        op.create_index(f"ix_export_{name}", "export", [name])
    op.create_table(
        "taken",
        sa.Column("id", WORD, nullable=False),
        sa.Column("recording", WORD, nullable=False),
        sa.Column("why", WORD, nullable=False),
        sa.Column("what", WORD, nullable=False),
        sa.Column("tracks", sa.JSON(), nullable=False),
        sa.Column("account", WORD, nullable=True),
        sa.Column("purpose", WORD, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["recording"], ["recording.id"], name="fk_taken_recording", **DEFERRED
        ),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name="fk_taken_account", **DEFERRED),
        sa.PrimaryKeyConstraint("id", name="pk_taken"),
    )
    for name in ("account", "recording", "what"):
        op.create_index(f"ix_taken_{name}", "taken", [name])
    op.create_table(
        "disclosure",
        sa.Column("id", WORD, nullable=False),
        sa.Column("scope", WORD, nullable=False),
        sa.Column("target", WORD, nullable=False),
        sa.Column("session", WORD, nullable=False),
        sa.Column("category", WORD, nullable=False),
        sa.Column("given_to", sa.Text(), nullable=False),
        sa.Column("basis", WORD, nullable=False),
        sa.Column("basis_text", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("made_by", WORD, nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("silent_until_ms", sa.BigInteger(), nullable=True),
        sa.Column("state", WORD, nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", WORD, nullable=False),
        sa.Column("manifest", WORD, nullable=False),
        sa.Column("leaf", sa.BigInteger(), nullable=True),
        sa.Column("gone_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["session"], ["session.id"], name="fk_disclosure_session", **DEFERRED
        ),
        sa.ForeignKeyConstraint(
            ["made_by"], ["account.id"], name="fk_disclosure_made_by", **DEFERRED
        ),
        sa.ForeignKeyConstraint(["leaf"], ["leaf.number"], name="fk_disclosure_leaf", **DEFERRED),
        sa.PrimaryKeyConstraint("id", name="pk_disclosure"),
    )
    for name in ("gone_ms", "made_by", "made_ms", "session", "state", "target"):
        op.create_index(f"ix_disclosure_{name}", "disclosure", [name])
