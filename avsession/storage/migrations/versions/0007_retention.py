"""What retention needs to know: which sessions have no persons any more, which one's customer is a
child, since when an account is disabled, and by which sign-in a ticket was asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account", sa.Column("disabled_ms", sa.BigInteger(), nullable=True))
    # it is not known since when; what follows from it begins now
    op.execute("UPDATE account SET disabled_ms = 0 WHERE disabled")
    op.create_index("ix_account_disabled_ms", "account", ["disabled_ms"])
    op.add_column("ticket", sa.Column("auth", sa.LargeBinary(), nullable=True))
    op.create_index("ix_ticket_auth", "ticket", ["auth"])
    op.add_column("session", sa.Column("child_ms", sa.BigInteger(), nullable=True))
    op.add_column("session", sa.Column("forgotten_ms", sa.BigInteger(), nullable=True))
    for name in ("child_ms", "forgotten_ms", "invitation_expires_ms"):
        op.create_index(f"ix_session_{name}", "session", [name])
