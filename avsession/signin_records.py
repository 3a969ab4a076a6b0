"""Signing in by a company's provider, as the store keeps it. See ``avsession.records``.

``*_hash`` is SHA-256 of a secret that only its holder has.
"""

from __future__ import annotations

import msgspec


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Whose account somebody at the company's provider has. Nothing else ties the two."""

    subject: bytes
    """SHA-256 of the issuer and its ``sub``: enough to know them again, and no more."""
    account: str
    created_ms: int


class PendingSignIn(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody went to the provider and has not come back yet."""

    state_hash: bytes
    browser_hash: bytes
    """Of the cookie of the browser that went: only it may come back."""
    nonce: str
    verifier: str
    """PKCE's (RFC 7636)."""
    expires_ms: int
