"""A log's key and some notes, for tests."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from avsession.audit.checkpoint import VerifierKey

ORIGIN = "log.example/one"


class Signer:
    """``ports.LogSigner`` in memory, always the same key; ``wrong`` breaks every signature."""

    def __init__(self, seed: int = 1) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.wrong = False
        self.error: Exception | None = None
        self.signed = 0

    @property
    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    async def sign(self, data: bytes) -> bytes:
        self.signed += 1
        if self.error is not None:
            raise self.error
        return self._key.sign(data + b"x" if self.wrong else data)


def key(seed: int = 1, origin: str = ORIGIN) -> VerifierKey:
    return VerifierKey(origin, Signer(seed).public_key)
