"""Privacy requests, restrictions, a contact of a party's own choosing."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WORD = sa.String(64)
DEFERRED: dict[str, Any] = {"deferrable": True, "initially": "DEFERRED"}


def upgrade() -> None:
    op.add_column("party", sa.Column("contact", sa.Text(), nullable=True))
    op.create_table(
        "privacy_request",
        sa.Column("id", WORD, nullable=False),
        sa.Column("session", WORD, nullable=False),
        sa.Column("party", WORD, nullable=False),
        sa.Column("used_right", WORD, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("purposes", sa.JSON(), nullable=False),
        sa.Column("asked_by", WORD, nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("extension", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("done_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["session"], ["session.id"], name="fk_privacy_request_session", **DEFERRED
        ),
        sa.ForeignKeyConstraint(
            ["party"], ["party.id"], name="fk_privacy_request_party", **DEFERRED
        ),
        sa.PrimaryKeyConstraint("id", name="pk_privacy_request"),
    )
    for name in ("session", "party", "state", "received_ms", "due_ms", "done_ms"):
        op.create_index(f"ix_privacy_request_{name}", "privacy_request", [name])
    op.create_table(
        "restriction",
        sa.Column("id", WORD, nullable=False),
        sa.Column("session", WORD, nullable=False),
        sa.Column("party", WORD, nullable=False),
        sa.Column("request", WORD, nullable=False),
        sa.Column("why", WORD, nullable=False),
        sa.Column("purposes", sa.JSON(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("placed_ms", sa.BigInteger(), nullable=False),
        sa.Column("lifted_ms", sa.BigInteger(), nullable=True),
        sa.Column("lifted_by", WORD, nullable=False),
        sa.Column("lift_reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session"], ["session.id"], name="fk_restriction_session", **DEFERRED
        ),
        sa.ForeignKeyConstraint(["party"], ["party.id"], name="fk_restriction_party", **DEFERRED),
        sa.ForeignKeyConstraint(
            ["request"], ["privacy_request.id"], name="fk_restriction_request", **DEFERRED
        ),
        sa.PrimaryKeyConstraint("id", name="pk_restriction"),
    )
    for name in ("session", "party", "request", "lifted_ms"):
        op.create_index(f"ix_restriction_{name}", "restriction", [name])
