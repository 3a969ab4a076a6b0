"""What an export's download key is, and how the small part of an export lies on disk.

Every choice, with its reason:

- The key comes from the secret of the private link (HKDF-SHA-256): the server keeps only the
  hashes of both, so that the database and the disk together open nothing.
- It is not the secret itself: the browser holds it in a cookie, and the secret cannot be had from
  that. But an archive holds the person's receipts, and a receipt opens a fresh private link
  (``usecases/recovery.py``): whoever has the cookie and downloads, or has the archive, can become
  the person. So the archive is to be kept like a key, which its page and the button say; a fresh
  link shows on the person's page, and ends every export that was prepared before it.
- A parcel is sealed with HPKE (RFC 9180: X25519, HKDF-SHA-256, AES-256-GCM) to a public key whose
  private half comes from the download key and the export's id. The public half is kept from the
  moment of asking, so that a server that died goes on by itself and needs no secret for it; what
  is sealed it cannot open again. The id is bound in, so that no parcel can be passed off as
  another's.
- HPKE's base mode does not say who sealed: what a parcel must hold is the manifest whose digest
  stands with the export, and in the log (``usecases/exports.py`` compares).
- It is held whole in memory when it is opened: documents only, :data:`MAX_PARCEL` at most. Media is
  never in it.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from avsession.canonical import b64, unb64
from avsession.errors import Invalid, NotFound

MAX_PARCEL = 128 * 1024 * 1024
"""Bytes of a parcel's content."""
_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def _derive(secret: bytes, info: str) -> bytes:
    return HKDF(SHA256(), 32, None, info.encode()).derive(secret)


def download_key(secret: str) -> str:
    """The key to everything that is prepared under a private link's secret; 43 characters."""
    return b64(_derive(secret.encode("utf-8", "surrogatepass"), "avsession.export.v1"))


def _private(key: str, export: str) -> X25519PrivateKey:
    """Raises NotFound when ``key`` is none."""
    try:
        raw = unb64(key)
    except ValueError:
        raise NotFound from None
    return X25519PrivateKey.from_private_bytes(_derive(raw, f"avsession.export.parcel.v2 {export}"))


def public_key(key: str, export: str) -> bytes:
    """What this export is sealed to: 32 bytes that open nothing. Raises NotFound for no key."""
    return _private(key, export).public_key().public_bytes_raw()


def seal(public: bytes, export: str, plain: bytes) -> bytes:
    """The parcel, for whoever has the download key. Raises Invalid when it is too large, or
    ``public`` is no key."""
    if len(plain) > MAX_PARCEL:
        raise Invalid("There is too much in this export.")
    try:
        whom = X25519PublicKey.from_public_bytes(public)
    except ValueError:
        raise Invalid("There is no key to seal this export to.") from None
    return _SUITE.encrypt(plain, whom, export.encode())


def open_parcel(key: str, export: str, sealed: bytes) -> bytes:
    """What is in a parcel; raises NotFound when the key is not its own, or it was changed."""
    try:
        return _SUITE.decrypt(sealed, _private(key, export), export.encode())
    except (InvalidTag, ValueError):
        raise NotFound from None
