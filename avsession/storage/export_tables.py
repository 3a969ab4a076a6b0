"""The tables of what left the house, beside the others in ``tables``."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, LargeBinary, Table, Text

from avsession import export_records as records
from avsession.storage.columns import ID, WORD, column, metadata

export = Table(
    "export",
    metadata,
    column("id", ID, key=True),
    column("party", ID, "party.id", index=True),
    column("language", WORD),
    column("opens", LargeBinary),
    column("state", WORD, index=True),
    column("requested_ms", BigInteger),
    column("expires_ms", BigInteger, index=True),
    column("size", BigInteger),
    column("digest", WORD),
    column("seals_to", LargeBinary, null=True),
)
taken = Table(
    "taken",
    metadata,
    column("id", ID, key=True),
    column("recording", ID, "recording.id", index=True),
    column("why", WORD),
    column("what", ID, index=True),
    column("tracks", JSON),
    column("account", ID, "account.id", null=True, index=True),
    column("purpose", WORD),
    column("reason", Text),
    column("at_ms", BigInteger),
)
disclosure = Table(
    "disclosure",
    metadata,
    column("id", ID, key=True),
    column("scope", WORD),
    column("target", ID, index=True),
    column("session", ID, "session.id", index=True),
    column("category", WORD),
    column("given_to", Text),
    column("basis", WORD),
    column("basis_text", Text),
    column("reason", Text),
    column("parts", JSON),
    column("recipient", Text),
    column("made_by", ID, "account.id", index=True),
    column("made_ms", BigInteger, index=True),
    column("silent_until_ms", BigInteger, null=True),
    column("state", WORD, index=True),
    column("expires_ms", BigInteger),
    column("size", BigInteger),
    column("sha256", WORD),
    column("manifest", WORD),
    column("leaf", BigInteger, "leaf.index", null=True),
    column("gone_ms", BigInteger, null=True, index=True),
)

TABLES: dict[type, Table] = {
    records.Export: export,
    records.Taken: taken,
    records.Disclosure: disclosure,
}
"""Which of these tables keeps which record."""
