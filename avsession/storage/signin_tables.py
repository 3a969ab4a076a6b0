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

passkey = Table(
    "passkey",
    metadata,
    column("id", ID, key=True),
    column("account", ID, "account.id", index=True),
    column("credential", LargeBinary, unique=True),
    column("public_key", LargeBinary),
    column("sign_count", BigInteger),
    column("name", Text),
    column("created_ms", BigInteger),
    column("used_ms", BigInteger, null=True),
)
step_up = Table(
    "step_up",
    metadata,
    column("key_hash", LargeBinary, key=True),
    column("challenge", LargeBinary, null=True),
    column("expires_ms", BigInteger, index=True),
)

TABLES: dict[type, Table] = {
    signin_records.Identity: identity,
    signin_records.PendingSignIn: pending_sign_in,
    signin_records.Passkey: passkey,
    signin_records.StepUp: step_up,
}
"""Which of these tables keeps which record."""
