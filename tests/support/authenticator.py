"""An authenticator in software: makes a passkey and signs with it, right or wrong."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from avsession.canonical import b64

UP, UV, AT = 0x01, 0x04, 0x40


class Authenticator:
    """One passkey. What differs from an honest one is said to each call."""

    def __init__(self, host: str = "localhost", origin: str = "https://localhost:8443") -> None:
        self.host, self.origin = host, origin
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(32)
        self.count = 0

    def _data(self, flags: int, host: str, count: int) -> bytes:
        return hashlib.sha256(host.encode()).digest() + bytes([flags]) + count.to_bytes(4, "big")

    def _client(self, kind: str, challenge: str, origin: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False}
        return json.dumps(said).encode()

    def _named(self, response: dict[str, str]) -> dict[str, Any]:
        return {
            "id": b64(self.id), "rawId": b64(self.id), "type": "public-key",
            "response": response, "clientExtensionResults": {},
        }  # fmt: skip

    def create(self, options: dict[str, Any], *, flags: int = UP | UV, origin: str = "") -> Any:
        """``navigator.credentials.create``."""
        point = self.key.public_key().public_numbers()
        cose = cbor2.dumps(
            {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        )
        data = self._data(flags | AT, self.host, self.count)
        data += bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cose
        made = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", options["challenge"], origin or self.origin)
        return self._named({"clientDataJSON": b64(client), "attestationObject": b64(made)})

    def get(
        self,
        options: dict[str, Any],
        *,
        flags: int = UP | UV,
        origin: str = "",
        host: str = "",
        challenge: str = "",
        count: int | None = None,
    ) -> Any:
        """``navigator.credentials.get``."""
        self.count += 1
        data = self._data(flags, host or self.host, self.count if count is None else count)
        client = self._client(
            "webauthn.get", challenge or options["challenge"], origin or self.origin
        )
        signed = data + hashlib.sha256(client).digest()
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return self._named(
            {
                "clientDataJSON": b64(client),
                "authenticatorData": b64(data),
                "signature": b64(signature),
            }
        )
