"""The tables of what people ask for, beside the others in ``tables``."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Table, Text

from avsession import records, staff_records
from avsession.storage.columns import ID, WORD, column, metadata

privacy_request = Table(
    "privacy_request",
    metadata,
    column("id", ID, key=True),
    column("session", ID, "session.id", index=True),
    column("party", ID, "party.id", index=True),
    column("right", WORD),
    column("state", WORD, index=True),
    column("text", Text),
    column("purposes", JSON),
    column("by", WORD),
    column("received_ms", BigInteger, index=True),
    column("due_ms", BigInteger, index=True),
    column("extension", Text),
    column("answer", Text),
    column("done_ms", BigInteger, null=True, index=True),
)
restriction = Table(
    "restriction",
    metadata,
    column("id", ID, key=True),
    column("session", ID, "session.id", index=True),
    column("party", ID, "party.id", index=True),
    column("request", ID, "privacy_request.id", index=True),
    column("why", WORD),
    column("purposes", JSON),
    column("whole", Boolean),
    column("placed_ms", BigInteger),
    column("lifted_ms", BigInteger, null=True, index=True),
    column("lifted_by", WORD),
    column("lift_reason", Text),
)
staff_request = Table(
    "staff_request",
    metadata,
    column("id", ID, key=True),
    column("account", ID, "account.id", index=True),
    column("right", WORD),
    column("state", WORD, index=True),
    column("text", Text),
    column("wanted", Text),
    column("by", WORD),
    column("received_ms", BigInteger),
    column("due_ms", BigInteger, index=True),
    column("extension", Text),
    column("answer", Text),
    column("done_ms", BigInteger, null=True, index=True),
)

TABLES: dict[type, Table] = {
    records.PrivacyRequest: privacy_request,
    records.Restriction: restriction,
    staff_records.StaffRequest: staff_request,
}
"""Which of these tables keeps which record."""
