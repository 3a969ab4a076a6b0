"""Secrets that their holder presents later: cookies, links, tickets. Stored as hashes only."""

from __future__ import annotations

import hashlib

from avsession.canonical import b64
from avsession.session import Entropy

SIZE = 32
"""Random bytes in a secret: 256 bits, 43 characters of base64url."""


def new_secret(entropy: Entropy) -> str:
    """A fresh secret, fit for a cookie, a fragment or a JSON string."""
    return b64(entropy(SIZE))


def secret_hash(secret: str) -> bytes:
    """What is stored of a secret. Plain SHA-256 is enough for 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
