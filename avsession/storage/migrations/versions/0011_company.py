"""Signing in by a company's provider."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("auth_session", sa.Column("subject", sa.LargeBinary(), nullable=True))
    op.add_column("auth_session", sa.Column("sid", sa.LargeBinary(), nullable=True))
    op.create_index("ix_auth_session_subject", "auth_session", ["subject"])
    op.create_index("ix_auth_session_sid", "auth_session", ["sid"])
    op.create_table(
        "identity",
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"],
            ["account.id"],
            name="fk_identity_account",
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.PrimaryKeyConstraint("subject", name="pk_identity"),
    )
    op.create_index("ix_identity_account", "identity", ["account"])
    op.create_table(
        "pending_sign_in",
        sa.Column("state_hash", sa.LargeBinary(), nullable=False),
        sa.Column("browser_hash", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("verifier", sa.Text(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name="pk_pending_sign_in"),
    )
    op.create_index("ix_pending_sign_in_expires_ms", "pending_sign_in", ["expires_ms"])
