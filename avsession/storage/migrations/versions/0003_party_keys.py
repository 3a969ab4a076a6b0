"""The keys that parties' browsers sign with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WORD = sa.String(64)


def upgrade() -> None:
    op.create_table(
        "party_key",
        sa.Column("id", WORD, nullable=False),
        sa.Column("party", WORD, nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("leaf", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["party"],
            ["party.id"],
            name="fk_party_key_party",
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.ForeignKeyConstraint(
            ["leaf"],
            ["leaf.number"],
            name="fk_party_key_leaf",
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_party_key"),
    )
    op.create_index("ix_party_key_party", "party_key", ["party"])
