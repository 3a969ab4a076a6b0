"""The table of deliveries, beside the others in ``tables``."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, LargeBinary, Table

from avsession import webhook_records
from avsession.storage.columns import ID, WORD, column, metadata

delivery = Table(
    "delivery",
    metadata,
    column("id", ID, key=True),
    column("endpoint", WORD),
    column("kind", WORD),
    column("leaf", BigInteger, "leaf.index", null=True),
    column("body", LargeBinary),
    column("state", WORD),
    column("made_ms", BigInteger, index=True),
    column("since_ms", BigInteger),
    column("due_ms", BigInteger),
    column("attempts", BigInteger),
    column("tried_ms", BigInteger, null=True),
    column("outcome", WORD),
)
Index("ix_delivery_next", delivery.c.endpoint, delivery.c.state, delivery.c.due_ms)

TABLES: dict[type, Table] = {webhook_records.Delivery: delivery}
"""Which of these tables keeps which record."""
