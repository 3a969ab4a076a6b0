"""A company's provider, passkeys and confirmations, as the store keeps them. See
``avsession.records``.

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


class Passkey(msgspec.Struct, frozen=True, kw_only=True):
    """A WebAuthn credential of an account, by which it confirms that it is really them."""

    id: str
    account: str
    credential: bytes
    """The credential's id, as the authenticator gave it."""
    public_key: bytes
    """COSE_Key."""
    sign_count: int
    name: str
    """What its owner calls it."""
    created_ms: int
    used_ms: int | None = None


class StepUp(msgspec.Struct, frozen=True, kw_only=True):
    """One sign-in is about to confirm one action, or has confirmed it; gone once it is used. Or a
    logout token of the provider's was heard, and does not count again."""

    key_hash: bytes
    """SHA-256 of which of the three it is, and of the sign-in and the action, or the token."""
    challenge: bytes | None
    """What the authenticator signs; None once it is confirmed, and where a password is asked."""
    expires_ms: int
