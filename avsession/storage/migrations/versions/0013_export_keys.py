"""The key that an export is sealed to, so that it is prepared without the link's secret.

What was prepared before opens in another way than from now on: its person is told, and asks again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("export", sa.Column("seals_to", sa.LargeBinary(), nullable=True))
    op.execute("update export set state = 'failed' where state = 'ready'")
