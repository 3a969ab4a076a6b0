"""The write side: public keys only. Whoever holds this module cannot read what it sealed.

Each segment is one age v1 file (C2SP age) to one X25519 recipient. age gives a fresh file key each
time, ChaCha20-Poly1305 in 64 KiB chunks and an explicit last chunk, so a cut file is an error. It
does not say who wrote it: that is what the signed manifest is for.

The format is written out here, over OpenSSL: sealing is most of what storing a second of video
costs, and this takes a third of what the age library takes. That library, and the age program,
open everything that is sealed here.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b64encode

import pyrage
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from avsession.errors import Invalid

CHUNK = 64 * 1024
"""Plain bytes of a chunk; only the last is shorter."""
_KEY, _FILE_KEY, _NONCE = 32, 16, 16
_ONCE = bytes(12)
"""The nonce under a key that seals one thing."""
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_CHECKSUM = 6


class Sealer:
    """Seals bytes to one track's public key."""

    def __init__(self, recipient: str) -> None:
        """``recipient``: an age X25519 recipient, ``age1…``. Raises Invalid on anything else."""
        try:
            pyrage.x25519.Recipient.from_str(recipient)
            self._raw = _raw(recipient)
            self._recipient = X25519PublicKey.from_public_bytes(self._raw)
            # a point of small order would give away every file key: the exchange refuses it
            X25519PrivateKey.generate().exchange(self._recipient)
        except (pyrage.RecipientError, ValueError) as error:
            raise Invalid("That is not an age recipient.") from error

    def seal(self, plain: bytes) -> bytes:
        """``plain`` as a whole age v1 file."""
        file_key, nonce = secrets.token_bytes(_FILE_KEY), secrets.token_bytes(_NONCE)
        payload = ChaCha20Poly1305(_derived(file_key, nonce, b"payload"))
        view = memoryview(plain)
        last = max(0, len(plain) - 1) // CHUNK
        parts = [self._header(file_key), nonce]
        for number in range(last + 1):
            # STREAM: the chunk's number in 11 bytes, and whether it is the last
            counter = number.to_bytes(11, "big") + (b"\1" if number == last else b"\0")
            parts.append(
                payload.encrypt(counter, view[number * CHUNK : (number + 1) * CHUNK], None)
            )
        return b"".join(parts)

    def _header(self, file_key: bytes) -> bytes:
        ephemeral = X25519PrivateKey.generate()
        share = ephemeral.public_key().public_bytes_raw()
        wrapping = _derived(
            ephemeral.exchange(self._recipient), share + self._raw, b"age-encryption.org/v1/X25519"
        )
        wrapped = ChaCha20Poly1305(wrapping).encrypt(_ONCE, file_key, None)
        head = b"age-encryption.org/v1\n-> X25519 %s\n%s\n---" % (_text(share), _text(wrapped))
        mac = hmac.digest(_derived(file_key, b"", b"header"), head, "sha256")
        return b"%s %s\n" % (head, _text(mac))


def _derived(secret: bytes, salt: bytes, what: bytes) -> bytes:
    return HKDF(hashes.SHA256(), _KEY, salt, what).derive(secret)


def _text(data: bytes) -> bytes:
    return b64encode(data).rstrip(b"=")


def _raw(recipient: str) -> bytes:
    """The public key in a recipient whose checksum is right (BIP 173, as age uses it)."""
    digits = recipient.lower().removeprefix("age1")[:-_CHECKSUM]
    number = 0
    for digit in digits:
        number = number << 5 | _BECH32.index(digit)
    return (number >> len(digits) * 5 - _KEY * 8).to_bytes(_KEY, "big")
