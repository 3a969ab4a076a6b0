"""Certificates of destruction, legal holds; a destroyed segment's row goes with it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WORD = sa.String(64)
DEFERRED: dict[str, Any] = {"deferrable": True, "initially": "DEFERRED"}


def upgrade() -> None:
    op.create_table(
        "certificate",
        sa.Column("id", WORD, nullable=False),
        sa.Column("recording", WORD, nullable=False),
        sa.Column("party", WORD, nullable=True),
        sa.Column("reason", WORD, nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("decided_ms", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("done_ms", sa.BigInteger(), nullable=True),
        sa.Column("leaf", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["recording"], ["recording.id"], name="fk_certificate_recording", **DEFERRED
        ),
        sa.ForeignKeyConstraint(["party"], ["party.id"], name="fk_certificate_party", **DEFERRED),
        sa.ForeignKeyConstraint(["leaf"], ["leaf.number"], name="fk_certificate_leaf", **DEFERRED),
        sa.PrimaryKeyConstraint("id", name="pk_certificate"),
    )
    op.create_index("ix_certificate_done_ms", "certificate", ["done_ms"])
    op.create_index("ix_certificate_party", "certificate", ["party"])
    op.create_index("ix_certificate_recording", "certificate", ["recording"])
    op.create_table(
        "hold",
        sa.Column("id", WORD, nullable=False),
        sa.Column("scope", WORD, nullable=False),
        sa.Column("target", WORD, nullable=False),
        sa.Column("session", WORD, nullable=False),
        sa.Column("category", WORD, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("review_ms", sa.BigInteger(), nullable=False),
        sa.Column("placed_by", WORD, nullable=False),
        sa.Column("placed_ms", sa.BigInteger(), nullable=False),
        sa.Column("released_by", WORD, nullable=True),
        sa.Column("released_ms", sa.BigInteger(), nullable=True),
        sa.Column("release_reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["session"], ["session.id"], name="fk_hold_session", **DEFERRED),
        sa.ForeignKeyConstraint(
            ["placed_by"], ["account.id"], name="fk_hold_placed_by", **DEFERRED
        ),
        sa.ForeignKeyConstraint(
            ["released_by"], ["account.id"], name="fk_hold_released_by", **DEFERRED
        ),
        sa.PrimaryKeyConstraint("id", name="pk_hold"),
    )
    op.create_index("ix_hold_placed_by", "hold", ["placed_by"])
    op.create_index("ix_hold_released_ms", "hold", ["released_ms"])
    op.create_index("ix_hold_session", "hold", ["session"])
    op.create_index("ix_hold_target", "hold", ["target"])
    # what was destroyed before today: its rows were only marked
    op.execute("DELETE FROM segment WHERE erased")
    op.drop_column("segment", "erased")
