"""The tables of signing in by a company's provider, beside the others in ``tables``."""

from __future__ import annotations

from sqlalchemy import BigInteger, LargeBinary, Table, Text

from avsession import signin_records
from avsession.storage.columns import ID, column, metadata

identity = Table(
    "identity",
    metadata,
    column("subject", LargeBinary, key=True),
    column("account", ID, "account.id", index=True),
    column("created_ms", BigInteger),
)
pending_sign_in = Table(
    "pending_sign_in",
    metadata,
    column("state_hash", LargeBinary, key=True),
    column("browser_hash", LargeBinary),
    column("nonce", Text),
    column("verifier", Text),
    column("expires_ms", BigInteger, index=True),
)

TABLES: dict[type, Table] = {
    signin_records.Identity: identity,
    signin_records.PendingSignIn: pending_sign_in,
}
"""Which of these tables keeps which record."""
