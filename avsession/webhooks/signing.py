"""Standard Webhooks 1.0 signatures, and the secrets that make them.

Every choice here is the specification's: ``v1`` is HMAC-SHA256 under a shared secret (``whsec_``,
24 to 64 bytes in base64), ``v1a`` is Ed25519 under a private key (``whsk_``, 32 bytes), both over
``id.timestamp.body``. With two secrets each message carries both signatures, so that a receiver
can move from one to the other without missing any.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from avsession.errors import SettingsInvalid

SHARED, PRIVATE = "whsec_", "whsk_"
MOST = 4
"""Secrets in one file: the present and the former one, of each kind."""
MAX_FILE = 4096
"""Bytes of a file of secrets."""
MIN_SHARED, MAX_SHARED, ED25519 = 24, 64, 32
"""Bytes of a secret."""


class Secrets:
    """What one endpoint's messages are signed with. Never printed."""

    def __init__(self, shared: list[bytes], private: list[Ed25519PrivateKey]) -> None:
        self._shared, self._private = shared, private

    def sign(self, message_id: str, timestamp: int, body: bytes) -> str:
        """The ``webhook-signature`` header: every signature, the newest secret's first.

        ``timestamp``: seconds since the Unix epoch, of this attempt.
        """
        signed = f"{message_id}.{timestamp}.".encode() + body
        found = [f"v1,{_b64(hmac.digest(key, signed, hashlib.sha256))}" for key in self._shared]
        found += [f"v1a,{_b64(key.sign(signed))}" for key in self._private]
        return " ".join(found)


def headers(secrets: Secrets, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers that a receiver verifies; ``message_id`` is the same in every attempt."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": secrets.sign(message_id, timestamp, body),
        "content-type": "application/json",
    }


def read(path: Path) -> Secrets:
    """The secrets in a file, one a line, the one to use from now on first; ``#`` begins a comment.

    Blocking. Raises SettingsInvalid, which names the file and never what stands in it.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE + 1).decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"The webhook secret {path} cannot be read.") from error
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if len(text) > MAX_FILE or not 1 <= len(lines) <= MOST:
        raise SettingsInvalid(f"The webhook secret {path} must have 1 to {MOST} lines.")
    shared, private = [], []
    for number, line in enumerate(lines, 1):
        try:
            if line.startswith(SHARED):
                shared.append(_shared(line.removeprefix(SHARED)))
            elif line.startswith(PRIVATE):
                private.append(_private(line.removeprefix(PRIVATE)))
            else:
                raise ValueError
        except ValueError as error:
            raise SettingsInvalid(
                f"The webhook secret {path}, line {number}: must be {SHARED} and base64 of "
                f"{MIN_SHARED} to {MAX_SHARED} bytes, or {PRIVATE} and base64 of {ED25519}."
            ) from error
    return Secrets(shared, private)


def _shared(text: str) -> bytes:
    key = _bytes(text)
    if not MIN_SHARED <= len(key) <= MAX_SHARED:
        raise ValueError
    return key


def _private(text: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_bytes(text))


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError from error


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
