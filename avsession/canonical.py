"""Canonical JSON (RFC 8785) and the digests made over it.

Everything that is signed, chained or committed to goes through here, so that there is one
answer to "which bytes".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import msgspec
import rfc8785


def canonical(value: Any) -> bytes:
    """``value`` (plain data or a msgspec struct) as RFC 8785 bytes.

    Integers must stay within 2**53; raises ``rfc8785.CanonicalizationError`` otherwise.
    """
    return rfc8785.dumps(msgspec.to_builtins(value))


def sha256_hex(data: bytes) -> str:
    """SHA-256 of ``data``, 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def commitment(salt: bytes, field: str, value: Any) -> str:
    """A hiding commitment to one field: HMAC-SHA256 keyed with a salt of 32 random bytes.

    Without the salt nothing about the value can be tested, however few values there are.
    """
    return hmac.new(salt, canonical([field, value]), hashlib.sha256).hexdigest()


def b64(data: bytes) -> str:
    """Base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The reverse of :func:`b64`; raises ``ValueError`` on anything that it would not make.

    One spelling for one value: otherwise a signed token could be respelt and get a new digest.
    """
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if b64(data) != text:
        raise ValueError("not canonical base64url")
    return data
